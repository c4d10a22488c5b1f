/** What every implementation of the outbox must do. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { LocalChangeHub } from "../core/changes.ts";
import { ManualClock } from "../core/clock.ts";
import {
  alice,
  bob,
  inboxOf,
  messageText,
  outboxText,
  queuedIn,
  seal,
  type StoreFactory,
  type StoreUnderTest,
  textOf,
} from "./store.test-help.ts";
import type { MailStore, Parcel } from "./store.ts";

const toAlice = { user: alice, mailbox: "INBOX" };
const toBob = { user: bob, mailbox: "INBOX" };

export function outboxConformance(name: string, make: StoreFactory): void {
  describe(name, () => {
    let under: StoreUnderTest;
    let store: MailStore;
    beforeEach(async () => {
      under = await make({ hub: new LocalChangeHub(), clock: new ManualClock() });
      store = under.store;
    });
    afterEach(async () => {
      await under.dispose();
    });

    async function send(text: string, parcel: Parcel, ...targets: { user: typeof alice; mailbox: string }[]) {
      const message = seal(store, text);
      try {
        await store.deliver(message, targets, parcel);
      } finally {
        message.discard();
      }
    }

    test.each([20, 65_536, 300_000])(
      "a message of %i bytes is in mailboxes and outbox alike, and there after a restart",
      async (bytes) => {
        const text = messageText(1, bytes);
        await send(text, { id: "p-1", notes: ["first", "second"] }, toAlice, toBob);
        for (const user of [alice, bob]) expect(await textOf(await inboxOf(store, user), 1)).toBe(text);
        for (let round = 0; round < 2; round++) {
          expect(await queuedIn(store)).toEqual([
            { id: "p-1.0", note: "first", bytes: text.length },
            { id: "p-1.1", note: "second", bytes: text.length },
          ]);
          expect(await outboxText(store, "p-1.1")).toBe(text);
          store = await under.reopen();
        }
      },
    );

    test("a message needs no mailbox to be in the outbox", async () => {
      await send(messageText(2), { id: "p-2", notes: ["n"] });
      expect(await outboxText(store, "p-2.0")).toBe(messageText(2));
    });

    test("notes change one by one, and entries go one by one, across restarts", async () => {
      await send(messageText(3), { id: "p-3", notes: ["a", "b", "c"] });
      await store.outbox.setNote("p-3.1", "B");
      store.outbox.remove("p-3.0");
      expect(await store.outbox.note("p-3.0")).toBeUndefined();
      expect(await store.outbox.note("p-3.1")).toBe("B");
      expect(await store.outbox.note("p-3.2")).toBe("c");
      store = await under.reopen();
      expect((await queuedIn(store)).map(({ note }) => note)).toEqual(["B", "c"]);
      await store.outbox.setNote("p-3.1", "BB");
      store.outbox.remove("p-3.2");
      store = await under.reopen();
      expect((await queuedIn(store)).map(({ note }) => note)).toEqual(["BB"]);
      expect(await outboxText(store, "p-3.1")).toBe(messageText(3));
      store.outbox.remove("p-3.1");
      expect(await outboxText(store, "p-3.1")).toBeUndefined();
      store = await under.reopen();
      expect(await queuedIn(store)).toEqual([]);
    });

    test("a body that is being read outlives its entry", async () => {
      const text = messageText(4, 200_000);
      await send(text, { id: "p-4", notes: ["n"] });
      const body = await store.outbox.body("p-4.0");
      store.outbox.remove("p-4.0");
      expect(Buffer.from((await body?.read(0, 1000)) ?? []).toString()).toBe(text.slice(0, 1000));
      await body?.close();
    });

    test("what is not there is nothing, not an error", async () => {
      expect(await queuedIn(store)).toEqual([]);
      for (const id of ["p-9.0", "../x.0", "nonsense"]) {
        expect(await store.outbox.note(id)).toBeUndefined();
        expect(await store.outbox.body(id)).toBeUndefined();
        await store.outbox.setNote(id, "x");
        store.outbox.remove(id);
      }
    });

    test("entries come in the order of their parcels' ids", async () => {
      for (const id of ["b-1", "a-1", "c-1"]) await send(messageText(5), { id, notes: ["0", "1"] });
      store = await under.reopen();
      expect((await queuedIn(store)).map(({ id }) => id)).toEqual(
        ["a-1", "b-1", "c-1"].flatMap((id) => [`${id}.0`, `${id}.1`]),
      );
    });
  });
}
