/** Picks header fields out of a raw header block, byte for byte: no string is made (a delivery pays for this). */
import { CR, EMPTY, LF, SP, startsWithIgnoreCase, TAB } from "../core/bytes.ts";

const COLON = 58;
/** No wanted field has a longer name; spares searching a long line for its colon. */
const FIELD_NAME_MAX_BYTES = 64;

/** Wanted names by their length, made once per set. */
const byLength = new WeakMap<ReadonlySet<string>, ReadonlyMap<number, readonly string[]>>();

/**
 * The raw lines of the wanted fields, in message order, folded lines included, without the blank line.
 * @param header header block, up to and with the blank line or not
 * @param wanted field names in lower case; not changed after its first use here
 */
export function selectFields(header: Uint8Array, wanted: ReadonlySet<string>): Uint8Array {
  const names = namesByLength(wanted);
  /** Start and end of each piece, in turn. */
  const pieces: number[] = [];
  let total = 0;
  for (let start = 0; start < header.length; ) {
    const first = header[start];
    if (first === LF || (first === CR && header[start + 1] === LF)) break;
    const end = fieldEnd(header, start);
    if (isWanted(header, start, end, names)) {
      pieces.push(start, end);
      total += end - start;
    }
    start = end;
  }
  if (total === 0) return EMPTY;
  const picked = new Uint8Array(total);
  for (let piece = 0, at = 0; piece < pieces.length; piece += 2) {
    const [start = 0, end = 0] = [pieces[piece], pieces[piece + 1]];
    picked.set(header.subarray(start, end), at);
    at += end - start;
  }
  return picked;
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

function isWanted(
  header: Uint8Array,
  start: number,
  end: number,
  names: ReadonlyMap<number, readonly string[]>,
): boolean {
  const limit = Math.min(end, start + FIELD_NAME_MAX_BYTES);
  let colon = start;
  while (colon < limit && header[colon] !== COLON) colon++;
  if (colon === limit) return false;
  let nameEnd = colon;
  // RFC 5322 §4.5: white space before the colon is obsolete, but seen.
  while (nameEnd > start && (header[nameEnd - 1] === SP || header[nameEnd - 1] === TAB)) nameEnd--;
  const candidates = names.get(nameEnd - start);
  return candidates?.some((name) => startsWithIgnoreCase(header, name, start)) ?? false;
}

function namesByLength(wanted: ReadonlySet<string>): ReadonlyMap<number, readonly string[]> {
  const known = byLength.get(wanted);
  if (known !== undefined) return known;
  const names = Map.groupBy(wanted, (name) => name.length);
  byLength.set(wanted, names);
  return names;
}
