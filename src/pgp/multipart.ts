/**
 * Cuts a multipart body at its delimiters (RFC 2046 §5.1.1), strictly: every place where any reader could see a
 * delimiter must be one, exactly written. So nobody sees other parts than the gate.
 * At most a line end and a delimiter are held back between chunks; one native search per chunk.
 */
import { CR, fromLatin1, LF, toLatin1 } from "../core/bytes.ts";
import { PADDING_MAX_BYTES } from "./limits.ts";

const DASH = 45;

export interface MultipartHandler {
  /** Bytes of the preamble, a part (with its header) or the epilogue, without the line end before a delimiter. Borrowed. */
  data(bytes: Uint8Array): void;
  /** A part begins, or with `isClose` the epilogue. */
  delimiter(isClose: boolean): void;
  /** A line that looks like a delimiter and is none. */
  broken(): void;
}

export class MultipartSplitter {
  readonly #delimiter: Uint8Array;
  readonly #lineAndDelimiter: Uint8Array;
  readonly #handler: MultipartHandler;
  #state: "text" | "delimiterLine" | "epilogue" | "broken" = "text";
  /** True while nothing of the section was seen: its first line needs no line end before it. */
  #atSectionStart = true;
  #held: Uint8Array | undefined;
  /** The rest of a delimiter line so far. */
  #rest = "";

  constructor(boundary: string, handler: MultipartHandler) {
    this.#delimiter = fromLatin1(`--${boundary}`);
    this.#lineAndDelimiter = fromLatin1(`\r\n--${boundary}`);
    this.#handler = handler;
  }

  /** `chunk` is borrowed. */
  write(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#held !== undefined) {
      bytes = Buffer.concat([this.#held, chunk]);
      this.#held = undefined;
    }
    let at = 0;
    while (at < bytes.length) {
      switch (this.#state) {
        case "text":
          at = this.#text(bytes, at);
          break;
        case "delimiterLine":
          at = this.#delimiterLine(bytes, at);
          break;
        case "epilogue":
          this.#handler.data(at === 0 ? bytes : bytes.subarray(at));
          return;
        case "broken":
          return;
      }
      if (this.#held !== undefined) return;
    }
  }

  /** @returns true when the close delimiter was seen */
  end(): boolean {
    if (this.#held !== undefined) this.#handler.data(this.#held);
    this.#held = undefined;
    // The last line of a message may lack its line end.
    if (this.#state === "delimiterLine") this.#endDelimiterLine();
    return this.#state === "epilogue";
  }

  #text(bytes: Uint8Array, at: number): number {
    const found = indexOf(bytes, this.#delimiter, at);
    if (found < 0) {
      const keep = this.#heldFrom(bytes, at);
      this.#emit(bytes, at, keep);
      if (keep < bytes.length) this.#held = new Uint8Array(bytes.subarray(keep));
      return bytes.length;
    }
    const isAfterLineEnd = found >= at + 2 && bytes[found - 2] === CR && bytes[found - 1] === LF;
    if (!isAfterLineEnd && !(found === at && this.#atSectionStart)) {
      this.#emit(bytes, at, found);
      this.#break();
      return bytes.length;
    }
    this.#emit(bytes, at, isAfterLineEnd ? found - 2 : found);
    this.#state = "delimiterLine";
    return found + this.#delimiter.length;
  }

  #emit(bytes: Uint8Array, from: number, to: number): void {
    if (to <= from) return;
    this.#atSectionStart = false;
    this.#handler.data(bytes.subarray(from, to));
  }

  /** The first offset from which the bytes could be the begin of a delimiter with or without its line end. */
  #heldFrom(bytes: Uint8Array, from: number): number {
    const longest = this.#lineAndDelimiter.length - 1;
    for (let at = Math.max(from, bytes.length - longest); at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === CR && isBegin(bytes, at, this.#lineAndDelimiter)) return at;
      if (byte === DASH && isBegin(bytes, at, this.#delimiter)) return at;
    }
    return bytes.length;
  }

  #delimiterLine(bytes: Uint8Array, at: number): number {
    const lf = bytes.indexOf(LF, at);
    const end = lf < 0 ? bytes.length : lf + 1;
    if (end - at + this.#rest.length > PADDING_MAX_BYTES) {
      this.#break();
      return end;
    }
    this.#rest += toLatin1(bytes.subarray(at, end));
    if (lf < 0) return end;
    if (this.#rest.endsWith("\r\n")) {
      this.#rest = this.#rest.slice(0, -2);
      this.#endDelimiterLine();
    } else {
      this.#break();
    }
    return end;
  }

  #endDelimiterLine(): void {
    const match = /^(--)?[ \t]*$/.exec(this.#rest);
    this.#rest = "";
    if (match === null) {
      this.#break();
      return;
    }
    const isClose = match[1] !== undefined;
    this.#state = isClose ? "epilogue" : "text";
    this.#atSectionStart = true;
    this.#handler.delimiter(isClose);
  }

  #break(): void {
    this.#state = "broken";
    this.#handler.broken();
  }
}

function indexOf(bytes: Uint8Array, needle: Uint8Array, from: number): number {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.indexOf(needle, from);
}

/** True if the bytes from `at` to their end begin like `pattern`. */
function isBegin(bytes: Uint8Array, at: number, pattern: Uint8Array): boolean {
  for (let i = at; i < bytes.length; i++) if (bytes[i] !== pattern[i - at]) return false;
  return true;
}
