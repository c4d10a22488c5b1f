/**
 * Cuts input into command lines. A line ends with CRLF and nothing else: a bare LF or CR is a broken line, so that no
 * peer in front of us and we can ever disagree about where a command ends (SMTP smuggling).
 * Keeps a copy of at most one unfinished line, up to its limit; an over-long line is counted, not kept.
 */
import { CR, EMPTY, LF, startsWithIgnoreCase, toUtf8 } from "../../core/bytes.ts";
import {
  AUTH_LINE_MAX_BYTES,
  COMMAND_LINE_MAX_BYTES,
  ENVELOPE_LINE_MAX_BYTES,
  LINE_DRAIN_MAX_BYTES,
} from "./limits.ts";

export type Line =
  /** Without its CRLF. Malformed UTF-8 shows as U+FFFD. */
  | { kind: "text"; text: string }
  /** Read to its end and dropped. */
  | { kind: "tooLong" }
  /** The peer does not talk SMTP: hang up. */
  | { kind: "broken"; why: "bareLineEnd" | "nulByte" | "endlessLine" };

/** What kind of line is next: it decides the limit. */
export type LineKind = "command" | "saslAnswer";

export class LineReader {
  /** The unfinished line is the first `#keptBytes` of this. */
  #kept: Uint8Array = EMPTY;
  #keptBytes = 0;
  /** Bytes of a line that is over its limit; 0 when it is not. */
  #drainedBytes = 0;
  #lastByte = 0;
  #line: Line | undefined;

  /** The line that the last `take` completed. */
  get line(): Line | undefined {
    return this.#line;
  }

  /** Reads on from `at`; stops after one line. @returns where it stopped. `bytes` is borrowed. */
  take(bytes: Uint8Array, at: number, kind: LineKind): number {
    this.#line = undefined;
    const lf = bytes.indexOf(LF, at);
    const end = lf < 0 ? bytes.length : lf + 1;
    const whole = this.#keptBytes === 0 && this.#drainedBytes === 0 && lf >= 0;
    if (whole) this.#line = judge(bytes.subarray(at, end), kind);
    else this.#gather(bytes.subarray(at, end), lf >= 0, kind);
    return end;
  }

  /** Forgets the unfinished line. */
  reset(): void {
    this.#kept = EMPTY;
    this.#keptBytes = 0;
    this.#drainedBytes = 0;
  }

  #gather(piece: Uint8Array, complete: boolean, kind: LineKind): void {
    if (this.#drainedBytes === 0 && this.#keptBytes + piece.length <= AUTH_LINE_MAX_BYTES) this.#keep(piece);
    else this.#drain(piece);
    if (this.#drainedBytes > LINE_DRAIN_MAX_BYTES) this.#line = { kind: "broken", why: "endlessLine" };
    else if (complete) this.#line = this.#finish(kind);
  }

  #finish(kind: LineKind): Line {
    const bytes = this.#kept.subarray(0, this.#keptBytes);
    const tooLong = this.#drainedBytes > 0;
    this.reset();
    if (!tooLong) return judge(bytes, kind);
    return this.#lastByte === CR ? { kind: "tooLong" } : { kind: "broken", why: "bareLineEnd" };
  }

  #keep(piece: Uint8Array): void {
    const needed = this.#keptBytes + piece.length;
    if (needed > this.#kept.length) {
      const grown = new Uint8Array(Math.max(128, needed * 2));
      grown.set(this.#kept.subarray(0, this.#keptBytes));
      this.#kept = grown;
    }
    this.#kept.set(piece, this.#keptBytes);
    this.#keptBytes = needed;
  }

  /** Counts what it drops and remembers the byte before the LF. */
  #drain(piece: Uint8Array): void {
    if (this.#keptBytes > 0) this.#lastByte = this.#kept[this.#keptBytes - 1] ?? 0;
    this.#drainedBytes += this.#keptBytes + piece.length;
    this.#kept = EMPTY;
    this.#keptBytes = 0;
    const endsLine = piece.at(-1) === LF;
    const last = endsLine ? piece.at(-2) : piece.at(-1);
    if (last !== undefined) this.#lastByte = last;
  }
}

/** @param bytes one line up to and with its LF */
function judge(bytes: Uint8Array, kind: LineKind): Line {
  const length = bytes.length;
  if (length > LINE_DRAIN_MAX_BYTES) return { kind: "broken", why: "endlessLine" };
  if (length < 2 || bytes[length - 2] !== CR) return { kind: "broken", why: "bareLineEnd" };
  if (length > COMMAND_LINE_MAX_BYTES && length > lineLimit(bytes, kind)) return { kind: "tooLong" };
  if (bytes.indexOf(CR) !== length - 2) return { kind: "broken", why: "bareLineEnd" };
  if (bytes.includes(0)) return { kind: "broken", why: "nulByte" };
  return { kind: "text", text: toUtf8(bytes.subarray(0, length - 2)) };
}

function lineLimit(bytes: Uint8Array, kind: LineKind): number {
  if (kind === "saslAnswer" || startsWithIgnoreCase(bytes, "AUTH ")) return AUTH_LINE_MAX_BYTES;
  if (startsWithIgnoreCase(bytes, "MAIL ") || startsWithIgnoreCase(bytes, "RCPT "))
    return ENVELOPE_LINE_MAX_BYTES;
  return COMMAND_LINE_MAX_BYTES;
}
