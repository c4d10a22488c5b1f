/**
 * Reads what the data part holds: ASCII armor (RFC 9580 §6.2) or bare packets, by its first byte.
 *
 * Invariants
 * - Nothing but white space stands around the armor, and no armor header but one `Version:` (which only peers may send).
 * - The checksum may be absent (RFC 9580 §6.1), never wrong. The END line is never absent.
 * - Memory is one line; data bytes are decoded into a shared scratch and forgotten.
 */
import { LF, toLatin1 } from "../core/bytes.ts";
import { Base64Lines, makeScratch } from "./base64.ts";
import { CRC24_INIT, crc24 } from "./crc24.ts";
import type { GateFlaw } from "./facts.ts";
import { ARMOR_LINE_MAX_BYTES, PADDING_MAX_BYTES } from "./limits.ts";
import { PacketWalker } from "./packets.ts";

const DASH = 45;
const EQUALS = 61;
const BEGIN_LINE = "-----BEGIN PGP MESSAGE-----";
const END_LINE = "-----END PGP MESSAGE-----";
const BLANK = /^[ \t]*$/;

/** One for all readers: decoded bytes are used up before the call returns, and armor does not lie within armor. */
const scratch = makeScratch();

type State = "start" | "binary" | "lead" | "headers" | "data" | "tail" | "trail";

export class PayloadReader {
  readonly #walker = new PacketWalker();
  readonly #base64: Base64Lines;
  #state: State = "start";
  #flaw: GateFlaw | undefined;
  #hasVersionHeader = false;
  #hasChecksum = false;
  #crc = CRC24_INIT;
  #line = "";
  #paddingBytes = 0;

  constructor() {
    this.#base64 = new Base64Lines(scratch, (length) => {
      this.#crc = crc24(this.#crc, scratch, length);
      this.#walker.write(scratch.bytes, length);
    });
  }

  /**
   * What is wrong with the armor so far. Packets are judged at the end only: how far the decoder runs ahead of the
   * walker depends on the chunks, and the answer must not.
   */
  get flaw(): GateFlaw | undefined {
    return this.#flaw;
  }

  /** True when the armor had a `Version:` line. */
  get hasVersionHeader(): boolean {
    return this.#hasVersionHeader;
  }

  /** `bytes` are borrowed. */
  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    // A packet's first bit is set (RFC 9580 §4.2), that of ASCII is not.
    if (this.#state === "start") this.#state = (bytes[0] ?? 0) >= 0x80 ? "binary" : "lead";
    if (this.#state === "binary") {
      this.#walker.write(bytes, bytes.length);
      return;
    }
    let at = 0;
    while (at < bytes.length && this.#flaw === undefined) {
      at = this.#state === "data" ? this.#data(bytes, at) : this.#text(bytes, at);
    }
  }

  /** @returns what is wrong with the payload that ends here */
  end(): GateFlaw | undefined {
    if (this.#line !== "" && this.#flaw === undefined) this.#judge(this.#line);
    if (this.#flaw !== undefined) return this.#flaw;
    if (this.#state === "start" || this.#state === "lead") return "badArmor";
    return this.#state === "binary" || this.#state === "trail" ? this.#walker.end() : "truncated";
  }

  /** Takes base64 up to what ends it. @returns the offset of the first byte not taken */
  #data(bytes: Uint8Array, at: number): number {
    const first = bytes[at];
    if (this.#base64.atLineStart && (first === DASH || first === EQUALS)) {
      this.#endData(0);
      return at;
    }
    const equals = bytes.indexOf(EQUALS, at);
    const limit = equals < 0 ? bytes.length : equals;
    const dash = bytes.subarray(at, limit).indexOf(DASH);
    const stop = dash < 0 ? limit : at + dash;
    if (!this.#base64.write(bytes.subarray(at, stop))) this.#flaw = "badArmor";
    if (stop === bytes.length || this.#base64.atLineStart) return stop;
    // Mid-line, `=` is padding and `-` is nothing.
    if (bytes[stop] === EQUALS) this.#state = "tail";
    else this.#flaw = "badArmor";
    return stop;
  }

  #endData(padding: number): void {
    this.#state = "tail";
    if (!this.#base64.finish(padding)) this.#flaw = "badArmor";
  }

  /** Takes up to one line outside the data. @returns the offset of the first byte not taken */
  #text(bytes: Uint8Array, at: number): number {
    const lf = bytes.indexOf(LF, at);
    const end = lf < 0 ? bytes.length : lf + 1;
    const isPadding = this.#state === "lead" || this.#state === "trail";
    const room = (isPadding ? PADDING_MAX_BYTES : ARMOR_LINE_MAX_BYTES) - this.#line.length;
    if (end - at > room) {
      this.#flaw = this.#state === "trail" ? "cleartextAround" : "badArmor";
      return end;
    }
    this.#line += toLatin1(bytes.subarray(at, end));
    if (lf < 0) return end;
    const line = this.#line;
    this.#line = "";
    if (line.endsWith("\r\n")) this.#judge(line.slice(0, -2));
    else this.#flaw = "badArmor";
    return end;
  }

  #judge(line: string): void {
    switch (this.#state) {
      case "lead":
        if (line === BEGIN_LINE) this.#state = "headers";
        else this.#pad(line, "badArmor");
        break;
      case "headers":
        if (BLANK.test(line)) this.#state = "data";
        else if (line.startsWith("Version:") && !this.#hasVersionHeader) this.#hasVersionHeader = true;
        else this.#flaw = "armorHeader";
        break;
      case "tail":
        this.#tail(line);
        break;
      case "trail":
        this.#pad(line, "cleartextAround");
        break;
      case "start":
      case "binary":
      case "data":
        throw new Error(`no line is read in state ${this.#state}`);
    }
  }

  #pad(line: string, otherwise: GateFlaw): void {
    this.#paddingBytes += line.length + 2;
    if (!BLANK.test(line) || this.#paddingBytes > PADDING_MAX_BYTES) this.#flaw = otherwise;
  }

  /** Padding of the last group, then the checksum, then the END line. */
  #tail(line: string): void {
    if (line === END_LINE) {
      this.#state = "trail";
      this.#paddingBytes = 0;
    } else if ((line === "=" || line === "==") && !this.#hasChecksum) {
      this.#endData(line.length);
    } else if (/^=[A-Za-z0-9+/]{4}$/.test(line) && !this.#hasChecksum) {
      this.#hasChecksum = true;
      if (!this.#isChecksum(line.slice(1))) this.#flaw = "badArmorChecksum";
    } else {
      this.#flaw = "badArmor";
    }
  }

  #isChecksum(text: string): boolean {
    const bytes = Uint8Array.fromBase64(text);
    return ((bytes[0] ?? 0) << 16) + ((bytes[1] ?? 0) << 8) + (bytes[2] ?? 0) === this.#crc;
  }
}
