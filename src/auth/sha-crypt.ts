/**
 * SHA-crypt, the `$5$` and `$6$` hashes of Unix and Dovecot. Verification only: new hashes are argon2id.
 * Specification: Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512", version 0.4, steps 1 to 22.
 *
 * Rounds run on the main thread, a few at a time: other work gets its turn after every slice.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { PASSWORD_MAX_BYTES } from "./names.ts";

const ROUNDS_DEFAULT = 5000;
const ROUNDS_MIN = 1000;
/** The specification allows 999,999,999. This is a second or two of work: nobody stores more, and more would be an attack. */
const ROUNDS_MAX = 1_000_000;
/** About a millisecond. */
const ROUNDS_PER_SLICE = 400;
const SALT_MAX_BYTES = 16;

const FORMAT = /^\$([56])\$(?:rounds=([0-9]{1,9})\$)?([^$:\n]{0,64})\$([./0-9A-Za-z]{43}|[./0-9A-Za-z]{86})$/;
const ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

interface Variant {
  algorithm: "sha256" | "sha512";
  bytes: number;
  /** Order in which step 22 takes the digest's bytes, three to a group, most significant first; -1 is a zero byte. */
  order: readonly number[];
}

const sha256: Variant = {
  algorithm: "sha256",
  bytes: 32,
  order: [...groups(10, [0, 10, 20], 21), -1, 31, 30],
};
const sha512: Variant = {
  algorithm: "sha512",
  bytes: 64,
  order: [...groups(21, [0, 21, 42], 22), -1, -1, 63],
};

/** Whether it has the form of such a hash. */
export function isShaCrypt(stored: string): boolean {
  return FORMAT.test(stored);
}

/** @returns false on a malformed hash, too */
export async function verifyShaCrypt(stored: string, password: string): Promise<boolean> {
  const [, id, rounds, salt, digest] = FORMAT.exec(stored) ?? [];
  if (id === undefined || salt === undefined || digest === undefined) return false;
  const variant = id === "5" ? sha256 : sha512;
  const count = clampRounds(rounds);
  const key = Buffer.from(password, "utf8");
  if (count > ROUNDS_MAX || key.length > PASSWORD_MAX_BYTES) return false;
  const wanted = Buffer.from(digest, "latin1");
  const found = Buffer.from(
    encode(
      await shaCrypt(variant, key, Buffer.from(salt, "utf8").subarray(0, SALT_MAX_BYTES), count),
      variant,
    ),
    "latin1",
  );
  return wanted.length === found.length && timingSafeEqual(wanted, found);
}

function clampRounds(text: string | undefined): number {
  return text === undefined ? ROUNDS_DEFAULT : Math.max(Number(text), ROUNDS_MIN);
}

async function shaCrypt(variant: Variant, key: Buffer, salt: Buffer, rounds: number): Promise<Buffer> {
  let digest = firstDigest(variant, key, salt);
  const p = repeated(digestOf(variant, Array<Buffer>(key.length).fill(key)), key.length);
  const saltTimes = 16 + (digest[0] ?? 0);
  const s = repeated(digestOf(variant, Array<Buffer>(saltTimes).fill(salt)), salt.length);
  for (let done = 0; done < rounds; ) {
    const end = Math.min(done + ROUNDS_PER_SLICE, rounds);
    for (; done < end; done++) digest = nextDigest(variant, done, digest, p, s);
    if (done < rounds) await new Promise<void>((resume) => setImmediate(resume));
  }
  return digest;
}

/** Steps 1 to 12. */
function firstDigest(variant: Variant, key: Buffer, salt: Buffer): Buffer {
  const b = digestOf(variant, [key, salt, key]);
  const parts = [key, salt, repeated(b, key.length)];
  for (let bits = key.length; bits > 0; bits >>= 1) parts.push((bits & 1) === 1 ? b : key);
  return digestOf(variant, parts);
}

/** Step 21. */
function nextDigest(variant: Variant, round: number, digest: Buffer, p: Buffer, s: Buffer): Buffer {
  const odd = (round & 1) === 1;
  const hash = createHash(variant.algorithm).update(odd ? p : digest);
  if (round % 3 !== 0) hash.update(s);
  if (round % 7 !== 0) hash.update(p);
  return hash.update(odd ? digest : p).digest();
}

function digestOf(variant: Variant, parts: readonly Buffer[]): Buffer {
  const hash = createHash(variant.algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** As many bytes as asked, from the digest over and over. */
function repeated(digest: Buffer, bytes: number): Buffer {
  return Buffer.alloc(bytes, digest);
}

/** Step 22: groups of 24 bits, least significant six first. */
function encode(digest: Buffer, { order, bytes }: Variant): string {
  let text = "";
  for (let i = 0; i < order.length; i += 3) {
    const at = (n: number) => digest[order[i + n] ?? -1] ?? 0;
    let word = (at(0) << 16) | (at(1) << 8) | at(2);
    for (let n = 0; n < 4; n++, word >>= 6) text += ALPHABET[word & 63];
  }
  return text.slice(0, Math.ceil((bytes * 8) / 6));
}

/** `count` triples: the first is `start`, each next adds `step` to every place, modulo the places in use. */
function groups(count: number, start: readonly [number, number, number], step: number): number[] {
  const bytes = count * 3;
  return Array.from({ length: count }, (_, i) => start.map((place) => (place + i * step) % bytes)).flat();
}
