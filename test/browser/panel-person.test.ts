/**
 * A person's path through everything at once: the home page gives an account, its code goes into the real Delta Chat
 * core, two people chat, the operator sees it in the panel, sets a quota, and ends it. Then the panel of a large relay.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { isBrowserMissing, picture, TestBrowser } from "../support/browser.ts";
import { Core, secureJoin } from "../support/delta-chat.ts";
import { ImapClient } from "../support/imap-client.ts";
import { settled, TestPanel } from "../support/panel.ts";
import { Relay } from "../support/relay.ts";

const TIMEOUT_MS = 120_000;
const MANY_ACCOUNTS = 100_000;
/** From a click to the page that it asked for, on a busy machine. */
const PAGE_MAX_MS = 3000;
let relay: Relay;
let browser: TestBrowser;
let panel: TestPanel;
let core: Core;
const missing = isBrowserMissing();

beforeAll(async () => {
  if (missing) return;
  // Its name is its address, so that the link leads there without a DNS.
  relay = await Relay.start({ name: "browser-panel-person", domain: "[127.0.0.1]" });
  panel = new TestPanel(relay);
  browser = await TestBrowser.start([panel.origin]);
  core = await Core.start("browser-panel-person");
}, TIMEOUT_MS);

afterAll(async () => {
  await core?.close();
  await browser?.close();
  await relay?.dispose();
});

test.skipIf(missing)(
  "from the home page to a chat, and from the panel to its end",
  async () => {
    const visitor = await browser.visit({ viewport: "phone" });
    await visitor.page.goto(panel.origin);
    await visitor.page.click("form[action='/new'] button");
    await visitor.page.waitForSelector("a[href^='dclogin:']");
    const link = (await visitor.page.getAttribute("a[href^='dclogin:']", "href")) ?? "";
    await visitor.close();

    // The second person's account is made by the operator in the panel.
    const operator = await browser.visit();
    const { page } = operator;
    await panel.enter(operator);
    await panel.open(operator, "/accounts");
    await page.click("button:has-text('New account')");
    await page.fill("dialog input[name=user]", "bobfrompanel");
    relay.address("bobfrompanel");
    await page.click("dialog button[type=submit]");
    const given = (await page.textContent("dialog code:has-text('dclogin:')")) ?? "";
    expect(await page.locator("dialog svg.qr path").getAttribute("d")).toMatch(/^M\d+ \d+h7/);
    await picture(page, "panel-new-account");
    await page.keyboard.press("Escape");

    const [anna, bob] = [await core.scan(relay, link), await core.scan(relay, given)];
    await secureJoin(anna, bob);
    const chat = await anna.chatWith(bob);
    await anna.say(chat, "hello from the home page");
    await bob.eventually(async () => {
      const { text } = await bob.receive();
      return text === "hello from the home page" ? true : undefined;
    }, "the message");

    await page.fill("input[type=search]", "bobfrompanel");
    await page.waitForSelector("tbody tr:only-child a:has-text('bobfrompanel')");
    await page.click("tbody a");
    await page.waitForSelector("h2.address");
    await settled(operator);
    const fact = (title: string) => page.locator(`.facts div:has(dt:text-is('${title}')) dd`);
    expect(Number(await fact("Connections now").textContent())).toBeGreaterThan(0);
    await panel.open(operator, "/");
    const sent = await page.locator(".figures div:has(dt:text-is('Sent by users')) dd").textContent();
    expect(Number(sent)).toBeGreaterThan(0);
    expect(Number(sent)).toBe((await panel.call("relay.status", {})).messages["sent_messages"] ?? 0);

    await panel.open(operator, `/accounts/one?user=${encodeURIComponent(bob.address)}`);
    await page.click("button:text-is('Quota')");
    await page.fill("dialog input[name=size]", "plenty");
    await page.click("dialog button[type=submit]");
    await page.waitForSelector("dialog [role=alert]");
    await page.fill("dialog input[name=size]", "64M");
    await page.click("dialog button[type=submit]");
    await page.waitForSelector("main:has-text('of 64\u00a0MB')");
    expect((await panel.call("quota.get", { user: bob.address })).quotaBytes).toBe(64 * 1024 * 1024);

    const session = await ImapClient.open({ port: relay.ports.imaps, tls: true });
    expect((await session.login(bob.address, bob.password)).status).toBe("OK");
    await core.excused(async () => {
      await page.click("button:text-is('Ban')");
      await page.fill("dialog input", "bobfrompanel");
      await page.click("dialog button[type=submit]");
      await session.link.closed;
      await page.waitForSelector(".banner.bad:has-text('Blocked')");
      await core.rpc.stopIo(bob.id);
    });
    expect((await panel.call("accounts.info", { user: bob.address })).sessions).toBe(0);
    const again = await ImapClient.open({ port: relay.ports.imaps, tls: true });
    expect((await again.login(bob.address, bob.password)).status).toBe("NO");
    again.link.close();
    expect(operator.complaints).toEqual([]);
    expect(operator.strangers).toEqual([]);
    await operator.close();
  },
  TIMEOUT_MS,
);

test.skipIf(missing)(
  "a hundred thousand accounts are searched, sorted and paged fast",
  async () => {
    await core.excused(async () => {
      await relay.stop();
      panel.onDatabase((db) => {
        const nowSec = Math.floor(Date.now() / 1000);
        const password = db.prepare("insert into passwords (username, hash, created_at) values (?, ?, ?)");
        const quota = db.prepare("insert into quotas (username, created_at, last_login_at) values (?, ?, ?)");
        db.transaction(() => {
          for (let index = 0; index < MANY_ACCOUNTS; index++) {
            const user = `person${String(index).padStart(6, "0")}@[127.0.0.1]`;
            password.run(user, "sha256:00:00", nowSec - index);
            quota.run(user, nowSec - index, nowSec - (index % 1000) * 86_400);
          }
        })();
      });
      await relay.restart();
    });
    const visitor = await browser.visit();
    const { page } = visitor;
    await panel.enter(visitor);
    await panel.open(visitor, "/accounts");
    const timed = async (what: string, act: () => Promise<unknown>, wanted: string) => {
      const startedAt = performance.now();
      await act();
      await page.waitForSelector(wanted);
      const ms = Math.round(performance.now() - startedAt);
      console.log(`100,000 accounts, ${what}: ${ms} ms`);
      expect(ms).toBeLessThan(PAGE_MAX_MS);
    };
    const row = (user: string) => `tbody tr a:has-text('${user}')`;
    await timed("next page", () => page.click("button:text-is('Next')"), row("person000095"));
    await timed("search", () => page.fill("input[type=search]", "person0777"), row("person077749"));
    await timed("search that finds nothing", () => page.fill("input[type=search]", "zzz"), "p.empty");
    await page.fill("input[type=search]", "");
    await page.waitForSelector(row("person000001"));
    await timed(
      "sorted by creation",
      () => page.selectOption("select >> nth=3", "created"),
      row("person099999"),
    );
    await picture(page, "panel-accounts-many");
    await timed("sorted by storage", () => page.selectOption("select >> nth=3", "used"), row("person000001"));
    expect(visitor.complaints).toEqual([]);
    await visitor.close();
  },
  TIMEOUT_MS,
);

test.skipIf(missing)("the relay printed no name of an account", () => {
  expect(relay.leaks()).toEqual([]);
});
