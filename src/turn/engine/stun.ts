/**
 * STUN messages on the wire (RFC 8489 §5, §14): read without copies, written into one buffer that is used again.
 * Invariant: what `parseStun` returns lies within the bytes it was given, attribute by attribute.
 */
import { fromUtf8 } from "../../core/bytes.ts";
import { ATTRIBUTES_MAX, DATAGRAM_MAX_BYTES } from "./limits.ts";

export const HEADER_BYTES = 20;
const MAGIC_COOKIE = 0x2112a442;
/** RFC 8489 §14.7. */
const FINGERPRINT_XOR = 0x5354554e;

/** RFC 8489 §18.2 and RFC 8656 §17. */
export const methods = {
  binding: 0x001,
  allocate: 0x003,
  refresh: 0x004,
  send: 0x006,
  data: 0x007,
  createPermission: 0x008,
  channelBind: 0x009,
} as const;

/** RFC 8489 §18.3 and RFC 8656 §18. Below 0x8000 a receiver must understand them. */
export const attributes = {
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  unknownAttributes: 0x000a,
  channelNumber: 0x000c,
  lifetime: 0x000d,
  xorPeerAddress: 0x0012,
  data: 0x0013,
  realm: 0x0014,
  nonce: 0x0015,
  xorRelayedAddress: 0x0016,
  requestedAddressFamily: 0x0017,
  evenPort: 0x0018,
  requestedTransport: 0x0019,
  dontFragment: 0x001a,
  messageIntegritySha256: 0x001c,
  xorMappedAddress: 0x0020,
  reservationToken: 0x0022,
  additionalAddressFamily: 0x8000,
  addressErrorCode: 0x8001,
  fingerprint: 0x8028,
} as const;

const known: ReadonlySet<number> = new Set(Object.values(attributes));

/** Hashes come from outside, so that the engine runs anywhere. Inputs are borrowed, results are fresh. */
export interface StunCrypto {
  hmacSha1(key: Uint8Array, bytes: Uint8Array): Uint8Array;
  hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array;
  md5(bytes: Uint8Array): Uint8Array;
  /** CRC-32 of ITU V.42, unsigned. */
  crc32(bytes: Uint8Array): number;
}

export type StunClass = "request" | "indication" | "success" | "error";
const classBits: Record<StunClass, number> = {
  request: 0x000,
  indication: 0x010,
  success: 0x100,
  error: 0x110,
};
const classes: readonly StunClass[] = ["request", "indication", "success", "error"];

export interface StunAttribute {
  readonly type: number;
  /** Without padding. */
  readonly value: Uint8Array;
}

export interface StunMessage {
  readonly bytes: Uint8Array;
  readonly method: number;
  readonly class: StunClass;
  /** 12 bytes. */
  readonly transactionId: Uint8Array;
  /** Those that count: up to the first integrity attribute, in order. */
  readonly attributes: readonly StunAttribute[];
  /** Types of required attributes that this server does not know, in order. */
  readonly unknown: readonly number[];
  /** Where the integrity attribute begins. SHA-256 wins where a message has both (RFC 8489 §9.2.4). */
  readonly integrity: { readonly kind: "sha1" | "sha256"; readonly at: number } | undefined;
  /** Where FINGERPRINT begins, the last attribute. */
  readonly fingerprintAt: number | undefined;
}

/** Whether these may be the first bytes of STUN: two zero bits (RFC 8489 §5). */
export function looksLikeStun(firstByte: number): boolean {
  return firstByte < 0x40;
}

/**
 * Reads one whole message; bytes behind it are a fault.
 * @returns undefined for anything that is not a well-formed STUN message
 */
export function parseStun(bytes: Uint8Array): StunMessage | undefined {
  if (bytes.length < HEADER_BYTES || bytes.length % 4 !== 0) return undefined;
  const type = readU16(bytes, 0);
  if (type > 0x3fff || readU32(bytes, 4) !== MAGIC_COOKIE) return undefined;
  if (readU16(bytes, 2) !== bytes.length - HEADER_BYTES) return undefined;
  const found = readAttributes(bytes);
  if (found === undefined) return undefined;
  return {
    bytes,
    method: (type & 0x000f) | ((type >> 1) & 0x0070) | ((type >> 2) & 0x0f80),
    class: classes[((type >> 4) & 1) | ((type >> 7) & 2)] ?? "request",
    transactionId: bytes.subarray(8, HEADER_BYTES),
    ...found,
  };
}

