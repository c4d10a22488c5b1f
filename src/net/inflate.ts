/**
 * A DEFLATE decoder (RFC 1951) that takes any slice of the stream and gives what can be decoded of it, at once and
 * synchronously; Node's streaming one is asynchronous. It serves peers whose output ends where zlib alone cannot
 * tell, and while a large upload is under way.
 * Codes up to nine bits are looked up, longer ones read bit by bit: building larger tables for each tiny block would
 * be a way for a peer to burn our CPU.
 */

/** RFC 1951 §2: distances reach back this far. */
export const WINDOW_BYTES = 32 * 1024;
const BUFFER_BYTES = 2 * WINDOW_BYTES;
const MATCH_MAX_BYTES = 258;
const CODE_MAX_BITS = 15;
const UNDERFLOW = -1;
const FAST_BITS = 9;

/** The peer's fault: no DEFLATE data, or data that swells beyond the cap. */
export class InflateError extends Error {
  readonly why: "garbage" | "tooLarge";

  constructor(why: "garbage" | "tooLarge") {
    super(why === "garbage" ? "not DEFLATE data" : "compressed data is too large");
    this.why = why;
  }
}

// RFC 1951 §3.2.5
const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
  227, 258,
];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
  6145, 8193, 12289, 16385, 24577,
];
const DISTANCE_EXTRA = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];
// RFC 1951 §3.2.7
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** A canonical Huffman code (RFC 1951 §3.2.2): how many codes of each length, and their symbols in order. */
interface Code {
  /** By the next `FAST_BITS` of input: symbol << 4 | length of its code, 0 for longer ones. */
  readonly fast: Uint16Array;
  readonly counts: Uint16Array;
  readonly symbols: Uint16Array;
}

const FIXED: readonly [Code, Code] = makeFixed();

type State = "header" | "stored" | "codes" | "ended";

export class Inflater {
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  /** Output ends here; before it stands the window. */
  #end: number;
  /** Output before this index was given away. */
  #given: number;
  #input: Uint8Array = new Uint8Array(0);
  #at = 0;
  #bits = 0;
  #bitCount = 0;
  #state: State = "header";
  #final = false;
  #storedLeft = 0;
  #codes: readonly [Code, Code] = FIXED;
  #atBoundary = true;

  /** @param history output before this point, at most the last `WINDOW_BYTES` of it count */
  constructor(history: Uint8Array) {
    const window = history.subarray(Math.max(0, history.length - WINDOW_BYTES));
    this.#buffer.set(window);
    this.#end = window.length;
    this.#given = window.length;
  }

  /** True when a stored block was the last thing read: the next byte starts a block, and `history` is all state. */
  get atBoundary(): boolean {
    return this.#atBoundary && this.#input.length === 0;
  }

  /** A copy of the window. */
  history(): Uint8Array {
    return this.#buffer.slice(Math.max(0, this.#end - WINDOW_BYTES), this.#end);
  }

  /**
   * Decodes as far as the input goes. What comes behind a final block is ignored.
   * @param maxBytes cap of this call's output
   * @throws {InflateError}
   */
  push(chunk: Uint8Array, maxBytes: number): Uint8Array[] {
    const left = this.#input.subarray(this.#at);
    this.#input = left.length === 0 ? chunk : Buffer.concat([left, chunk]);
    this.#at = 0;
    const output: Uint8Array[] = [];
    let total = 0;
    for (;;) {
      const wentOn = this.#step();
      const isFull = this.#end > BUFFER_BYTES - MATCH_MAX_BYTES;
      if (wentOn && !isFull) continue;
      const part = this.#buffer.slice(this.#given, this.#end);
      total += part.length;
      if (total > maxBytes) throw new InflateError("tooLarge");
      if (part.length > 0) output.push(part);
      this.#slide();
      if (!wentOn) break;
    }
    this.#putBack();
    // What is left is part of one symbol or one block header: a few hundred bytes at most.
    // Copied, for the chunk is only lent; `slice` of a Buffer would share its memory.
    this.#input = new Uint8Array(this.#input.subarray(this.#at));
    this.#at = 0;
    return output;
  }

