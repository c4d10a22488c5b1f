import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { fromLatin1 } from "../core/bytes.ts";
import { CanonicalBody, type Canonicalization, canonicalField } from "./canonical.ts";
import { gathered } from "../../test/support/dkim.ts";

/** The words of RFC 6376 §3.4.3 and §3.4.4 as string operations on a whole body. */
function reference(body: string, how: Canonicalization): string {
  const lines = body.split("\r\n");
  const reduced =
    how === "simple" ? lines : lines.map((line) => line.replace(/[ \t]+/g, " ").replace(/ $/, ""));
  while (reduced.length > 0 && reduced.at(-1) === "") reduced.pop();
  if (reduced.length === 0) return how === "simple" ? "\r\n" : "";
  return `${reduced.join("\r\n")}\r\n`;
}

function canonical(body: string, how: Canonicalization, cuts: readonly number[] = []): string {
  return gathered((sink) => {
    const stream = new CanonicalBody(how, sink);
    let at = 0;
    for (const cut of [...cuts, body.length]) {
      stream.write(fromLatin1(body.slice(at, cut)));
      at = Math.max(at, cut);
    }
    stream.end();
  });
}

const bodies: readonly (readonly [name: string, body: string, simple: string, relaxed: string])[] = [
  ["the example of RFC 6376 §3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"],
  ["nothing", "", "\r\n", ""],
  ["only line ends", "\r\n\r\n\r\n", "\r\n", ""],
  ["only white space", " \t \r\n\t", " \t \r\n\t\r\n", ""],
  ["no line end at the end", "a", "a\r\n", "a\r\n"],
  ["line ends inside", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"],
  ["white space before a line end", "a \t\r\nb\r\n", "a \t\r\nb\r\n", "a\r\nb\r\n"],
  ["white space at the end", "a \t", "a \t\r\n", "a\r\n"],
  ["a lone CR at the end", "a\r", "a\r\r\n", "a\r\r\n"],
  ["lone CR and LF", "a\rb\nc\n\r\n", "a\rb\nc\n\r\n", "a\rb\nc\n\r\n"],
  ["a CR before a line end", "a\r\r\n", "a\r\r\n", "a\r\r\n"],
  ["white space around a lone CR", "a \r b\r\n", "a \r b\r\n", "a \r b\r\n"],
];

for (const [name, body, simple, relaxed] of bodies) {
  test(`the canonical body of ${name}, whole and cut anywhere`, () => {
    for (const [how, want] of [
      ["simple", simple],
      ["relaxed", relaxed],
    ] as const) {
      expect(reference(body, how)).toBe(want);
      for (let cut = 0; cut <= body.length; cut++) expect(canonical(body, how, [cut])).toBe(want);
    }
  });
}

test("a canonical body is what the words of the standard make of it, however long its runs and cuts", () => {
  const piece = fc.oneof(
    fc.constantFrom("\r\n", "\r", "\n", " ", "\t", "a", "\r\n\r\n", " \r\n", "\xff"),
    fc.constantFrom("x", " ", "\r\n", "word ").chain((unit) => fc.nat(1500).map((n) => unit.repeat(n))),
  );
  const body = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(body, fc.array(fc.nat(4000), { maxLength: 4 }), (text, places) => {
      const cuts = places.map((place) => Math.min(place, text.length)).sort((a, b) => a - b);
      for (const how of ["simple", "relaxed"] as const) {
        expect(canonical(text, how, cuts)).toBe(reference(text, how));
      }
    }),
    { numRuns: 300 },
  );
});

const fields: readonly (readonly [name: string, raw: string, relaxed: string])[] = [
  ["the first of RFC 6376 §3.4.5", "A: X", "a:X"],
  ["the second of RFC 6376 §3.4.5", "B : Y\t\r\n\tZ  ", "b:Y Z"],
  ["an empty value", "Subject:", "subject:"],
  ["a value of white space", "Subject: \r\n \t ", "subject:"],
  ["one letter", "X:a", "x:a"],
];

for (const [name, raw, relaxed] of fields) {
  test(`a header field in canonical form: ${name}`, () => {
    expect(canonicalField(raw, "relaxed")).toBe(relaxed);
    expect(canonicalField(raw, "simple")).toBe(raw);
  });
}
