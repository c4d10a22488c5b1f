/**
 * Puts a dot before lines that begin with one, and ends the message (RFC 5321 §4.5.2). A dot behind a bare CR or LF is
 * doubled too: no server, however it ends lines, must see the end of the message inside it.
 * Invariant: no byte is copied; what comes out are slices of what goes in.
 */
import { CR, fromLatin1, LF } from "../../core/bytes.ts";

const DOT = 46;
const endAfterLine = fromLatin1(".\r\n");
const endInLine = fromLatin1("\r\n.\r\n");

export class DotStuffer {
  /** The last two bytes; the message begins like a line. */
  #beforeLast = CR;
  #last = LF;

  /** @returns slices to send in this order */
  write(bytes: Uint8Array): Uint8Array[] {
    const slices: Uint8Array[] = [];
    let from = 0;
    for (let dot = bytes.indexOf(DOT); dot >= 0; dot = bytes.indexOf(DOT, dot + 1)) {
      const before = dot === 0 ? this.#last : bytes[dot - 1];
      if (before !== LF && before !== CR) continue;
      slices.push(bytes.subarray(from, dot + 1));
      from = dot;
    }
    if (from < bytes.length) slices.push(bytes.subarray(from));
    if (bytes.length > 1) this.#beforeLast = bytes.at(-2) ?? 0;
    else if (bytes.length === 1) this.#beforeLast = this.#last;
    this.#last = bytes.at(-1) ?? this.#last;
    return slices;
  }

  /** What ends the message. */
  end(): Uint8Array {
    return this.#beforeLast === CR && this.#last === LF ? endAfterLine : endInLine;
  }
}
