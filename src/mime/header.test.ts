import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { fromLatin1, toLatin1 } from "../core/bytes.ts";
import { cleanDelivered, cleanSubmitted } from "./clean.ts";
import {
  fieldText,
  findField,
  HeaderEnd,
  headerLength,
  isTidy,
  parseFields,
  selectFields,
  selectFieldsNot,
} from "./header.ts";

describe("HeaderEnd", () => {
  const rows: [name: string, text: string, end: number][] = [
    ["ends after the first empty line", "A: b\r\n\r\nbody\r\n\r\n", 8],
    ["ends at once when the header is empty", "\r\nbody", 2],
    ["ends after two bare LF", "A: b\n\nbody", 6],
    ["ends after LF and CRLF", "A: b\n\r\nbody", 7],
    ["does not end after a lone CR in a line", "A: b\r\n\r\r\n\r\nbody", 11],
    ["does not end without an empty line", "A: b\r\nC: d\r\n", -1],
    ["does not end in an empty text", "", -1],
    ["does not take a line of blanks for an empty one", "A: b\r\n \r\n\r\n", 11],
  ];
  for (const [name, text, end] of rows) {
    test(`${name}, however cut`, () => {
      const bytes = fromLatin1(text);
      expect(new HeaderEnd().find(bytes)).toBe(end);
      for (let at = 0; at <= bytes.length; at++) {
        const finder = new HeaderEnd();
        const first = finder.find(bytes.subarray(0, at));
        const second = first < 0 ? finder.find(bytes.subarray(at)) : first;
        expect(first < 0 && second >= 0 ? second + at : second).toBe(end);
      }
    });
  }

  test("headerLength() is the whole text when there is no empty line", () => {
    expect(headerLength(fromLatin1("A: b\r\n"))).toBe(6);
    expect(headerLength(fromLatin1("A: b\r\n\r\nx"))).toBe(8);
  });
});

const header = fromLatin1(
  "Received: by a\r\n\twith b\r\nFrom: <a@b.test>\r\nSUBJECT:  Hi\r\n there \r\nno field\r\n" +
    "X-Empty:\r\nFrom : second\r\n: no name\r\nLast: 1\r\n\r\nBody: not a field\r\n",
);

describe("parseFields()", () => {
  test("finds names, values and folds, and stops at the empty line", () => {
    const fields = parseFields(header);
    expect(fields.map((f) => f.name)).toEqual([
      "received",
      "from",
      "subject",
      "",
      "x-empty",
      "from",
      "",
      "last",
    ]);
    expect(fields.map((f) => fieldText(header, f))).toContain("Hi there");
    expect(fields.map((f) => f.folded)).toEqual([true, false, true, false, false, false, false, false]);
    expect(fields.map((f) => f.start).slice(1)).toEqual(fields.map((f) => f.end).slice(0, -1));
    const subject = findField(fields, "subject");
    expect(subject && toLatin1(header.subarray(subject.start, subject.end))).toBe(
      "SUBJECT:  Hi\r\n there \r\n",
    );
    expect(findField(fields, "body")).toBeUndefined();
  });

  test("covers every byte of any block once, in order", () => {
    const text = fc.string({
      unit: fc.constantFrom("A", "b", ":", " ", "\t", "\r", "\n", "\r\n", "\0", "ü"),
    });
    fc.assert(
      fc.property(text, (block) => {
        const bytes = fromLatin1(block);
        let at = 0;
        for (const field of parseFields(bytes)) {
          expect(field.start).toBe(at);
          expect(field.end).toBeGreaterThan(field.start);
          expect(field.valueEnd).toBeLessThanOrEqual(field.end);
          at = field.end;
        }
        const end = headerLength(bytes);
        expect(at === end || /^\r?\n$/.test(toLatin1(bytes.subarray(at, end)))).toBe(true);
      }),
      { seed: 1 },
    );
  });
});

describe("selectFields()", () => {
  const rows: [name: string, wanted: string[], text: string, without: string][] = [
    [
      "keeps order, folds and repeated fields",
      ["subject", "from"],
      "From: <a@b.test>\r\nSUBJECT:  Hi\r\n there \r\nFrom : second\r\n",
      "Received: by a\r\n\twith b\r\nno field\r\nX-Empty:\r\n: no name\r\nLast: 1\r\n",
    ],
    [
      "gives nothing for fields that are absent",
      ["to"],
      "",
      toLatin1(header.subarray(0, headerLength(header) - 2)),
    ],
  ];
  for (const [name, wanted, text, without] of rows) {
    test(name, () => {
      expect(toLatin1(selectFields(header, new Set(wanted)))).toBe(text);
      expect(toLatin1(selectFieldsNot(header, new Set(wanted)))).toBe(without);
    });
  }

  test("gives a copy, with a line end even where the block was cut", () => {
    const block = fromLatin1("A: b\r\nC: d");
    const selected = selectFields(block, new Set(["c"]));
    expect(toLatin1(selected)).toBe("C: d\r\n");
    const first = selectFields(block, new Set(["a"]));
    block.fill(0);
    expect(toLatin1(first)).toBe("A: b\r\n");
  });
});

