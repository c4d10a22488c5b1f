/**
 * Writes DKIM-Signature fields (RFC 6376 §5), relaxed/relaxed, without `l=` and `x=`: at each attempt to send anew.
 * What is signed is what chatmail relays sign; names that come once more than the message has them (oversigning,
 * RFC 6376 §8.15) keep others from adding such a field on the way.
 */
import { fromLatin1 } from "../core/bytes.ts";
import { CanonicalBody, canonicalField } from "./canonical.ts";
import type { DkimCrypto, PrivateKey, Sha256 } from "./crypto.ts";
import { coveredFields, type HeaderBlock } from "./header-hash.ts";

/** Signed where the message has them. */
const SIGNED = [
  ...["sender", "message-id", "mime-version", "content-type", "content-transfer-encoding"],
  ...["content-id", "content-description"],
];
/** Signed, and their absence too. */
const OVERSIGNED = [
  ...["from", "reply-to", "subject", "date", "to", "cc", "in-reply-to", "references", "autocrypt"],
  ...["resent-date", "resent-from", "resent-sender", "resent-to", "resent-cc"],
  ...[
    "list-id",
    "list-help",
    "list-unsubscribe",
    "list-subscribe",
    "list-post",
    "list-owner",
    "list-archive",
  ],
];
/** RFC 5322 §2.1.1, with the line end. */
const LINE_MAX_CHARS = 76;

/** A key and where its public half is to be found. */
export interface SigningKey {
  readonly selector: string;
  readonly key: PrivateKey;
}

export interface SignOrder {
  header: HeaderBlock;
  /** Canonical hash of the body (`hashBody`). */
  bodyHash: Uint8Array;
  /** `d=`: the domain of From. */
  domain: string;
  /** Seconds since 1970. */
  nowS: number;
  keys: readonly SigningKey[];
}

/** The digest of a body that comes in chunks, for `SignOrder.bodyHash`. */
export class BodyHasher {
  readonly #hash: Sha256;
  readonly #body: CanonicalBody;

  constructor(crypto: DkimCrypto) {
    this.#hash = crypto.sha256();
    this.#body = new CanonicalBody("relaxed", (bytes) => this.#hash.update(bytes));
  }

  write(chunk: Uint8Array): void {
    this.#body.write(chunk);
  }

  digest(): Uint8Array {
    this.#body.end();
    return this.#hash.digest();
  }
}

/** One field for each key, each with its line end. */
export async function signatureFields(order: SignOrder): Promise<string> {
  const names = signedNames(order.header);
  const covered = coveredFields(order.header, { fields: names, headerForm: "relaxed" });
  const fields = await Promise.all(order.keys.map((key) => signatureField(order, key, names, covered)));
  return fields.join("");
}

/** @param covered what all of them sign before their own field */
async function signatureField(
  { bodyHash, domain, nowS }: SignOrder,
  { selector, key }: SigningKey,
  names: readonly string[],
  covered: string,
): Promise<string> {
  const unsigned = [
    `DKIM-Signature: v=1; a=${key.kind}-sha256; c=relaxed/relaxed; q=dns/txt;`,
    `\td=${domain}; s=${selector}; t=${Math.floor(nowS)};`,
    foldNames(names),
    `\tbh=${Buffer.from(bodyHash).toString("base64")};`,
    "\tb=",
  ].join("\r\n");
  const signature = await key.sign(fromLatin1(covered + canonicalField(unsigned, "relaxed")));
  return `${unsigned}${foldBase64(Buffer.from(signature).toString("base64"))}\r\n`;
}

/** `h=`: every instance of what is signed, and one more of what is oversigned. */
function signedNames({ fields }: HeaderBlock): string[] {
  const counts = new Map<string, number>();
  for (const { name } of fields) counts.set(name, (counts.get(name) ?? 0) + 1);
  const names: string[] = [];
  for (const name of OVERSIGNED) {
    for (let i = counts.get(name) ?? 0; i >= 0; i--) names.push(name);
  }
  for (const name of SIGNED) {
    for (let i = counts.get(name) ?? 0; i > 0; i--) names.push(name);
  }
  return names;
}

function foldNames(names: readonly string[]): string {
  let text = "";
  let line = "\th=";
  for (let i = 0; i < names.length; i++) {
    const piece = `${names[i]}${i === names.length - 1 ? ";" : ":"}`;
    if (line.length + piece.length > LINE_MAX_CHARS) {
      text += `${line}\r\n`;
      line = "\t ";
    }
    line += piece;
  }
  return text + line;
}

function foldBase64(text: string): string {
  return text.replace(/(.{72})(?=.)/g, "$1\r\n\t ");
}
