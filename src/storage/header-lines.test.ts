import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { fromLatin1, toLatin1 } from "../core/bytes.ts";
import { headerLength, selectFields } from "./header-lines.ts";

const wanted = new Set(["message-id", "from", "date"]);
const select = (text: string) => toLatin1(selectFields(fromLatin1(text), wanted));

describe("selectFields()", () => {
  const rows: readonly (readonly [string, string, string])[] = [
    [
      "keeps wanted lines in order",
      "To: x\r\nFrom: a\r\nMESSAGE-ID: <1>\r\n\r\n",
      "From: a\r\nMESSAGE-ID: <1>\r\n",
    ],
    ["keeps folded lines whole", "From: a\r\n b\r\n\tc\r\nX: y\r\n\r\n", "From: a\r\n b\r\n\tc\r\n"],
    ["drops folded lines of others", "X: a\r\n From: b\r\nDate: c\r\n\r\n", "Date: c\r\n"],
    ["stops at the blank line", "X: y\r\n\r\nFrom: body\r\n", ""],
    ["takes every occurrence", "From: a\r\nFrom: b\r\n\r\n", "From: a\r\nFrom: b\r\n"],
    ["takes bare LF lines", "From: a\nX: y\nDate: b\n\nFrom: body\n", "From: a\nDate: b\n"],
    ["takes a name with white space before the colon", "From : a\r\n\r\n", "From : a\r\n"],
    ["takes a header without an end", "X: y\r\nFrom: a", "From: a"],
    ["survives lines without colon", "nonsense\r\n:\r\nFrom: a\r\n\r\n", "From: a\r\n"],
    ["takes nothing from nothing", "", ""],
  ];
  test.each(rows)("%s", (_, header, lines) => {
    expect(select(header)).toBe(lines);
  });

  test("gives bytes of its own", () => {
    const header = fromLatin1("From: a\r\n\r\n");
    const lines = selectFields(header, wanted);
    header.fill(0);
    expect(toLatin1(lines)).toBe("From: a\r\n");
  });
});

test("headerLength() ends after the first blank line", () => {
  for (const [text, length] of [
    ["A: b\r\n\r\nbody\r\n\r\n", 8],
    ["A: b\n\nbody", 6],
    ["\r\nbody", 2],
    ["\nbody", 1],
    ["A: b\r\n", -1],
    ["A: b\r\n\r", -1],
    ["", -1],
  ] as const) {
    expect(headerLength(fromLatin1(text))).toBe(length);
  }
});

test("selectFields() gives the same of a header and of its block alone", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom("F", "rom", ":", " ", "\r\n", "\n", "x", "From: ") }),
      (text) => {
        const bytes = fromLatin1(text);
        const length = headerLength(bytes);
        if (length >= 0) expect(select(text)).toBe(select(toLatin1(bytes.subarray(0, length))));
      },
    ),
  );
});