  /** Gives whole bytes that were read ahead back to the input, which they are of because each `push` ends so. */
  #putBack(): void {
    this.#at -= this.#bitCount >> 3;
    this.#bitCount &= 7;
    this.#bits &= (1 << this.#bitCount) - 1;
  }

  /** Keeps the window, frees the rest of the buffer. */
  #slide(): void {
    if (this.#end > WINDOW_BYTES + MATCH_MAX_BYTES) {
      this.#buffer.copyWithin(0, this.#end - WINDOW_BYTES, this.#end);
      this.#end = WINDOW_BYTES;
    }
    this.#given = this.#end;
  }

  /** One block header or a bounded run of its content. @returns false when the input ran out */
  #step(): boolean {
    if (this.#state === "header") return this.#whole(() => this.#readHeader());
    if (this.#state === "stored") return this.#copyStored();
    if (this.#state === "codes") return this.#decodeRun();
    this.#at = this.#input.length;
    return false;
  }

  /** Runs `read` wholly or not at all: on underflow the input is put back. */
  #whole(read: () => boolean): boolean {
    const [at, bits, count] = [this.#at, this.#bits, this.#bitCount];
    if (read()) return true;
    this.#at = at;
    this.#bits = bits;
    this.#bitCount = count;
    return false;
  }

  #readHeader(): boolean {
    const header = this.#take(3);
    if (header === UNDERFLOW) return false;
    const final = (header & 1) === 1;
    switch (header >> 1) {
      case 0:
        if (!this.#readStoredHeader()) return false;
        break;
      case 1:
        this.#codes = FIXED;
        this.#state = "codes";
        break;
      case 2: {
        const codes = this.#readCodes();
        if (codes === undefined) return false;
        this.#codes = codes;
        this.#state = "codes";
        break;
      }
      default:
        throw new InflateError("garbage");
    }
    this.#final = final;
    this.#atBoundary = false;
    return true;
  }

  /** RFC 1951 §3.2.4 */
  #readStoredHeader(): boolean {
    this.#putBack();
    this.#bits = 0;
    this.#bitCount = 0;
    const length = this.#take(16);
    const inverse = this.#take(16);
    if (length === UNDERFLOW || inverse === UNDERFLOW) return false;
    if ((length ^ inverse) !== 0xffff) throw new InflateError("garbage");
    this.#storedLeft = length;
    this.#state = "stored";
    return true;
  }

  #copyStored(): boolean {
    const room = BUFFER_BYTES - this.#end;
    const count = Math.min(this.#storedLeft, this.#input.length - this.#at, room);
    this.#buffer.set(this.#input.subarray(this.#at, this.#at + count), this.#end);
    this.#at += count;
    this.#end += count;
    this.#storedLeft -= count;
    if (this.#storedLeft === 0) {
      this.#endBlock();
      this.#atBoundary = true;
      return true;
    }
    return count === room;
  }

  #endBlock(): void {
    this.#state = this.#final ? "ended" : "header";
  }

  /** Symbols until the block ends, the buffer is full, or the input runs out. */
  #decodeRun(): boolean {
    while (this.#end <= BUFFER_BYTES - MATCH_MAX_BYTES) {
      const [at, bits, count] = [this.#at, this.#bits, this.#bitCount];
      const symbol = this.#decode(this.#codes[0]);
      if (symbol === 256) {
        this.#endBlock();
        return true;
      }
      if (symbol >= 0 && symbol < 256) {
        this.#buffer[this.#end++] = symbol;
      } else if (symbol === UNDERFLOW || !this.#copyMatch(symbol - 257)) {
        this.#at = at;
        this.#bits = bits;
        this.#bitCount = count;
        return false;
      }
    }
    return true;
  }

  /** @returns false on underflow */
  #copyMatch(lengthIndex: number): boolean {
    const length = this.#extended(LENGTH_BASE, LENGTH_EXTRA, lengthIndex);
    if (length === UNDERFLOW) return false;
    const distanceIndex = this.#decode(this.#codes[1]);
    if (distanceIndex === UNDERFLOW) return false;
    const distance = this.#extended(DISTANCE_BASE, DISTANCE_EXTRA, distanceIndex);
    if (distance === UNDERFLOW) return false;
    if (distance > this.#end || distance > WINDOW_BYTES) throw new InflateError("garbage");
    if (distance >= length) {
      this.#buffer.copyWithin(this.#end, this.#end - distance, this.#end - distance + length);
      this.#end += length;
      return true;
    }
    for (let i = 0; i < length; i++) {
      this.#buffer[this.#end] = this.#buffer[this.#end - distance] ?? 0;
      this.#end++;
    }
    return true;
  }

  #extended(bases: readonly number[], extras: readonly number[], index: number): number {
    const base = bases[index];
    const extra = extras[index];
    if (base === undefined || extra === undefined) throw new InflateError("garbage");
    const more = this.#take(extra);
    return more === UNDERFLOW ? UNDERFLOW : base + more;
  }

  /** RFC 1951 §3.2.7. @returns undefined on underflow */
  #readCodes(): readonly [Code, Code] | undefined {
    const sizes = this.#take(14);
    if (sizes === UNDERFLOW) return undefined;
    const literals = (sizes & 31) + 257;
    const distances = ((sizes >> 5) & 31) + 1;
    if (literals > 286 || distances > 30) throw new InflateError("garbage");
    const lengths = new Uint8Array(19);
    for (let i = 0; i < (sizes >> 10) + 4; i++) {
      const length = this.#take(3);
      if (length === UNDERFLOW) return undefined;
      lengths[CODE_LENGTH_ORDER[i] ?? 0] = length;
    }
    const all = this.#readLengths(makeCode(lengths), literals + distances);
    // A block without an end could not end (§3.2.7).
    if (all?.[256] === 0) throw new InflateError("garbage");
    return all && [makeCode(all.subarray(0, literals)), makeCode(all.subarray(literals))];
  }

  #readLengths(code: Code, count: number): Uint8Array | undefined {
    const lengths = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const symbol = this.#decode(code);
      if (symbol === UNDERFLOW) return undefined;
      if (symbol < 16) {
        lengths[filled++] = symbol;
        continue;
      }
      const more = this.#take(symbol === 16 ? 2 : symbol === 17 ? 3 : 7);
      if (more === UNDERFLOW) return undefined;
      const times = more + (symbol === 18 ? 11 : 3);
      if (filled + times > count || (symbol === 16 && filled === 0)) throw new InflateError("garbage");
      lengths.fill(symbol === 16 ? (lengths[filled - 1] ?? 0) : 0, filled, filled + times);
      filled += times;
    }
    return lengths;
  }

  /** @returns a symbol, or UNDERFLOW; then the caller puts the input back */
  #decode(code: Code): number {
    while (this.#bitCount < FAST_BITS && this.#at < this.#input.length) {
      this.#bits |= (this.#input[this.#at++] ?? 0) << this.#bitCount;
      this.#bitCount += 8;
    }
    const entry = code.fast[this.#bits & ((1 << FAST_BITS) - 1)] ?? 0;
    const length = entry & 15;
    if (length === 0 || length > this.#bitCount) return this.#decodeSlowly(code);
    this.#bits >>= length;
    this.#bitCount -= length;
    return entry >> 4;
  }

  #decodeSlowly({ counts, symbols }: Code): number {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length <= CODE_MAX_BITS; length++) {
      const bit = this.#take(1);
      if (bit === UNDERFLOW) return UNDERFLOW;
      code |= bit;
      const count = counts[length] ?? 0;
      if (code - count < first) return symbols[index + code - first] ?? 0;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw new InflateError("garbage");
  }

  /** `count` bits, least significant first (RFC 1951 §3.1.1), at most 16. */
  #take(count: number): number {
    while (this.#bitCount < count) {
      if (this.#at >= this.#input.length) return UNDERFLOW;
      this.#bits |= (this.#input[this.#at++] ?? 0) << this.#bitCount;
      this.#bitCount += 8;
    }
    const value = this.#bits & ((1 << count) - 1);
    this.#bits >>= count;
    this.#bitCount -= count;
    return value;
  }
}

