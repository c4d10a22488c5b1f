import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { fromLatin1 } from "../../core/bytes.ts";
import { AUTH_LINE_MAX_BYTES, LINE_DRAIN_MAX_BYTES } from "./limits.ts";
import { type Line, type LineKind, LineReader } from "./line-reader.ts";

/** All lines of the input, up to the first broken one, fed in the given pieces. */
function readAll(pieces: readonly Uint8Array[], kind: LineKind = "command"): Line[] {
  const reader = new LineReader();
  const lines: Line[] = [];
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      at = reader.take(piece, at, kind);
      if (reader.line !== undefined) lines.push(reader.line);
      if (reader.line?.kind === "broken") return lines;
    }
  }
  return lines;
}

function cutAt(bytes: Uint8Array, points: readonly number[]): Uint8Array[] {
  const sorted = [...new Set(points.map((point) => point % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...sorted].map((from, index) => bytes.subarray(from, sorted[index] ?? bytes.length));
}

const tooLong: Line = { kind: "tooLong" };
const bare: Line = { kind: "broken", why: "bareLineEnd" };
const endless: Line = { kind: "broken", why: "endlessLine" };
const text = (text: string): Line => ({ kind: "text", text });
const filled = (start: string, bytes: number): string => start + "x".repeat(bytes - start.length - 2);

const rows: [name: string, input: string, want: Line[], kind?: LineKind][] = [
  ["lines", "a\r\n\r\nb c\r\n", [text("a"), text(""), text("b c")]],
  ["an unfinished line is no line", "a\r\nb\r", [text("a")]],
  ["UTF-8", "\xc3\xa9\r\n", [text("é")]],
  ["malformed UTF-8", "\xff\r\n", [text("\uFFFD")]],
  ["a bare LF", "a\nb\r\n", [bare]],
  ["an LF alone", "\n", [bare]],
  ["a bare CR", "a\rb\r\n", [bare]],
  ["two CRs", "a\r\r\n", [bare]],
  ["a NUL", "a\0\r\n", [{ kind: "broken", why: "nulByte" }]],
  ["512 bytes", `${filled("NOOP ", 512)}\r\n`, [text(filled("NOOP ", 512))]],
  ["513 bytes, and what follows", `${filled("NOOP ", 513)}\r\nQUIT\r\n`, [tooLong, text("QUIT")]],
  ["MAIL may be longer", `${filled("mail ", 1100)}\r\n`, [text(filled("mail ", 1100))]],
  ["RCPT but not much", `${filled("RCPT ", 1101)}\r\n`, [tooLong]],
  ["AUTH is longest", `${filled("AUTH ", 12_288)}\r\n`, [text(filled("AUTH ", 12_288))]],
  ["AUTH has an end", `${filled("AUTH ", 12_289)}\r\nQUIT\r\n`, [tooLong, text("QUIT")]],
  ["an answer to a challenge", `${filled("", 12_288)}\r\n`, [text(filled("", 12_288))], "saslAnswer"],
  ["an over-long line with a bare LF", `${filled("", 20_000)}\nQUIT\r\n`, [bare]],
  [
    "an over-long line ends with CRLF wherever it is cut",
    `${filled("", 12_289)}\r\nQ\r\n`,
    [tooLong, text("Q")],
  ],
  ["a line without end", `${filled("", LINE_DRAIN_MAX_BYTES + 3)}\r\nQUIT\r\n`, [endless]],
];

describe("LineReader reads", () => {
  test.each(rows)("%s", (_, input, want, kind = "command") => {
    const bytes = fromLatin1(input);
    expect(readAll([bytes], kind)).toEqual(want);
    const bytewise = readAll(
      [...bytes].map((byte) => Uint8Array.of(byte)),
      kind,
    );
    expect(bytewise).toEqual(want);
    const points =
      bytes.length < 600 ? [...bytes.keys()] : [1, 2, 511, 512, 513, 12_287, 12_288, 12_289, 12_290];
    for (const point of points) expect(readAll(cutAt(bytes, [point]), kind)).toEqual(want);
  });

  test("the same however it is cut", () => {
    const bytes = fc.array(fc.constantFrom("a", "AUTH ", "MAIL ", "\r\n", "\r", "\n", "\0", "x".repeat(300)));
    fc.assert(
      fc.property(bytes, fc.array(fc.nat()), (parts, points) => {
        const input = fromLatin1(parts.join(""));
        expect(readAll(cutAt(input, points))).toEqual(readAll([input]));
      }),
    );
  });

  test("without keeping more than the longest line", () => {
    const reader = new LineReader();
    const piece = new Uint8Array(1000).fill(65);
    for (let i = 0; i < LINE_DRAIN_MAX_BYTES / 1000 - 1; i++) reader.take(piece, 0, "command");
    expect(reader.line).toBeUndefined();
    expect(AUTH_LINE_MAX_BYTES).toBeLessThan(LINE_DRAIN_MAX_BYTES);
    reader.reset();
    reader.take(fromLatin1("QUIT\r\n"), 0, "command");
    expect(reader.line).toEqual(text("QUIT"));
  });
});
