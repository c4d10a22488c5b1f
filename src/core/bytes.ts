/**
 * Byte helpers for wire data. Wire data stays `Uint8Array`; only fields that are kept become strings.
 * Latin-1 is the lossless bridge: each byte is one UTF-16 unit.
 */

/** Byte values that the mail protocols speak of by name. */
export const TAB = 9;
export const LF = 10;
export const CR = 13;
export const SP = 32;

export const CRLF: Uint8Array = Uint8Array.of(CR, LF);
export const EMPTY: Uint8Array = new Uint8Array(0);

/** Bytes of a string whose units are all below 256. Units above are truncated: pass wire text only. */
export function fromLatin1(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

/** They take any Uint8Array: wrapping one in a Buffer first costs three times the decoding (measured). */
const { latin1Slice, utf8Slice } = Buffer.prototype as unknown as Record<
  "latin1Slice" | "utf8Slice",
  (this: Uint8Array, start: number, end: number) => string
>;

/** One string unit per byte; never fails. */
export function toLatin1(bytes: Uint8Array): string {
  return latin1Slice.call(bytes, 0, bytes.length);
}

export function fromUtf8(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

/** Decodes UTF-8; malformed sequences become U+FFFD. */
export function toUtf8(bytes: Uint8Array): string {
  return utf8Slice.call(bytes, 0, bytes.length);
}

/** Joins chunks once. Never call it per arriving chunk: that is quadratic (measured). */
export function concat(chunks: readonly Uint8Array[], totalBytes?: number): Uint8Array {
  const [first] = chunks;
  if (first !== undefined && chunks.length === 1) return first;
  return Buffer.concat(chunks, totalBytes);
}

/** True if `bytes[at…]` starts with `ascii`, ASCII letters compared without case. */
export function startsWithIgnoreCase(bytes: Uint8Array, ascii: string, at = 0): boolean {
  if (bytes.length - at < ascii.length) return false;
  for (let i = 0; i < ascii.length; i++) {
    if (lowerByte(bytes[at + i] ?? 0) !== lowerByte(ascii.charCodeAt(i))) return false;
  }
  return true;
}

/** Lower-cases one ASCII letter, leaves every other byte. */
export function lowerByte(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}

/** Lower-cases ASCII letters only: `toLowerCase` would also fold letters beyond ASCII, e.g. the Kelvin sign. */
export function lowerAscii(text: string): string {
  return BEYOND_ASCII.test(text) ? text.replace(/[A-Z]+/g, (run) => run.toLowerCase()) : text.toLowerCase();
}

const BEYOND_ASCII = /[\u0080-\uffff]/;
