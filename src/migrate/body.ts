/**
 * One message from a foreign store to its file here: uncompressed, lines ended by CRLF (Dovecot keeps bare LF and
 * adds the CR when it is asked). What needs no change is linked where that is possible, else copied. The source is never written.
 */
import * as fs from "node:fs";
import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { isLz4, lz4Pieces } from "./lz4.ts";

const CHUNK_BYTES = 256 * 1024;
/** Larger than any message that a relay takes; what claims more is damage, or a bomb. */
const MESSAGE_MAX_BYTES = 512 * 2 ** 20;
const CR = 13;
const LF = 10;

/** A message that stays behind; the text says why, without naming it. */
export class BodyError extends Error {}

export interface Owner {
  uid: number;
  gid: number;
}

export interface PlaceOptions {
  /** Who will read the mail here. */
  owner: Owner;
  /** Whether a link can reach from the source to here at all. */
  sameDevice: (stat: fs.Stats) => boolean;
  minSize?: number | undefined;
}

export interface Placed {
  size: number;
  linked: boolean;
}

type Packing = "none" | "gzip" | "zstd" | "lz4";

/**
 * Makes the message appear at `target` (which is outside of any mailbox still), synced.
 * @throws {BodyError} when this message can't be taken
 * @throws errno errors of the target
 */
export async function placeBody(from: string, target: string, options: PlaceOptions): Promise<Placed> {
  const handle = await openSource(from);
  try {
    const stat = await handle.stat();
    const head = Buffer.alloc(32);
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    const packing = packingOf(head.subarray(0, bytesRead));
    if (packing === "none" && !(await hasBareLf(handle))) {
      checkSize(stat.size, options.minSize);
      if (mayLink(stat, options)) {
        fs.linkSync(from, target);
        // It may have been written a moment ago: what our journal says must hold after a power cut.
        await handle.sync();
        return { size: stat.size, linked: true };
      }
    }
    return { size: await copy(handle, packing, target, options), linked: false };
  } finally {
    await handle.close();
  }
}

async function openSource(from: string): Promise<fs.promises.FileHandle> {
  try {
    return await fs.promises.open(from, "r");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new BodyError(
      code === "ENOENT" ? "a message file that is not there" : `a message file that can't be read (${code})`,
      { cause: error },
    );
  }
}

function packingOf(head: Uint8Array): Packing {
  const starts = (...magic: number[]) => magic.every((byte, index) => head[index] === byte);
  if (starts(0x1f, 0x8b)) return "gzip";
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) return "zstd";
  if (isLz4(head)) return "lz4";
  if (starts(0x42, 0x5a, 0x68) && head[4] === 0x31)
    throw new BodyError("compressed with bzip2, which is not read");
  if (starts(0xfd, 0x37, 0x7a, 0x58)) throw new BodyError("compressed with xz, which is not read");
  // Dovecot's mail_crypt: only its server has the keys.
  if (starts(...Buffer.from("CRYPTED\x03\x07"))) throw new BodyError("encrypted by Dovecot's mail_crypt");
  return "none";
}

/** A link shares owner and mode with the source, so both must suit this relay as they are. */
function mayLink(stat: fs.Stats, { owner, sameDevice }: PlaceOptions): boolean {
  return stat.uid === owner.uid && (stat.mode & 0o600) === 0o600 && sameDevice(stat);
}

async function hasBareLf(handle: fs.promises.FileHandle): Promise<boolean> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let last = 0;
  for (let position = 0; ; ) {
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, position);
    if (bytesRead === 0) return false;
    if (bareLfs(chunk.subarray(0, bytesRead), last).length > 0) return true;
    last = chunk[bytesRead - 1] ?? 0;
    position += bytesRead;
  }
}

async function copy(
  handle: fs.promises.FileHandle,
  packing: Packing,
  target: string,
  { owner, minSize }: PlaceOptions,
): Promise<number> {
  const out = await fs.promises.open(target, "wx", 0o600);
  try {
    let unpacked = 0;
    let size = 0;
    let last = 0;
    for await (const chunk of unpack(handle, packing)) {
      unpacked += chunk.length;
      if (unpacked > MESSAGE_MAX_BYTES) throw new BodyError("larger than any message may be");
      const text = withCrlf(chunk, last);
      await writeAll(out, text);
      size += text.length;
      last = chunk.at(-1) ?? last;
    }
    checkSize(unpacked, minSize);
    if (process.getuid?.() === 0) await out.chown(owner.uid, owner.gid);
    await out.datasync();
    return size;
  } catch (error) {
    await fs.promises.rm(target, { force: true });
    throw error;
  } finally {
    await out.close();
  }
}

function checkSize(size: number, minSize: number | undefined): void {
  if (minSize !== undefined && size < minSize) throw new BodyError("damaged: shorter than the index says");
}

async function* unpack(handle: fs.promises.FileHandle, packing: Packing): AsyncGenerator<Uint8Array> {
  try {
    if (packing === "none") yield* chunksOf(handle);
    else if (packing === "lz4") yield* lz4Pieces(await handle.readFile());
    else {
      const unpacker = packing === "gzip" ? createGunzip() : createZstdDecompress();
      yield* Readable.from(chunksOf(handle)).pipe(unpacker) as AsyncIterable<Uint8Array>;
    }
  } catch (error) {
    throw new BodyError(`damaged: can't be decompressed (${packing})`, { cause: error });
  }
}

async function* chunksOf(handle: fs.promises.FileHandle): AsyncGenerator<Uint8Array> {
  for (let position = 0; ; ) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

async function writeAll(out: fs.promises.FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await out.write(bytes, at)).bytesWritten;
}

/** Places of line feeds without a carriage return before them. @param last the byte before the chunk */
function bareLfs(chunk: Uint8Array, last: number): number[] {
  const places: number[] = [];
  for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) {
    if ((at === 0 ? last : chunk[at - 1]) !== CR) places.push(at);
  }
  return places;
}

/** The chunk with a carriage return put before each bare line feed. */
export function withCrlf(chunk: Uint8Array, last: number): Uint8Array {
  const places = bareLfs(chunk, last);
  if (places.length === 0) return chunk;
  const out = Buffer.allocUnsafe(chunk.length + places.length);
  let from = 0;
  let size = 0;
  for (const at of places) {
    out.set(chunk.subarray(from, at), size);
    size += at - from;
    out[size++] = CR;
    from = at;
  }
  out.set(chunk.subarray(from), size);
  return out;
}
