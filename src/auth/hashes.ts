/**
 * Password hashes. New ones are argon2id (RFC 9106) in the PHC string format; these are understood:
 *
 *   $argon2id$v=19$m=…,t=…,p=…$salt$hash   also $argon2i$ and $argon2d$
 *   argon2:time:memory:threads:salt:hash   argon2id, base64 parts (madmail)
 *   sha256:salt:hash                       base64 of SHA-256(salt, password) (madmail)
 *   $2a$ $2b$ $2y$, bcrypt:$2…             bcrypt
 *   $5$ $6$                                SHA-crypt
 *   {SCHEME}…                              Dovecot's prefix before any of the $ formats; {PLAIN} and {CLEARTEXT}
 *
 * Invariants: verification never throws on what is stored or typed, and a stored cost beyond the bounds here is refused,
 * so that no row can keep a core busy for minutes.
 */
import { argon2, createHash, timingSafeEqual } from "node:crypto";
import { isShaCrypt, verifyShaCrypt } from "./sha-crypt.ts";

/** Passwords from here on are long random ones that clients and `/new` make: no dictionary has them. */
const LONG_PASSWORD_MIN_LENGTH = 20;
const LONG_COST = { memoryCost: 8 * 1024, timeCost: 1 } as const;
const SHORT_COST = { memoryCost: 19 * 1024, timeCost: 2 } as const;

const BCRYPT_COST_MAX = 15;
/** bcrypt looks at no more; Bun would hash the rest in, which other programs do not. */
const BCRYPT_PASSWORD_BYTES = 72;
const ARGON2_MEMORY_MAX_KIB = 1024 * 1024;
const ARGON2_PASSES_MAX = 64;
const ARGON2_LANES_MAX = 16;
/** RFC 9106 §3.1; a longer tag or salt than these is no password hash. */
const ARGON2_SALT_MIN_BYTES = 8;
const ARGON2_TAG_MIN_BYTES = 4;
const ARGON2_PART_MAX_BYTES = 128;
/** Below this salt size Bun's own verification refuses a hash as weak. */
const BUN_SALT_MIN_BYTES = 16;

const OWN = /^\$argon2id\$v=19\$/;
const PHC = /^\$(argon2(?:id|i|d))\$v=19\$m=(\d{1,9}),t=(\d{1,4}),p=(\d{1,3})\$([\w+/]+)\$([\w+/]+)$/;
const MADMAIL_ARGON2 = /^argon2:(\d{1,4}):(\d{1,9}):(\d{1,3}):([\w+/]+=*):([\w+/]+=*)$/;
const MADMAIL_SHA256 = /^sha256:([\w+/]+=*):([\w+/]{43}=)$/;
const BCRYPT = /^\$2[aby]\$(\d\d)\$[./\w]{53}$/;
/** Dovecot's names for formats that begin with `$`. */
const CRYPT_SCHEME = /^(SHA256-CRYPT|SHA512-CRYPT|BLF-CRYPT|CRYPT|ARGON2I|ARGON2ID)$/i;
const PLAIN_SCHEME = /^(PLAIN|CLEARTEXT)$/i;
const SCHEME = /^\{([\w-]{1,20}?)(?:\.(?:b64|hex))?\}/;

interface Argon2Hash {
  algorithm: "argon2id" | "argon2i" | "argon2d";
  memoryKib: number;
  passes: number;
  lanes: number;
  salt: Buffer;
  tag: Buffer;
}

/** Makes the hash to store. Runs off the main thread; let HashSlots bound how many at once. */
export function hashPassword(password: string): Promise<string> {
  const cost = password.length >= LONG_PASSWORD_MIN_LENGTH ? LONG_COST : SHORT_COST;
  return Bun.password.hash(password, { algorithm: "argon2id", ...cost });
}

