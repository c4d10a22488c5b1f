/**
 * Writes DKIM-Signature fields (RFC 6376 §5), relaxed/relaxed, without `l=` and `x=`: at each attempt to send anew.
 * What is signed is what chatmail relays sign; names that come once more than the message has them (oversigning,
 * RFC 6376 §8.15) keep others from adding such a field on the way.
 */
import { CanonicalBody } from "./canonical.ts";
import type { DkimCrypto, PrivateKey, Sha256 } from "./crypto.ts";
import { type HeaderBlock, signedHeader } from "./header-hash.ts";

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
  const fields = await Promise.all(order.keys.map((key) => signatureField(order, key)));
  return fields.join("");
}

async function signatureField(order: SignOrder, { selector, key }: SigningKey): Promise<string> {
  const { header, bodyHash, domain, nowS } = order;
  const names = signedNames(header);
  const unsigned = [
    `DKIM-Signature: v=1; a=${key.kind}-sha256; c=relaxed/relaxed; q=dns/txt;`,
    `\td=${domain}; s=${selector}; t=${Math.floor(nowS)};`,
    ...foldNames(names),
    `\tbh=${Buffer.from(bodyHash).toString("base64")};`,
    "\tb=",
  ].join("\r\n");
  const signature = await key.sign(signedHeader(header, { fields: names, headerForm: "relaxed" }, unsigned));
  return `${unsigned}${foldBase64(Buffer.from(signature).toString("base64"))}\r\n`;
}

/** `h=`: every instance of what is signed, and one more of what is oversigned. */
function signedNames(header: HeaderBlock): string[] {
  const count = (name: string) => header.fields.filter((field) => field.name === name).length;
  return [
    ...OVERSIGNED.flatMap((name) => Array<string>(count(name) + 1).fill(name)),
    ...SIGNED.flatMap((name) => Array<string>(count(name)).fill(name)),
  ];
}

function foldNames(names: readonly string[]): string[] {
  const lines: string[] = [];
  let line = "\th=";
  for (const [index, name] of names.entries()) {
    const piece = name + (index === names.length - 1 ? ";" : ":");
    if (line.length + piece.length > LINE_MAX_CHARS) {
      lines.push(line);
      line = "\t ";
    }
    line += piece;
  }
  return [...lines, line];
}

function foldBase64(text: string): string {
  return text.replace(/(.{72})(?=.)/g, "$1\r\n\t ");
}
