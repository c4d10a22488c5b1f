/**
 * Strict streaming base64 of mail: lines that end in CRLF, the standard alphabet, nothing else (RFC 2045 §6.8,
 * RFC 9580 §6). The native decoder does the bytes and forgives white space; counting the characters that lines hold
 * shows whether it forgave any.
 */
import { CR, LF, toLatin1 } from "../core/bytes.ts";
import type { CrcSource } from "./crc24.ts";

/** Characters that are decoded at once: the block and its decoded bytes stay in the processor's cache. */
const BLOCK_BYTES = 32 * 1024;

/** Room for the decoded bytes of one block. Decoders that never run within each other may share it. */
export interface Scratch extends CrcSource {
  bytes: Uint8Array;
}

export function makeScratch(): Scratch {
  const bytes = new Uint8Array(BLOCK_BYTES);
  return { bytes, words: new Int32Array(bytes.buffer) };
}

export class Base64Lines {
  readonly #scratch: Scratch;
  readonly #sink: (length: number) => void;
  /** Up to three characters that do not make a group yet. */
  #carry = "";
  #lineChars = 0;
  #afterCr = false;
  /** Length of the last full line: the next one is probably as long. */
  #usualChars = 64;

  /** @param sink gets the count of decoded bytes that stand at the begin of the scratch, valid during the call */
  constructor(scratch: Scratch, sink: (length: number) => void) {
    this.#scratch = scratch;
    this.#sink = sink;
  }

  get atLineStart(): boolean {
    return this.#lineChars === 0 && !this.#afterCr;
  }

  /** @param data base64 and CRLF, without `=`. @returns false when it holds anything else */
  write(data: Uint8Array): boolean {
    for (let at = 0; at < data.length; at += BLOCK_BYTES) {
      if (!this.#block(data.subarray(at, at + BLOCK_BYTES))) return false;
    }
    return true;
  }

  /** Ends the data with `padding` times `=`. @returns false when the characters do not come out even */
  finish(padding: number): boolean {
    const group = this.#carry + "=".repeat(padding);
    this.#carry = "";
    if (group === "") return true;
    if (group.length !== 4 || padding > 2) return false;
    return this.#decode(group, "strict") !== undefined;
  }

  #block(block: Uint8Array): boolean {
    const before = { lineChars: this.#lineChars, afterCr: this.#afterCr };
    const chars = this.#countChars(block, true);
    const text = this.#carry + toLatin1(block);
    const carried = this.#carry.length;
    const result = this.#decode(text, "stop-before-partial");
    if (result === undefined) return false;
    this.#carry = result.read === text.length ? "" : text.slice(result.read).replace(/[\r\n]/g, "");
    if (chars >= 0 && this.#isAll(result.written, carried + chars)) return true;
    // A guess may have jumped over the end of a short line, and then counted it: lines may have any length.
    this.#lineChars = before.lineChars;
    this.#afterCr = before.afterCr;
    const exact = this.#countChars(block, false);
    return exact >= 0 && this.#isAll(result.written, carried + exact);
  }

  /** Whether the decoder took every character for one of a group: it passes over white space in silence. */
  #isAll(written: number, chars: number): boolean {
    return written === (chars >> 2) * 3 && this.#carry.length === (chars & 3);
  }

  #decode(
    text: string,
    lastChunkHandling: "strict" | "stop-before-partial",
  ): { read: number; written: number } | undefined {
    try {
      const result = this.#scratch.bytes.setFromBase64(text, { lastChunkHandling });
      if (result.written > 0) this.#sink(result.written);
      return result;
    } catch (error) {
      // The decoder's only way to say "not base64".
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  /**
   * Counts what is not a line end.
   * @param guessing looks for the line end where that of the line before was: never too few characters, maybe too many
   * @returns -1 after a CR without LF; a bare LF shows as a character too many
   */
  #countChars(block: Uint8Array, guessing: boolean): number {
    let chars = 0;
    let at = 0;
    while (at < block.length) {
      if (this.#afterCr) {
        if (block[at] !== LF) return -1;
        this.#afterCr = false;
        this.#lineChars = 0;
        at++;
        continue;
      }
      const guess = at + this.#usualChars - this.#lineChars;
      let cr = guessing && guess >= at && block[guess] === CR ? guess : block.indexOf(CR, at);
      if (cr < 0) cr = block.length;
      chars += cr - at;
      this.#lineChars += cr - at;
      if (cr === block.length) break;
      this.#usualChars = this.#lineChars;
      this.#afterCr = true;
      at = cr + 1;
    }
    return chars;
  }
}
