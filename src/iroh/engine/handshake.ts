/**
 * How a client proves the key under which it can be reached. Legacy (iroh 0.35): a signature without a challenge.
 * Current (iroh 0.91 and later): a signature over a challenge of ours.
 */
import { blake3 } from "@noble/hashes/blake3.js";
import { concat, fromUtf8 } from "../../core/bytes.ts";

export const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
export const CHALLENGE_BYTES = 16;
/** "RELAY" and a key, the emoji. */
const MAGIC = fromUtf8("RELAY🔑");
/** The one version that is spoken (iroh 0.35), as postcard writes it. */
const PROTOCOL_VERSION = 3;
const CHALLENGE_CONTEXT = fromUtf8("iroh-relay handshake v1 challenge signature");

/** What the engine needs of cryptography. */
export interface RelayCrypto {
  /** Ed25519 (RFC 8032 §5.1.7); false for malformed keys and signatures too. */
  verify(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  sha1(bytes: Uint8Array): Uint8Array;
  random(count: number): Uint8Array;
}

/** A claim to a key. */
export interface Claim {
  key: Uint8Array;
  signature: Uint8Array;
  message: Uint8Array;
}

/** ClientInfo of the legacy family: `magic || key || signature || version`; the signature covers the version. */
export function readClientInfo(body: Uint8Array): Claim | undefined {
  const keyAt = MAGIC.length;
  const signatureAt = keyAt + KEY_BYTES;
  const messageAt = signatureAt + SIGNATURE_BYTES;
  if (body.length !== messageAt + 1 || body[messageAt] !== PROTOCOL_VERSION) return undefined;
  if (MAGIC.some((byte, i) => body[i] !== byte)) return undefined;
  return {
    key: body.slice(keyAt, signatureAt),
    signature: body.slice(signatureAt, messageAt),
    message: body.slice(messageAt),
  };
}

/** ClientAuth of the current family: `key || 64 || signature`. @param challenge what the client had to sign */
export function readClientAuth(body: Uint8Array, challenge: Uint8Array): Claim | undefined {
  const signatureAt = KEY_BYTES + 1;
  if (body.length !== signatureAt + SIGNATURE_BYTES || body[KEY_BYTES] !== SIGNATURE_BYTES) return undefined;
  return {
    key: body.slice(0, KEY_BYTES),
    signature: body.slice(signatureAt),
    message: blake3(challenge, { context: CHALLENGE_CONTEXT }),
  };
}

/** ServerDeniesAuth's body. */
export function denial(reason: string): Uint8Array {
  const text = fromUtf8(reason);
  return concat([Uint8Array.of(text.length), text]);
}

/**
 * Whether the claim holds, strictly: keys of small order, for which anyone can sign, are refused, and so are
 * signatures with such a point in them.
 */
export function holds(claim: Claim, crypto: RelayCrypto): boolean {
  if (hasSmallOrder(claim.key) || hasSmallOrder(claim.signature.subarray(0, KEY_BYTES))) return false;
  return crypto.verify(claim.key, claim.message, claim.signature);
}

/** The y coordinates of the points of small order, and their unreduced forms; little-endian, without the sign bit. */
const SMALL_ORDER = [
  `00${"00".repeat(31)}`,
  `01${"00".repeat(31)}`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  `ec${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`,
].map((hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)));

function hasSmallOrder(point: Uint8Array): boolean {
  const last = KEY_BYTES - 1;
  const unsigned = (byte: number, i: number) => (i === last ? byte & 0x7f : byte);
  return SMALL_ORDER.some((known) => known.every((byte, i) => byte === unsigned(point[i] ?? 0, i)));
}
