/** Picks header fields out of a raw header block, byte for byte. */
import { concat, CR, EMPTY, LF, lowerAscii, SP, TAB, toLatin1 } from "../core/bytes.ts";

const COLON = 58;
/** No wanted field has a longer name; spares decoding the name of a long line without a colon. */
const FIELD_NAME_MAX_BYTES = 64;

/**
 * The raw lines of the wanted fields, in message order, folded lines included, without the blank line.
 * @param header header block, up to and with the blank line or not
 * @param wanted field names in lower case
 */
export function selectFields(header: Uint8Array, wanted: ReadonlySet<string>): Uint8Array {
  const picked: Uint8Array[] = [];
  for (let start = 0; start < header.length; ) {
    const end = fieldEnd(header, start);
    const first = header[start];
    if (first === LF || (first === CR && header[start + 1] === LF)) break;
    const colon = header.indexOf(COLON, start);
    if (colon > start && colon < end && colon - start <= FIELD_NAME_MAX_BYTES) {
      const name = lowerAscii(toLatin1(header.subarray(start, colon)).trimEnd());
      if (wanted.has(name)) picked.push(header.subarray(start, end));
    }
    start = end;
  }
  return picked.length === 0 ? EMPTY : new Uint8Array(concat(picked));
}

/** Length of the header block with its blank line, or -1 when the blank line is not in `bytes`. */
export function headerLength(bytes: Uint8Array): number {
  if (bytes[0] === LF) return 1;
  if (bytes[0] === CR && bytes[1] === LF) return 2;
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

/** Start of the next field: after the first line end that no white space follows. */
function fieldEnd(header: Uint8Array, start: number): number {
  for (let at = start; ; ) {
    const end = header.indexOf(LF, at);
    if (end < 0) return header.length;
    const next = header[end + 1];
    if (next !== SP && next !== TAB) return end + 1;
    at = end + 1;
  }
}
