/** Messages show strictly in UID order, whatever order the disk finishes in. */
import * as fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { HeldSyncs } from "./files.test-help.ts";
import { LANDING_MAX_MS } from "./landing.ts";
import { MaildirFixture } from "./maildir.test-help.ts";
import type { MaildirOptions, MaildirStore } from "./maildir.ts";
import { alice, bob, deliverTo, faultOf, inboxOf, messageText, seal, uidsOf } from "./store.test-help.ts";
import type { Mailbox } from "./store.ts";

const toAlice = { user: alice, mailbox: "INBOX" };
let fixture: MaildirFixture;
let syncs: HeldSyncs;
let store: MaildirStore;
let inbox: Mailbox;

beforeEach(async () => {
  fixture = await MaildirFixture.make();
  syncs = new HeldSyncs();
  store = await fixture.open({ files: syncs.files });
  inbox = await inboxOf(store, alice);
  await inboxOf(store, bob);
  syncs.holding = true;
});
afterEach(async () => {
  syncs.holding = false;
  await fixture.dispose();
});

/** Another store over the files. UID 1 is delivered before syncs are held, so that the UID mark is not among them. */
async function reopen(options: Partial<MaildirOptions>): Promise<void> {
  syncs.holding = false;
  await store.close();
  store = await fixture.open(options);
  inbox = await inboxOf(store, alice);
  await deliverTo(store, messageText(0), toAlice);
  syncs.holding = true;
}

/** Deliveries that are under way; resolved ones are listed by number. */
function startDeliveries(count: number, ended: string[]): Promise<void>[] {
  return Array.from({ length: count }, (_, n) =>
    deliverTo(store, messageText(n), toAlice).then(
      () => void ended.push(`${n + 1} delivered`),
      () => void ended.push(`${n + 1} failed`),
    ),
  );
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits for what the pool does (directory syncs); bounded. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !condition(); turn++)
    await new Promise((resolve) => setImmediate(resolve));
  expect(condition()).toBe(true);
}

test("a message whose sync ends early waits for the lower UIDs", async () => {
  const ended: string[] = [];
  const work = startDeliveries(3, ended);
  await until(() => syncs.count === 3);
  syncs.end(2);
  syncs.end(1);
  await settle();
  expect(uidsOf(inbox)).toEqual([]);
  expect(inbox.uidNext).toBe(1);
  expect(ended).toEqual([]);
  syncs.end(0);
  await Promise.all(work);
  expect(uidsOf(inbox)).toEqual([1, 2, 3]);
  expect(inbox.messages.map((message) => message.modseq)).toEqual(
    inbox.messages.map((message) => message.modseq).sort((a, b) => a - b),
  );
  expect(inbox.uidNext).toBe(4);
});

test("a delivery that is given up lets the later ones through", async () => {
  const ended: string[] = [];
  const work = startDeliveries(3, ended);
  await until(() => syncs.count === 3);
  syncs.end(1);
  syncs.end(2);
  await settle();
  expect(uidsOf(inbox)).toEqual([]);
  syncs.fail(0, "EIO");
  await Promise.all(work);
  expect(uidsOf(inbox)).toEqual([2, 3]);
  expect(ended.sort()).toEqual(["1 failed", "2 delivered", "3 delivered"]);
  expect(inbox.uidNext).toBe(4);
  expect(await fixture.messageFiles(alice)).toHaveLength(2);
});

test("a slow delivery holds back its own mailbox only", async () => {
  const slow = deliverTo(store, messageText(1), toAlice);
  await until(() => syncs.count === 1);
  const quick = deliverTo(store, messageText(2), { user: bob, mailbox: "INBOX" });
  await until(() => syncs.count === 2);
  syncs.end(1);
  await quick;
  expect(uidsOf(await inboxOf(store, bob))).toEqual([1]);
  syncs.end(0);
  await slow;
});

