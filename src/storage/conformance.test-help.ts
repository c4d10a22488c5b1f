/**
 * What every implementation of the storage seam must do. Run it beside each implementation.
 * Only the seam is used here: nothing about files.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { LocalChangeHub } from "../core/changes.ts";
import { ManualClock } from "../core/clock.ts";
import type { Address } from "../core/address.ts";
import { accountConformance } from "./conformance-accounts.test-help.ts";
import { outboxConformance } from "./conformance-outbox.test-help.ts";
import {
  alice,
  bob,
  deliverTo,
  faultOf,
  inboxOf,
  messageText,
  seal,
  type StoreFactory,
  type StoreUnderTest,
  textOf,
  uidsOf,
} from "./store.test-help.ts";
import { Flag, type MailStore, StorageError } from "./store.ts";

/** Declares all conformance tests of one implementation. */
export function storeConformance(name: string, make: StoreFactory): void {
  messageConformance(`${name}: messages`, make);
  accountConformance(`${name}: accounts`, make);
  outboxConformance(`${name}: outbox`, make);
}

function messageConformance(name: string, make: StoreFactory): void {
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

    describe("delivery", () => {
      test("shows a message with its size, date and bytes", async () => {
        await deliverTo(store, messageText(1), toAlice);
        const inbox = await inboxOf(store, alice);
        const [message] = inbox.messages;
        expect(message).toMatchObject({ uid: 1, size: messageText(1).length, flags: 0 });
        expect(message?.internalDateMs).toBe(clock.nowMs());
        expect(await textOf(inbox, 1)).toBe(messageText(1));
        expect(inbox.uidNext).toBe(2);
        expect(inbox.unseenCount).toBe(1);
      });

      test.each([0, 1, 65_000, 65_536, 70_000, 300_000, 1_000_000])(
        "keeps %d bytes of body",
        async (size) => {
          const text = messageText(1, size);
          await deliverTo(store, text, toAlice, { user: bob, mailbox: "DeltaChat" });
          expect(await textOf(await inboxOf(store, alice), 1)).toBe(text);
          expect(await textOf(await (await store.account(bob)).open("DeltaChat"), 1)).toBe(text);
        },
      );

      test("gives fifty recipients one message each", async () => {
        const targets = Array.from({ length: 50 }, (_, n) => ({
          user: `u${n}@relay.test` as Address,
          mailbox: "INBOX",
        }));
        await deliverTo(store, messageText(1), ...targets);
        for (const { user } of targets) expect(uidsOf(await inboxOf(store, user))).toEqual([1]);
      });

      test("gives one copy when a target is named twice", async () => {
        await deliverTo(store, messageText(1), toAlice, { user: alice, mailbox: "inbox" });
        expect(uidsOf(await inboxOf(store, alice))).toEqual([1]);
      });

      test("numbers concurrent deliveries without gap or double", async () => {
        await Promise.all(Array.from({ length: 100 }, (_, n) => deliverTo(store, messageText(n), toAlice)));
        const inbox = await inboxOf(store, alice);
        expect(uidsOf(inbox)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
        const texts = await Promise.all(uidsOf(inbox).map((uid) => textOf(inbox, uid)));
        expect(new Set(texts).size).toBe(100);
      });

      test("publishes after the message is visible", async () => {
        const inbox = await inboxOf(store, alice);
        const seen: number[] = [];
        const end = hub.subscribe(alice, () => seen.push(inbox.messages.length));
        await deliverTo(store, messageText(1), toAlice);
        await Promise.resolve();
        end();
        expect(seen.at(-1)).toBe(1);
      });

      test("can be repeated with the same message until it is discarded", async () => {
        const message = seal(store, messageText(1, 100_000));
        await store.deliver(message, [toAlice]);
        await store.deliver(message, [toAlice]);
        message.discard();
        message.discard();
        const inbox = await inboxOf(store, alice);
        expect(await textOf(inbox, 1)).toBe(messageText(1, 100_000));
        expect(await textOf(inbox, 2)).toBe(messageText(1, 100_000));
      });

      test.each(["a//b", "/a", "a/", "", "a\u0000b", "x".repeat(300)])(
        "refuses the mailbox name %p",
        async (mailbox) => {
          expect(await faultOf(deliverTo(store, messageText(1), { user: alice, mailbox }))).toBe("badName");
        },
      );

      test.each(["../x@relay.test", ".x@relay.test", "a/b@relay.test", "a\u0000@relay.test"])(
        "refuses the address %p as badName",
        async (user) => {
          const target = { user: user as Address, mailbox: "INBOX" };
          expect(await faultOf(deliverTo(store, messageText(1), toAlice, target))).toBe("badName");
          expect((await inboxOf(store, alice)).messages).toHaveLength(0);
        },
      );
    });

    describe("spool", () => {
      test("throws tooBig at the limit and counts bytes", () => {
        const spool = store.spool({ maxBytes: 10 });
        spool.write(Buffer.from("1234567890"));
        expect(spool.bytes).toBe(10);
        expect(() => spool.write(Buffer.from("1"))).toThrow(StorageError);
        spool.discard();
        spool.discard();
      });

      test("does not keep the chunk it borrowed", async () => {
        const spool = store.spool({ maxBytes: 1000 });
        const chunk = Buffer.from("A: 1\r\n\r\nbody");
        spool.write(chunk);
        chunk.fill(0);
        const message = spool.seal(Buffer.from("A: 1\r\n\r\n"));
        await store.deliver(message, [toAlice]);
        message.discard();
        expect(await textOf(await inboxOf(store, alice), 1)).toBe("A: 1\r\n\r\nbody");
      });
    });

    describe("flags", () => {
      test("are added, removed and replaced, with growing mod-sequences", async () => {
        for (const n of [1, 2, 3]) await deliverTo(store, messageText(n), toAlice);
        const inbox = await inboxOf(store, alice);
        const before = inbox.highestModseq;
        const added = await inbox.storeFlags([1, 3, 9], "add", Flag.seen | Flag.flagged);
        expect(added.changed.map(({ uid, flags }) => [uid, flags])).toEqual([
          [1, Flag.seen | Flag.flagged],
          [3, Flag.seen | Flag.flagged],
        ]);
        expect(inbox.unseenCount).toBe(1);
        expect(inbox.highestModseq).toBeGreaterThan(before);
        await inbox.storeFlags([1], "remove", Flag.flagged);
        await inbox.storeFlags([3], "replace", Flag.deleted);
        expect(inbox.messages.map((message) => message.flags)).toEqual([Flag.seen, 0, Flag.deleted]);
        expect([inbox.unseenCount, inbox.deletedCount]).toEqual([2, 1]);
        expect((await inbox.storeFlags([1], "add", Flag.seen)).changed).toEqual([]);
        expect(await textOf(inbox, 3)).toBe(messageText(3));
      });

      test("obey UNCHANGEDSINCE", async () => {
        for (const n of [1, 2]) await deliverTo(store, messageText(n), toAlice);
        const inbox = await inboxOf(store, alice);
        const since = inbox.highestModseq;
        await inbox.storeFlags([1], "add", Flag.seen);
        const result = await inbox.storeFlags([1, 2], "add", Flag.flagged, since);
        expect(result.modified).toEqual([1]);
        expect(result.changed.map(({ uid }) => uid)).toEqual([2]);
      });

      test("keep keywords, twenty-six at most, without regard to case", async () => {
        await deliverTo(store, messageText(1), toAlice);
        const inbox = await inboxOf(store, alice);
        const masks = Array.from({ length: 26 }, (_, n) => inbox.keyword(`$Key${n}`));
        expect(new Set(masks).size).toBe(26);
        expect(inbox.keyword("$key3")).toBe(masks[3]);
        expect(inbox.keyword("$Other")).toBeUndefined();
        await inbox.storeFlags([1], "add", (masks[0] ?? 0) | (masks[25] ?? 0));
        expect(inbox.find(1)?.flags).toBe((masks[0] ?? 0) | (masks[25] ?? 0));
      });
    });

    describe("expunge", () => {
      test("takes what is deleted and releases quota at once", async () => {
        for (const n of [1, 2, 3]) await deliverTo(store, messageText(n), toAlice);
        const account = await store.account(alice);
        const inbox = await account.open("INBOX");
        await inbox.storeFlags([1, 3], "add", Flag.deleted);
        expect(await inbox.expunge([2, 3])).toEqual([3]);
        expect(await inbox.expunge()).toEqual([1]);
        expect(uidsOf(inbox)).toEqual([2]);
        expect(account.usedBytes).toBe(messageText(2).length);
        expect(account.messageCount).toBe(1);
        expect(await inbox.body(1)).toBeUndefined();
        expect(inbox.uidNext).toBe(4);
      });

      test("leaves an open body readable", async () => {
        const text = messageText(1, 500_000);
        await deliverTo(store, text, toAlice);
        const inbox = await inboxOf(store, alice);
        const body = await inbox.body(1);
        await inbox.storeFlags([1], "add", Flag.deleted);
        expect(await inbox.expunge()).toEqual([1]);
        expect(Buffer.from((await body?.read(0, 200_000)) ?? []).toString()).toBe(text.slice(0, 200_000));
        await body?.close();
      });
    });

    describe("changesSince()", () => {
      test("names what came, changed and went", async () => {
        for (const n of [1, 2, 3]) await deliverTo(store, messageText(n), toAlice);
        const inbox = await inboxOf(store, alice);
        const since = inbox.highestModseq;
        expect(inbox.changesSince(since)).toEqual({ changed: [], vanished: [] });
        await deliverTo(store, messageText(4), toAlice);
        expect(inbox.changesSince(since).changed.map(({ uid }) => uid)).toEqual([4]);
        await inbox.storeFlags([1], "add", Flag.seen);
        await inbox.storeFlags([2], "add", Flag.deleted);
        await inbox.expunge();
        const { changed, vanished } = inbox.changesSince(since);
        expect(changed.map(({ uid }) => uid)).toEqual([1, 4]);
        expect(vanished).toEqual([2]);
      });

      test("names every absent UID to whoever comes from before the log", async () => {
        const since = (await inboxOf(store, alice)).highestModseq - 1;
        for (const n of [1, 2, 3]) await deliverTo(store, messageText(n), toAlice);
        const inbox = await inboxOf(store, alice);
        await inbox.storeFlags([1, 3], "add", Flag.deleted);
        await inbox.expunge();
        expect(inbox.changesSince(since).vanished).toEqual([1, 3]);
        store = await under.reopen();
        const again = await inboxOf(store, alice);
        expect(again.changesSince(since).vanished).toEqual([1, 3]);
        expect(again.changesSince(since).changed.map(({ uid }) => uid)).toEqual([2]);
      });

      test("misses no departure when hundreds went", async () => {
        const inbox = await inboxOf(store, alice);
        const start = inbox.highestModseq;
        const count = 600;
        for (let n = 0; n < count; n += 100) {
          await Promise.all(Array.from({ length: 100 }, () => deliverTo(store, "A: b\r\n\r\n", toAlice)));
          await inbox.storeFlags(uidsOf(inbox), "add", Flag.deleted);
          await inbox.expunge();
        }
        const all = Array.from({ length: count }, (_, n) => n + 1);
        expect(inbox.changesSince(start).vanished).toEqual(all);
        expect(inbox.changesSince(start - 1).vanished).toEqual(all);
      });
    });

    describe("append, copy, move", () => {
      test("append keeps flags, keywords and date", async () => {
        const inbox = await inboxOf(store, alice);
        const message = seal(store, messageText(1));
        const options = {
          flags: Flag.seen | Flag.draft,
          keywords: ["$Forwarded"],
          internalDateMs: 1_600_000_000_000,
        };
        const info = await inbox.append(message, options);
        message.discard();
        expect(info).toMatchObject({ uid: 1, internalDateMs: 1_600_000_000_000 });
        expect(info.flags).toBe(Flag.seen | Flag.draft | (inbox.keyword("$Forwarded") ?? 0));
        expect(await textOf(inbox, 1)).toBe(messageText(1));
      });

      test("copy and move give fresh UIDs and keep flags by name", async () => {
        for (const n of [1, 2, 3]) await deliverTo(store, messageText(n), toAlice);
        const account = await store.account(alice);
        await account.create("Archive");
        const [inbox, archive] = [await account.open("INBOX"), await account.open("Archive")];
        archive.keyword("$Other");
        const mask = inbox.keyword("$Mine") ?? 0;
        await inbox.storeFlags([2], "add", Flag.seen | mask);
        expect(await inbox.copy([2, 3, 77], archive)).toEqual({ from: [2, 3], to: [1, 2] });
        expect(archive.find(1)?.flags).toBe(Flag.seen | (archive.keyword("$Mine") ?? 0));
        expect(await inbox.move([1, 2], archive)).toEqual({ from: [1, 2], to: [3, 4] });
        expect(uidsOf(inbox)).toEqual([3]);
        expect(uidsOf(archive)).toEqual([1, 2, 3, 4]);
        expect(await textOf(archive, 4)).toBe(messageText(2));
        expect(account.messageCount).toBe(5);
      });
    });

    describe("headers", () => {
      const header = messageText(1).slice(0, messageText(1).indexOf("\r\n\r\n") + 4);
      const wanted = "Message-ID: <1@relay.test>\r\nChat-Version: 1.0\r\nFrom: <a@relay.test>\r\n";

      test("prefetchHeader() answers at once after a delivery, and from disk after a restart", async () => {
        await deliverTo(store, messageText(1), toAlice);
        const lines = (await inboxOf(store, alice)).prefetchHeader(1);
        expect(Buffer.from(lines as Uint8Array).toString()).toBe(wanted);
        store = await under.reopen();
        const inbox = await inboxOf(store, alice);
        expect(Buffer.from((await inbox.prefetchHeader(1)) ?? []).toString()).toBe(wanted);
        expect(inbox.prefetchHeader(1)).toBeInstanceOf(Uint8Array);
        expect(inbox.prefetchHeader(2)).toBeUndefined();
      });

      test("header() gives the whole block, however long", async () => {
        const long = `Subject: ${"y".repeat(30_000)}\r\n${header}`;
        await deliverTo(store, `${long}body`, toAlice);
        await deliverTo(store, messageText(1), toAlice);
        const inbox = await inboxOf(store, alice);
        expect(Buffer.from((await inbox.header(1)) ?? []).toString()).toBe(long);
        expect(Buffer.from((await inbox.header(2)) ?? []).toString()).toBe(header);
        expect(await inbox.header(3)).toBeUndefined();
      });
    });
  });
}
