/**
 * Content transfer encodings undone piece by piece (RFC 2045 §6.7, §6.8), for whoever reads a part as its reader does.
 * Memory is what one piece takes; the work is linear, whatever the cuts.
 */
import { CR, EMPTY, LF, SP, TAB, toLatin1 } from "../core/bytes.ts";

const EQUALS = 61;
/** Blanks of one line that may turn out to be its end; lines have 76 characters. Beyond, they count as text. */
const BLANKS_MAX = 1000;

export interface TransferDecoder {
  /** `bytes` are borrowed. @returns what they complete, maybe nothing */
  write(bytes: Uint8Array): Uint8Array;
  /** @returns what was held back */
  end(): Uint8Array;
}

/** @param encoding lower case. @returns undefined for encodings that leave the bytes as they are, or are unknown */
export function transferDecoder(encoding: string): TransferDecoder | undefined {
  if (encoding === "quoted-printable") return new QuotedPrintable();
  return encoding === "base64" ? new LenientBase64() : undefined;
}

/** 1 for what stands for itself, wherever it is on its line. */
const ORDINARY = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte > SP && byte < 127 && byte !== EQUALS ? 1 : 0,
);
/** Values of hexadecimal digits, -1 for everything else. */
const HEX = Int8Array.from({ length: 256 }, (_, byte) => hexValue(byte));

/** Where the decoder stands: in text, or in what began with `=`. */
type QuotedState = "text" | "equals" | "digit" | "softBlanks" | "softCr";

/** RFC 2045 §6.7. What does not follow the rules stays as it is, and `malformed` tells of it. */
export class QuotedPrintable implements TransferDecoder {
  #state: QuotedState = "text";
  #high = 0;
  /** Blanks that are dropped if the line ends now (rule 3), and how many. */
  #blanks: Uint8Array = EMPTY;
  #blankCount = 0;
  #malformed = false;
  #out: Uint8Array = EMPTY;
  #used = 0;

  /** True once something came that no writer of quoted-printable makes. */
  get malformed(): boolean {
    return this.#malformed;
  }

  write(bytes: Uint8Array): Uint8Array {
    this.#begin(bytes.length);
    for (let at = 0; at < bytes.length; ) {
      const next = this.#state === "text" ? this.#takeRun(bytes, at) : at;
      if (next === at) this.#take(bytes[at++] ?? 0);
      else at = next;
    }
    return this.#out.subarray(0, this.#used);
  }

  end(): Uint8Array {
    this.#begin(0);
    if (this.#state === "equals" || this.#state === "digit") this.#giveUp();
    this.#state = "text";
    // Blanks at the very end are the end of a line as well.
    this.#blankCount = 0;
    return this.#out.subarray(0, this.#used);
  }

  /** The quick way through what is usual: text, blanks, and escapes that are complete. @returns where it stopped */
  #takeRun(bytes: Uint8Array, from: number): number {
    let at = from;
    for (;;) {
      const start = at;
      while (ORDINARY[bytes[at] ?? 0] === 1) at++;
      if (at > start) {
        this.#putBlanks();
        this.#putAll(bytes.subarray(start, at));
      }
      const blanks = at;
      while (bytes[at] === SP || bytes[at] === TAB) at++;
      if (at > blanks) this.#hold(bytes.subarray(blanks, at));
      if (bytes[at] !== EQUALS || at + 2 >= bytes.length) {
        if (at === start || ORDINARY[bytes[at] ?? 0] !== 1) return at;
        continue;
      }
      const high = HEX[bytes[at + 1] ?? 0] ?? -1;
      const low = HEX[bytes[at + 2] ?? 0] ?? -1;
      const isSoft = bytes[at + 1] === CR && bytes[at + 2] === LF;
      if (!isSoft && (high < 0 || low < 0)) return at;
      this.#putBlanks();
      if (!isSoft) this.#put(high * 16 + low);
      at += 3;
    }
  }

