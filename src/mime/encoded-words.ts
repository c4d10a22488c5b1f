/** Encoded-words in header values (RFC 2047), undone for reading and searching. Linear in the text. */
import { fromLatin1, toLatin1, toUtf8 } from "../core/bytes.ts";
import { QuotedPrintable } from "./transfer.ts";

/** RFC 2047 §2, with the language tag of RFC 2231 §5. */
const WORD = /=\?([^?*\s]{1,40})(?:\*[^?\s]{0,40})?\?([BbQq])\?([^?\s]*)\?=/g;

/**
 * @param text an unfolded value, one string unit per byte
 * @returns Unicode text; what stands outside of encoded-words is read as UTF-8
 */
export function decodeEncodedWords(text: string): string {
  if (!text.includes("=?")) return toUtf8(fromLatin1(text));
  let decoded = "";
  let at = 0;
  let afterWord = false;
  for (const match of text.matchAll(WORD)) {
    const between = text.slice(at, match.index);
    // RFC 2047 §6.2: blanks between two encoded-words are not shown.
    if (!afterWord || between.trim() !== "") decoded += toUtf8(fromLatin1(between));
    const [whole, charset = "", kind = "", content = ""] = match;
    decoded += decodeText(charset, decodeWord(kind, content));
    at = match.index + whole.length;
    afterWord = true;
  }
  return decoded + toUtf8(fromLatin1(text.slice(at)));
}

/** Bytes in a charset as text; an unknown charset is read as Latin-1. */
function decodeText(charset: string, bytes: Uint8Array): string {
  return textDecoder(charset)?.decode(bytes) ?? toLatin1(bytes);
}

/** @returns undefined when nobody knows the charset */
export function textDecoder(charset: string): TextDecoder | undefined {
  try {
    return new TextDecoder(charset);
  } catch {
    return undefined;
  }
}

function decodeWord(kind: string, content: string): Uint8Array {
  if (kind === "B" || kind === "b") return Buffer.from(content, "base64");
  // RFC 2047 §4.2: quoted-printable, with `_` for a blank.
  const decoder = new QuotedPrintable();
  return decoder.write(fromLatin1(content.replaceAll("_", "=20")));
}
