/**
 * Messages as Delta Chat puts them on the wire: nearly empty outer header, PGP/MIME, a really encrypted body
 * (made with openpgp.js once per size and then shared).
 */
import { createMessage, encrypt, generateKey, type PublicKey } from "openpgp";

const BOUNDARY = "18a7ce41f5e7b2d4_1_9f2c";
/** Header, part heads and armor lines around the payload, about. */
const FRAME_BYTES = 1_000;
/** Armor turns 48 bytes into a line of 64 characters and CRLF. */
const ARMOR_FACTOR = 66 / 48;
const PAYLOAD_MIN_BYTES = 16;

export interface PgpMailOptions {
  from: string;
  to?: string;
  messageId: string;
  /** Wanted size of the whole message; 10 kB unless said. The result is within about one percent. */
  bytes?: number;
}

let key: Promise<PublicKey> | undefined;
const bodies = new Map<number, Promise<Buffer>>();

/** A complete message with CRLF line ends, ready for DATA. */
export async function pgpMessage({ from, to, messageId, bytes = 10_000 }: PgpMailOptions): Promise<Buffer> {
  return joinMail({ from, to, messageId }, await pgpBody(bytes));
}

/** The multipart body, made once per size: for load generators that build many messages. */
export function pgpBody(bytes: number): Promise<Buffer> {
  let body = bodies.get(bytes);
  if (body === undefined) {
    body = makeBody(bytes);
    bodies.set(bytes, body);
  }
  return body;
}

/** Puts the outer header before a body of `pgpBody`. */
export function joinMail(
  mail: { from: string; to?: string | undefined; messageId: string },
  body: Buffer,
): Buffer {
  const header =
    `From: <${mail.from}>\r\n` +
    `To: ${mail.to === undefined ? '"hidden-recipients": ;' : `<${mail.to}>`}\r\n` +
    "Subject: [...]\r\n" +
    "Date: Sat, 14 Nov 2026 10:00:00 +0000\r\n" +
    `Message-ID: <${mail.messageId}>\r\n` +
    "Chat-Version: 1.0\r\n" +
    "MIME-Version: 1.0\r\n" +
    `Content-Type: multipart/encrypted; protocol="application/pgp-encrypted";\r\n\tboundary="${BOUNDARY}"\r\n\r\n`;
  return Buffer.concat([Buffer.from(header), body]);
}

async function makeBody(bytes: number): Promise<Buffer> {
  key ??= generateKey({
    type: "curve25519",
    userIDs: [{ email: "somebody@relay.test" }],
    format: "object",
  }).then((pair) => pair.publicKey);
  const size = Math.max(PAYLOAD_MIN_BYTES, Math.round((bytes - FRAME_BYTES) / ARMOR_FACTOR));
  const noise = Buffer.alloc(size);
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(noise.subarray(at, at + 65_536));
  const armored = await encrypt({
    message: await createMessage({ binary: noise, format: "binary" }),
    encryptionKeys: await key,
    format: "armored",
  });
  const text =
    `--${BOUNDARY}\r\n` +
    'Content-Type: application/pgp-encrypted; charset="utf-8"\r\n' +
    "Content-Description: PGP/MIME version identification\r\n" +
    "Content-Transfer-Encoding: 7bit\r\n\r\nVersion: 1\r\n\r\n" +
    `--${BOUNDARY}\r\n` +
    'Content-Type: application/octet-stream; name="encrypted.asc"; charset="utf-8"\r\n' +
    "Content-Description: OpenPGP encrypted message\r\n" +
    'Content-Disposition: inline; filename="encrypted.asc"\r\n' +
    "Content-Transfer-Encoding: 7bit\r\n\r\n" +
    `${(armored as string).trim().replace(/\r?\n/g, "\r\n")}\r\n\r\n--${BOUNDARY}--\r\n`;
  return Buffer.from(text, "latin1");
}
