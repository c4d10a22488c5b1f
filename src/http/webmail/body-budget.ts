/** How many bytes of request bodies may be in memory at once: JSON has to be whole before it can be read. */
import { MIB } from "../../core/limits.ts";
import { WebmailError } from "./fault.ts";

const BODIES_MAX_BYTES = 256 * MIB;

export class BodyBudget {
  readonly #maxBytes: number;
  #taken = 0;

  constructor(maxBytes = BODIES_MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** One body always has room, however large it is. @returns gives them back @throws {WebmailError} 503 */
  take(bytes: number): () => void {
    if (this.#taken > 0 && this.#taken + bytes > this.#maxBytes) {
      throw new WebmailError(503, "too many messages at once, try again later");
    }
    this.#taken += bytes;
    return () => {
      this.#taken -= bytes;
    };
  }
}
