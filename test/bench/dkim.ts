/**
 * Speed of DKIM: verifying and signing messages in Delta Chat's shape, as the relay does it (keys remembered).
 * `bun test/bench/dkim.ts` prints the table. Figures are processor time of the whole process, pool threads included.
 */
import { BodyHasher, signatureFields, type SigningKey } from "../../src/dkim/signer.ts";
import { SignatureVerifier } from "../../src/dkim/verifier.ts";
import { type KeyRecord, parseKeyRecord } from "../../src/dkim/key-record.ts";
import { fakeEncryptedMessage } from "../../src/pgp/fixtures.test-help.ts";
import { dkimCrypto } from "../../src/policy/origin-crypto.ts";
import { NOW_S, split, testKey } from "../support/dkim.ts";
import { concat, fromLatin1 } from "../../src/core/bytes.ts";
import { parseFields } from "../../src/mime/header.ts";

const CHUNK_BYTES = 64 * 1024;
const ROUNDS = 7;
const ROUND_MS = 60;
const SIZES = { "10 kB": 10_000, "1 MB": 1_000_000, "30 MB": 30_000_000 } as const;
const DOMAIN = "relay.example";

const keys = [testKey("rsa", "default"), testKey("ed25519", "ed25519")];

async function sign(message: Uint8Array, signers: readonly SigningKey[]): Promise<Uint8Array> {
  const { header, body } = split(message);
  const hasher = new BodyHasher(dkimCrypto);
  for (let at = 0; at < body.length; at += CHUNK_BYTES) hasher.write(body.subarray(at, at + CHUNK_BYTES));
  const order = { header, bodyHash: hasher.digest(), domain: DOMAIN, nowS: NOW_S, keys: signers };
  return fromLatin1(await signatureFields(order));
}

function verify(message: Uint8Array, records: ReadonlyMap<string, KeyRecord>): void {
  const { header, body } = split(message);
  const fields = parseFields(header.bytes);
  const verifier = new SignatureVerifier({
    header: { bytes: header.bytes, fields },
    domain: DOMAIN,
    nowS: NOW_S,
    crypto: dkimCrypto,
  });
  for (let at = 0; at < body.length; at += CHUNK_BYTES) verifier.write(body.subarray(at, at + CHUNK_BYTES));
  verifier.end();
  const [candidate] = verifier.candidates;
  const record = candidate === undefined ? undefined : records.get(candidate.keyName);
  if (candidate === undefined || record === undefined || verifier.judge(candidate, record) !== "valid") {
    throw new Error("a bench message does not verify");
  }
}

/** Processor microseconds of one run, median of the rounds. */
async function measure(work: () => void | Promise<void>): Promise<number> {
  const figures: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const started = performance.now();
    const before = process.cpuUsage();
    let count = 0;
    do {
      await work();
      count++;
    } while (performance.now() - started < ROUND_MS);
    const { user, system } = process.cpuUsage(before);
    // The first round warms up.
    if (round > 0) figures.push((user + system) / count);
  }
  return figures.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0;
}

if (import.meta.main) {
  for (const [name, size] of Object.entries(SIZES)) {
    const message = fakeEncryptedMessage(size);
    for (const key of keys) {
      const parsed = parseKeyRecord(key.record, dkimCrypto);
      if (!parsed.ok) throw new Error("a bench key");
      const records = new Map([[`${key.selector}._domainkey.${DOMAIN}`, parsed.record]]);
      const signedMessage = concat([await sign(message, [key]), message]);
      const verifying = await measure(() => verify(signedMessage, records));
      const signing = await measure(async () => void (await sign(message, [key])));
      const speed = (micros: number) =>
        `${Math.round(micros)} µs CPU, ${Math.round(message.length / micros)} MB/s`;
      console.log(
        `${name}, ${key.key.kind}: verify ${speed(verifying)}; sign ${speed(signing)}, ${Math.round(1e6 / signing)}/s`,
      );
    }
  }
}
