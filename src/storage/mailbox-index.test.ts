import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { type Arrival, MailboxIndex } from "./mailbox-index.ts";
import { Flag } from "./store.ts";

function counter(): () => number {
  let last = 100;
  return () => ++last;
}
const arrival = (uid: number): Arrival => ({
  uid,
  size: 10,
  internalDateMs: 0,
  flags: 0,
  base: `${uid}`,
  inNew: true,
});

describe("MailboxIndex", () => {
  test("shows arrivals in UID order whatever order they are settled in", () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }),
        fc.infiniteStream(fc.nat()),
        (arrives, random) => {
          const index = new MailboxIndex(counter());
          const uids = arrives.map((_, n) => n + 1);
          for (const uid of uids) index.expect(uid);
          const order = uids.map((uid) => ({ uid, key: random.next().value })).sort((a, b) => a.key - b.key);
          const settled = new Set<number>();
          for (const { uid } of order) {
            if (arrives[uid - 1]) void index.arrive(arrival(uid));
            else index.giveUp(uid);
            settled.add(uid);
            const open = uids.find((each) => !settled.has(each)) ?? Infinity;
            expect(index.messages.map((message) => message.uid)).toEqual(
              uids.filter((each) => each < open && arrives[each - 1]),
            );
            expect(index.lowestPending).toBe(open === Infinity ? undefined : open);
          }
          expect(index.totalBytes).toBe(10 * arrives.filter(Boolean).length);
        },
      ),
    );
  });

  test("changes say all that differs from any earlier look", () => {
    const op = fc.record({ kind: fc.constantFrom("arrive", "flag", "remove"), at: fc.nat({ max: 20 }) });
    fc.assert(
      fc.property(fc.array(op, { maxLength: 60 }), fc.nat({ max: 60 }), (ops, lookAt) => {
        const next = counter();
        const index = new MailboxIndex(next);
        let uidNext = 1;
        let look = new Map<number, number>();
        let since = index.highestModseq;
        for (const [n, { kind, at }] of ops.entries()) {
          if (n === lookAt) {
            look = new Map(index.messages.map((message) => [message.uid, message.flags]));
            since = index.highestModseq;
          }
          const message = index.messages[at % Math.max(1, index.messages.length)];
          if (kind === "arrive") {
            index.expect(uidNext);
            void index.arrive(arrival(uidNext++));
          } else if (message !== undefined && kind === "flag") {
            index.replace(message.uid, message.flags ^ Flag.seen, next(), message.base);
          } else if (message !== undefined) index.remove([message.uid]);
        }
        const { changed, vanished } = index.changesSince(since, uidNext);
        for (const uid of vanished) look.delete(uid);
        for (const message of changed) look.set(message.uid, message.flags);
        const now = new Map(index.messages.map((message) => [message.uid, message.flags]));
        expect([...look].sort((a, b) => a[0] - b[0])).toEqual([...now]);
      }),
    );
  });

  test("keeps the log of departures bounded and still names them all", () => {
    const index = new MailboxIndex(counter());
    const since = index.highestModseq;
    for (let uid = 1; uid <= 5000; uid++) {
      index.expect(uid);
      void index.arrive(arrival(uid));
      if (uid % 2) index.remove([uid]);
    }
    expect(index.changesSince(since, 5001).vanished).toHaveLength(2500);
    expect(index.changesSince(index.highestModseq - 3, 5001).vanished).toEqual([4999]);
  });

  test("settling a UID that is not pending is a caller's bug", () => {
    expect(() => new MailboxIndex(counter()).giveUp(1)).toThrow();
  });
});
