/**
 * `<stateDir>/certs/`: key, chain and ACME accounts on disk, so that a power cut between any two steps leaves a pair
 * that works.
 *
 * Invariants
 * - A file is there whole or not at all: written beside, synced, renamed, directory synced.
 * - A key is durable before a certificate is asked for it, and stays when the certificate is renewed.
 * - A new key becomes the key only together with its chain: both wait under `next-` names, and `recover` finishes
 *   the change or forgets it.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmod, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

const DIRECTORY_MODE = 0o700;
/** Of everything here: the chain is no secret, but nobody else needs it. */
const FILE_MODE = 0o600;

/** What the directory is changed by; tests cut the power between two of them. */
export interface FileSteps {
  /** The whole text, durable under this name; readable as `mode` says from its first byte. */
  write(file: string, text: string, mode: number): Promise<void>;
  /** Durable too. */
  rename(from: string, to: string): Promise<void>;
  remove(file: string): Promise<void>;
}

export const durableSteps: FileSteps = {
  async write(file, text, mode) {
    {
      await using handle = await open(`${file}.tmp`, "w", mode);
      await handle.chmod(mode);
      await handle.writeFile(text);
      await handle.sync();
    }
    await durableSteps.rename(`${file}.tmp`, file);
  },
  async rename(from, to) {
    await rename(from, to);
    await syncDirectory(dirname(to));
  },
  async remove(file) {
    await rm(file, { force: true });
    await syncDirectory(dirname(file));
  },
};

export class CertificateFiles {
  readonly directory: string;
  readonly keyFile: string;
  readonly chainFile: string;
  /** In use until there is a chain: made here, for the same key. */
  readonly interimFile: string;
  readonly #nextKeyFile: string;
  readonly #nextChainFile: string;
  readonly #steps: FileSteps;

  constructor(directory: string, steps = durableSteps) {
    this.directory = directory;
    this.keyFile = join(directory, "privkey.pem");
    this.chainFile = join(directory, "fullchain.pem");
    this.interimFile = join(directory, "self-signed.pem");
    this.#nextKeyFile = join(directory, "next-privkey.pem");
    this.#nextChainFile = join(directory, "next-fullchain.pem");
    this.#steps = steps;
  }

  /** Makes the directory and ends what a stop interrupted. Call it before reading the pair. */
  async recover(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: DIRECTORY_MODE });
    await chmod(this.directory, DIRECTORY_MODE);
    for (const name of await readdir(this.directory)) {
      // Half of a key is still a secret.
      if (name.endsWith(".tmp")) await this.#steps.remove(join(this.directory, name));
    }
    const nextChain = await readIfThere(this.#nextChainFile);
    const nextKey = await readIfThere(this.#nextKeyFile);
    if (nextChain !== undefined) {
      if (nextKey !== undefined && isPair(nextKey, nextChain)) return this.#finishChange();
      const key = await readIfThere(this.keyFile);
      if (key !== undefined && isPair(key, nextChain)) {
        await this.#steps.rename(this.#nextChainFile, this.chainFile);
      } else {
        await this.#steps.remove(this.#nextChainFile);
      }
    }
    if (nextKey !== undefined) await this.#steps.remove(this.#nextKeyFile);
  }

  /** The key that certificates are asked for. */
  key(): Promise<string> {
    return readFile(this.keyFile, "utf8");
  }

  /** Keeps a key that shall become the key once it has a chain. */
  stageKey(key: string): Promise<void> {
    return this.#steps.write(this.#nextKeyFile, key, FILE_MODE);
  }

  /**
   * A new chain, for the key or for the staged one.
   * @throws {Error} when it belongs to neither; then nothing changed
   */
  async install(chain: string): Promise<void> {
    if (isPair(await this.key(), chain)) return this.#steps.write(this.chainFile, chain, FILE_MODE);
    const nextKey = await readIfThere(this.#nextKeyFile);
    if (nextKey === undefined || !isPair(nextKey, chain)) {
      throw new Error("the certificate belongs to another key");
    }
    await this.#steps.write(this.#nextChainFile, chain, FILE_MODE);
    await this.#finishChange();
  }

  /** A file of ours beside the pair. @param name no path */
  async readNote(name: string): Promise<string | undefined> {
    return readIfThere(join(this.directory, name));
  }

  async writeNote(name: string, text: string): Promise<void> {
    await this.#steps.write(join(this.directory, name), text, FILE_MODE);
  }

  /** Between these two, key and chain differ: `recover` then goes on with the second. */
  async #finishChange(): Promise<void> {
    await this.#steps.rename(this.#nextKeyFile, this.keyFile);
    await this.#steps.rename(this.#nextChainFile, this.chainFile);
  }
}

/** Whether the first certificate of a chain is for this key; false for what is neither. */
export function isPair(key: string, chain: string): boolean {
  try {
    return new X509Certificate(chain).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

/** @returns undefined where there is no such file */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

async function syncDirectory(directory: string): Promise<void> {
  try {
    await using handle = await open(directory, "r");
    await handle.sync();
  } catch (error) {
    // Windows and some network file systems have no such thing; what could be done was.
    if (
      !(
        error instanceof Error &&
        "code" in error &&
        ["EISDIR", "EPERM", "EINVAL"].includes(String(error.code))
      )
    )
      throw error;
  }
}
