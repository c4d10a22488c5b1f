/**
 * Messages for tests and benches, in the shapes that Delta Chat sends. Real encryption by openpgp.js, or packets
 * and armor put together by hand where a test needs to break them.
 */
import * as openpgp from "openpgp";
import { concat, fromLatin1, toLatin1 } from "../core/bytes.ts";

export interface EncryptedMessageOptions {
  from: string;
  /** Addresses; Delta Chat shows none of them in the header. */
  to: string | readonly string[];
  /** The plaintext, or how many bytes of it. */
  bodyBytes: number | Uint8Array;
  subject?: string;
  messageId?: string;
  /** Further header lines, each with its CRLF. */
  extraHeader?: string;
}

/** A whole message as a Delta Chat client submits it, really encrypted to a fixed test key. CRLF line ends. */
export async function encryptedMessage(options: EncryptedMessageOptions): Promise<Uint8Array> {
  const { bodyBytes } = options;
  const body = typeof bodyBytes === "number" ? pseudoRandom(bodyBytes, bodyBytes) : bodyBytes;
  return fromLatin1(pgpMime({ ...options, armored: await encryptArmored(body) }));
}

let testKey: Promise<openpgp.PublicKey> | undefined;

async function newTestKey(): Promise<openpgp.PublicKey> {
  const { publicKey } = await openpgp.generateKey({
    type: "curve25519",
    userIDs: [{ email: "fixture@test.invalid" }],
    format: "object",
  });
  return publicKey;
}

/** Encrypts to a test key (PKESK and SEIPD) and armors, with CRLF line ends. */
export async function encryptArmored(body: Uint8Array): Promise<string> {
  testKey ??= newTestKey();
  return toCrlf(
    await openpgp.encrypt({
      message: await openpgp.createMessage({ binary: body }),
      encryptionKeys: await testKey,
      config: { preferredCompressionAlgorithm: openpgp.enums.compression.uncompressed },
    }),
  );
}

/** Encrypts with a passphrase (SKESK and SEIPD), as in channels and Secure-Join v3. */
export async function encryptArmoredWithPassphrase(body: Uint8Array): Promise<string> {
  const message = await openpgp.createMessage({ binary: body });
  return toCrlf(await openpgp.encrypt({ message, passwords: ["secret"] }));
}

export interface PgpMimeOptions {
  armored: string;
  from?: string;
  subject?: string;
  messageId?: string;
  extraHeader?: string;
  /** The Content-Type line(s) of the message, without the last CRLF. */
  contentType?: string;
  preamble?: string;
  /** Header block and body of the version part. */
  versionPart?: string;
  /** Header lines of the data part, each with its CRLF. */
  dataHeader?: string;
  /** What stands after the data part: by default the close delimiter. */
  ending?: string;
  boundary?: string;
}

export const VERSION_PART =
  'Content-Type: application/pgp-encrypted; charset="utf-8"\r\n' +
  "Content-Description: PGP/MIME version identification\r\n\r\nVersion: 1\r\n\r\n";
export const DATA_HEADER =
  'Content-Type: application/octet-stream; name="encrypted.asc"; charset="utf-8"\r\n' +
  "Content-Description: OpenPGP encrypted message\r\n" +
  'Content-Disposition: inline; filename="encrypted.asc";\r\n';

/** A PGP/MIME message (RFC 3156 §4) as text, one unit per byte; any piece can be replaced. */
export function pgpMime(options: PgpMimeOptions): string {
  const boundary = options.boundary ?? "1893b0e7de59bb00";
  const contentType =
    options.contentType ??
    `Content-Type: multipart/encrypted; protocol="application/pgp-encrypted";\r\n\tboundary="${boundary}"`;
  return (
    `${outerHeader(options)}${options.extraHeader ?? ""}${contentType}\r\n\r\n${options.preamble ?? ""}` +
    `\r\n--${boundary}\r\n${options.versionPart ?? VERSION_PART}` +
    `\r\n--${boundary}\r\n${options.dataHeader ?? DATA_HEADER}\r\n${options.armored}` +
    (options.ending ?? `\r\n--${boundary}--\r\n`)
  );
}

/** The fields that stand on top of every message of Delta Chat. */
export function outerHeader(options: { from?: string; subject?: string; messageId?: string }): string {
  return (
    `From: <${options.from ?? "alice@relay.test"}>\r\nDate: Fri, 21 Aug 2026 10:00:00 +0000\r\n` +
    `Message-ID: <${options.messageId ?? "0b2f7d0e-6d35-4b0c-9ac5-6c0b5f4d9a11@localhost"}>\r\nMIME-Version: 1.0\r\n` +
    `Subject: ${options.subject ?? "[...]"}\r\nTo: "hidden-recipients": ;\r\nChat-Version: 1.0\r\n`
  );
}

