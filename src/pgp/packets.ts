/**
 * Walks the packets of an OpenPGP message (RFC 9580 §4.2, §10.3) without looking into them: one or more encrypted
 * session keys, then exactly one encrypted data packet that ends with the stream.
 */
import type { GateFlaw } from "./facts.ts";

const PKESK = 1;
const SKESK = 3;
const SEIPD = 18;
/** OCB encrypted data of GnuPG and of the expired RFC 4880bis. */
const AEAD = 20;
/** RFC 9580 §4.2.1.2: two-octet lengths begin where one octet ends. */
const TWO_OCTET_BASE = 192;

type Expect = "tag" | "firstLength" | "moreLength" | "nothing";

export class PacketWalker {
  #flaw: GateFlaw | undefined;
  #expect: Expect = "tag";
  #bodyLeft = 0;
  /** More of the same packet follows after the body chunk (RFC 9580 §4.2.1.4). */
  #isPartial = false;
  #isDataPacket = false;
  #sessionKeys = 0;
  /** Length octets that are still to come, and their value so far. */
  #octetsLeft = 0;
  #length = 0;
  #lengthBase = 0;

  /** Takes the first `length` of `bytes`. */
  write(bytes: Uint8Array, length: number): void {
    let at = 0;
    while (at < length && this.#flaw === undefined) {
      if (this.#bodyLeft > 0) {
        const step = Math.min(this.#bodyLeft, length - at);
        this.#bodyLeft -= step;
        at += step;
        if (this.#bodyLeft === 0) this.#endChunk();
      } else {
        this.#octet(bytes[at] ?? 0);
        at++;
      }
    }
  }

  /** @returns what is wrong with the stream that ends here */
  end(): GateFlaw | undefined {
    if (this.#flaw !== undefined || this.#expect === "nothing") return this.#flaw;
    if (this.#expect !== "tag" || this.#bodyLeft > 0) return "truncated";
    return this.#sessionKeys > 0 ? "wrongPacketOrder" : "badPacket";
  }

  #octet(octet: number): void {
    switch (this.#expect) {
      case "tag":
        this.#tag(octet);
        break;
      case "firstLength":
        this.#firstLength(octet);
        break;
      case "moreLength":
        // No shift: five-octet lengths go beyond 31 bits.
        this.#length = this.#length * 256 + octet;
        if (--this.#octetsLeft === 0) this.#startBody(this.#length + this.#lengthBase, false);
        break;
      case "nothing":
        this.#flaw = "wrongPacketOrder";
        break;
    }
  }

  #tag(octet: number): void {
    const isNewFormat = (octet & 0x40) !== 0;
    const tag = isNewFormat ? octet & 0x3f : (octet >> 2) & 0x0f;
    if ((octet & 0x80) === 0) {
      this.#flaw = "badPacket";
    } else if (tag === PKESK || tag === SKESK) {
      this.#sessionKeys++;
      this.#isDataPacket = false;
    } else if (tag === SEIPD || tag === AEAD) {
      this.#isDataPacket = true;
      if (this.#sessionKeys === 0) this.#flaw = "wrongPacketOrder";
    } else {
      this.#flaw = "notEncryptedPacket";
    }
    if (isNewFormat) {
      this.#expect = "firstLength";
      return;
    }
    // RFC 9580 §4.2.2: type 3 has no length at all and would swallow the data packet.
    if ((octet & 3) === 3) this.#flaw ??= "badPacket";
    this.#expectOctets(1 << (octet & 3), 0, 0);
  }

  #firstLength(octet: number): void {
    if (octet < 192) this.#startBody(octet, false);
    else if (octet < 224) this.#expectOctets(1, octet - 192, TWO_OCTET_BASE);
    else if (octet < 255) this.#startBody(2 ** (octet & 0x1f), true);
    else this.#expectOctets(4, 0, 0);
  }

  #expectOctets(count: number, high: number, base: number): void {
    this.#expect = "moreLength";
    this.#octetsLeft = count;
    this.#length = high;
    this.#lengthBase = base;
  }

  #startBody(length: number, isPartial: boolean): void {
    this.#expect = "tag";
    this.#bodyLeft = length;
    this.#isPartial = isPartial;
    if (length === 0) this.#endChunk();
  }

  #endChunk(): void {
    if (this.#isPartial) this.#expect = "firstLength";
    else this.#expect = this.#isDataPacket ? "nothing" : "tag";
  }
}
