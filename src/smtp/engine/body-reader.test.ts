import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { concat, fromLatin1, toLatin1 } from "../../core/bytes.ts";
import { BodyReader } from "./body-reader.ts";

interface Read {
  /** What the message holds, when it is whole. */
  text: string | undefined;
  broken: boolean;
  /** Bytes after the final dot. */
  rest: string;
}

function readAll(pieces: readonly Uint8Array[], dotted = true): Read {
  const reader = new BodyReader(dotted);
  const slices: Uint8Array[] = [];
  const rest: Uint8Array[] = [];
  for (const piece of pieces) {
    const at = reader.take(piece, 0, (slice) => slices.push(slice));
    if (reader.broken) return { text: undefined, broken: true, rest: "" };
    if (at < piece.length) rest.push(piece.subarray(at));
  }
  const isWhole = reader.ended || !dotted;
  return {
    text: isWhole ? toLatin1(concat(slices)) : undefined,
    broken: false,
    rest: toLatin1(concat(rest)),
  };
}

/** The same by the plainest means. */
function readPlainly(input: string): Read {
  const broken: Read = { text: undefined, broken: true, rest: "" };
  const lines: string[] = [];
  let left = input;
  for (;;) {
    const match = /^[^\r\n\0]*/.exec(left)?.[0] ?? "";
    const after = left.slice(match.length);
    if (after === "" || after === "\r") return { text: undefined, broken: false, rest: "" };
    if (!after.startsWith("\r\n")) return broken;
    left = after.slice(2);
    if (match === ".") return { text: lines.join(""), broken: false, rest: left };
    lines.push(`${match.replace(/^\./, "")}\r\n`);
  }
}

const whole = (text: string, rest = ""): Read => ({ text, broken: false, rest });
const broken: Read = { text: undefined, broken: true, rest: "" };
const unfinished: Read = { text: undefined, broken: false, rest: "" };

const rows: [name: string, input: string, want: Read][] = [
  ["an empty message", ".\r\n", whole("")],
  ["lines, and what follows", "a\r\n\r\nb\r\n.\r\nQUIT\r\n", whole("a\r\n\r\nb\r\n", "QUIT\r\n")],
  ["doubled dots", "..\r\n..a\r\na..\r\n.\r\n", whole(".\r\n.a\r\na..\r\n")],
  ["a single leading dot", ".a\r\n.\r\n", whole("a\r\n")],
  ["no end yet", "a\r\n.\r", unfinished],
  ["a bare LF", "a\nb\r\n.\r\n", broken],
  ["a bare LF as first byte", "\n", broken],
  ["a bare LF after a dot", ".\n", broken],
  ["a bare CR", "a\rb\r\n", broken],
  ["a bare CR after the dot", "a\r\n.\rb", broken],
  ["a NUL", "a\0b\r\n.\r\n", broken],
];

describe("BodyReader reads", () => {
  test.each(rows)("%s", (_, input, want) => {
    const bytes = fromLatin1(input);
    expect(readAll([bytes])).toEqual(want);
    expect(readAll([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(want);
    for (const at of bytes.keys()) {
      expect(readAll([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(want);
    }
  });

  test("what the plainest reader reads, however it is cut", () => {
    const parts = fc.array(
      fc.constantFrom("a", "xyz", ".", "..", "\r\n", "\r\n", "\r\n.", "\r\n.\r\n", "\r", "\n", "\0"),
      {
        maxLength: 12,
      },
    );
    fc.assert(
      fc.property(parts, fc.nat(40), fc.nat(40), (parts, a, b) => {
        const input = parts.join("");
        const bytes = fromLatin1(input);
        const [from, to] = [Math.min(a, b, bytes.length), Math.min(Math.max(a, b), bytes.length)];
        const pieces = [bytes.subarray(0, from), bytes.subarray(from, to), bytes.subarray(to)];
        const want = readPlainly(input);
        expect(readAll([bytes])).toEqual(want);
        expect(readAll(pieces)).toEqual(want);
      }),
      { numRuns: 1000 },
    );
  });

  test("chunks without dots, checked alike", () => {
    expect(readAll([fromLatin1(".\r\n..\r\n")], false)).toEqual(whole(".\r\n..\r\n"));
    expect(readAll([fromLatin1("a\n")], false)).toEqual(broken);
  });

  test("a message without dots in one slice", () => {
    const slices: Uint8Array[] = [];
    const bytes = fromLatin1(`${"line\r\n".repeat(100)}.\r\n`);
    new BodyReader(true).take(bytes, 0, (slice) => slices.push(slice));
    expect(slices.map((slice) => slice.length)).toEqual([600]);
    expect(slices[0]?.buffer).toBe(bytes.buffer);
  });
});
