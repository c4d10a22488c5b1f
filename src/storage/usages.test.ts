/** What accounts hold, known without their indexes: from the file of a clean stop, by counting, and by notes. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { Address } from "../core/address.ts";
import { MaildirFixture } from "./maildir.test-help.ts";
import { alice, bob, deliverTo, messageText } from "./store.test-help.ts";

const size = messageText(1).length;
let fixture: MaildirFixture;

beforeEach(async () => {
  fixture = await MaildirFixture.make();
});
afterEach(async () => {
  await fixture.dispose();
});

async function withMail(): Promise<void> {
  const store = await fixture.open();
  for (const mailbox of ["INBOX", "A/B"]) await deliverTo(store, messageText(1), { user: alice, mailbox });
  await store.close();
}

test("after a clean stop figures are there at once, and no index is loaded for them", async () => {
  await withMail();
  const store = await fixture.open();
  expect(store.usage(alice)).toEqual({ bytes: 2 * size, messages: 2 });
  expect(store.residentAccounts).toBe(0);
});

test("after a crash they are counted, and the file of the stop before is worth nothing", async () => {
  await withMail();
  const usages = `${fixture.directory}/mail/.madmail-usage`;
  writeFileSync(usages, readFileSync(usages, "utf8").replace(/^\d+ \d+/, "1 1"));
  rmSync(`${fixture.directory}/mail/.madmail-clean`);
  const store = await fixture.open();
  await store.swept();
  expect(store.usage(alice)).toEqual({ bytes: 2 * size, messages: 2 });
  expect(store.residentAccounts).toBe(0);
  await store.close();
  expect(readFileSync(usages, "utf8")).toBe(`${2 * size} 2 ${alice}\n`);
});

test("a start without the file counts in the background", async () => {
  await withMail();
  rmSync(`${fixture.directory}/mail/.madmail-usage`);
  const store = await fixture.open();
  await store.swept();
  expect(store.usage(alice)).toEqual({ bytes: 2 * size, messages: 2 });
});

test("files of other programs count with their size on disk", async () => {
  await withMail();
  rmSync(`${fixture.directory}/mail/.madmail-usage`);
  writeFileSync(`${fixture.maildir(alice)}/new/1700000000.x.host`, "12345");
  writeFileSync(`${fixture.maildir(alice)}/cur/1700000000.y.host,S=7,W=9:2,S`, "1234567");
  const store = await fixture.open();
  expect(await store.usage(alice)).toEqual({ bytes: 2 * size + 12, messages: 4 });
  expect((await store.account(alice)).usedBytes).toBe(2 * size + 12);
});

test("an account that left memory keeps its figures, also when it changes after that", async () => {
  const store = await fixture.open({ residentAccountsMax: 1 });
  const [toAlice, toBob] = [alice, bob].map((user) => ({ user, mailbox: "INBOX" }));
  if (toAlice === undefined || toBob === undefined) throw new Error("two targets");
  await deliverTo(store, messageText(1), toAlice);
  const account = await store.account(alice);
  await deliverTo(store, messageText(1), toBob);
  expect(await store.usage(alice)).toEqual({ bytes: size, messages: 1 });
  await account.expireOldest(1, Number.MAX_SAFE_INTEGER);
  expect(await store.usage(alice)).toEqual({ bytes: 0, messages: 0 });
  expect(account.usedBytes).toBe(0);
  await store.close();
  const again = await fixture.open();
  expect([again.usage(alice), again.usage(bob)]).toEqual([
    { bytes: 0, messages: 0 },
    { bytes: size, messages: 1 },
  ]);
});

test("an account directory that vanishes while it is counted is no account", async () => {
  await withMail();
  rmSync(`${fixture.directory}/mail/.madmail-usage`);
  const store = await fixture.open();
  const counting = store.usage(alice);
  renameSync(`${fixture.directory}/mail/${alice}`, `${fixture.directory}/elsewhere`);
  await counting;
  await store.swept();
  expect(store.usage("nobody@relay.test" as Address)).toBeInstanceOf(Promise);
  expect(await store.usage(alice)).toEqual({ bytes: 0, messages: 0 });
  expect(existsSync(`${fixture.directory}/mail/${alice}`)).toBe(false);
});
