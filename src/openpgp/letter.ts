/**
 * Whole messages as Delta Chat writes and reads them: PGP/MIME (RFC 3156) with a header that says nothing outside, and
 * everything inside, encrypted and signed (RFC 9788).
 */
import type { PrivateKey, PublicKey } from "openpgp";
import type { Address } from "../core/address.ts";
import { fromLatin1, fromUtf8, toLatin1 } from "../core/bytes.ts";
import { autocryptField, gossipField, type Identity, loadOpenpgp } from "./identity.ts";

/** What a compressed message may grow to: a bomb is no letter. */
const DECOMPRESSED_MAX_BYTES = 4 * 1024 * 1024;
const LINE_CHARS = 76;
const BEGIN = "-----BEGIN PGP MESSAGE-----";
const END = "-----END PGP MESSAGE-----";

export interface LetterDraft {
  from: Identity;
  displayName?: string;
  to: { address: Address; key: PublicKey };
  /** Unique, letters, digits and hyphens; the Message-ID without its host. */
  id: string;
  nowMs: number;
  /** Message-ID of what this answers, with its brackets. */
  inReplyTo?: string;
  /** Further protected fields, one line each. */
  fields?: readonly (readonly [name: string, value: string])[];
  text: string;
}

/** @returns the complete message, CRLF line ends, ready for the door */
export async function sealLetter(draft: LetterDraft): Promise<Uint8Array> {
  const { createMessage, encrypt } = await loadOpenpgp();
  const outer = outerFields(draft);
  const armored = await encrypt({
    message: await createMessage({ binary: fromUtf8(payload(draft, outer)) }),
    encryptionKeys: draft.to.key,
    signingKeys: draft.from.key,
    format: "armored",
    config: { showVersion: false, showComment: false },
  });
  const boundary = `b-${draft.id}`;
  const type = 'multipart/encrypted; protocol="application/pgp-encrypted"';
  return fromLatin1(
    [
      ...outer.map(([name, value]) => `${name}: ${value}`),
      "MIME-Version: 1.0",
      `Content-Type: ${type};\r\n boundary="${boundary}"`,
      "",
      `--${boundary}`,
      'Content-Type: application/pgp-encrypted; charset="utf-8"',
      "Content-Transfer-Encoding: 7bit",
      "",
      "Version: 1",
      "",
      `--${boundary}`,
      'Content-Type: application/octet-stream; charset="utf-8"',
      "Content-Transfer-Encoding: 7bit",
      "",
      armored.trim().replace(/\r?\n/g, "\r\n"),
      "",
      `--${boundary}--`,
      "",
    ].join("\r\n"),
  );
}

function outerFields({ from, id, nowMs }: LetterDraft): [string, string][] {
  return [
    ["From", `<${from.address}>`],
    ["To", '"hidden-recipients": ;'],
    ["Subject", "[...]"],
    ["Date", new Date(nowMs).toUTCString().replace("GMT", "+0000")],
    ["Message-ID", `<${id}@localhost>`],
    ["Chat-Version", "1.0"],
  ];
}

function payload(draft: LetterDraft, outer: readonly (readonly [string, string])[]): string {
  const { from, displayName, to, inReplyTo, fields = [], text } = draft;
  const name = displayName === undefined ? "" : `"${displayName.replace(/["\\\r\n]/g, "")}" `;
  const encoded = Buffer.from(text.toWellFormed(), "utf8").toString("base64");
  return [
    'Content-Type: text/plain; charset="utf-8"; protected-headers="v1"; hp="cipher"',
    `From: ${name}<${from.address}>`,
    `To: <${to.address}>`,
    ...(displayName === undefined ? [] : [`Subject: Message from ${displayName.replace(/[\r\n]/g, "")}`]),
    ...outer
      .filter(([field]) => !["From", "To", "Subject"].includes(field))
      .map(([field, value]) => `${field}: ${value}`),
    ...(inReplyTo === undefined ? [] : [`In-Reply-To: ${inReplyTo}`, `References: ${inReplyTo}`]),
    `Autocrypt: ${autocryptField(from)}`,
    ...fields.map(([field, value]) => `${field}: ${value}`),
    ...outer.map(([field, value]) => `HP-Outer: ${field}: ${value}`),
    `Autocrypt-Gossip: ${gossipField(to.address, to.key)}`,
    "Content-Transfer-Encoding: base64",
    "",
    ...(encoded.match(new RegExp(`.{1,${LINE_CHARS}}`, "g")) ?? []),
    "",
  ].join("\r\n");
}

/** What was inside a message, and a way to ask who signed it. */
export interface OpenedLetter {
  readonly payload: Uint8Array;
  /** Whether a signature by this key is good. */
  isSignedBy(key: PublicKey): Promise<boolean>;
}

/** @returns undefined for what is not encrypted to this key */
export async function openLetter(raw: Uint8Array, key: PrivateKey): Promise<OpenedLetter | undefined> {
  const armored = armorOf(raw);
  if (armored === undefined) return undefined;
  const { config: defaults, readMessage } = await loadOpenpgp();
  // The method below takes a whole configuration only.
  const config = { ...defaults, maxDecompressedMessageSize: DECOMPRESSED_MAX_BYTES };
  try {
    const message = await readMessage({ armoredMessage: armored, config });
    const opened = await message.decrypt([key], undefined, undefined, undefined, config);
    const literal = opened.getLiteralData();
    if (!(literal instanceof Uint8Array)) return undefined;
    return {
      payload: literal,
      async isSignedBy(signer) {
        try {
          const [first] = await opened.verify([signer]);
          return first !== undefined && (await first.verified);
        } catch {
          return false;
        }
      },
    };
  } catch {
    // Whatever a stranger wrote, it is only unreadable.
    return undefined;
  }
}

/** The gate has seen to the form: an armored message is the second part. */
function armorOf(raw: Uint8Array): string | undefined {
  const text = toLatin1(raw);
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END, from);
  return from < 0 || to < 0 ? undefined : `${text.slice(from, to)}${END}\n`;
}
