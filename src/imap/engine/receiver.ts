/**
 * Cuts the stream of a client into commands: lines, with the literals that lines announce (RFC 9051 §2.2.1, §4.3;
 * RFC 7888 LITERAL+). A bare LF ends a line as CRLF does: the tests of chatmail relays send such lines.
 *
 * Invariants
 * - Nothing is kept beyond the limits, and nothing at all between commands.
 * - A message literal (`Appends.stream`) is handed on in slices, never gathered.
 * - A line that arrives in one piece is decoded without a copy of its bytes.
 */
import { concat, CR, EMPTY, LF, toLatin1 } from "../../core/bytes.ts";
import {
  LINE_BEFORE_LOGIN_MAX_BYTES,
  LINE_MAX_BYTES,
  LITERAL_BEFORE_LOGIN_MAX_BYTES,
  LITERAL_MAX_BYTES,
  LITERALS_MAX_BYTES,
  LITERALS_MAX_COUNT,
  SKIPPED_LITERAL_MAX_BYTES,
} from "./limits.ts";

/** A command's line parts (Latin-1, without line end) with its literals between them; a part before a literal keeps `{n}`. */
export type CommandParts = readonly (string | Uint8Array)[];

export type Received =
  | { kind: "command"; parts: CommandParts }
  /** A line in raw mode: a SASL answer, or DONE. */
  | { kind: "line"; text: string }
  /** A synchronizing literal may come: answer `+`. */
  | { kind: "continue" }
  /** The message literal of APPEND follows; `acceptStream` or `skipStream` says what becomes of it. */
  | { kind: "streamBegins"; parts: CommandParts; size: number; sync: boolean }
  /** Borrowed: valid until the next call. */
  | { kind: "streamBytes"; bytes: Uint8Array }
  | { kind: "streamEnds" }
  /** A literal that will not be taken. If it is on its way regardless, it is skipped. */
  | { kind: "literalRefused"; parts: CommandParts }
  /** The rest of a command whose literal was refused. */
  | { kind: "skipped" }
  /** The stream can't be followed any more. */
  | { kind: "fatal"; text: string };

type Mode = "line" | "literal" | "streamWait" | "stream" | "skip" | "dead";

const LITERAL_AT_END = /(~?)\{(\d{1,10})(\+?)\}$/;
const APPEND_BEGIN = /^[^ ]+ +APPEND +/i;

export class Receiver {
  /** In raw mode lines are handed out as they are, literals mean nothing. */
  raw = false;
  /** Before login the caps are small. */
  trusted = false;

  #chunks: Uint8Array[] = [];
  #pendingBytes = 0;
  /** How far the pending bytes were searched for a line end. */
  #scannedChunks = 0;
  #parts: (string | Uint8Array)[] = [];
  #literalBytes = 0;
  #mode: Mode = "line";
  #leftBytes = 0;
  #refused = false;

  /** Bytes held back. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Adds borrowed bytes. Call `keep` before the loan ends. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#mode === "dead") return;
    this.#chunks.push(bytes);
    this.#pendingBytes += bytes.length;
  }

  /** Copies what is left of the last pushed chunk. (`slice` of a Buffer would not.) */
  keep(): void {
    const last = this.#chunks.at(-1);
    if (last !== undefined) this.#chunks[this.#chunks.length - 1] = new Uint8Array(last);
  }

  /** Forgets all: after STARTTLS nothing from before counts. */
  clear(): void {
    this.#drop();
    this.#mode = "line";
    this.#parts = [];
    this.#literalBytes = 0;
    this.#refused = false;
  }

  /** The next thing on the stream; undefined when more bytes are needed. */
  next(): Received | undefined {
    switch (this.#mode) {
      case "line":
        return this.#nextLine();
      case "literal":
        return this.#nextLiteral();
      case "stream":
        return this.#nextStream();
      case "skip":
        return this.#nextSkip();
      default:
        return undefined;
    }
  }

  /** The announced message literal is wanted. */
  acceptStream(): void {
    this.#mode = "stream";
  }

  /** It is not. @param coming true when the client sends it without being asked (non-synchronizing) */
  skipStream(coming: boolean): void {
    this.#refuse(coming);
  }

  #nextLine(): Received | undefined {
    const line = this.#takeLine();
    if (line === undefined) {
      const max = this.trusted ? LINE_MAX_BYTES : LINE_BEFORE_LOGIN_MAX_BYTES;
      return this.#pendingBytes > max ? this.#die("Command line too long") : undefined;
    }
    const max = this.trusted ? LINE_MAX_BYTES : LINE_BEFORE_LOGIN_MAX_BYTES;
    if (line.length > max) return this.#die("Command line too long");
    if (line.includes("\0")) return this.#die("NUL in a command line");
    if (this.raw) return { kind: "line", text: line };
    const literal = line.endsWith("}") ? LITERAL_AT_END.exec(line) : null;
    if (this.#refused && literal === null) return this.#finishRefused();
    this.#parts.push(line);
    return literal === null ? this.#finish() : this.#beginLiteral(Number(literal[2]), literal[3] === "");
  }

