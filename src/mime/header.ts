/**
 * Header blocks as bytes (RFC 5322 §2.2, §3.6.8): where they end, which fields they hold.
 *
 * Invariants
 * - Fields are ranges into the block; nothing is copied until somebody asks for text.
 * - Lines end at LF; a CR before it belongs to the line end. A bare CR is ordinary content. So the block ends where
 *   the most lenient reader would see it end, and `isTidy` tells whether anybody could see it differently.
 * - Every scan is linear in the block.
 */
import { concat, CR, CRLF, LF, SP, TAB, toLatin1 } from "../core/bytes.ts";

const COLON = 58;

/** One field, or one line that is none (`name` is empty then). Offsets into the block. */
export interface Field {
  /** Lower case; empty for a line without a valid name, its continuation lines included. */
  readonly name: string;
  /** First byte of the name. */
  readonly start: number;
  /** First byte after the colon. */
  readonly valueStart: number;
  /** End of the value, without its line end. Folds inside remain. */
  readonly valueEnd: number;
  /** First byte after the field's line end. */
  readonly end: number;
  /** True when the value continues on further lines. */
  readonly folded: boolean;
}

/**
 * Finds the end of a header block in a stream, whatever the cuts.
 * The block ends with the first empty line; a stream that begins with one has an empty header.
 */
export class HeaderEnd {
  /** Bytes of the current line that are not its line end yet: 0 none, 1 a lone CR, 2 anything. */
  #line: 0 | 1 | 2 = 0;

  /** @returns the offset in `chunk` just after the empty line, or -1 when it has not come yet */
  find(chunk: Uint8Array): number {
    let at = 0;
    while (at < chunk.length) {
      const lf = chunk.indexOf(LF, at);
      const stop = lf < 0 ? chunk.length : lf;
      if (stop > at) {
        this.#line = this.#line === 0 && stop - at === 1 && chunk[at] === CR ? 1 : 2;
      }
      if (lf < 0) return -1;
      if (this.#line !== 2) return lf + 1;
      this.#line = 0;
      at = lf + 1;
    }
    return -1;
  }
}

/** @returns the offset just after the empty line, or -1 when it is not in `bytes` */
export function headerEnd(bytes: Uint8Array): number {
  return new HeaderEnd().find(bytes);
}

/** @returns the offset just after the empty line, or the length when there is none */
export function headerLength(message: Uint8Array): number {
  const end = headerEnd(message);
  return end < 0 ? message.length : end;
}

/** True if the block has neither a NUL nor a CR or LF that stands alone (RFC 5322 §2.2, RFC 5321 §2.3.8). */
export function isTidy(header: Uint8Array): boolean {
  if (header.includes(0)) return false;
  let at = 0;
  for (;;) {
    const lf = header.indexOf(LF, at);
    const cr = header.indexOf(CR, at);
    if (lf < 0 && cr < 0) return true;
    if (cr < 0 || lf !== cr + 1) return false;
    at = lf + 1;
  }
}

/** All fields in order. Stops at the empty line, if there is one. */
export function parseFields(header: Uint8Array): Field[] {
  const fields: Field[] = [];
  // One string for the block: slices of it cost far less than decoding each name.
  const text = toLatin1(header);
  let at = 0;
  while (at < header.length) {
    const first = lineEnd(header, at);
    if (first.end === at) break;
    let last = first;
    while (isBlank(header[last.next])) last = lineEnd(header, last.next);
    fields.push(fieldOf(header, text, at, last, last !== first));
    at = last.next;
  }
  return fields;
}

/** The first field of that lower-case name. */
export function findField(fields: readonly Field[], name: string): Field | undefined {
  return fields.find((field) => field.name === name);
}

/** The unfolded value (RFC 5322 §2.2.3) without outer white space, one string unit per byte. */
export function fieldText(header: Uint8Array, field: Field): string {
  const raw = toLatin1(header.subarray(field.valueStart, field.valueEnd));
  return (field.folded ? unfold(raw) : raw).trim();
}

/** Takes the line ends of folding out; the white space that follows them stays. */
function unfold(raw: string): string {
  return raw.replace(/\r?\n/g, "");
}

/**
 * The raw lines of the wanted fields (lower-case names) in message order, each with its CRLF, no blank line.
 * For IMAP `HEADER.FIELDS` (RFC 9051 §6.4.5.1) and the prefetch cache.
 */
export function selectFields(header: Uint8Array, wanted: ReadonlySet<string>): Uint8Array {
  return pick(header, (field) => field.name !== "" && wanted.has(field.name));
}

/** The negation of `selectFields`, for `HEADER.FIELDS.NOT`. */
export function selectFieldsNot(header: Uint8Array, unwanted: ReadonlySet<string>): Uint8Array {
  return pick(header, (field) => !unwanted.has(field.name));
}

function pick(header: Uint8Array, keep: (field: Field) => boolean): Uint8Array {
  const lines: Uint8Array[] = [];
  for (const field of parseFields(header)) {
    if (!keep(field)) continue;
    lines.push(header.subarray(field.start, field.end));
    // Only the last line of a block that was cut off has no line end.
    if (header[field.end - 1] !== LF) lines.push(CRLF);
  }
  // A copy in any case: the result outlives the block in caches.
  return lines.length === 1 ? Uint8Array.from(lines[0] ?? CRLF) : concat(lines);
}

interface Line {
  /** End of the text. */
  end: number;
  /** Start of the next line. */
  next: number;
}

function lineEnd(header: Uint8Array, at: number): Line {
  const lf = header.indexOf(LF, at);
  if (lf < 0) return { end: header.length, next: header.length };
  return { end: lf > at && header[lf - 1] === CR ? lf - 1 : lf, next: lf + 1 };
}

function isBlank(byte: number | undefined): boolean {
  return byte === SP || byte === TAB;
}

function fieldOf(header: Uint8Array, text: string, start: number, last: Line, folded: boolean): Field {
  let at = start;
  while (at < last.end && isNameByte(header[at] ?? 0)) at++;
  const nameEnd = at;
  // RFC 5322 §4.5: white space before the colon is obsolete, but readers take it.
  while (at < last.end && isBlank(header[at])) at++;
  const isField = nameEnd > start && header[at] === COLON;
  return {
    // A name is ASCII, so nothing else is folded.
    name: isField ? text.slice(start, nameEnd).toLowerCase() : "",
    start,
    valueStart: isField ? at + 1 : start,
    valueEnd: last.end,
    end: last.next,
    folded,
  };
}

/** RFC 5322 §3.6.8 `ftext`. */
function isNameByte(byte: number): boolean {
  return byte > 32 && byte < 127 && byte !== COLON;
}
