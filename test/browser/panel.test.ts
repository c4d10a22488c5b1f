/** The admin panel in Debian's Chromium, served by the compiled relay: every page in every look, quiet and accessible. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  axeFindings,
  isBrowserMissing,
  picture,
  type Scheme,
  TestBrowser,
  type Viewport,
  type Visitor,
  widerThanWindow,
} from "../support/browser.ts";
import { TestPanel, settled } from "../support/panel.ts";
import { Relay } from "../support/relay.ts";

const TIMEOUT_MS = 60_000;
/** Wanted, and never listened at: it is taken back before the next reload. */
const PENDING_PORT = 2587;
const PATHS = [
  "/",
  "/accounts",
  "/accounts/blocked",
  "/accounts/one?user=anna",
  "/invites",
  "/federation",
  "/federation/policy",
  "/federation/routing",
  "/queue",
  "/setup",
  "/setup/dns",
  "/setup/certificate",
  "/services",
  "/services/ports",
  "/settings",
  "/settings/pending",
  "/care",
  "/care/tasks",
  "/notices",
  "/contacts",
  "/audit",
  "/nothing-here",
] as const;
/** Somebody may call himself so at another relay, or say so in a reason. */
const MARKUP = '<img src=x onerror="document.title=1">';

let relay: Relay;
let browser: TestBrowser;
let panel: TestPanel;
const missing = isBrowserMissing();
if (missing) console.log("no Chromium: browser suites are skipped");

beforeAll(async () => {
  if (missing) return;
  relay = await Relay.start({ name: "browser-panel" });
  panel = new TestPanel(relay);
  browser = await TestBrowser.start([panel.origin]);
  await furnish();
}, TIMEOUT_MS);

afterAll(async () => {
  await browser?.close();
  await relay?.dispose();
});

/** Something on every page, with texts that would hurt if they were taken for mark-up. */
async function furnish(): Promise<void> {
  await relay.stop();
  panel.onDatabase((db) => {
    const put = db.prepare(
      "insert or replace into history_samples (tier, slot, started_at, sample) values (0, ?, ?, ?)",
    );
    const nowSec = Math.floor(Date.now() / 300_000) * 300;
    for (let back = 1; back < 288; back++) {
      const wave = (scale: number, turn: number) => Math.round(scale * (1.2 + Math.sin(back / turn)));
      const sample = {
        sent: wave(40, 21),
        received: wave(60, 24),
        federated: wave(12, 17),
        refused: back % 9,
        logins: wave(8, 30),
        loginFailures: back % 5,
        accounts: 4000 - back,
        connections: wave(300, 40),
        addresses: wave(240, 40),
        deliveryP50Ms: wave(2, 13),
        deliveryP99Ms: wave(7, 11),
        queue: back % 40 < 5 ? 7 : 0,
        mailBytes: 2_000_000_000 - back * 1_000_000,
        diskFreeBytes: 40_000_000_000 + back * 1_000_000,
        residentBytes: wave(60_000_000, 50),
        imapOutBytes: wave(40_000_000, 22),
        smtpInBytes: wave(12_000_000, 22),
        federationOutBytes: wave(6_000_000, 19),
        turnOutBytes: back % 50 < 10 ? 30_000_000 : 0,
        httpOutBytes: wave(2_000_000, 15),
      };
      const startedAt = nowSec - back * 300;
      put.run((startedAt / 300) % 288, startedAt, JSON.stringify(sample));
    }
  });
  await relay.restart();
  for (const user of ["anna", "bela", "chiara", "dmitri", "esra"]) {
    relay.address(user);
    await panel.call("accounts.create", { user });
  }
  await panel.call("quota.set", { user: "bela", bytes: 50_000_000 });
  await panel.call("blocklist.add", { user: "esra", reason: MARKUP });
  await panel.call("blocklist.add", { user: "nobody1", reason: "spam" });
  await panel.call("tokens.create", { token: "friends", maxUses: 20, comment: MARKUP, expiresIn: "7d" });
  await panel.call("tokens.create", { comment: "for the club" });
  await panel.call("federation.rules.add", { domain: "spam.example" });
  await panel.call("federation.dismissed.add", { domain: "void.example" });
  await panel.call("endpoints.set", { key: "friend.example", target: "203.0.113.7:8443", comment: MARKUP });
  await panel.call("exchangers.add", { name: MARKUP, url: "https://exchange.example/poll" });
  await panel.call("exchangers.update", { name: MARKUP, enabled: false });
  await panel.call("contacts.create", {
    slug: "anna",
    url: "https://i.delta.chat/#0123456789ABCDEF0123456789ABCDEF01234567&v=3&i=Abc_-123&s=Def456&a=anna%40relay.test&n=Anna",
    name: MARKUP,
  });
  await panel.call("ports.set", { service: "submission", port: PENDING_PORT });
}

