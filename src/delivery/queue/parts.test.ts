/** The small parts of the queue: letters, packing, times, the heap. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { domainOf } from "../../core/address.ts";
import { DueHeap } from "./due-heap.ts";
import { cleanReply, decodeLetter, encodeLetter, type Letter } from "./letter.ts";
import { pack } from "./pack.ts";
import { address, domain } from "./queue.test-help.ts";
import { retryDelayMs } from "./schedule.ts";

const letter: Letter = {
  sender: address("alice@relay.test"),
  domain: domain("[192.0.2.1]"),
  recipients: [address("b@[192.0.2.1]")],
  failed: [
    {
      recipient: address("c@[192.0.2.1]"),
      reply: { code: 550, enhanced: "5.1.1", text: 'No "such"\\user é' },
    },
  ],
  queuedAtMs: 1_700_000_000_000,
  tries: 3,
  nextAttemptMs: 1_700_000_060_000,
  lastError: "451 4.7.1 later",
};

describe("letters", () => {
  test("come back as they were written, on one line", () => {
    for (const each of [letter, { ...letter, sender: null, recipients: [], failed: [], lastError: "" }]) {
      expect(encodeLetter(each)).not.toContain("\n");
      expect(decodeLetter(encodeLetter(each))).toEqual(each);
    }
  });

  test("of other hands are none, whatever they are", () => {
    fc.assert(fc.property(fc.string(), (text) => decodeLetter(text) === undefined));
    fc.assert(fc.property(fc.json(), (text) => decodeLetter(text) === undefined));
    const note = encodeLetter(letter);
    for (const [from, to] of [
      ['"v":1', '"v":2'],
      ["b@[192.0.2.1]", "nobody"],
      ['"domain":"[192.0.2.1]"', '"domain":5'],
      ["alice@relay.test", ""],
    ] as const) {
      expect(decodeLetter(note.replace(from, to))).toBeUndefined();
    }
  });

  test("keep what a peer said on one printable line of bounded length", () => {
    const reply = cleanReply({ code: 550, enhanced: "nonsense", text: `a\r\nb\u001b[2J${"x".repeat(1000)}` });
    expect(reply.enhanced).toBe("");
    expect(reply.text).toStartWith("a b [2Jx");
    expect(reply.text).toHaveLength(400);
  });
});

test("packing gives each recipient to exactly one letter of its domain", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(3000), { minLength: 1, maxLength: 400 }), (numbers) => {
      const recipients = numbers.map((n) => address(`u${n}@d${n % 5}.test`));
      const { parcel, letters } = pack(null, recipients, 1);
      expect(parcel.notes.flatMap((note) => decodeLetter(note) ?? [])).toEqual(
        letters.map((each) => each.letter),
      );
      for (const { letter: each } of letters) {
        expect(each.recipients.length).toBeLessThanOrEqual(100);
        expect(each.recipients.every((recipient) => domainOf(recipient) === each.domain)).toBe(true);
      }
      expect(letters.flatMap((each) => each.letter.recipients).sort()).toEqual([...recipients].sort());
      expect(new Set(letters.map(({ id }) => id)).size).toBe(letters.length);
    }),
    { numRuns: 30 },
  );
});

test("ids sort by age", () => {
  const ids = [0, 1, 36 ** 5, 1_700_000_000_000, 1_800_000_000_000].map(
    (nowMs) => pack(null, [address("a@b.test")], nowMs).parcel.id,
  );
  expect([...ids].sort()).toEqual(ids);
});

test("waits grow by the factor to the largest, a tenth more or less", () => {
  const schedule = { firstMs: 60_000, factor: 1.5, maxMs: 3_600_000, lifetimeMs: 0 };
  const middle = [1, 2, 3, 11, 12, 500].map((n) => retryDelayMs(schedule, n, 0.5));
  expect(middle).toEqual([60_000, 90_000, 135_000, 3_459_902, 3_600_000, 3_600_000]);
  expect([0, 1].map((random) => retryDelayMs(schedule, 1, random))).toEqual([54_000, 66_000]);
});

test("the heap gives back in order of time what is due, and only that", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50)), fc.nat(60), fc.nat(3), (times, nowMs, drop) => {
      const heap = new DueHeap<number>();
      for (const time of times) heap.push(time, time);
      const taken = heap.keep((value) => value % 4 !== drop);
      expect(taken.every((value) => value % 4 === drop)).toBe(true);
      const kept = times.filter((value) => value % 4 !== drop);
      expect(heap.size).toBe(kept.length);
      expect(heap.nextDueMs).toBe(Math.min(...kept));
      const due: number[] = [];
      for (let value = heap.popDue(nowMs); value !== undefined; value = heap.popDue(nowMs)) due.push(value);
      expect(due).toEqual(kept.filter((value) => value <= nowMs).sort((a, b) => a - b));
    }),
  );
});