  #beginLiteral(size: number, sync: boolean): Received | undefined {
    this.#leftBytes = size;
    if (this.#refused) {
      // The tail of a refused command announces one more literal: it is refused likewise.
      this.#parts = [];
      return this.#refuse(!sync) ?? this.next();
    }
    if (this.trusted && announcesMessage(this.#parts)) {
      this.#mode = "streamWait";
      return { kind: "streamBegins", parts: this.#parts, size, sync };
    }
    const max = this.trusted ? LITERAL_MAX_BYTES : LITERAL_BEFORE_LOGIN_MAX_BYTES;
    this.#literalBytes += size;
    const tooMuch = this.#literalBytes > LITERALS_MAX_BYTES || this.#parts.length >= 2 * LITERALS_MAX_COUNT;
    if (size > max || tooMuch) {
      if (!this.trusted && !sync) return this.#die("Literal too large");
      const parts = this.#parts;
      return this.#refuse(!sync) ?? { kind: "literalRefused", parts };
    }
    this.#mode = "literal";
    return sync ? { kind: "continue" } : this.#nextLiteral();
  }

  #nextLiteral(): Received | undefined {
    if (this.#pendingBytes < this.#leftBytes) return undefined;
    const literal = this.#leftBytes === 0 ? EMPTY : new Uint8Array(this.#take(this.#leftBytes));
    if (literal.includes(0)) return this.#die("NUL in a literal");
    this.#parts.push(literal);
    this.#mode = "line";
    return this.#nextLine();
  }

  #nextStream(): Received | undefined {
    if (this.#leftBytes === 0) {
      this.#mode = "line";
      return { kind: "streamEnds" };
    }
    const bytes = this.#takeSome(this.#leftBytes);
    if (bytes === undefined) return undefined;
    this.#leftBytes -= bytes.length;
    return { kind: "streamBytes", bytes };
  }

  #nextSkip(): Received | undefined {
    while (this.#leftBytes > 0) {
      const bytes = this.#takeSome(this.#leftBytes);
      if (bytes === undefined) return undefined;
      this.#leftBytes -= bytes.length;
    }
    this.#mode = "line";
    return this.#nextLine();
  }

  /** Drops the command. The rest of a literal that is on its way is skipped, and then the rest of its line. */
  #refuse(coming: boolean): Received | undefined {
    if (!coming) {
      this.#parts = [];
      this.#literalBytes = 0;
      this.#refused = false;
      this.#mode = "line";
      return undefined;
    }
    if (this.#leftBytes > SKIPPED_LITERAL_MAX_BYTES) return this.#die("Literal too large");
    this.#parts = [];
    this.#refused = true;
    this.#mode = "skip";
    return undefined;
  }

  #finish(): Received {
    const parts = this.#parts;
    this.#parts = [];
    this.#literalBytes = 0;
    return { kind: "command", parts };
  }

  #finishRefused(): Received {
    this.#refused = false;
    this.#parts = [];
    this.#literalBytes = 0;
    return { kind: "skipped" };
  }

  #die(text: string): Received {
    this.#drop();
    this.#mode = "dead";
    return { kind: "fatal", text };
  }

  #drop(): void {
    this.#chunks = [];
    this.#pendingBytes = 0;
    this.#scannedChunks = 0;
  }

  /** The next line without its end, or undefined. Each byte is searched once. */
  #takeLine(): string | undefined {
    let before = 0;
    for (let i = 0; i < this.#chunks.length; i++) {
      const chunk = this.#chunks[i] ?? EMPTY;
      if (i >= this.#scannedChunks) {
        const at = chunk.indexOf(LF);
        if (at >= 0) {
          const line = this.#take(before + at + 1);
          const end = line[line.length - 2] === CR ? line.length - 2 : line.length - 1;
          return toLatin1(line.subarray(0, end));
        }
      }
      before += chunk.length;
    }
    this.#scannedChunks = this.#chunks.length;
    return undefined;
  }

  /** Exactly `count` pending bytes, joined once. */
  #take(count: number): Uint8Array {
    const pieces: Uint8Array[] = [];
    for (let left = count; left > 0; ) {
      const piece = this.#takeSome(left);
      if (piece === undefined) break;
      pieces.push(piece);
      left -= piece.length;
    }
    return concat(pieces, count);
  }

  /** At most `max` bytes of the first pending chunk. */
  #takeSome(max: number): Uint8Array | undefined {
    const first = this.#chunks[0];
    if (first === undefined) return undefined;
    this.#scannedChunks = 0;
    const piece = first.length <= max ? first : first.subarray(0, max);
    if (piece === first) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(max);
    this.#pendingBytes -= piece.length;
    return piece;
  }
}

/** True when the literal that the last part announces is the message of an APPEND, not its mailbox name. */
function announcesMessage(parts: CommandParts): boolean {
  const first = parts[0];
  if (typeof first !== "string") return false;
  const begin = APPEND_BEGIN.exec(first);
  if (begin === null) return false;
  const namedByLiteral = first.startsWith("{", begin[0].length);
  return parts.length === (namedByLiteral ? 3 : 1);
}
