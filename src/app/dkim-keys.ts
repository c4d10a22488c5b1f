/**
 * The relay's DKIM keys: `<state_dir>/dkim/<selector>.private` (PEM, owner only) and `keys.json` beside them.
 *
 * Invariants
 * - A relay always has an RSA key that signs. Any other key signs for a domain once that domain's DNS has shown it.
 * - A key that signed stays published until the next rotation: mail on its way still needs it.
 * - Files are replaced whole; a crash leaves the old or the new one.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Domain } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { KeyKind, PrivateKey } from "../dkim/crypto.ts";
import type { SigningKey } from "../dkim/signer.ts";
import { sha256 } from "../policy/origin-crypto.ts";

/** RFC 8301 §3.2; longer ones don't fit into one DNS packet with everything else. */
const RSA_BITS = 2048;
/** The first keys of a relay. `default` is what madmail always had: keys of an older version are kept in use. */
const FIRST_SELECTORS: Record<KeyKind, string> = { rsa: "default", ed25519: "ed25519" };
const SELECTOR = /^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/;
const SPKI_PREFIX_BYTES = 12;
const RSA_SHA256 = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };

const keyEntry = z.object({
  selector: z.string().regex(SELECTOR),
  algorithm: z.enum(["rsa", "ed25519"]),
  createdAtMs: z.number(),
  /** Domains whose DNS has shown this key. */
  confirmed: z.array(z.string()),
});
const keyIndex = z.object({ keys: z.array(keyEntry).min(1) });
type KeyEntry = z.output<typeof keyEntry>;

/** Keys that can't be read or written; the message is for the operator. */
export class DkimKeyError extends Error {}

/** One key, as the operator sees it. */
export interface KeyFacts extends Readonly<KeyEntry> {
  /** What `p=` holds: SubjectPublicKeyInfo of RSA, the bare key of Ed25519 (RFC 6376 §3.6.1, RFC 8463 §4). */
  readonly publicBytes: Uint8Array;
  /** The TXT record. */
  readonly record: string;
}

interface LoadedKey extends KeyFacts {
  key: PrivateKey;
}