function isQuiet({ complaints, strangers }: Visitor): void {
  expect(complaints).toEqual([]);
  expect(strangers).toEqual([]);
}

interface Look {
  viewport: Viewport;
  language: string;
  schemes: readonly Scheme[];
  /** Where axe has something new to see: mark-up, layout, direction; in the dark, colours. */
  axe: readonly Scheme[];
}
const looks: readonly Look[] = [
  { viewport: "desktop", language: "en", schemes: ["light", "dark"], axe: ["light", "dark"] },
  { viewport: "phone", language: "en", schemes: ["light", "dark"], axe: ["light"] },
  { viewport: "desktop", language: "fa", schemes: ["light", "dark"], axe: [] },
  { viewport: "phone", language: "fa", schemes: ["light", "dark"], axe: ["light"] },
  { viewport: "phone", language: "ru", schemes: ["light"], axe: [] },
  { viewport: "desktop", language: "es", schemes: ["light"], axe: [] },
];

for (const { viewport, language, schemes, axe } of looks) {
  test.skipIf(missing)(
    `every page on a ${viewport}, ${language}, ${schemes.join(" and ")}: quiet, accessible, within the window`,
    async () => {
      const visitor = await browser.visit({ viewport });
      const { page } = visitor;
      await panel.enter(visitor, { language });
      for (const path of PATHS) {
        await page.emulateMedia({ colorScheme: "light" });
        await panel.open(visitor, path);
        expect(await page.getAttribute("html", "dir")).toBe(language === "fa" ? "rtl" : "ltr");
        expect(await page.getAttribute("html", "lang")).toBe(language);
        // What people wrote is text, whatever it looks like.
        expect(await page.title()).toContain("madmail");
        expect(await page.locator("main img").count()).toBe(0);
        expect({ path, banners: await page.locator("main [role=alert]").allTextContents() }).toEqual({
          path,
          banners: [],
        });
        expect({ path, wider: await widerThanWindow(page) }).toEqual({ path, wider: 0 });
        for (const scheme of schemes) {
          await page.emulateMedia({ colorScheme: scheme });
          if (axe.includes(scheme)) {
            const findings = await axeFindings(page, scheme === "dark" ? ["color-contrast"] : undefined);
            expect({ path, scheme, findings }).toEqual({ path, scheme, findings: [] });
          }
          const name = path === "/" ? "overview" : path.slice(1).replace(/\?.*$/, "").replaceAll("/", "-");
          await picture(page, `panel-${name}-${language}-${viewport}-${scheme}`);
        }
      }
      isQuiet(visitor);
      await visitor.close();
    },
    2 * TIMEOUT_MS,
  );
}

test.skipIf(missing)(
  "a session that may only look sees no button that changes anything",
  async () => {
    const visitor = await browser.visit();
    await panel.enter(visitor, { scope: "read" });
    for (const path of PATHS) {
      await panel.open(visitor, path);
      const { page } = visitor;
      expect({ path, found: await page.locator("main button.danger, main button.primary").count() }).toEqual({
        path,
        found: 0,
      });
      expect({ path, found: await page.locator("main input[role=switch]:enabled").count() }).toEqual({
        path,
        found: 0,
      });
    }
    isQuiet(visitor);
    await visitor.close();
  },
  TIMEOUT_MS,
);

