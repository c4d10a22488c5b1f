/**
 * COMPRESS=DEFLATE (RFC 4978) without a compressor or decompressor per connection: two zlib streams cost a quarter
 * of a megabyte each idle client. Output is made of blocks that need no history. Input is decoded at once where the
 * peer flushed, which leaves only the last 32 kB of its text as state; `Inflater` helps out in between.
 */
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { concat, EMPTY } from "../core/bytes.ts";
import { Inflater, InflateError, WINDOW_BYTES } from "./inflate.ts";

/** Below this a stored block is about as small as a compressed one and costs nothing. */
const STORED_BELOW_BYTES = 256;
/** RFC 1951 §3.2.4 */
const STORED_HEADER_BYTES = 5;
const STORED_MAX_BYTES = 0xffff;
/** Most text that one read of a peer may decode to. */
const OUTPUT_MAX_BYTES = 8 * 1024 * 1024;
/**
 * A final, empty block. Appended to input it makes zlib tell whether that ended on a byte between two blocks: only
 * there it is read as what it is; anywhere else zlib wants more or fails.
 */
const END_MARK = Uint8Array.of(1, 0, 0, 0xff, 0xff);

export class DeflateStream {
  readonly #outputMaxBytes: number;
  /** The last text of the peer, at most `WINDOW_BYTES`. */
  #history: Uint8Array = EMPTY;
  /** Only while the input stands between two flushes. */
  #inflater: Inflater | undefined;

  /** @param outputMaxBytes cap of what one `inflate` gives */
  constructor(outputMaxBytes = OUTPUT_MAX_BYTES) {
    this.#outputMaxBytes = outputMaxBytes;
  }

  /** Blocks that the peer can decode as soon as they arrive. */
  deflate(bytes: Uint8Array): Uint8Array {
    if (bytes.length === 0) return EMPTY;
    if (bytes.length < STORED_BELOW_BYTES) return stored(bytes);
    // Huffman codes alone: nearly all that can be won on armored text, at half the time of a search for matches.
    return deflateRawSync(bytes, {
      level: 1,
      strategy: constants.Z_HUFFMAN_ONLY,
      finishFlush: constants.Z_SYNC_FLUSH,
    });
  }

  /**
   * Everything that `chunk` completes, in order; pieces are the caller's to keep.
   * @throws {InflateError} on garbage, or when the text is over the cap; the connection is beyond repair then
   */
  inflate(chunk: Uint8Array): readonly Uint8Array[] {
    if (chunk.length === 0) return [];
    if (this.#inflater === undefined && endsFlushed(chunk)) {
      const text = this.#inflateWhole(chunk);
      if (text !== undefined) return text.length === 0 ? [] : [text];
    }
    this.#inflater ??= new Inflater(this.#history);
    this.#history = EMPTY;
    const output = this.#inflater.push(chunk, this.#outputMaxBytes);
    if (this.#inflater.atBoundary) {
      this.#history = this.#inflater.history();
      this.#inflater = undefined;
    }
    return output;
  }

  /** @returns undefined when `chunk` does not end between two blocks after all, or is garbage */
  #inflateWhole(chunk: Uint8Array): Uint8Array | undefined {
    let text: Uint8Array;
    try {
      text = inflateRawSync(concat([chunk, END_MARK]), {
        maxOutputLength: this.#outputMaxBytes,
        ...(this.#history.length === 0 ? {} : { dictionary: this.#history }),
      });
    } catch (error) {
      if (codeOf(error) === "ERR_BUFFER_TOO_LARGE") throw new InflateError("tooLarge");
      return undefined;
    }
    this.#remember(text);
    return text;
  }

  #remember(text: Uint8Array): void {
    if (text.length === 0) return;
    const old = this.#history.subarray(Math.max(0, this.#history.length + text.length - WINDOW_BYTES));
    const last = text.subarray(Math.max(0, text.length - WINDOW_BYTES));
    // A copy of its own: the text may be a view of something larger.
    const history = new Uint8Array(old.length + last.length);
    history.set(old);
    history.set(last, old.length);
    this.#history = history;
  }
}

/** RFC 1951 §3.2.4: a block that is not the last one, byte-aligned because all our blocks end so. */
function stored(bytes: Uint8Array): Uint8Array {
  const block = new Uint8Array(STORED_HEADER_BYTES + bytes.length);
  const inverse = STORED_MAX_BYTES - bytes.length;
  block[1] = bytes.length & 0xff;
  block[2] = bytes.length >> 8;
  block[3] = inverse & 0xff;
  block[4] = inverse >> 8;
  block.set(bytes, STORED_HEADER_BYTES);
  return block;
}

/** True behind an empty stored block, which is how zlib flushes. Other bytes may look so by chance. */
function endsFlushed(chunk: Uint8Array): boolean {
  const end = chunk.length;
  return chunk[end - 1] === 0xff && chunk[end - 2] === 0xff && chunk[end - 3] === 0 && chunk[end - 4] === 0;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