export class DkimKeys {
  readonly #dir: string;
  #keys: readonly LoadedKey[] = [];

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /**
   * Reads the keys below `stateDir`; makes them when there are none.
   * @throws {DkimKeyError}
   */
  static open(stateDir: string, clock: Clock): DkimKeys {
    const keys = new DkimKeys(join(stateDir, "dkim"));
    try {
      // `madmail dkim show` may come before the first start.
      fs.mkdirSync(keys.#dir, { recursive: true, mode: 0o700 });
      if (!fs.existsSync(keys.#indexFile)) keys.#begin(clock.nowMs());
      keys.reload();
    } catch (error) {
      throw asKeyError(keys.#dir, error);
    }
    return keys;
  }

  /** All keys, oldest first. */
  all(): readonly KeyFacts[] {
    return this.#keys;
  }

  /** Reads the files again. @throws {DkimKeyError} and keeps what it had */
  reload(): void {
    try {
      this.#keys = this.#readIndex().map((entry) => this.#load(entry));
    } catch (error) {
      throw asKeyError(this.#dir, error);
    }
  }

  /** The keys that sign for a domain: of each kind the newest that its DNS has shown, and of RSA one in any case. */
  signing(domain: Domain): readonly (KeyFacts & SigningKey)[] {
    return (["rsa", "ed25519"] as const).flatMap((algorithm) => {
      const keys = this.#keys.filter((key) => key.algorithm === algorithm);
      const shown = keys.findLast((key) => key.confirmed.includes(domain));
      return shown ?? (algorithm === "rsa" ? (keys[0] ?? []) : []);
    });
  }

  /** Notes that the DNS of a domain shows a key: from now on it may sign. @throws {DkimKeyError} */
  confirm(selector: string, domain: Domain): void {
    this.#change((entries) =>
      entries.map((entry) =>
        entry.selector !== selector || entry.confirmed.includes(domain)
          ? entry
          : { ...entry, confirmed: [...entry.confirmed, domain] },
      ),
    );
  }

  /**
   * Makes new keys beside the ones that sign now; older ones, which signed before those, are removed.
   * @returns the new selectors
   * @throws {DkimKeyError} when a rotation is under way for one of `domains`: its new key was not seen in the DNS yet
   */
  rotate(domains: readonly Domain[], nowMs: number): string[] {
    const current = new Set(
      domains.flatMap((domain) => this.signing(domain).map(({ selector }) => selector)),
    );
    const [, ...newer] = this.#keys.filter(({ algorithm }) => algorithm === "rsa");
    const waiting = newer.filter((key) => !domains.every((domain) => key.confirmed.includes(domain)));
    if (waiting.length > 0) {
      const names = waiting.map(({ selector }) => selector).join(", ");
      throw new DkimKeyError(
        `the last rotation is not finished: publish ${names}, then \`madmail dkim check\``,
      );
    }
    const made: KeyEntry[] = [];
    for (const algorithm of ["rsa", "ed25519"] as const) {
      const selector = this.#freeSelector(algorithm, nowMs);
      this.#make(selector, algorithm);
      made.push({ selector, algorithm, createdAtMs: nowMs, confirmed: [] });
    }
    const gone: string[] = [];
    this.#change((entries) => {
      gone.push(...entries.map(({ selector }) => selector).filter((selector) => !current.has(selector)));
      return [...entries.filter(({ selector }) => current.has(selector)), ...made];
    });
    for (const selector of gone) fs.rmSync(this.#keyFile(selector), { force: true });
    return made.map(({ selector }) => selector);
  }

  get #indexFile(): string {
    return join(this.#dir, "keys.json");
  }

  #keyFile(selector: string): string {
    return join(this.#dir, `${selector}.private`);
  }

  /** The first keys. An RSA key that lies there, of an older version or an import, is taken over under its name. */
  #begin(nowMs: number): void {
    const keys: KeyEntry[] = [];
    for (const algorithm of ["rsa", "ed25519"] as const) {
      const selector = (algorithm === "rsa" ? this.#foundRsa() : undefined) ?? FIRST_SELECTORS[algorithm];
      if (!fs.existsSync(this.#keyFile(selector))) this.#make(selector, algorithm);
      keys.push({ selector, algorithm, createdAtMs: nowMs, confirmed: [] });
    }
    this.#writeIndex(keys);
  }

  #foundRsa(): string | undefined {
    const selectors = fs
      .readdirSync(this.#dir)
      .filter((name) => name.endsWith(".private"))
      .map((name) => name.slice(0, -".private".length))
      .filter((selector) => SELECTOR.test(selector))
      .sort();
    return selectors.find((selector) => {
      const key = createPrivateKey(fs.readFileSync(this.#keyFile(selector)));
      return key.asymmetricKeyType === "rsa";
    });
  }

  #make(selector: string, algorithm: KeyKind): void {
    const key = newKey(algorithm);
    this.#write(this.#keyFile(selector), key.export({ format: "pem", type: "pkcs8" }));
  }

  #freeSelector(algorithm: KeyKind, nowMs: number): string {
    const day = new Date(nowMs).toISOString().slice(0, 10).replaceAll("-", "");
    for (let count = 1; ; count++) {
      const selector = `${algorithm}-${day}${count === 1 ? "" : `-${count}`}`;
      if (!fs.existsSync(this.#keyFile(selector))) return selector;
    }
  }

  /** Reads what another process may have written, changes it, writes it, and takes it into use. */
  #change(edit: (entries: KeyEntry[]) => KeyEntry[]): void {
    try {
      this.#writeIndex(edit(this.#readIndex()));
    } catch (error) {
      throw asKeyError(this.#dir, error);
    }
    this.reload();
  }

  #readIndex(): KeyEntry[] {
    return keyIndex.parse(JSON.parse(fs.readFileSync(this.#indexFile, "utf8"))).keys;
  }

  #writeIndex(keys: readonly KeyEntry[]): void {
    this.#write(this.#indexFile, `${JSON.stringify({ keys }, null, 2)}\n`);
  }

  #load(entry: KeyEntry): LoadedKey {
    const key = createPrivateKey(fs.readFileSync(this.#keyFile(entry.selector)));
    if (key.asymmetricKeyType !== entry.algorithm) {
      throw new DkimKeyError(`${entry.selector}.private: expected a key for ${entry.algorithm}`);
    }
    const publicBytes = publicBytesOf(key, entry.algorithm);
    return {
      ...entry,
      publicBytes,
      record: recordOf(entry.algorithm, publicBytes),
      key: privateKey(entry.algorithm, key),
    };
  }

  /** Whole or not at all. A command run by root leaves the files to the owner of the directory. */
  #write(path: string, text: string | Uint8Array): void {
    const next = `${path}.new`;
    fs.rmSync(next, { force: true });
    const fd = fs.openSync(next, "wx", 0o600);
    try {
      fs.writeFileSync(fd, text);
      fs.fsyncSync(fd);
      if (process.getuid?.() === 0) {
        const owner = fs.statSync(join(this.#dir, ".."));
        fs.fchownSync(fd, owner.uid, owner.gid);
        fs.chownSync(this.#dir, owner.uid, owner.gid);
      }
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(next, path);
  }
}

/** The record as chatmail relays publish it; `t=s` and `s=email` narrow what the key is good for. */
function recordOf(algorithm: KeyKind, publicBytes: Uint8Array): string {
  return `v=DKIM1; k=${algorithm}; s=email; t=s; p=${Buffer.from(publicBytes).toString("base64")}`;
}

function publicBytesOf(key: KeyObject, algorithm: KeyKind): Uint8Array {
  const der = createPublicKey(key).export({ format: "der", type: "spki" });
  return algorithm === "rsa" ? der : der.subarray(SPKI_PREFIX_BYTES);
}

/** Once in a relay's life, so it may block: RSA takes a tenth of a second. */
function newKey(algorithm: KeyKind): KeyObject {
  return algorithm === "rsa"
    ? generateKeyPairSync("rsa", { modulusLength: RSA_BITS }).privateKey
    : generateKeyPairSync("ed25519").privateKey;
}

/**
 * RSA takes half a millisecond, so it runs in the pool: by WebCrypto, whose way there is shorter than that of
 * node:crypto (0.03 against 0.1 ms of the main thread). Ed25519 is cheaper than either.
 */
function privateKey(kind: KeyKind, key: KeyObject): PrivateKey {
  if (kind === "ed25519") return { kind, sign: (data) => Promise.resolve(sign(null, sha256(data), key)) };
  let imported: Promise<CryptoKey> | undefined;
  return {
    kind,
    sign: async (data) => {
      imported ??= crypto.subtle.importKey("pkcs8", derOf(key), RSA_SHA256, false, ["sign"]);
      return new Uint8Array(await crypto.subtle.sign(RSA_SHA256, await imported, Uint8Array.from(data)));
    },
  };
}

function derOf(key: KeyObject): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(key.export({ format: "der", type: "pkcs8" }));
}

function asKeyError(dir: string, error: unknown): DkimKeyError {
  if (error instanceof DkimKeyError) return error;
  const why = error instanceof Error ? error.message : "unknown error";
  return new DkimKeyError(`${dir}: the DKIM keys can't be used (${why})`, { cause: error });
}
