/**
 * Reads the bytes of a message: DATA with its dots (RFC 5321 §4.5.2), BDAT without (RFC 3030).
 * Only CRLF ends a line. A bare CR, a bare LF or a NUL breaks the message for good: nothing that follows is read as a
 * command, so smuggling is impossible by construction. Passes large slices through and copies nothing.
 */
import { CR, LF } from "../../core/bytes.ts";

const DOT = 46;

/** What came before the next byte. In `dot` and `dotCr` a dot (and CR) is withheld. */
type Place = "lineStart" | "text" | "cr" | "dot" | "dotCr";

export class BodyReader {
  readonly #dotted: boolean;
  #place: Place = "lineStart";
  #ended = false;
  #broken = false;

  /** @param dotted true for DATA: a line of one dot ends it, other leading dots are dropped */
  constructor(dotted: boolean) {
    this.#dotted = dotted;
  }

  /** True once the final dot was read. */
  get ended(): boolean {
    return this.#ended;
  }

  /** True after a bare CR, a bare LF or a NUL: whatever follows means nothing. */
  get broken(): boolean {
    return this.#broken;
  }

  /** True at the start of a line, where a message may end. */
  get atLineStart(): boolean {
    return this.#place === "lineStart";
  }

  /** True after a CR whose LF is still due. */
  get afterCr(): boolean {
    return this.#place === "cr";
  }

  /**
   * Reads on from `at`, up to the end of `bytes`, the end of the message or a fault.
   * @param emit gets the message's bytes, in slices of `bytes`
   * @returns where it stopped
   */
  take(bytes: Uint8Array, at: number, emit: (slice: Uint8Array) => void): number {
    let from = at;
    let next = at;
    while (next < bytes.length && !this.#ended && !this.#broken) {
      const byte = bytes[next];
      if (this.#place === "lineStart" && this.#dotted && byte === DOT) {
        this.#pass(bytes.subarray(from, next), emit);
        this.#place = "dot";
        from = ++next;
      } else if (this.#place === "dot" && byte === CR) {
        this.#place = "dotCr";
        from = ++next;
      } else if (this.#place === "dotCr") {
        this.#ended = byte === LF;
        this.#broken = byte !== LF;
        from = ++next;
      } else {
        next = this.#line(bytes, next);
      }
    }
    if (!this.#broken) this.#pass(bytes.subarray(from, next), emit);
    return next;
  }

  /** Reads to the end of the line or of `bytes`. `indexOf` beats a loop over the bytes (measured). */
  #line(bytes: Uint8Array, at: number): number {
    if (this.#place === "cr") {
      this.#broken = bytes[at] !== LF;
      this.#place = "lineStart";
      return at + 1;
    }
    const lf = bytes.indexOf(LF, at);
    const cr = bytes.indexOf(CR, at);
    if (lf < 0 && cr < 0) this.#place = "text";
    else if (lf < 0 && cr === bytes.length - 1) this.#place = "cr";
    else if (cr >= 0 && lf === cr + 1) this.#place = "lineStart";
    else this.#broken = true;
    return lf < 0 ? bytes.length : lf + 1;
  }

  #pass(slice: Uint8Array, emit: (slice: Uint8Array) => void): void {
    if (slice.length === 0) return;
    if (slice.includes(0)) this.#broken = true;
    else emit(slice);
  }
}
