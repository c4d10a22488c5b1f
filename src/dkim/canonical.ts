/**
 * Canonical forms (RFC 6376 §3.4): header fields as texts, bodies as a stream.
 *
 * Invariants
 * - A body is never held: what may turn out to be trailing (line ends, white space) is remembered as counts.
 * - The output does not depend on how the body was cut into chunks.
 */
import { CR, fromLatin1, LF, SP, TAB } from "../core/bytes.ts";

export type Canonicalization = "simple" | "relaxed";

/** Small pieces are gathered up to this size before they go to the hash. */
const GATHER_BYTES = 4096;
/** Pieces of at least this size go to the hash without copying. */
const PASS_BYTES = 512;
/** How far relaxed prose is read byte by byte before the next look for a long run. */
const CRAWL_BYTES = 1024;
const LINE_ENDS_BLOCK = 512;
const LINE_ENDS = fromLatin1("\r\n".repeat(LINE_ENDS_BLOCK));

/**
 * A header field as it is signed, without the line end at its end.
 * @param raw name, colon and value as they stand, folds included, no line end at the end; one unit per byte
 */
export function canonicalField(raw: string, how: Canonicalization): string {
  if (how === "simple") return raw;
  const colon = raw.indexOf(":");
  const name = raw.slice(0, colon).trimEnd().toLowerCase();
  const rest = raw.slice(colon + 1);
  // Most fields are one line with single spaces.
  const value = UNTIDY.test(rest) ? rest.replace(/\r\n(?=[ \t])/g, "").replace(/[ \t]+/g, " ") : rest;
  return `${name}:${trimBlank(value)}`;
}

/** A fold, a tab, or several spaces in a row. */
const UNTIDY = /\r\n|\t| {2}/;

/** Only SP is left of white space here; `trim` would take more than that. */
function trimBlank(text: string): string {
  return text.slice(text.startsWith(" ") ? 1 : 0, text.length > 1 && text.endsWith(" ") ? -1 : undefined);
}

/** A body in canonical form, streamed to a sink. */
export class CanonicalBody {
  readonly #relaxed: boolean;
  readonly #sink: (bytes: Uint8Array) => void;
  #gathered = new Uint8Array(GATHER_BYTES);
  #used = 0;
  #bytes = 0;
  /** Complete line ends that are not out yet: at the end of the body they are ignored. */
  #lineEnds = 0;
  /** White space that is not out yet: at the end of a line it is ignored. Relaxed only. */
  #space = false;
  /** A CR whose LF has not come. */
  #cr = false;

  constructor(how: Canonicalization, sink: (bytes: Uint8Array) => void) {
    this.#relaxed = how === "relaxed";
    this.#sink = sink;
  }

  /** Bytes of the canonical form so far; all of it after `end`. */
  get bytes(): number {
    return this.#bytes;
  }