/** @throws {InflateError} when more codes are given than their lengths have room for */
function makeCode(lengths: Uint8Array): Code {
  const counts = new Uint16Array(CODE_MAX_BITS + 1);
  for (const length of lengths) counts[length] = (counts[length] ?? 0) + 1;
  counts[0] = 0;
  const offsets = new Uint16Array(CODE_MAX_BITS + 2);
  let room = 1;
  for (let length = 1; length <= CODE_MAX_BITS; length++) {
    const count = counts[length] ?? 0;
    room = 2 * room - count;
    if (room < 0) throw new InflateError("garbage");
    offsets[length + 1] = (offsets[length] ?? 0) + count;
  }
  const symbols = new Uint16Array(lengths.length);
  for (const [symbol, length] of lengths.entries()) {
    if (length === 0) continue;
    const at = offsets[length] ?? 0;
    symbols[at] = symbol;
    offsets[length] = at + 1;
  }
  return { fast: makeFast(counts, symbols), counts, symbols };
}

/** Codes are packed with their first bit lowest, so the table is indexed by the code in reverse. */
function makeFast(counts: Uint16Array, symbols: Uint16Array): Uint16Array {
  const fast = new Uint16Array(1 << FAST_BITS);
  let code = 0;
  let index = 0;
  for (let length = 1; length <= FAST_BITS; length++) {
    for (let i = 0; i < (counts[length] ?? 0); i++) {
      const entry = ((symbols[index++] ?? 0) << 4) | length;
      for (let at = reverse(code, length); at < fast.length; at += 1 << length) fast[at] = entry;
      code++;
    }
    code <<= 1;
  }
  return fast;
}

function reverse(code: number, length: number): number {
  let reversed = 0;
  for (let i = 0; i < length; i++) reversed |= ((code >> i) & 1) << (length - 1 - i);
  return reversed;
}

/** RFC 1951 §3.2.6 */
function makeFixed(): readonly [Code, Code] {
  const lengths = new Uint8Array(288).fill(8).fill(9, 144, 256).fill(7, 256, 280);
  return [makeCode(lengths), makeCode(new Uint8Array(30).fill(5))];
}
