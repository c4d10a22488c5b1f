/**
 * Content transfer encodings undone piece by piece (RFC 2045 §6.7, §6.8), for whoever reads a part as its reader does.
 * Memory is what one piece takes; the work is linear, whatever the cuts.
 */
import { CR, EMPTY, LF, SP, TAB, toLatin1 } from "../core/bytes.ts";

const EQUALS = 61;
/** Blanks of one line that may turn out to be its end; beyond, they count as text. */
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

/** Where the decoder stands: in text, or in what began with `=`. */
type QuotedState = "text" | "equals" | "digit" | "softBlanks" | "softCr";

/** RFC 2045 §6.7. What does not follow the rules stays as it is, and `malformed` tells of it. */
export class QuotedPrintable implements TransferDecoder {
  #state: QuotedState = "text";
  #high = 0;
  /** Blanks that are dropped if the line ends now (rule 3). */
  #blanks: number[] = [];
  #malformed = false;
  #out: Uint8Array = EMPTY;
  #used = 0;

  /** True once something came that no writer of quoted-printable makes. */
  get malformed(): boolean {
    return this.#malformed;
  }

  write(bytes: Uint8Array): Uint8Array {
    this.#begin(bytes.length);
    for (const byte of bytes) this.#take(byte);
    return this.#out.subarray(0, this.#used);
  }

  end(): Uint8Array {
    this.#begin(0);
    if (this.#state === "equals" || this.#state === "digit") this.#giveUp();
    this.#state = "text";
    // Blanks at the very end are the end of a line as well.
    this.#blanks = [];
    return this.#out.subarray(0, this.#used);
  }

  /** Makes room: held blanks and the three characters of an escape may all come out. */
  #begin(more: number): void {
    this.#out = new Uint8Array(more + this.#blanks.length + 3);
    this.#used = 0;
  }

  #take(byte: number): void {
    switch (this.#state) {
      case "text":
        return this.#takeText(byte);
      case "equals":
        return this.#takeAfterEquals(byte);
      case "digit": {
        const low = hexValue(byte);
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
    if (byte === SP || byte === TAB) {
      if (this.#blanks.length >= BLANKS_MAX) this.#putBlanks();
      this.#blanks.push(byte);
      return;
    }
    if (byte === CR || byte === LF) this.#blanks = [];
    else this.#putBlanks();
    if (byte === EQUALS) this.#state = "equals";
    else {
      if ((byte < 32 && byte !== CR && byte !== LF) || byte > 126) this.#malformed = true;
      this.#put(byte);
    }
  }

  #takeAfterEquals(byte: number): void {
    const high = hexValue(byte);
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
    if (this.#blanks.length === 0) return;
    for (const blank of this.#blanks) this.#put(blank);
    this.#blanks = [];
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
