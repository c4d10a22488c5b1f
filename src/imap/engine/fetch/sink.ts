/**
 * Gathers many small pieces of FETCH responses into few writes. A block is written once and then left to the
 * connection, which does not copy.
 */
import { EMPTY } from "../../../core/bytes.ts";
import type { Session } from "../session.ts";

const BLOCK_BYTES = 64 * 1024;
const FIRST_BLOCK_BYTES = 4 * 1024;
/** From here on a piece is sent by itself rather than copied. */
const DIRECT_MIN_BYTES = 4 * 1024;

export class Sink {
  readonly #session: Session;
  #block: Buffer = Buffer.from(EMPTY.buffer);
  #used = 0;
  #nextBytes = FIRST_BLOCK_BYTES;

  constructor(session: Session) {
    this.#session = session;
  }

  /** @param text a unit per byte */
  text(text: string): void {
    this.#reserve(text.length);
    this.#used += this.#block.write(text, this.#used, "latin1");
  }

  /** Large pieces are not copied: leave them alone after. */
  bytes(bytes: Uint8Array): void {
    if (bytes.length >= DIRECT_MIN_BYTES) {
      this.flush();
      this.#session.sendBytes(bytes);
      return;
    }
    this.#reserve(bytes.length);
    this.#block.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  flush(): void {
    if (this.#used === 0) return;
    const full = this.#block.subarray(0, this.#used);
    this.#block = this.#block.subarray(this.#used);
    this.#used = 0;
    this.#session.sendBytes(full);
  }

  #reserve(count: number): void {
    if (this.#block.length - this.#used >= count) return;
    this.flush();
    if (this.#block.length >= count && this.#block.length > 1024) return;
    this.#block = Buffer.allocUnsafeSlow(Math.max(count, this.#nextBytes));
    this.#nextBytes = BLOCK_BYTES;
  }
}