  /** `chunk` is borrowed. */
  write(chunk: Uint8Array): void {
    if (!this.#relaxed) return this.#take(chunk, 0, chunk.length);
    let at = 0;
    let sp = -1;
    let tab = -1;
    while (at < chunk.length) {
      if (sp < at) sp = position(chunk, SP, at);
      if (tab < at) tab = position(chunk, TAB, at);
      const blank = Math.min(sp, tab);
      if (blank - at >= PASS_BYTES || blank === chunk.length) {
        this.#take(chunk, at, blank);
        at = blank;
      } else {
        // Prose: a look for each word costs more than a look at each byte.
        const stop = Math.min(chunk.length, at + CRAWL_BYTES);
        this.#crawl(chunk, at, stop);
        at = stop;
      }
    }
  }

  /** Ends the body (RFC 6376 §3.4.3, §3.4.4). */
  end(): void {
    if (this.#cr) this.#content();
    this.#lineEnds = 0;
    // An empty body is a line end in the simple form, and nothing in the relaxed one.
    if (this.#bytes > 0 || !this.#relaxed) this.#put(LINE_ENDS, 0, 2);
    this.#flush();
  }

  #blank(): void {
    if (this.#cr) this.#content();
    this.#space = true;
  }

  /** Takes any bytes in relaxed form, one by one: at most CRAWL_BYTES. The state is in locals while it lasts. */
  #crawl(chunk: Uint8Array, from: number, to: number): void {
    // Each byte lets out at most itself, a space and a CR; line ends are let out by `content`.
    if (this.#used + 3 * (to - from) > this.#gathered.length) this.#flush();
    const out = this.#gathered;
    let used = this.#used;
    let quiet = this.#lineEnds === 0 && !this.#space && !this.#cr;
    let space = false;
    for (let at = from; at < to; at++) {
      const byte = chunk[at] ?? 0;
      if (quiet && byte > SP) {
        if (space) out[used++] = SP;
        space = false;
        out[used++] = byte;
      } else if (quiet && (byte === SP || byte === TAB)) {
        space = true;
      } else {
        this.#bytes += used - this.#used;
        this.#used = used;
        this.#space ||= space;
        space = false;
        if (byte === SP || byte === TAB) this.#blank();
        else this.#take(chunk, at, at + 1);
        used = this.#used;
        quiet = this.#lineEnds === 0 && !this.#space && !this.#cr;
      }
    }
    this.#bytes += used - this.#used;
    this.#used = used;
    this.#space ||= space;
  }

  /** Takes bytes without white space (relaxed), or any (simple). */
  #take(chunk: Uint8Array, from: number, to: number): void {
    let at = from;
    // Line ends and what they touch go one by one; then a run of content follows.
    for (; at < to; at++) {
      const byte = chunk[at];
      if (this.#cr && byte === LF) {
        this.#cr = false;
        this.#space = false;
        this.#lineEnds++;
      } else if (byte === CR) {
        if (this.#cr) this.#content();
        this.#cr = true;
      } else break;
    }
    if (at === to) return;
    this.#content();
    let end = to;
    if (chunk[end - 1] === CR) {
      end--;
      this.#cr = true;
    }
    while (end - at >= 2 && chunk[end - 1] === LF && chunk[end - 2] === CR) {
      end -= 2;
      this.#lineEnds++;
    }
    // A lone CR before the line ends is content and stays in the run.
    this.#put(chunk, at, end);
  }

  /** Lets out what has turned out not to be trailing. */
  #content(): void {
    for (; this.#lineEnds > 0; ) {
      const count = Math.min(this.#lineEnds, LINE_ENDS_BLOCK);
      this.#put(LINE_ENDS, 0, count * 2);
      this.#lineEnds -= count;
    }
    if (this.#space) this.#putByte(SP);
    if (this.#cr) this.#putByte(CR);
    this.#space = false;
    this.#cr = false;
  }

  #putByte(byte: number): void {
    if (this.#used === this.#gathered.length) this.#flush();
    this.#gathered[this.#used++] = byte;
    this.#bytes++;
  }

  #put(bytes: Uint8Array, from: number, to: number): void {
    const length = to - from;
    this.#bytes += length;
    if (length >= PASS_BYTES) {
      this.#flush();
      this.#sink(bytes.subarray(from, to));
      return;
    }
    if (this.#used + length > this.#gathered.length) this.#flush();
    // For the few bytes of a word a loop is cheaper than a view.
    for (let at = from; at < to; at++) this.#gathered[this.#used++] = bytes[at] ?? 0;
  }

  #flush(): void {
    if (this.#used > 0) this.#sink(this.#gathered.subarray(0, this.#used));
    this.#used = 0;
  }
}

/** @returns the chunk's length when the byte is not there */
function position(chunk: Uint8Array, byte: number, from: number): number {
  const found = chunk.indexOf(byte, from);
  return found < 0 ? chunk.length : found;
}