function readAttributes(
  bytes: Uint8Array,
): Pick<StunMessage, "attributes" | "unknown" | "integrity" | "fingerprintAt"> | undefined {
  const counted: StunAttribute[] = [];
  const unknown: number[] = [];
  let integrity: StunMessage["integrity"];
  let fingerprintAt: number | undefined;
  let count = 0;
  for (let at = HEADER_BYTES; at < bytes.length; count++) {
    const type = readU16(bytes, at);
    const end = at + 4 + readU16(bytes, at + 2);
    // FINGERPRINT is the last attribute (RFC 8489 §14.7); the header's length is a multiple of four already.
    if (end > bytes.length || fingerprintAt !== undefined || count === ATTRIBUTES_MAX) return undefined;
    const value = bytes.subarray(at + 4, end);
    if (type === attributes.fingerprint) {
      if (value.length !== 4) return undefined;
      fingerprintAt = at;
    } else if (type === attributes.messageIntegritySha256) {
      // RFC 8489 §14.6: cut to no less than 16 bytes, in steps of four.
      if (value.length < 16 || value.length > 32 || value.length % 4 !== 0) return undefined;
      if (integrity?.kind !== "sha256") integrity = { kind: "sha256", at };
    } else if (integrity === undefined) {
      if (type === attributes.messageIntegrity) {
        if (value.length !== 20) return undefined;
        integrity = { kind: "sha1", at };
      } else if (type < 0x8000 && !known.has(type)) unknown.push(type);
      else counted.push({ type, value });
    }
    at += 4 + ((value.length + 3) & ~3);
  }
  return { attributes: counted, unknown, integrity, fingerprintAt };
}

/** The first attribute of a type; later ones do not count (RFC 8489 §14). */
export function attributeOf(message: StunMessage, type: number): Uint8Array | undefined {
  return message.attributes.find((attribute) => attribute.type === type)?.value;
}

/** Whether the checksum is right, or absent. */
export function fingerprintHolds(message: StunMessage, crypto: StunCrypto): boolean {
  const { bytes, fingerprintAt } = message;
  if (fingerprintAt === undefined) return true;
  const sum = crypto.crc32(bytes.subarray(0, fingerprintAt));
  return (sum ^ FINGERPRINT_XOR) >>> 0 === readU32(bytes, fingerprintAt + 4);
}

/** Whether the message was signed with `key` (RFC 8489 §14.5, §14.6). Takes the same time wherever it differs. */
export function integrityHolds(message: StunMessage, key: Uint8Array, crypto: StunCrypto): boolean {
  const { bytes, integrity } = message;
  if (integrity === undefined) return false;
  const { kind, at } = integrity;
  const given = bytes.subarray(at + 4, at + 4 + readU16(bytes, at + 2));
  // Signed is what stands before, under a header whose length ends just behind the signature.
  const signed = Uint8Array.from(bytes.subarray(0, at));
  writeU16(signed, 2, at + 4 + given.length - HEADER_BYTES);
  const wanted = kind === "sha1" ? crypto.hmacSha1(key, signed) : crypto.hmacSha256(key, signed);
  let difference = 0;
  for (let i = 0; i < given.length; i++) difference |= (given[i] ?? 0) ^ (wanted[i] ?? 0);
  return difference === 0;
}

/** Writes one message after the other into one buffer: what `end` returns holds until the next `begin`. */
export class StunWriter {
  readonly #bytes = new Uint8Array(DATAGRAM_MAX_BYTES + 256);
  readonly #crypto: StunCrypto;
  #length = 0;

  constructor(crypto: StunCrypto) {
    this.#crypto = crypto;
  }

