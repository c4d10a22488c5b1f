/**
 * A message on its way in: its bytes go to the host, or nowhere when nobody wants them or they are too many.
 * A message that is too big is read to its end all the same, so that its rest is never taken for commands.
 */
import { CRLF, concat } from "../../core/bytes.ts";
import { BodyReader } from "./body-reader.ts";
import type { Effect } from "./effects.ts";
import { BODY_DRAIN_MAX_BYTES } from "./limits.ts";

/** A piece of input that falls into more slices than this is copied together: each slice costs its readers a call. */
const SLICES_MAX = 8;

/** `dropped`: every recipient was accepted on the wire only. */
export type MessageFate = "kept" | "dropped" | "tooBig";

export class IncomingMessage {
  readonly #reader: BodyReader;
  readonly #maxBytes: number;
  #fate: MessageFate;
  #sizeBytes = 0;

  /**
   * @param how `dots` for DATA, `chunks` for BDAT
   * @param maxBytes largest message that is kept
   */
  constructor(how: "dots" | "chunks", fate: "kept" | "dropped", maxBytes: number) {
    this.#reader = new BodyReader(how === "dots");
    this.#fate = fate;
    this.#maxBytes = maxBytes;
  }

  get fate(): MessageFate {
    return this.#fate;
  }

  /** True once the final dot was read. */
  get ended(): boolean {
    return this.#reader.ended;
  }

  get broken(): boolean {
    return this.#reader.broken;
  }

  /** True when even reading on to the end is too much. */
  get endless(): boolean {
    return this.#sizeBytes > this.#maxBytes + BODY_DRAIN_MAX_BYTES;
  }

  /** Reads on from `at`, adds what is to be done to `effects`. @returns where it stopped */
  take(bytes: Uint8Array, at: number, effects: Effect[]): number {
    const slices: Uint8Array[] = [];
    const next = this.#reader.take(bytes, at, (slice) => slices.push(slice));
    if (slices.length > SLICES_MAX) this.#pass(concat(slices), effects);
    else for (const slice of slices) this.#pass(slice, effects);
    return next;
  }

  /** Ends a message in chunks with a whole line. @returns false when it ends in a bare CR */
  endChunks(effects: Effect[]): boolean {
    if (this.#reader.afterCr) return false;
    if (!this.#reader.atLineStart) this.#pass(CRLF, effects);
    return true;
  }

  #pass(slice: Uint8Array, effects: Effect[]): void {
    this.#sizeBytes += slice.length;
    if (this.#fate === "kept" && this.#sizeBytes > this.#maxBytes) {
      this.#fate = "tooBig";
      effects.push({ do: "abortBody" });
    }
    if (this.#fate === "kept") effects.push({ do: "body", bytes: slice });
  }
}