test("a UID beyond the durable mark shows only when the mark is durable too", async () => {
  syncs.holding = false;
  await store.swept();
  await store.close();
  const held = new HeldSyncs();
  store = await fixture.open({ files: held.files });
  inbox = await inboxOf(store, alice);
  // A clean stop left the exact mark: the first delivery must move it.
  held.holding = true;
  const ended: string[] = [];
  const delivery = deliverTo(store, messageText(1), toAlice).then(() => ended.push("delivered"));
  await until(() => held.count === 2);
  held.end(0);
  await settle();
  expect([uidsOf(inbox), ended]).toEqual([[], []]);
  held.holding = false;
  held.end(1);
  await delivery;
  expect(uidsOf(inbox)).toEqual([1]);
});

test("one failed sync takes the message from all its recipients", async () => {
  const delivery = faultOf(deliverTo(store, messageText(1), toAlice, { user: bob, mailbox: "INBOX" }));
  await until(() => syncs.count === 1);
  syncs.fail(0, "ENOSPC");
  expect(await delivery).toBe("full");
  expect([...(await fixture.messageFiles(alice)), ...(await fixture.messageFiles(bob))]).toEqual([]);
  expect(await fixture.spoolFiles()).toEqual([]);
});

test("a mailbox deleted under a delivery makes it fail, and nothing stays", async () => {
  const delivery = faultOf(deliverTo(store, messageText(1), toAlice));
  await until(() => syncs.count === 1);
  const removal = store.remove(alice);
  await settle();
  syncs.end(0);
  expect(await delivery).toBe("failed");
  await removal;
  syncs.holding = false;
  expect(uidsOf(await inboxOf(store, alice))).toEqual([]);
});

test("a sync that hangs ends as a failure in time, holds nobody back, and leaves no message behind", async () => {
  // Only bodies are synced by hand: the second message has nothing else to wait for.
  await reopen({ files: { ...syncs.files, sync: async () => {} } });
  const ended: string[] = [];
  const work = startDeliveries(2, ended);
  await until(() => syncs.count === 2);
  syncs.end(1);
  await settle();
  expect(ended).toEqual([]);
  fixture.clock.advance(LANDING_MAX_MS);
  await Promise.all(work);
  expect(ended.sort()).toEqual(["1 failed", "2 delivered"]);
  expect(uidsOf(inbox)).toEqual([1, 3]);
  expect(await fixture.messageFiles(alice)).toHaveLength(2);
  expect(fixture.events).toContainEqual({ kind: "storageTrouble", what: "deliver: no sync within 15000 ms" });

  // A crash now must not bring it back: its sender was told to send it again.
  const after = await fixture.crashed();
  expect(uidsOf(await inboxOf(after, alice))).toEqual([1, 3]);

  // The disk comes back: too late for the first, and nothing is undone twice.
  syncs.end(0);
  await settle();
  expect(uidsOf(inbox)).toEqual([1, 3]);
  syncs.holding = false;
  await deliverTo(store, messageText(9), toAlice);
  expect(uidsOf(inbox)).toEqual([1, 3, 4]);
});

test("deliveries that wait behind hanging ones fail in time as well, and are not done later", async () => {
  await reopen({ files: syncs.files, deliveriesMax: 3 });
  const ended: string[] = [];
  const work = startDeliveries(8, ended);
  await until(() => syncs.count === 3);
  await settle();
  fixture.clock.advance(LANDING_MAX_MS);
  await Promise.all(work);
  expect(ended.filter((text) => text.endsWith("failed"))).toHaveLength(8);
  expect(syncs.count).toBe(3);
  for (const index of [0, 1, 2]) syncs.end(index);
  await settle();
  expect(uidsOf(inbox)).toEqual([1]);
  expect(await fixture.messageFiles(alice)).toHaveLength(1);
  await until(() => fs.readdirSync(`${fixture.directory}/spool`).length === 0);
  syncs.holding = false;
  await deliverTo(store, messageText(1), toAlice);
  expect(inbox.messages).toHaveLength(2);
});

test("an append whose sync hangs fails in time and leaves nothing", async () => {
  const append = inbox.append(seal(store, messageText(1)), { flags: 0, keywords: [] });
  await until(() => syncs.count === 1);
  fixture.clock.advance(LANDING_MAX_MS);
  expect(await faultOf(append)).toBe("failed");
  expect(await fixture.messageFiles(alice)).toEqual([]);
  syncs.end(0);
});