  begin(kind: StunClass, method: number, transactionId: Uint8Array): this {
    const type = (method & 0x000f) | ((method & 0x0070) << 1) | ((method & 0x0f80) << 2) | classBits[kind];
    writeU16(this.#bytes, 0, type);
    writeU32(this.#bytes, 4, MAGIC_COOKIE);
    this.#bytes.set(transactionId, 8);
    this.#length = HEADER_BYTES;
    return this;
  }

  attribute(type: number, value: Uint8Array): this {
    const at = this.#open(type, value.length);
    this.#bytes.set(value, at);
    return this;
  }

  text(type: number, value: string): this {
    return this.attribute(type, fromUtf8(value));
  }

  u32(type: number, value: number): this {
    writeU32(this.#bytes, this.#open(type, 4), value);
    return this;
  }

  /** RFC 8489 §14.8. @param status such as 401 */
  error(status: number, reason: string): this {
    const text = fromUtf8(reason);
    const at = this.#open(attributes.errorCode, 4 + text.length);
    this.#bytes.set([0, 0, Math.floor(status / 100), status % 100], at);
    this.#bytes.set(text, at + 4);
    return this;
  }

  types(type: number, values: readonly number[]): this {
    const at = this.#open(type, values.length * 2);
    for (const [i, value] of values.entries()) writeU16(this.#bytes, at + i * 2, value);
    return this;
  }

  /** RFC 8489 §14.2. @param ip 4 or 16 bytes */
  xorAddress(type: number, ip: Uint8Array, port: number): this {
    const at = this.#open(type, 4 + ip.length);
    this.#bytes[at] = 0;
    this.#bytes[at + 1] = ip.length === 4 ? 1 : 2;
    writeU16(this.#bytes, at + 2, port ^ (MAGIC_COOKIE >>> 16));
    for (let i = 0; i < ip.length; i++) this.#bytes[at + 4 + i] = (ip[i] ?? 0) ^ (this.#bytes[4 + i] ?? 0);
    return this;
  }

  sign(kind: "sha1" | "sha256", key: Uint8Array): this {
    const size = kind === "sha1" ? 20 : 32;
    const type = kind === "sha1" ? attributes.messageIntegrity : attributes.messageIntegritySha256;
    const before = this.#length;
    writeU16(this.#bytes, 2, before + 4 + size - HEADER_BYTES);
    const signed = this.#bytes.subarray(0, before);
    const sum = kind === "sha1" ? this.#crypto.hmacSha1(key, signed) : this.#crypto.hmacSha256(key, signed);
    return this.attribute(type, sum);
  }

  end(fingerprint: boolean): Uint8Array {
    writeU16(this.#bytes, 2, this.#length + (fingerprint ? 8 : 0) - HEADER_BYTES);
    if (fingerprint) {
      const sum = this.#crypto.crc32(this.#bytes.subarray(0, this.#length));
      this.u32(attributes.fingerprint, (sum ^ FINGERPRINT_XOR) >>> 0);
    }
    return this.#bytes.subarray(0, this.#length);
  }

  /** Makes room for a value with zeros behind it. @returns where the value goes */
  #open(type: number, length: number): number {
    const at = this.#length;
    writeU16(this.#bytes, at, type);
    writeU16(this.#bytes, at + 2, length);
    this.#length = at + 4 + ((length + 3) & ~3);
    if (length % 4 !== 0) this.#bytes.fill(0, at + 4 + length, this.#length);
    return at + 4;
  }
}

/** Reads XOR-MAPPED-ADDRESS and its kin. @returns undefined for a malformed value */
export function readXorAddress(
  value: Uint8Array,
  transactionId: Uint8Array,
): { ip: Uint8Array; port: number } | undefined {
  const size = value[1] === 1 ? 4 : value[1] === 2 ? 16 : 0;
  if (size === 0 || value.length !== 4 + size) return undefined;
  const ip = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    const mask = i < 4 ? (MAGIC_COOKIE >>> (24 - i * 8)) & 0xff : (transactionId[i - 4] ?? 0);
    ip[i] = (value[4 + i] ?? 0) ^ mask;
  }
  return { ip, port: readU16(value, 2) ^ (MAGIC_COOKIE >>> 16) };
}

export function readU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export function readU32(bytes: Uint8Array, at: number): number {
  return ((readU16(bytes, at) << 16) | readU16(bytes, at + 2)) >>> 0;
}

export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = (value >>> 8) & 0xff;
  bytes[at + 1] = value & 0xff;
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  writeU16(bytes, at, value >>> 16);
  writeU16(bytes, at + 2, value & 0xffff);
}