test.skipIf(missing)(
  "wrong token, right token, a session that ends, a link that works once",
  async () => {
    const visitor = await browser.visit();
    const { page, complaints } = visitor;
    await page.goto(panel.url("/queue"));
    await page.fill("input[name=token]", "wrong");
    await page.click("button[type=submit]");
    await page.waitForSelector("[role=alert]");
    expect(await axeFindings(page)).toEqual([]);
    await picture(page, "panel-login");
    await page.fill("input[name=token]", panel.token);
    await page.click("button[type=submit]");
    await page.waitForSelector("main h1:has-text('Queue')");
    // Neither storage of the browser holds the operator's token.
    const kept = await page.evaluate<string>("JSON.stringify([{ ...localStorage }, { ...sessionStorage }])");
    expect(kept).not.toContain(panel.token);
    await page.evaluate(
      'sessionStorage.setItem(\'madmail.session\', sessionStorage.getItem(\'madmail.session\').replace(/"token":"[^"]+/, \'"token":"gone\'))',
    );
    await page.reload();
    await page.waitForSelector("[role=alert]:has-text('session has ended')");
    await page.fill("input[name=token]", panel.token);
    await page.click("button[type=submit]");
    await page.waitForSelector("main h1:has-text('Queue')");
    await page.click("button:has-text('Log out')");
    await page.waitForSelector("input[name=token]");
    const { link } = await panel.call("admin.loginLink", {});
    const local = link.replace(/^https:\/\/[^/]+/, panel.origin);
    for (const wanted of ["main h1:has-text('Overview')", "[role=alert]:has-text('used already')"]) {
      const other = await browser.visit();
      await other.page.goto(local);
      await other.page.waitForSelector(wanted);
      expect(other.page.url()).not.toContain("code=");
      isQuiet(other);
      await other.close();
    }
    expect(complaints).toEqual([]);
    await visitor.close();
  },
  TIMEOUT_MS,
);

test.skipIf(missing)(
  "a setting is changed, waits, is taken back; who was slower is told",
  async () => {
    const visitor = await browser.visit();
    const { page } = visitor;
    await panel.enter(visitor);
    await panel.open(visitor, "/settings?search=turn_realm");
    await page.click("button[aria-label='Change: turn_realm']");
    await panel.call("settings.set", { name: "turn_realm", value: "other.test" });
    await page.fill("dialog input[name=value]", "mine.test");
    await page.click("dialog button[type=submit]");
    await page.waitForSelector("dialog [role=alert]:has-text('other.test by now')");
    await page.keyboard.press("Escape");
    await page.waitForSelector("dialog", { state: "detached" });
    expect(await page.evaluate<string>("document.activeElement.getAttribute('aria-label')")).toBe(
      "Change: turn_realm",
    );
    await panel.open(visitor, "/settings/pending");
    expect(await page.locator("tbody tr").count()).toBe(1);
    await page.click("button[aria-label='Take back: submission_port']");
    await page.waitForSelector("p.empty");
    expect((await panel.call("relay.status", {})).pending).toEqual([]);
    await panel.call("settings.reset", { name: "turn_realm" });
    isQuiet(visitor);
    await visitor.close();
  },
  TIMEOUT_MS,
);

const dialogs: readonly [path: string, opener: string, name: string][] = [
  ["/accounts", "button:text-is('New account')", "create"],
  ["/accounts", "button:text-is('Export, import')", "transfer"],
  ["/accounts/one?user=bela", "button:text-is('Delete')", "delete"],
  ["/invites", "button:text-is('New invitation')", "invite"],
  ["/federation/routing", "button:text-is('Add') >> nth=0", "route"],
  ["/services", "label:has-text('open relay') input", "open-relay"],
  ["/services/ports", "button[aria-label='Change: HTTPS']", "port"],
  ["/settings", "button[aria-label='Change: ss_cipher']", "setting"],
  ["/care", "button:text-is('Delete all mail')", "purge"],
  ["/contacts", "button:text-is('New contact link')", "contact"],
];

