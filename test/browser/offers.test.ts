/**
 * What a visitor is offered: a relay with a trusted certificate, invitations, short addresses of contacts, and an
 * operator's own pages. One relay, changed on the way as an operator would.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  axeFindings,
  isBrowserMissing,
  picture,
  TestBrowser,
  type Visitor,
  widerThanWindow,
} from "../support/browser.ts";
import { Relay, runMadmail } from "../support/relay.ts";

const TIMEOUT_MS = 60_000;
const INVITE =
  "https://i.delta.chat/#0123456789ABCDEF0123456789ABCDEF01234567&v=3&i=Abc_-123&s=Def456&a=anna%40relay.test&n=Anna";
let relay: Relay;
let browser: TestBrowser;
let origin: string;
const missing = isBrowserMissing();

beforeAll(async () => {
  if (missing) return;
  relay = await Relay.start({ name: "browser-offers", config: { site: { contact_sharing: true } } });
  // A certificate by somebody else counts as trusted; the browser here takes any.
  const made = Bun.spawnSync(["sh", "-c", issue], { cwd: relay.dir });
  if (made.exitCode !== 0) throw new Error(made.stderr.toString());
  await relay.stop();
  relay.configure({ tls: { mode: "file", cert: "leaf.pem", key: "leaf.key" } });
  await relay.restart();
  origin = `https://127.0.0.1:${relay.ports.https}`;
  browser = await TestBrowser.start([origin]);
}, TIMEOUT_MS);

afterAll(async () => {
  await browser?.close();
  await relay?.dispose();
});

const issue = [
  "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca",
  "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key -out leaf.csr -subj /CN=relay.test",
  "printf 'subjectAltName=DNS:relay.test' > ext",
  "openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out leaf.pem -days 2 -extfile ext",
].join(" && ");

async function isSound({ page, complaints, strangers }: Visitor): Promise<void> {
  expect(await axeFindings(page)).toEqual([]);
  expect(await widerThanWindow(page)).toBe(0);
  expect(complaints).toEqual([]);
  expect(strangers).toEqual([]);
}

for (const viewport of ["phone", "desktop"] as const) {
  test.skipIf(missing)(
    `a trusted relay shows its code and link on a ${viewport}, within the budget`,
    async () => {
      for (const scheme of ["light", "dark"] as const) {
        const visitor = await browser.visit({ viewport, scheme });
        await visitor.page.goto(origin, { waitUntil: "networkidle" });
        expect(await visitor.received()).toBeLessThan(15_000);
        expect(await visitor.page.getAttribute("a.button", "href")).toMatch(
          /^dcaccount:https:\/\/relay\.test(:\d+)?\/new$/,
        );
        expect(await visitor.page.isVisible("svg.code")).toBe(true);
        await picture(visitor.page, `offers-trusted-${viewport}-${scheme}`);
        await isSound(visitor);
        await visitor.close();
      }
    },
    TIMEOUT_MS,
  );
}

test.skipIf(missing)(
  "a contact is shared by a form, and the short address shows the invitation",
  async () => {
    const visitor = await browser.visit({ viewport: "phone", javaScript: false, locale: "es-ES" });
    const { page } = visitor;
    await page.goto(`${origin}/share`);
    await page.fill("#url", "https://example.org/");
    await page.fill("#name", "Ana <b>");
    await page.click("main button");
    expect(await page.textContent("[role=alert]")).toContain("i.delta.chat");
    expect(await page.inputValue("#name")).toBe("Ana <b>");
    await page.fill("#url", INVITE);
    await page.fill("#slug", "Anna");
    await page.click("main button");
    expect((await page.textContent("a.big"))?.trim()).toBe(`${origin}/anna`);
    await page.click("a.big");
    expect(await page.textContent("h1")).toBe("Ana <b>");
    expect(await page.getAttribute("a.button", "href")).toStartWith("openpgp4fpr:0123456789ABCDEF");
    expect(visitor.strangers).toEqual([]);
    await visitor.close();

    const looking = await browser.visit({ viewport: "desktop", scheme: "dark", locale: "fa-IR" });
    for (const path of ["/share", "/anna"]) {
      await looking.page.goto(origin + path);
      expect(await looking.page.getAttribute("html", "dir")).toBe("rtl");
      await picture(looking.page, `offers${path.replace("/", "-")}-fa-desktop-dark`);
      await isSound(looking);
    }
    await looking.close();
  },
  TIMEOUT_MS,
);

test.skipIf(missing)(
  "a relay that asks for invitations takes the token and leads to the account",
  async () => {
    await relay.reload({ accounts: { token_required: true } });
    const visitor = await browser.visit({ viewport: "phone" });
    const { page } = visitor;
    await page.goto(`${origin}/ru`);
    await picture(page, "offers-token-ru-phone-light");
    await isSound(visitor);
    await page.fill("#token", " abc ");
    await page.click("main button");
    expect(await page.getAttribute("a.button", "href")).toEndWith("/new?token=abc");
    await isSound(visitor);
    await visitor.close();
    await relay.reload({ accounts: { token_required: false } });
  },
  TIMEOUT_MS,
);

test.skipIf(missing)(
  "an operator's own pages are shown at once, and a mistake in one gives way to the built-in page",
  async () => {
    const dir = join(relay.dir, "www");
    const config = ["--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir];
    expect((await runMadmail(["html-export", dir])).code).toBe(0);
    const served = await runMadmail(["html-serve", dir, ...config]);
    expect([served.code, served.output]).toEqual([0, expect.stringContaining("an edit shows at once")]);
    const visitor = await browser.visit({ viewport: "desktop" });
    const { page } = visitor;
    await page.goto(origin);
    expect(await page.textContent("h1")).toBe("Welcome to relay.test");
    await picture(page, "offers-starter-desktop-light");
    await isSound(visitor);
    await page.goto(`${origin}/rules`);
    expect(await page.textContent("h1")).toBe("House rules");
    await page.goto(`${origin}/privacy`);
    expect(await page.textContent("h1")).toBe("Privacy");

    writeFileSync(join(dir, "index.html"), "<title>x</title>\n<h1>{{.Mistake}}</h1>");
    await page.goto(origin);
    expect(await page.textContent("h1")).toBe("Private chats in one tap");
    expect(relay.output).toContain("index.html:2: there is no variable `Mistake`");
    const refused = await runMadmail(["html-serve", dir, ...config]);
    expect([refused.code, refused.output]).toEqual([1, expect.stringContaining("index.html:2")]);
    mkdirSync(join(dir, "old"));
    expect((await runMadmail(["html-serve", "embedded", ...config])).code).toBe(0);
    await page.goto(`${origin}/rules`);
    expect(await page.textContent("h1")).toBe("There is nothing here");
    await visitor.close();
  },
  TIMEOUT_MS,
);

test.skipIf(missing)("the program is handed out, byte by byte", async () => {
  const answer = await fetch(`${origin}/madmail`, { tls: { rejectUnauthorized: false } });
  expect(answer.headers.get("content-disposition")).toBe('attachment; filename="madmail"');
  const digest = new Bun.CryptoHasher("sha256").update(await answer.arrayBuffer()).digest("hex");
  const binary = Bun.file(join(import.meta.dir, "../..", process.env["MADMAIL_BIN"] ?? "dist/madmail"));
  expect(digest).toBe(new Bun.CryptoHasher("sha256").update(await binary.arrayBuffer()).digest("hex"));
});
