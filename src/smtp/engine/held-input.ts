/** Input that came while a question is open. Copied once, however often the engine parks on the way through it. */

export class HeldInput {
  #pieces: Uint8Array[] = [];
  /** The first of `#pieces` that is still to be read. */
  #from = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Copies `bytes` from `at` on: they are lent for the call only. (`slice` of a Buffer would be no copy.) */
  push(bytes: Uint8Array, at: number): void {
    if (at >= bytes.length) return;
    this.#pieces.push(new Uint8Array(bytes.subarray(at)));
    this.#bytes += bytes.length - at;
  }

  /** Hands all over, in order, until `read` stops short. @param read tells how far it came */
  drain(read: (piece: Uint8Array) => number): void {
    for (;;) {
      const piece = this.#pieces[this.#from];
      if (piece === undefined) return this.clear();
      const at = read(piece);
      // `read` may have cleared us.
      if (this.#pieces[this.#from] !== piece) return;
      this.#bytes -= at;
      if (at < piece.length) {
        this.#pieces[this.#from] = piece.subarray(at);
        return;
      }
      this.#from++;
    }
  }

  clear(): void {
    this.#pieces = [];
    this.#from = 0;
    this.#bytes = 0;
  }
}