  /** Keeps blanks back until the line goes on. No line has as many as `BLANKS_MAX`. */
  #hold(blanks: Uint8Array): void {
    if (this.#blankCount + blanks.length > BLANKS_MAX) {
      this.#malformed = true;
      this.#putBlanks();
      return this.#putAll(blanks);
    }
    if (this.#blanks.length === 0) this.#blanks = new Uint8Array(BLANKS_MAX);
    this.#blanks.set(blanks, this.#blankCount);
    this.#blankCount += blanks.length;
  }

  /** Makes room: held blanks and the three characters of an escape may all come out. */
  #begin(more: number): void {
    this.#out = new Uint8Array(more + this.#blankCount + 3);
    this.#used = 0;
  }

  #take(byte: number): void {
    switch (this.#state) {
      case "text":
        return this.#takeText(byte);
      case "equals":
        return this.#takeAfterEquals(byte);
      case "digit": {
        const low = HEX[byte] ?? -1;
        if (low < 0) return this.#giveUpAt(byte);
        this.#put(this.#high * 16 + low);
        this.#state = "text";
        return;
      }
      case "softBlanks":
        if (byte === SP || byte === TAB) return;
        if (byte !== CR && byte !== LF) this.#malformed = true;
        this.#state = byte === CR ? "softCr" : "text";
        if (byte !== CR && byte !== LF) this.#takeText(byte);
        return;
      case "softCr":
        this.#state = "text";
        if (byte === LF) return;
        this.#malformed = true;
        this.#takeText(byte);
    }
  }

  #takeText(byte: number): void {
    if (byte === SP || byte === TAB) return this.#hold(Uint8Array.of(byte));
    if (byte === CR || byte === LF) this.#blankCount = 0;
    else this.#putBlanks();
    if (byte === EQUALS) this.#state = "equals";
    else {
      if ((byte < 32 && byte !== CR && byte !== LF) || byte > 126) this.#malformed = true;
      this.#put(byte);
    }
  }

  #takeAfterEquals(byte: number): void {
    const high = HEX[byte] ?? -1;
    if (high >= 0) {
      this.#high = high;
      this.#state = "digit";
    } else if (byte === CR) this.#state = "softCr";
    else if (byte === LF) this.#state = "text";
    else if (byte === SP || byte === TAB) this.#state = "softBlanks";
    else this.#giveUpAt(byte);
  }

  /** Shows a broken escape as it came. */
  #giveUp(): void {
    this.#malformed = true;
    this.#put(EQUALS);
    if (this.#state === "digit") this.#put("0123456789ABCDEF".charCodeAt(this.#high));
  }

  #giveUpAt(byte: number): void {
    this.#giveUp();
    this.#state = "text";
    this.#takeText(byte);
  }

  #putBlanks(): void {
    if (this.#blankCount === 0) return;
    this.#putAll(this.#blanks.subarray(0, this.#blankCount));
    this.#blankCount = 0;
  }

  #putAll(bytes: Uint8Array): void {
    this.#out.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  #put(byte: number): void {
    this.#out[this.#used++] = byte;
  }
}

/** RFC 2045 §6.8: other characters are passed over, and the first `=` ends the data. */
class LenientBase64 implements TransferDecoder {
  #carry = "";
  #ended = false;

  write(bytes: Uint8Array): Uint8Array {
    if (this.#ended) return EMPTY;
    const equals = bytes.indexOf(EQUALS);
    this.#ended = equals >= 0;
    const text = this.#carry + toLatin1(equals < 0 ? bytes : bytes.subarray(0, equals));
    const chars = text.replace(/[^A-Za-z0-9+/]+/g, "");
    const whole = this.#ended ? chars.length : chars.length - (chars.length % 4);
    this.#carry = chars.slice(whole);
    return Buffer.from(chars.slice(0, whole), "base64");
  }

  end(): Uint8Array {
    const rest = Buffer.from(this.#carry, "base64");
    this.#carry = "";
    return rest;
  }
}

function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte & ~32;
  return letter >= 65 && letter <= 70 ? letter - 55 : -1;
}
