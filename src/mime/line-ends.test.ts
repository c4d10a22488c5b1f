import { expect, test } from "bun:test";
import { fromLatin1, toLatin1 } from "../core/bytes.ts";
import { LineEnds } from "./line-ends.ts";

/** Line ends of a message that is written in pieces of at most `pieceBytes`. */
function mended(text: string, pieceBytes: number): string {
  let out = "";
  const lines = new LineEnds((bytes) => void (out += toLatin1(bytes)));
  for (let at = 0; at < text.length; at += pieceBytes)
    lines.write(fromLatin1(text.slice(at, at + pieceBytes)));
  lines.end();
  return out;
}

const rows: [name: string, text: string, want: string][] = [
  ["CRLF stays", "a\r\nb\r\n", "a\r\nb\r\n"],
  ["LF becomes CRLF", "a\n\nb\n", "a\r\n\r\nb\r\n"],
  ["both in one message", "\na\r\n\n\r\nb", "\r\na\r\n\r\n\r\nb\r\n"],
  ["a lone CR stays", "a\rb\r\r\n", "a\rb\r\r\n"],
  ["nothing gets a line end", "", "\r\n"],
];
for (const [name, text, want] of rows) {
  test(`${name}, however it is cut`, () => {
    for (const pieceBytes of [1, 2, 3, 100]) expect(mended(text, pieceBytes)).toBe(want);
  });
}