/** A hash that no password has, as dear to verify as a real one: unknown names must take as long as known ones. */
export function decoyHash(random: (bytes: number) => Uint8Array, cost: "long" | "short"): string {
  const { memoryCost, timeCost } = cost === "long" ? LONG_COST : SHORT_COST;
  const part = () => Buffer.from(random(32)).toString("base64").replace(/=+$/, "");
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=1$${part()}$${part()}`;
}

/** True for every format but the one that `hashPassword` makes: hash anew at the next chance. */
export function isImportedHash(stored: string): boolean {
  return !OWN.test(stored);
}

/** Whether `stored` is in a format that can be verified here; for imports. */
export function isKnownHash(stored: string): boolean {
  const [prefix = "", name = ""] = SCHEME.exec(stored) ?? [];
  const bare = stored.slice(prefix.length);
  if (prefix.includes(".")) return false;
  if (prefix !== "") return PLAIN_SCHEME.test(name) ? bare !== "" : CRYPT_SCHEME.test(name) && isCrypt(bare);
  return (
    MADMAIL_ARGON2.test(bare) || MADMAIL_SHA256.test(bare) || isCrypt(bare.replace(/^bcrypt:(?=\$2)/, ""))
  );
}

function isCrypt(text: string): boolean {
  const [, cost] = BCRYPT.exec(text) ?? [];
  return PHC.test(text) || isShaCrypt(text) || (cost !== undefined && Number(cost) <= BCRYPT_COST_MAX);
}

/** Checks a password. Never throws, false on a malformed hash or an empty password. Off the main thread where it is slow. */
export async function verifyPassword(stored: string, password: string): Promise<boolean> {
  if (password === "") return false;
  try {
    return await verifyAny(stored, password);
  } catch {
    // Only a hash that some library finds malformed comes here: it matches nothing.
    return false;
  }
}

async function verifyAny(stored: string, password: string): Promise<boolean> {
  if (stored.startsWith("{")) return verifyScheme(stored, password);
  if (stored.startsWith("$argon2")) return verifyPhc(stored, password);
  if (stored.startsWith("$2")) return verifyBcrypt(stored, password);
  if (stored.startsWith("$5$") || stored.startsWith("$6$")) return verifyShaCrypt(stored, password);
  if (stored.startsWith("bcrypt:")) return verifyBcrypt(stored.slice("bcrypt:".length), password);
  if (stored.startsWith("sha256:")) return verifySha256(stored, password);
  return stored.startsWith("argon2:") && verifyMadmailArgon2(stored, password);
}

/** Dovecot's `{SCHEME}`. An encoded form (`.b64`, `.hex`) is not taken: the formats that matter are text already. */
async function verifyScheme(stored: string, password: string): Promise<boolean> {
  const [prefix, name = ""] = SCHEME.exec(stored) ?? [];
  if (prefix === undefined || prefix.includes(".")) return false;
  const rest = stored.slice(prefix.length);
  if (PLAIN_SCHEME.test(name)) return rest !== "" && sameText(rest, password);
  return CRYPT_SCHEME.test(name) && rest.startsWith("$") && verifyAny(rest, password);
}

function verifyBcrypt(stored: string, password: string): Promise<boolean> | false {
  const [, cost] = BCRYPT.exec(stored) ?? [];
  if (cost === undefined || Number(cost) > BCRYPT_COST_MAX) return false;
  return Bun.password.verify(Buffer.from(password, "utf8").subarray(0, BCRYPT_PASSWORD_BYTES), stored);
}

function verifySha256(stored: string, password: string): boolean {
  const [, salt, digest] = MADMAIL_SHA256.exec(stored) ?? [];
  if (salt === undefined || digest === undefined) return false;
  const found = createHash("sha256").update(Buffer.from(salt, "base64")).update(password, "utf8").digest();
  return timingSafeEqual(found, Buffer.from(digest, "base64"));
}

function verifyPhc(stored: string, password: string): Promise<boolean> | false {
  const [, algorithm, memory, passes, lanes, salt = "", tag = ""] = PHC.exec(stored) ?? [];
  if (algorithm === undefined) return false;
  const hash: Argon2Hash = {
    algorithm: algorithm as Argon2Hash["algorithm"],
    memoryKib: Number(memory),
    passes: Number(passes),
    lanes: Number(lanes),
    salt: Buffer.from(salt, "base64"),
    tag: Buffer.from(tag, "base64"),
  };
  if (!isWithinBounds(hash)) return false;
  return algorithm === "argon2id" && hash.salt.length >= BUN_SALT_MIN_BYTES
    ? Bun.password.verify(password, stored)
    : verifyArgon2(hash, password);
}

function verifyMadmailArgon2(stored: string, password: string): Promise<boolean> | false {
  const [, passes, memory, lanes, salt = "", tag = ""] = MADMAIL_ARGON2.exec(stored) ?? [];
  const hash: Argon2Hash = {
    algorithm: "argon2id",
    memoryKib: Number(memory),
    passes: Number(passes),
    lanes: Number(lanes),
    salt: Buffer.from(salt, "base64"),
    tag: Buffer.from(tag, "base64"),
  };
  return isWithinBounds(hash) && verifyArgon2(hash, password);
}

/** Also false when a number is missing, as NaN is in no range. */
function isWithinBounds({ memoryKib, passes, lanes, salt, tag }: Argon2Hash): boolean {
  return (
    passes >= 1 &&
    passes <= ARGON2_PASSES_MAX &&
    lanes >= 1 &&
    lanes <= ARGON2_LANES_MAX &&
    memoryKib >= 8 * lanes &&
    memoryKib <= ARGON2_MEMORY_MAX_KIB &&
    salt.length >= ARGON2_SALT_MIN_BYTES &&
    salt.length <= ARGON2_PART_MAX_BYTES &&
    tag.length >= ARGON2_TAG_MIN_BYTES &&
    tag.length <= ARGON2_PART_MAX_BYTES
  );
}

function verifyArgon2(hash: Argon2Hash, password: string): Promise<boolean> {
  const parameters = {
    message: password,
    nonce: hash.salt,
    parallelism: hash.lanes,
    tagLength: hash.tag.length,
    memory: hash.memoryKib,
    passes: hash.passes,
  };
  return new Promise((resolve, reject) => {
    argon2(hash.algorithm, parameters, (error, tag) => {
      if (error) reject(error);
      else resolve(timingSafeEqual(tag, hash.tag));
    });
  });
}

/** Compares digests, which have one length, so that the time tells nothing about the text. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text, "utf8").digest();
  return timingSafeEqual(digest(a), digest(b));
}
