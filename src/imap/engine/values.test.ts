/** Values on the wire: sets, strings, names, dates, patterns, arguments. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { fromLatin1, toLatin1 } from "../../core/bytes.ts";
import { Args } from "./args.ts";
import { canonicalPattern, matchesListPattern } from "./list-pattern.ts";
import { decodeMailboxName, decodeUtf7, encodeUtf7 } from "./mailbox-name.ts";
import { formatSet, inRanges, parseSequenceSet, resolveSet } from "./sequence-set.ts";
import { formatInternalDate, formatString, parseDate, parseInternalDate } from "./text.ts";

describe("sequence sets", () => {
  test.each(["", "0", "1:0", ":", "1:2:3", "a", "1,", "4294967296", "-1", "1:*:2"])("%p is none", (text) => {
    expect(parseSequenceSet(text)).toBeUndefined();
  });

  const resolved: [text: string, highest: number, want: string][] = [
    ["1:*", 5, "1:5"],
    ["*", 5, "5"],
    ["9:*", 5, "5"],
    ["*:9", 5, "5"],
    ["6:9", 5, ""],
    ["4:9", 5, "4:5"],
    ["3,1:2,2", 5, "1:3"],
    ["5:3", 5, "3:5"],
    ["1:*", 0, ""],
  ];
  test.each(resolved)("%p of %p is %p", (text, highest, want) => {
    const ranges = resolveSet(parseSequenceSet(text) ?? [], highest);
    expect(ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}:${to}`)).join(",")).toBe(want);
  });

  test("what formatSet writes means the same numbers", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), (numbers) => {
        const sorted = numbers.sort((a, b) => a - b);
        const ranges = resolveSet(parseSequenceSet(formatSet(sorted)) ?? [], 60);
        expect(Array.from({ length: 61 }, (_, i) => i).filter((n) => inRanges(ranges, n))).toEqual(sorted);
      }),
    );
  });
});

describe("mailbox names", () => {
  test.each([
    ["Entw&APw-rfe", "Entwürfe"],
    ["&-", "&"],
    ["~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"],
    ["inbox", "INBOX"],
    ["Inbox/Sub", "INBOX/Sub"],
  ])("%p is %p", (wire, name) => {
    expect(decodeMailboxName(wire)).toBe(name);
  });

  test.each(["", "&", "&x", "&AOQ", "a//b", "/a", "a/", "a\u0001b", "&2AA-", "&AA-", "&=-"])(
    "%p is none",
    (wire) => {
      expect(decodeMailboxName(wire)).toBeUndefined();
    },
  );

  test("modified UTF-7 holds every text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const wire = encodeUtf7(text);
        expect(wire).toMatch(/^[ -~]*$/);
        expect(decodeUtf7(wire)).toBe(text);
      }),
    );
  });
});

describe("list patterns", () => {
  test("they match as regular expressions of the same meaning do", () => {
    const unit = fc.constantFrom("a", "b", "/", "*", "%");
    fc.assert(
      fc.property(
        fc.array(unit, { maxLength: 8 }),
        fc.array(fc.constantFrom("a", "b", "/"), { maxLength: 10 }),
        (p, n) => {
          const regex = new RegExp(
            `^${p.map((u) => (u === "*" ? ".*" : u === "%" ? "[^/]*" : u)).join("")}$`,
          );
          expect(matchesListPattern(p.join(""), n.join(""))).toBe(regex.test(n.join("")));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("many wildcards take no more than quadratic time", () => {
    expect(matchesListPattern(`${"%*".repeat(60)}b`, "a".repeat(500))).toBe(false);
    // Found by the fuzzer: what follows each `*` began anew at every letter.
    expect(matchesListPattern("*a%)".repeat(125), "a".repeat(16_384))).toBe(false);
  });

  test("INBOX has no case at the front only", () => {
    expect(["inbox", "iNbox/x", "inboxer", "a/inbox"].map(canonicalPattern)).toEqual([
      "INBOX",
      "INBOX/x",
      "inboxer",
      "a/inbox",
    ]);
  });
});

describe("dates", () => {
  test("an internal date reads as it was written", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e9 }), (seconds) => {
        expect(parseInternalDate(formatInternalDate(seconds * 1000).slice(1, -1))).toBe(seconds * 1000);
      }),
    );
  });

  test.each([
    [" 7-Feb-2026 22:52:25 +0100", Date.UTC(2026, 1, 7, 21, 52, 25)],
    ["07-feb-2026 16:52:25 -0500", Date.UTC(2026, 1, 7, 21, 52, 25)],
    ["30-Feb-2026 00:00:00 +0000", undefined],
    ["7-Feb-2026 22:52:25", undefined],
    ["07-Feb-2026 24:52:25 +0000", undefined],
  ])("%p", (text, want) => {
    expect(parseInternalDate(text)).toBe(want as number);
  });

  test.each(["1-Foo-2026", "31-Apr-2026", "2026-01-01", ""])("%p is no day", (text) => {
    expect(parseDate(text)).toBeUndefined();
  });
});

describe("arguments", () => {
  test("every byte string comes back from how it is written", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = toLatin1(bytes).replaceAll("\0", "x");
        const written = formatString(text);
        const parts = written.startsWith("{")
          ? [written.slice(0, written.indexOf("\r\n")), fromLatin1(text), ""]
          : [written];
        const args = new Args(parts);
        expect(args.astring()).toBe(text);
        args.end();
        expect(args.fault).toBeUndefined();
      }),
    );
  });

  test("the first fault stays and nothing is read behind it", () => {
    const args = new Args(['x "open']);
    expect(args.atom()).toBe("x");
    args.space();
    expect(args.string()).toBe("");
    expect(args.list(() => args.atom())).toEqual([]);
    expect(args.number()).toBe(0);
    expect(args.fault).toBe("expected a string");
  });

  test("lists end, however deep and long they claim to be", () => {
    const deep = new Args(["(".repeat(5000)]);
    const read = (): unknown => deep.list(read);
    read();
    expect(deep.fault).toBe("nested too deep");
    const long = new Args([`(${"a ".repeat(5000)})`]);
    long.list(() => long.atom());
    expect(long.fault).toBe("too many items");
  });
});