test.skipIf(missing)(
  "questions on a phone are accessible, fit the window, close with Escape; the other sections are behind More",
  async () => {
    const visitor = await browser.visit({ viewport: "phone" });
    const { page } = visitor;
    await panel.enter(visitor);
    for (const [path, opener, name] of dialogs) {
      await panel.open(visitor, path);
      await page.click(opener);
      await page.waitForSelector("dialog[open]:not(:has(.loading, [aria-busy=true]))");
      expect({ name, findings: await axeFindings(page) }).toEqual({ name, findings: [] });
      expect({ name, wider: await widerThanWindow(page) }).toEqual({ name, wider: 0 });
      await picture(page, `panel-dialog-${name}`);
      await page.keyboard.press("Escape");
      await page.waitForSelector("dialog", { state: "detached" });
    }
    expect((await panel.call("services.get", {})).openRelay.enabled).toBe(false);
    await page.click("button.more");
    expect(await axeFindings(page)).toEqual([]);
    await picture(page, "panel-more");
    await page.click("nav a:has-text('Changes')");
    await page.waitForSelector("main h1:text-is('Changes')");
    expect(await page.isVisible("nav a:has-text('Changes')")).toBe(false);
    isQuiet(visitor);
    await visitor.close();
  },
  TIMEOUT_MS,
);

test.skipIf(missing)(
  "many accounts at once, an invitation, a notice and a task: each says what it will do before it does it",
  async () => {
    const visitor = await browser.visit();
    const { page } = visitor;
    await panel.enter(visitor);
    for (const user of ["gregor1", "gregor2", "gregor3"]) {
      relay.address(user);
      await panel.call("accounts.create", { user });
    }
    await panel.open(visitor, "/accounts?search=gregor");
    await page.check("thead input[type=checkbox]");
    await page.click("button:text-is('Ban')");
    const act = page.locator("dialog button[type=submit]");
    expect(await act.isDisabled()).toBe(true);
    await page.fill("dialog input", "3");
    await act.click();
    await page.waitForSelector("p.empty");
    const { blocked } = await panel.call("blocklist.list", {});
    expect(blocked.filter(({ user }) => user.startsWith("gregor"))).toHaveLength(3);

    await panel.open(visitor, "/invites");
    await page.click("tr:has-text('friends') button:text-is('Show')");
    const link = (await page.textContent("dialog code:has-text('https://')")) ?? "";
    expect(link).toEndWith("/inv/friends");
    expect(await page.locator("dialog svg.qr").count()).toBe(1);
    await picture(page, "panel-invitation");
    await page.keyboard.press("Escape");

    await panel.open(visitor, "/notices");
    await page.fill("label:has-text('Subject') input", "Night work");
    await page.fill("textarea", "The relay rests from two to three.");
    await page.click("button:text-is('Send')");
    const audience = (await panel.call("notices.audience", {})).totalUsers;
    await page.waitForSelector(`dialog h2:has-text('Write to ${audience} accounts?')`);
    await page.fill("dialog input", String(audience));
    await page.click("dialog button[type=submit]");
    await page.waitForSelector(`.banner.well:has-text('Sent: ${audience}')`);

    await panel.open(visitor, "/care/tasks");
    await page.click("button[aria-label='Count and run: Delete read mail']");
    await page.click("dialog button:text-is('Run now')");
    await page.waitForSelector("dialog .banner.well");
    expect((await panel.call("accounts.info", { user: "anna" })).messageCount).toBe(1);
    expect(visitor.complaints).toEqual([]);
    await visitor.close();
  },
  TIMEOUT_MS,
);

test.skipIf(missing)(
  "the relay goes away under the panel and comes back",
  async () => {
    const visitor = await browser.visit();
    const { page } = visitor;
    await panel.enter(visitor);
    await panel.open(visitor, "/queue");
    console.log(`the relay under an open panel stopped in ${Math.round((await relay.stop()).ms)} ms`);
    await page.click("a:has-text('Settings')");
    await page.waitForSelector("[role=alert]:has-text('does not answer')");
    await picture(page, "panel-away");
    await relay.restart();
    // Sessions end with the process that gave them; the page is kept.
    await page.waitForSelector("input[name=token]");
    await page.fill("input[name=token]", panel.token);
    await page.click("button[type=submit]");
    await page.waitForSelector("main h1:has-text('Settings')");
    await settled(visitor);
    expect(await page.locator("tbody tr").count()).toBeGreaterThan(10);
    await visitor.close();
  },
  TIMEOUT_MS,
);

test.skipIf(missing)("the relay printed no name of an account", () => {
  expect(relay.leaks()).toEqual([]);
});
