/** The part of the conformance suite on mailboxes, accounts and restarts. Only the seam is used. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { LocalChangeHub } from "../core/changes.ts";
import { ManualClock } from "../core/clock.ts";
import {
  alice,
  bob,
  deliverTo,
  faultOf,
  inboxOf,
  messageText,
  type StoreFactory,
  type StoreUnderTest,
  textOf,
  uidsOf,
} from "./store.test-help.ts";
import { Flag, type MailStore, StorageError } from "./store.ts";

export function accountConformance(name: string, make: StoreFactory): void {
  describe(name, () => {
    let hub: LocalChangeHub;
    let clock: ManualClock;
    let under: StoreUnderTest;
    let store: MailStore;
    beforeEach(async () => {
      hub = new LocalChangeHub();
      clock = new ManualClock();
      under = await make({ hub, clock });
      store = under.store;
    });
    afterEach(async () => {
      await under.dispose();
    });
    const toAlice = { user: alice, mailbox: "INBOX" };

    describe("mailboxes", () => {
      const names = [
        "DeltaChat",
        "A",
        "A/B",
        "A.b",
        "Entwürfe & mehr",
        "\u65e5\u672c/\ud83d\ude00",
        "back\\slash",
        "INBOX/x",
      ];

      test.each(names)("%s is made, kept and deleted", async (name) => {
        const account = await store.account(alice);
        await account.create(name);
        expect(await faultOf(account.create(name))).toBe("exists");
        await deliverTo(store, messageText(1), { user: alice, mailbox: name });
        store = await under.reopen();
        const again = await store.account(alice);
        expect(again.mailboxes()).toEqual(["INBOX", name]);
        const mailbox = await again.open(name);
        const { uidValidity } = mailbox;
        expect(uidsOf(mailbox)).toEqual([1]);
        await again.delete(name);
        expect(uidsOf(mailbox)).toEqual([]);
        expect(again.usedBytes).toBe(0);
        expect(await faultOf(again.open(name))).toBe("nonexistent");
        await again.create(name);
        expect((await again.open(name)).uidValidity).toBeGreaterThan(uidValidity);
      });

      test("rename takes inferiors along, and of INBOX the messages", async () => {
        const account = await store.account(alice);
        for (const name of ["A", "A/B", "Ab"]) await account.create(name);
        await deliverTo(store, messageText(1), { user: alice, mailbox: "A/B" }, toAlice);
        const open = await account.open("A/B");
        await account.rename("A", "C");
        expect(account.mailboxes()).toEqual(["INBOX", "Ab", "C", "C/B"]);
        expect(open.name).toBe("C/B");
        expect(await textOf(open, 1)).toBe(messageText(1));
        await open.storeFlags([1], "add", Flag.seen);
        await account.rename("INBOX", "Old");
        expect(account.mailboxes()).toEqual(["INBOX", "Ab", "C", "C/B", "Old"]);
        expect(uidsOf(await account.open("Old"))).toEqual([1]);
        expect(uidsOf(await account.open("INBOX"))).toEqual([]);
        expect(await faultOf(account.rename("C", "Old"))).toBe("exists");
        expect(await faultOf(account.rename("None", "New"))).toBe("nonexistent");
        expect(await faultOf(account.delete("INBOX"))).toBe("badName");
      });

      test("subscriptions are kept, also of mailboxes that are not there", async () => {
        const account = await store.account(alice);
        await Promise.all(["B/ü", "A", "C"].map((name) => account.setSubscribed(name, true)));
        await account.setSubscribed("C", false);
        store = await under.reopen();
        expect([...(await store.account(alice)).subscriptions()].sort()).toEqual(["A", "B/ü"]);
      });

      test("a message delivered while the mailbox is made arrives once", async () => {
        const target = { user: bob, mailbox: "New/One" };
        await Promise.all([1, 2, 3].map((n) => deliverTo(store, messageText(n), target)));
        expect(uidsOf(await (await store.account(bob)).open("New/One"))).toEqual([1, 2, 3]);
      });
    });

    describe("accounts", () => {
      test("first uses at once share one index", async () => {
        await deliverTo(store, messageText(0), toAlice);
        store = await under.reopen();
        const work = [1, 2, 3].map((n) => deliverTo(store, messageText(n), toAlice));
        const [inbox] = await Promise.all([inboxOf(store, alice), inboxOf(store, alice), ...work]);
        expect(uidsOf(inbox)).toEqual([1, 2, 3, 4]);
      });

      test("expireOldest() frees the oldest of all mailboxes, nothing younger than asked", async () => {
        const size = messageText(1).length;
        for (const mailbox of ["INBOX", "A", "INBOX", "A"]) {
          await deliverTo(store, messageText(1), { user: alice, mailbox });
          clock.advance(60_000);
        }
        const account = await store.account(alice);
        expect(await account.expireOldest(size + 1, clock.nowMs() - 90_000)).toBe(2 * size);
        expect(uidsOf(await account.open("INBOX"))).toEqual([2]);
        expect(uidsOf(await account.open("A"))).toEqual([2]);
        expect(await account.expireOldest(10 * size, clock.nowMs() - 90_000)).toBe(size);
        expect(account.usedBytes).toBe(size);
      });

      test("remove() takes everything; the next INBOX has another UIDVALIDITY", async () => {
        await deliverTo(store, messageText(1), toAlice, { user: alice, mailbox: "A" });
        const inbox = await inboxOf(store, alice);
        const { uidValidity } = inbox;
        await store.remove(alice);
        expect(uidsOf(inbox)).toEqual([]);
        const again = await store.account(alice);
        expect(again.mailboxes()).toEqual(["INBOX"]);
        expect((await again.open("INBOX")).uidValidity).toBeGreaterThan(uidValidity);
        expect(await faultOf(inbox.storeFlags([1], "add", 1))).toBe("nonexistent");
      });
    });

    describe("usage()", () => {
      const size = messageText(1).length;

      test("counts all mailboxes, live and after a restart, and nothing of an account that is gone", async () => {
        const inFolder = { user: alice, mailbox: "A" };
        for (const target of [toAlice, inFolder, toAlice]) await deliverTo(store, messageText(1), target);
        expect(await store.usage(alice)).toEqual({ bytes: 3 * size, messages: 3 });
        store = await under.reopen();
        expect(await store.usage(alice)).toEqual({ bytes: 3 * size, messages: 3 });
        const inbox = await inboxOf(store, alice);
        await inbox.storeFlags([1], "add", Flag.deleted);
        await inbox.expunge();
        expect(await store.usage(alice)).toEqual({ bytes: 2 * size, messages: 2 });
        store = await under.reopen();
        expect(await store.usage(alice)).toEqual({ bytes: 2 * size, messages: 2 });
        await store.remove(alice);
        expect(await store.usage(alice)).toEqual({ bytes: 0, messages: 0 });
      });

      test("nobody gets mailboxes by being asked about", async () => {
        expect(await store.usage(bob)).toEqual({ bytes: 0, messages: 0 });
        expect([store.exists(bob), await store.users()]).toEqual([false, []]);
        await deliverTo(store, messageText(1), { user: bob, mailbox: "INBOX" }, toAlice);
        expect([store.exists(bob), (await store.users()).sort()]).toEqual([true, [alice, bob]]);
        await store.remove(bob);
        expect([store.exists(bob), await store.users()]).toEqual([false, [alice]]);
      });
    });

    describe("restart", () => {
      test("keeps UIDs, flags, keywords, UIDVALIDITY, and mod-sequences only grow", async () => {
        for (const n of [1, 2, 3]) await deliverTo(store, messageText(n), toAlice);
        let inbox = await inboxOf(store, alice);
        const mask = inbox.keyword("$Label") ?? 0;
        await inbox.storeFlags([2], "add", Flag.seen | Flag.answered | mask);
        await inbox.storeFlags([3], "add", Flag.deleted);
        await inbox.expunge();
        const { uidValidity, uidNext, highestModseq } = inbox;
        const dates = inbox.messages.map((message) => message.internalDateMs);
        for (let run = 0; run < 2; run++) {
          store = await under.reopen();
          inbox = await inboxOf(store, alice);
          expect(inbox.messages.map(({ uid, flags }) => [uid, flags])).toEqual([
            [1, 0],
            [2, Flag.seen | Flag.answered | mask],
          ]);
          expect(inbox.keywords).toEqual(["$Label"]);
          expect(inbox.messages.map((message) => message.internalDateMs)).toEqual(dates);
          expect([inbox.uidValidity, inbox.uidNext]).toEqual([uidValidity, uidNext]);
          expect(inbox.highestModseq).toBeGreaterThan(highestModseq);
        }
        await deliverTo(store, messageText(4), toAlice);
        expect(uidsOf(inbox)).toEqual([1, 2, 4]);
      });

      test("a closed store refuses work", async () => {
        await store.close();
        expect(await faultOf(store.account(alice))).toBe("failed");
        expect(() => store.spool({ maxBytes: 1 })).toThrow(StorageError);
        store = await under.reopen();
        expect(uidsOf(await inboxOf(store, alice))).toEqual([]);
      });
    });
  });
}
