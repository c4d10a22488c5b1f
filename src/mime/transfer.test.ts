import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { concat, fromLatin1, fromUtf8, toLatin1 } from "../core/bytes.ts";
import { decodeEncodedWords } from "./encoded-words.ts";
import { QuotedPrintable, transferDecoder } from "./transfer.ts";

function decode(encoding: string, pieces: readonly Uint8Array[]): Uint8Array {
  const decoder = transferDecoder(encoding);
  if (decoder === undefined) throw new Error("no decoder");
  const decoded = pieces.map((piece) => new Uint8Array(decoder.write(piece)));
  return concat([...decoded, decoder.end()]);
}

const rows: readonly [name: string, encoding: string, encoded: string, want: string][] = [
  ["plain text", "quoted-printable", "a b\r\nc", "a b\r\nc"],
  ["an escape", "quoted-printable", "=3D=C3=a4", "=\xc3\xa4"],
  ["a soft line end", "quoted-printable", "ab=\r\ncd", "abcd"],
  ["a soft line end with padding", "quoted-printable", "ab= \t\r\ncd", "abcd"],
  ["a soft line end by a bare LF", "quoted-printable", "ab=\ncd", "abcd"],
  ["blanks before a line end", "quoted-printable", "a \t \r\n b ", "a\r\n b"],
  ["a broken escape", "quoted-printable", "=X1 =4", "=X1 =4"],
  ["base64 in lines", "base64", "aGVs\r\nbG8=\r\n", "hello"],
  ["base64 without padding", "base64", "aGVsbG8", "hello"],
  ["base64 cut inside a group by a line end", "base64", "aGV\r\nsbG8=", "hello"],
  ["what follows the padding", "base64", "aGk=aGk=", "hi"],
];
for (const [name, encoding, encoded, want] of rows) {
  test(`transferDecoder() undoes ${encoding}: ${name}, whole and cut at each point`, () => {
    const bytes = fromLatin1(encoded);
    expect(toLatin1(decode(encoding, [bytes]))).toBe(want);
    for (let at = 0; at <= bytes.length; at++) {
      expect(toLatin1(decode(encoding, [bytes.subarray(0, at), bytes.subarray(at)]))).toBe(want);
    }
    expect(
      toLatin1(
        decode(
          encoding,
          [...bytes].map((byte) => Uint8Array.of(byte)),
        ),
      ),
    ).toBe(want);
  });
}

test("identity encodings and unknown ones have no decoder", () => {
  for (const encoding of ["7bit", "8bit", "binary", "x-uuencode"])
    expect(transferDecoder(encoding)).toBeUndefined();
});

test("quoted-printable: whatever is encoded comes back, however it is cut", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(300), (bytes, cut) => {
      const encoded = fromLatin1(
        [...bytes]
          .map(
            (byte, i) =>
              `=${byte.toString(16).toUpperCase().padStart(2, "0")}${i % 20 === 19 ? "=\r\n" : ""}`,
          )
          .join(""),
      );
      const decoder = new QuotedPrintable();
      const pieces = [encoded.subarray(0, cut), encoded.subarray(cut)].map(
        (piece) => new Uint8Array(decoder.write(piece)),
      );
      expect(concat([...pieces, decoder.end()])).toEqual(bytes);
      expect(decoder.malformed).toBe(false);
    }),
    { numRuns: 200 },
  );
});

test("QuotedPrintable tells what no writer makes", () => {
  for (const text of [" ".repeat(1001), "=X", "=4X", "=", "=4", "\xe4", "\0", "= x", "=\rx"]) {
    const decoder = new QuotedPrintable();
    decoder.write(fromLatin1(text));
    decoder.end();
    expect([text, decoder.malformed]).toEqual([text, true]);
  }
});

test("decoders take garbage in linear time and memory", () => {
  const blanks = new Uint8Array(2_000_000).fill(32);
  expect(decode("quoted-printable", [blanks, fromLatin1("x")]).length).toBe(2_000_001);
  expect(decode("base64", [new Uint8Array(2_000_000).fill(33)]).length).toBe(0);
});

const words: readonly [text: string, want: string][] = [
  ["plain", "plain"],
  [toLatin1(fromUtf8("grün")), "grün"],
  ["=?utf-8?Q?gr=C3=BCn_ist?=", "grün ist"],
  ["=?UTF-8?b?Z3LDvG4=?= x", "grün x"],
  ["=?iso-8859-1?q?gr=FCn?=", "grün"],
  ["a =?utf-8?q?b?= \t =?utf-8*de?q?c?= d", "a bc d"],
  ["=?nobody-knows?q?=FC?=", "ü"],
  ["=?utf-8?x?gr?= =?utf-8?q", "=?utf-8?x?gr?= =?utf-8?q"],
];
for (const [text, want] of words) {
  test(`decodeEncodedWords() reads ${JSON.stringify(text)}`, () => {
    expect(decodeEncodedWords(text)).toBe(want);
  });
}

test("decodeEncodedWords() is linear on hostile values", () => {
  for (const piece of ["=?", "=?a?q?", "=?a*", "=?utf-8?q??=", "?="]) {
    const text = piece.repeat(200_000);
    // Anything worse than linear would run into the time limit of the test.
    expect(decodeEncodedWords(text).length).toBeLessThanOrEqual(text.length);
  }
});
