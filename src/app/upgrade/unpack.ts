/** Takes single files out of a .tar.gz, piece by piece: no archive is held in memory, and no path in it is obeyed. */
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { InstallError } from "../install/machine.ts";

const BLOCK_BYTES = 512;
const NAME_BYTES = 100;
const SIZE_AT = 124;
const SIZE_BYTES = 12;
const TYPE_AT = 156;
const REGULAR = new Set(["0", "\0"]);

/**
 * Writes the files whose last name is a key of `wanted` to the paths given there.
 * @param maxBytes of one of them
 * @throws {InstallError} when one is missing or too large, or the archive is none
 */
export async function unpack(
  archive: string,
  wanted: Readonly<Record<string, string>>,
  maxBytes: number,
): Promise<void> {
  const missing = new Set(Object.keys(wanted));
  const pieces = new Pieces(createReadStream(archive).pipe(createGunzip()));
  try {
    for (;;) {
      const header = await pieces.take(BLOCK_BYTES);
      if (header === undefined || header[0] === 0) break;
      const { name, size, isFile } = readHeader(header);
      const base = name.slice(name.lastIndexOf("/") + 1);
      const target = isFile && missing.delete(base) ? wanted[base] : undefined;
      if (target !== undefined && size > maxBytes) throw new InstallError(`${archive}: ${name} is too large`);
      await pieces.pass(size, target);
      await pieces.pass((BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES, undefined);
    }
  } catch (error) {
    if (error instanceof InstallError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new InstallError(`${archive}: can't be unpacked (${why})`, { cause: error });
  } finally {
    await pieces.close();
  }
  const [first] = missing;
  if (first !== undefined) throw new InstallError(`${archive}: there is no ${first} in it`);
}

function readHeader(block: Buffer): { name: string; size: number; isFile: boolean } {
  const text = (at: number, length: number) => {
    const end = block.indexOf(0, at);
    return block.toString("latin1", at, end === -1 ? at + length : Math.min(end, at + length));
  };
  const size = Number.parseInt(text(SIZE_AT, SIZE_BYTES).trim(), 8);
  if (!Number.isSafeInteger(size) || size < 0) throw new Error("not a tar archive");
  return { name: text(0, NAME_BYTES), size, isFile: REGULAR.has(String.fromCharCode(block[TYPE_AT] ?? 0)) };
}

/** A stream, cut as the reader wants it. */
class Pieces {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.#source = stream[Symbol.asyncIterator]();
  }

  /** @returns undefined at the end */
  async take(bytes: number): Promise<Buffer | undefined> {
    while (this.#rest.length < bytes) {
      if (!(await this.#more())) {
        if (this.#rest.length === 0) return undefined;
        throw new Error("it ends too early");
      }
    }
    const taken = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(bytes);
    return taken;
  }

  /** Skips bytes, or writes them to a new file. */
  async pass(bytes: number, target: string | undefined): Promise<void> {
    const file: FileHandle | undefined = target === undefined ? undefined : await open(target, "wx", 0o600);
    try {
      for (let left = bytes; left > 0; ) {
        if (this.#rest.length === 0 && !(await this.#more())) throw new Error("it ends too early");
        const piece = this.#rest.subarray(0, left);
        this.#rest = this.#rest.subarray(piece.length);
        left -= piece.length;
        await file?.write(piece);
      }
    } finally {
      await file?.close();
    }
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#source.next();
    if (done === true) return false;
    this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
    return true;
  }
}
