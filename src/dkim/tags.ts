/**
 * Tag lists (RFC 6376 §3.2), the syntax of signatures and key records: `v=1; a=rsa-sha256; …`.
 * Texts hold one string unit per byte. Linear in the text.
 */

/** More tags than any signature has; a longer list is no honest one. */
const TAGS_MAX = 64;
const TAG_NAME = /^[A-Za-z][A-Za-z0-9_]*$/;

/** One value with its place in the text. */
export interface Tag {
  /** Without outer white space; folds inside remain. */
  readonly value: string;
  /** First unit after "=". */
  readonly start: number;
  /** The semicolon after it, or the end. */
  readonly end: number;
}

/** @returns undefined when the text is no tag list, or a name comes twice (RFC 6376 §3.2: the whole list is void) */
export function parseTags(text: string): Map<string, Tag> | undefined {
  const tags = new Map<string, Tag>();
  let at = 0;
  while (at < text.length) {
    const semicolon = text.indexOf(";", at);
    const end = semicolon < 0 ? text.length : semicolon;
    const spec = text.slice(at, end);
    const equals = spec.indexOf("=");
    if (equals < 0) {
      // Only a closing semicolon may be followed by nothing.
      if (spec.trim() !== "" || semicolon >= 0) return undefined;
      break;
    }
    const name = spec.slice(0, equals).trim();
    if (!TAG_NAME.test(name) || tags.has(name) || tags.size >= TAGS_MAX) return undefined;
    tags.set(name, { value: spec.slice(equals + 1).trim(), start: at + equals + 1, end });
    at = end + 1;
  }
  return tags.size === 0 ? undefined : tags;
}

/** Base64 with white space anywhere (RFC 6376 §2.10). @returns undefined when it is none, or empty */
export function decodeBase64(text: string): Uint8Array | undefined {
  const packed = text.replace(/[ \t\r\n]+/g, "");
  if (packed === "" || !/^[A-Za-z0-9+/]+={0,2}$/.test(packed)) return undefined;
  const bytes = Buffer.from(packed, "base64");
  return bytes.length === 0 ? undefined : bytes;
}

/** A colon-separated list without white space, lower case; empty items left out. */
export function colonList(text: string): string[] {
  return text
    .replace(/[ \t\r\n]+/g, "")
    .toLowerCase()
    .split(":")
    .filter((item) => item !== "");
}
