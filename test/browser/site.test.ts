/** The public site in Debian's Chromium, served by the compiled relay: every page, both schemes, both sizes, four languages. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  axeFindings,
  isBrowserMissing,
  picture,
  type Scheme,
  TestBrowser,
  type Viewport,
  widerThanWindow,
} from "../support/browser.ts";
import { Relay } from "../support/relay.ts";

const LANGUAGES = ["en", "fa", "ru", "es"] as const;
const PATHS = ["/", "/docs", "/info", "/privacy", "/security", "/deploy", "/nothing-here"] as const;
const HOME_MAX_BYTES = 15_000;
const TIMEOUT_MS = 60_000;

/** One language of each direction in both schemes; the others differ in their words alone. */
function schemesOf(language: string): readonly Scheme[] {
  return language === "en" || language === "fa" ? ["light", "dark"] : ["light"];
}

let relay: Relay;
let browser: TestBrowser;
let origin: string;
const missing = isBrowserMissing();
if (missing) console.log("no Chromium: browser suites are skipped");

beforeAll(async () => {
  if (missing) return;
  relay = await Relay.start({ name: "browser-site" });
  origin = `https://127.0.0.1:${relay.ports.https}`;
  browser = await TestBrowser.start([origin]);
}, TIMEOUT_MS);

afterAll(async () => {
  await browser?.close();
  await relay?.dispose();
});

for (const language of LANGUAGES) {
  for (const viewport of ["phone", "desktop"] as const satisfies Viewport[]) {
    test.skipIf(missing)(
      `pages on a ${viewport}, ${language}, ${schemesOf(language).join(" and ")}: quiet, accessible, within the window, nothing from elsewhere`,
      async () => {
        const visitor = await browser.visit({ viewport });
        const { page } = visitor;
        for (const path of PATHS) {
          const at = `/${language}${path === "/" ? "" : path}`;
          const answer = await page.goto(origin + at);
          expect(answer?.status()).toBe(path === "/nothing-here" ? 404 : 200);
          expect(await page.getAttribute("html", "dir")).toBe(language === "fa" ? "rtl" : "ltr");
          expect(await page.getAttribute("html", "lang")).toBe(language);
          expect({ at, wider: await widerThanWindow(page) }).toEqual({ at, wider: 0 });
          await page.emulateMedia({ colorScheme: "light" });
          for (const scheme of schemesOf(language)) {
            await page.emulateMedia({ colorScheme: scheme });
            const findings = await axeFindings(page, scheme === "dark" ? ["color-contrast"] : undefined);
            expect({ at, scheme, findings }).toEqual({ at, scheme, findings: [] });
            const name = path === "/" ? "home" : path.slice(1);
            await picture(page, `site-${name}-${language}-${viewport}-${scheme}`);
          }
        }
        // The answer for a page that is not there is told on the console as well.
        expect(visitor.complaints.filter((text) => !text.includes("404"))).toEqual([]);
        expect(visitor.strangers).toEqual([]);
        await visitor.close();
      },
      TIMEOUT_MS,
    );
  }
}

test.skipIf(missing)(
  "the first view of the start page stays within its budget in every language",
  async () => {
    for (const language of LANGUAGES) {
      const visitor = await browser.visit({ viewport: "phone" });
      await visitor.page.goto(`${origin}/${language}`, { waitUntil: "networkidle" });
      const bytes = await visitor.received();
      console.log(`start page, ${language}: ${bytes} bytes received, script and icon included`);
      expect(bytes).toBeGreaterThan(1000);
      expect(bytes).toBeLessThan(HOME_MAX_BYTES);
      await visitor.close();
    }
  },
  TIMEOUT_MS,
);

for (const javaScript of [true, false]) {
  test.skipIf(missing)(
    `one tap makes an account, ${javaScript ? "and opens the app" : "without JavaScript too"}`,
    async () => {
      const visitor = await browser.visit({ viewport: "phone", javaScript, locale: "ru-RU" });
      const { page } = visitor;
      await page.goto(origin);
      expect(await page.getAttribute("html", "lang")).toBe("ru");
      await page.click("form[action='/new'] button");
      await page.waitForSelector("a[href^='dclogin:']");
      const href = (await page.getAttribute("a[href^='dclogin:']", "href")) ?? "";
      expect(href).toMatch(/^dclogin:[a-z0-9]+@relay\.test\/\?p=[A-Za-z0-9]+&v=1&.*&ic=3$/);
      relay.address(href.slice("dclogin:".length, href.indexOf("@")));
      expect(await page.isVisible("svg.code")).toBe(true);
      if (javaScript) {
        expect(visitor.appLinks).toContain(href);
        expect(await axeFindings(page)).toEqual([]);
        await page.waitForSelector("#not-opened:not([hidden])");
      }
      await picture(page, `site-account-${javaScript ? "js" : "nojs"}`);
      expect(visitor.complaints.filter((text) => !text.includes("dclogin:"))).toEqual([]);
      expect(visitor.strangers).toEqual([]);
      await visitor.close();
    },
    TIMEOUT_MS,
  );
}

test.skipIf(missing)("the relay printed no name of an account", () => {
  expect(relay.leaks()).toEqual([]);
});
