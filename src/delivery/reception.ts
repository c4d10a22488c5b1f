/**
 * A message on its way in: scanned, its header rewritten, its body streamed to the spool.
 *
 * Invariants
 * - No byte of the body is held here: the scanner buffers the header block until it is complete, then the rewritten
 *   header goes to the spool and the body follows as it comes.
 * - Sizes are those of the original bytes. What is beyond the limit is counted and forgotten.
 * - `write` never throws; what went wrong waits for `end`.
 */
import type { MessageFacts, MessageScanner } from "../pgp/facts.ts";
import type { SealedMessage, Spool, SpoolOptions } from "../storage/store.ts";

/** Rewriting may lengthen a header a little (an empty Subject gets a text). */
const REWRITING_MAX_BYTES = 1024;

export interface ReceptionParts {
  scanner: MessageScanner;
  /** Called once, when the header is complete: a message refused before that costs nothing. */
  spool(options: SpoolOptions): Spool;
  /** Header block to be stored for the one that came; both with their blank line. */
  rewrite(header: Uint8Array): Uint8Array;
  /** Sees the original bytes: the header block once it is complete, then the body as it comes (borrowed). */
  observer?: { header(block: Uint8Array): void; body(chunk: Uint8Array): void };
  /** Largest message, original bytes. */
  bytesMax: number;
}

export class Reception {
  readonly #parts: ReceptionParts;
  #bytes = 0;
  #header: Uint8Array | undefined;
  #spool: Spool | undefined;
  #sealed: SealedMessage | undefined;
  #trouble: unknown;
  #over = false;

  constructor(parts: ReceptionParts) {
    this.#parts = parts;
  }

  /** Original bytes so far, those beyond the limit included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a chunk, which is borrowed. Ignored once the reception is over. */
  write(chunk: Uint8Array): void {
    if (this.#over) return;
    const before = this.#bytes;
    this.#bytes += chunk.length;
    if (this.#trouble !== undefined) return;
    if (this.#bytes > this.#parts.bytesMax) {
      // The rest is drained for the peer's sake (it must not be taken for commands), but no byte is kept.
      this.#forget();
      return;
    }
    try {
      this.#take(chunk, before);
    } catch (error) {
      this.#trouble = error ?? new Error("thrown without a value");
      this.#forget();
    }
  }

  /**
   * Ends writing.
   * @returns what the scanner found; meaningless when the message was too big
   * @throws whatever storage or rewriting threw: what came after it was not read, and must not be judged unseen
   */
  end(): MessageFacts {
    this.#over = true;
    if (this.#trouble !== undefined && this.#bytes <= this.#parts.bytesMax) throw this.#trouble;
    return this.#parts.scanner.end();
  }

  /** @throws {Error} when the header never was complete, which no admitted message is (a caller's bug) */
  seal(): SealedMessage {
    if (this.#spool === undefined || this.#header === undefined) {
      throw new Error("a message without a complete header can't be sealed");
    }
    this.#sealed = this.#spool.seal(this.#header);
    return this.#sealed;
  }

  /** Leaves nothing behind; harmless when repeated or after delivery. Never throws. */
  discard(): void {
    this.#over = true;
    this.#forget();
  }

  #take(chunk: Uint8Array, before: number): void {
    const { scanner } = this.#parts;
    scanner.write(chunk);
    if (this.#spool !== undefined) {
      this.#takeBody(chunk);
      return;
    }
    const original = scanner.header;
    if (original === undefined) return;
    this.#parts.observer?.header(original);
    this.#header = this.#parts.rewrite(original);
    this.#spool = this.#parts.spool({ maxBytes: this.#parts.bytesMax + REWRITING_MAX_BYTES });
    this.#spool.write(this.#header);
    const bodyStart = original.length - before;
    if (bodyStart < chunk.length) this.#takeBody(chunk.subarray(bodyStart));
  }

  #takeBody(chunk: Uint8Array): void {
    this.#parts.observer?.body(chunk);
    this.#spool?.write(chunk);
  }

  #forget(): void {
    for (const holder of [this.#sealed, this.#spool]) {
      try {
        holder?.discard();
      } catch (error) {
        // What is left in the spool is swept at the next start; the verdict must not depend on it.
        this.#trouble ??= error;
      }
    }
  }
}