/** The legacy first step of Secure-Join, in clear. */
export function secureJoinRequest(
  step = "vc-request",
  options: { header?: string; partHeader?: string; body?: string; type?: string; ending?: string } = {},
): string {
  return (
    `${outerHeader({})}${options.header ?? `Secure-Join: ${step}\r\nSecure-Join-Invitenumber: abcdef\r\n`}` +
    `Content-Type: ${options.type ?? "multipart/mixed"}; boundary="sj"\r\n\r\n\r\n--sj\r\n` +
    `${options.partHeader ?? 'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: 7bit\r\n'}\r\n` +
    `${options.body ?? `secure-join: ${step}\r\n`}\r\n${options.ending ?? "--sj--\r\n"}`
  );
}

/** A packet with a new-format header (RFC 9580 §4.2.1). `form` picks the length octets. */
export function packet(
  tag: number,
  body: Uint8Array,
  form: "short" | "five" | "partial" = "short",
): Uint8Array {
  if (form === "partial") return partialPacket(tag, body);
  const first = Uint8Array.of(0xc0 | tag);
  return concat([first, form === "five" ? fiveOctets(body.length) : newLength(body.length), body]);
}

/** A packet with an old-format header (RFC 9580 §4.2.2), two-octet length. */
export function oldPacket(tag: number, body: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(0x80 | (tag << 2) | 1, body.length >> 8, body.length & 255), body]);
}

function partialPacket(tag: number, body: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [Uint8Array.of(0xc0 | tag)];
  let at = 0;
  for (let power = 9; body.length - at > 512; power = 9) {
    while (2 ** (power + 1) < body.length - at && power < 16) power++;
    pieces.push(Uint8Array.of(224 + power), body.subarray(at, at + 2 ** power));
    at += 2 ** power;
  }
  pieces.push(newLength(body.length - at), body.subarray(at));
  return concat(pieces);
}

function newLength(length: number): Uint8Array {
  if (length < 192) return Uint8Array.of(length);
  if (length < 8384) return Uint8Array.of(((length - 192) >> 8) + 192, (length - 192) & 255);
  return fiveOctets(length);
}

function fiveOctets(length: number): Uint8Array {
  return Uint8Array.of(255, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255);
}

export interface ArmorOptions {
  /** Armor header lines, each with its CRLF. */
  headers?: string;
  /** The checksum line with its CRLF; by default the right one. */
  checksum?: string;
  lineChars?: number;
}

/** Armors packets by hand (RFC 9580 §6.2). */
export function armor(packets: Uint8Array, options: ArmorOptions = {}): string {
  const perLine = options.lineChars ?? 64;
  const text = packets.toBase64();
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += perLine) lines.push(`${text.slice(at, at + perLine)}\r\n`);
  const checksum = options.checksum ?? `=${checksumOf(packets)}\r\n`;
  return `-----BEGIN PGP MESSAGE-----\r\n${options.headers ?? ""}\r\n${lines.join("")}${checksum}-----END PGP MESSAGE-----\r\n`;
}

/** CRC-24, bit by bit as RFC 9580 §6.1.1 writes it. */
export function checksumOf(bytes: Uint8Array): string {
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1;
      if (crc & 0x1000000) crc ^= 0x1864cfb;
    }
  }
  return Uint8Array.of((crc >> 16) & 255, (crc >> 8) & 255, crc & 255).toBase64();
}

/** Session key and data packets with made-up content: the shape of an encrypted message of any size, at once. */
export function fakePackets(dataBytes = 100): Uint8Array {
  return concat([
    packet(1, pseudoRandom(94, 1)),
    packet(1, pseudoRandom(94, 2)),
    packet(18, concat([Uint8Array.of(1), pseudoRandom(Math.max(0, dataBytes - 1), 3)])),
  ]);
}

/** A message of about `messageBytes` with made-up content, for benches and bounds. */
export function fakeEncryptedMessage(messageBytes: number, from = "alice@relay.test"): Uint8Array {
  const dataBytes = Math.max(16, Math.floor(((messageBytes - 1300) * 48) / 66));
  return fromLatin1(pgpMime({ armored: armor(fakePackets(dataBytes)), from }));
}

/** Bytes that look random and are the same for a seed. */
export function pseudoRandom(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state >>> 8;
  }
  return bytes;
}

function toCrlf(text: string): string {
  return text.replace(/\r?\n/g, "\r\n");
}

/** The text of message bytes, one unit per byte. */
export const textOf = toLatin1;
