/** Cuts a stream into pieces whose length is known before they come. Copies only what arrives in parts. */
import { EMPTY } from "../../core/bytes.ts";

export class Pieces {
  #input: Uint8Array = EMPTY;
  #at = 0;
  #partial: Uint8Array | undefined;
  #filled = 0;

  /** Bytes kept for a piece that is not complete. */
  get heldBytes(): number {
    return this.#filled;
  }

  /** Gives input; everything given before must have been taken. Borrowed until `take` returns undefined. */
  push(input: Uint8Array): void {
    this.#input = input;
    this.#at = 0;
  }

  /**
   * @param count the same until a piece comes
   * @returns undefined when there is not enough: what there was is kept, and the input is free again
   */
  take(count: number): Uint8Array | undefined {
    const left = this.#input.length - this.#at;
    if (this.#partial === undefined) {
      if (left >= count) {
        this.#at += count;
        return this.#input.subarray(this.#at - count, this.#at);
      }
      if (left > 0) this.#partial = new Uint8Array(count);
    }
    const fits = Math.min(left, count - this.#filled);
    this.#partial?.set(this.#input.subarray(this.#at, this.#at + fits), this.#filled);
    this.#at += fits;
    this.#filled += fits;
    if (this.#filled < count) {
      this.#input = EMPTY;
      this.#at = 0;
      return undefined;
    }
    const whole = this.#partial;
    this.#partial = undefined;
    this.#filled = 0;
    return whole;
  }
}
