import { describe, expect, test } from "bun:test";
import { fromLatin1 } from "../core/bytes.ts";
import { Base64Lines, makeScratch } from "./base64.ts";

/** Decodes in the given pieces. @returns the bytes, or undefined when it was refused */
function decode(pieces: readonly string[], padding = 0): number[] | undefined {
  const scratch = makeScratch();
  const out: number[] = [];
  const lines = new Base64Lines(scratch, (length) => void out.push(...scratch.bytes.subarray(0, length)));
  for (const piece of pieces) if (!lines.write(fromLatin1(piece))) return undefined;
  return lines.finish(padding) ? out : undefined;
}

const bytes = Array.from({ length: 90 }, (_, i) => (i * 7) & 255);
const text = Buffer.from(bytes).toString("base64");
const rows: readonly [name: string, lineLengths: readonly number[]][] = [
  ["lines of one length", [30, 30, 30, 30]],
  ["a short line after which the next end stands where it was expected", [32, 9, 0, 19, 32, 28]],
  ["lines that break inside of groups", [33, 1, 2, 31, 53]],
  ["empty lines", [40, 0, 0, 40, 0, 40]],
];
describe("base64 lines are read the same however long and however cut", () => {
  for (const [name, lengths] of rows) {
    test(name, () => {
      let at = 0;
      const data = lengths.map((length) => `${text.slice(at, (at += length))}\r\n`).join("");
      expect(decode([data])).toEqual(bytes);
      for (let cut = 1; cut < data.length; cut++) {
        expect(decode([data.slice(0, cut), data.slice(cut)])).toEqual(bytes);
      }
    });
  }
});

test("what is not base64 or not CRLF is refused", () => {
  for (const bad of ["QUJD RA\r\n", "QUJD\nRAAA\r\n", "QUJD\rRAAA\r\n", "QU*D\r\n", "QUJ\r\n"]) {
    expect(decode([bad])).toBeUndefined();
  }
});
