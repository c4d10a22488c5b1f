/** Messages show strictly in UID order, whatever order the disk finishes in. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { HeldSyncs } from "./files.test-help.ts";
import { MaildirFixture } from "./maildir.test-help.ts";
import type { MaildirStore } from "./maildir.ts";
import { alice, bob, deliverTo, faultOf, inboxOf, messageText, uidsOf } from "./store.test-help.ts";
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
