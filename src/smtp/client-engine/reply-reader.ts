/**
 * Reads a server's replies (RFC 5321 §4.2) from slices of the stream. A line may end with a bare LF: the peer is the
 * server here, and nothing is hidden behind such a line.
 * Invariant: keeps at most one reply, within the limits; beyond them, or for what is no reply, it says so once.
 */
import { CR, EMPTY, LF, toLatin1 } from "../../core/bytes.ts";
import type { PeerReply } from "../../delivery/courier.ts";
import { REPLY_LINE_MAX_BYTES, REPLY_LINES_MAX, REPLY_TEXT_MAX_CHARS } from "./limits.ts";

export interface ServerReply {
  code: number;
  /** The text of each line, behind the code. */
  lines: readonly string[];
}

export class ReplyReader {
  #kept: Uint8Array = EMPTY;
  #lines: string[] = [];
  #code = 0;
  #isBroken = false;

  /** What the peer sends is no SMTP. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Bytes or lines of a reply that is not complete. */
  get hasPart(): boolean {
    return this.#kept.length > 0 || this.#lines.length > 0;
  }

  /** Takes a slice, which is borrowed. @returns the replies it completed */
  feed(bytes: Uint8Array): ServerReply[] {
    const replies: ServerReply[] = [];
    let at = 0;
    while (!this.#isBroken && at < bytes.length) {
      const lf = bytes.indexOf(LF, at);
      const end = lf < 0 ? bytes.length : lf;
      const line = this.#join(bytes.subarray(at, end));
      if (line.length > REPLY_LINE_MAX_BYTES) this.#isBroken = true;
      else if (lf < 0) this.#kept = Uint8Array.from(line);
      else this.#takeLine(line, replies);
      at = end + 1;
    }
    return replies;
  }

  #join(piece: Uint8Array): Uint8Array {
    if (this.#kept.length === 0) return piece;
    const joined = new Uint8Array(this.#kept.length + piece.length);
    joined.set(this.#kept);
    joined.set(piece, this.#kept.length);
    this.#kept = EMPTY;
    return joined;
  }

  #takeLine(bytes: Uint8Array, replies: ServerReply[]): void {
    const line = bytes.at(-1) === CR ? bytes.subarray(0, -1) : bytes;
    const [, code = "", mark, text = ""] = /^([2-5]\d\d)(?:([ -])(.*))?$/s.exec(toLatin1(line)) ?? [];
    const isFirst = this.#lines.length === 0;
    const fits = code !== "" && (isFirst || Number(code) === this.#code);
    if (!fits || this.#lines.length >= REPLY_LINES_MAX) {
      this.#isBroken = true;
      return;
    }
    this.#code = Number(code);
    this.#lines.push(text);
    if (mark === "-") return;
    replies.push({ code: this.#code, lines: this.#lines });
    this.#lines = [];
  }
}

/** The reply as one printable line with its enhanced code (RFC 3463) apart. */
export function toPeerReply({ code, lines }: ServerReply): PeerReply {
  const [, enhanced = ""] = /^([245]\.\d{1,3}\.\d{1,3})(?= |$)/.exec(lines[0] ?? "") ?? [];
  const text = lines
    .map((line) => (enhanced !== "" && line.startsWith(enhanced) ? line.slice(enhanced.length) : line).trim())
    .join(" ")
    .replace(/[^\x20-\x7e]/g, "?")
    .trim();
  return { code, enhanced, text: text.slice(0, REPLY_TEXT_MAX_CHARS) };
}
