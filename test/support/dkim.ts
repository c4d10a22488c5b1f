/** Keys, a signer and a verifier for whole messages, for the tests of this room and of those that build on it. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { concat, fromLatin1, toLatin1 } from "../../src/core/bytes.ts";
import { headerEnd, parseFields } from "../../src/mime/header.ts";
import { dkimCrypto, sha256 } from "../../src/policy/origin-crypto.ts";
import type { KeyKind } from "../../src/dkim/crypto.ts";
import type { HeaderBlock } from "../../src/dkim/header-hash.ts";
import { parseKeyRecord } from "../../src/dkim/key-record.ts";
import { BodyHasher, signatureFields, type SigningKey } from "../../src/dkim/signer.ts";
import { type SignatureVerdict, SignatureVerifier } from "../../src/dkim/verifier.ts";

export const NOW_S = 1_700_000_000;

export interface TestKey extends SigningKey {
  privateKey: KeyObject;
  record: string;
}

export function testKey(kind: KeyKind, selector: string, bits = 2048): TestKey {
  const { privateKey } =
    kind === "rsa" ? generateKeyPairSync("rsa", { modulusLength: bits }) : generateKeyPairSync("ed25519");
  const der = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  const p = (kind === "rsa" ? der : der.subarray(12)).toString("base64");
  const key = createPrivateKey(privateKey.export({ format: "pem", type: "pkcs8" }));
  return {
    selector,
    privateKey,
    record: `v=DKIM1; k=${kind}; p=${p}`,
    key: {
      kind,
      sign: (data) =>
        Promise.resolve(kind === "rsa" ? sign("sha256", data, key) : sign(null, sha256(data), key)),
    },
  };
}

/** Header block and body of a message. */
export function split(message: Uint8Array): { header: HeaderBlock; body: Uint8Array } {
  const end = headerEnd(message);
  if (end < 0) throw new Error("a message without a blank line");
  const bytes = message.subarray(0, end);
  return { header: { bytes, fields: parseFields(bytes) }, body: message.subarray(end) };
}

/** The message with our signatures before it. */
export async function signed(text: string, domain: string, keys: readonly SigningKey[]): Promise<string> {
  const { header, body } = split(fromLatin1(text));
  const hasher = new BodyHasher(dkimCrypto);
  hasher.write(body);
  return (await signatureFields({ header, bodyHash: hasher.digest(), domain, nowS: NOW_S, keys })) + text;
}

export interface Verified {
  count: number;
  verdicts: (SignatureVerdict | "noKey")[];
  flaws: readonly string[];
}

/** All verdicts on a message, with keys by `selector._domainkey.domain`. Body cut at `cuts`. */
export function verify(
  message: string | Uint8Array,
  domain: string,
  records: Readonly<Record<string, string>>,
  { nowS = NOW_S, cuts = [] as readonly number[] } = {},
): Verified {
  const { header, body } = split(typeof message === "string" ? fromLatin1(message) : message);
  const verifier = new SignatureVerifier({ header, domain, nowS, crypto: dkimCrypto });
  let at = 0;
  for (const cut of [...cuts, body.length]) {
    verifier.write(body.subarray(at, cut));
    at = Math.max(at, cut);
  }
  verifier.end();
  const verdicts = verifier.candidates.map((candidate) => {
    const result = parseKeyRecord(records[candidate.keyName] ?? "", dkimCrypto);
    return result.ok ? verifier.judge(candidate, result.record) : "noKey";
  });
  return { count: verifier.signatureCount, verdicts, flaws: verifier.flaws };
}

/** What a canonical body stream lets out, as text. */
export function gathered(run: (sink: (bytes: Uint8Array) => void) => void): string {
  const chunks: Uint8Array[] = [];
  run((bytes) => chunks.push(bytes.slice()));
  return toLatin1(concat(chunks));
}