describe("isTidy()", () => {
  const rows: [text: string, tidy: boolean][] = [
    ["A: b\r\n\r\n", true],
    ["", true],
    ["A: b\n", false],
    ["A: b\r", false],
    ["A: \rb\r\n", false],
    ["A: b\r\r\n", false],
    ["A: b\n\r\n", false],
    ["A: \0\r\n", false],
  ];
  for (const [text, tidy] of rows) {
    test(JSON.stringify(text), () => expect(isTidy(fromLatin1(text))).toBe(tidy));
  }
});

describe("clean", () => {
  type Row = [name: string, clean: (header: Uint8Array) => Uint8Array, input: string, want: string];
  const rows: Row[] = [
    [
      "submission hides traces and the subject, all else keeps its bytes",
      cleanSubmitted,
      "Received: from [1.2.3.4]\r\n by x\r\nFrom :  <a@b.test>\r\nX-Mailer: M\r\nsubject: secret\r\n plan\r\nUSER-AGENT: U\r\nX-Originating-IP: 1\r\nTo: x\r\n\ty\r\n\r\n",
      "From :  <a@b.test>\r\nSubject: [...]\r\nTo: x\r\n\ty\r\n\r\n",
    ],
    [
      "submission keeps DKIM-Signature",
      cleanSubmitted,
      "DKIM-Signature: v=1\r\n\r\n",
      "DKIM-Signature: v=1\r\n\r\n",
    ],
    [
      "submission leaves one subject of several",
      cleanSubmitted,
      "Subject: a\r\nSubject : b\r\n\r\n",
      "Subject: [...]\r\n\r\n",
    ],
    ["submission adds no subject", cleanSubmitted, "From: a\r\n\r\n", "From: a\r\n\r\n"],
    [
      "submission drops lines that are no fields, with their continuations",
      cleanSubmitted,
      "From: a\r\nhello you\r\n and you\r\n: x\r\nTo: b\r\n\r\n",
      "From: a\r\nTo: b\r\n\r\n",
    ],
    [
      "submission drops a field that hides another behind a bare CR",
      cleanSubmitted,
      "From: a\r\nX: y\rReceived: z\r\nTo: b\r\n\r\n",
      "From: a\r\nTo: b\r\n\r\n",
    ],
    [
      "submission drops a field behind a bare LF",
      cleanSubmitted,
      "From: a\r\nX: y\nReceived: z\r\n\r\n",
      "From: a\r\n\r\n",
    ],
    ["submission drops a field with a NUL", cleanSubmitted, "X: y\0\r\nTo: b\r\n\r\n", "To: b\r\n\r\n"],
    ["submission drops a continuation of nothing", cleanSubmitted, " x\r\nTo: b\r\n\r\n", "To: b\r\n\r\n"],
    ["a header of nothing but traces becomes empty", cleanSubmitted, "Received: x\r\n\r\n", "\r\n"],
    [
      "delivery removes what verification needed",
      cleanDelivered,
      "DKIM-Signature: v=1;\r\n b=x\r\nAuthentication-Results: y\r\nReceived: z\r\nSubject: hi\r\nX-Mailer: m\r\n\r\n",
      "Subject: hi\r\nX-Mailer: m\r\n\r\n",
    ],
  ];
  for (const [name, clean, input, want] of rows) {
    test(name, () => expect(toLatin1(clean(fromLatin1(input)))).toBe(want));
  }

  test("a header with nothing to clean is returned itself", () => {
    const clean = fromLatin1("From: a\r\n\r\n");
    expect(cleanDelivered(clean)).toBe(clean);
    expect(cleanSubmitted(clean)).toBe(clean);
  });

  test("what is cleaned stays clean and tidy, whatever came in", () => {
    const unit = fc.constantFrom("Received", "Subject", "X", ":", " ", "\r\n", "\r", "\n", "\0", "a", "\t");
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 40 }), (text) => {
        const block = fromLatin1(`${text}\r\n\r\n`);
        const cleaned = cleanSubmitted(block.subarray(0, headerLength(block)));
        const fields = parseFields(cleaned);
        expect(fields.some((field) => field.name === "received" || field.name === "")).toBe(false);
        expect(fields.filter((field) => field.name === "subject").length).toBeLessThan(2);
        if (cleaned.length > 2) expect(isTidy(cleaned)).toBe(true);
        expect(cleanSubmitted(cleaned).length).toBe(cleaned.length);
      }),
      { seed: 2, numRuns: 500 },
    );
  });
});
