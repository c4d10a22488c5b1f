/**
 * Tar archives (POSIX ustar with pax headers for what does not fit), as streams: an archive of any size takes the
 * memory of one chunk. Regular files only; the reader refuses everything else.
 */

const BLOCK_BYTES = 512;
/** What fits into ustar's fields: 100 bytes of name, eleven octal digits of size. */
const NAME_MAX_BYTES = 100;
const SIZE_MAX = 8 ** 11 - 1;
/** A pax header is a few lines; more is an attack on memory. */
const PAX_MAX_BYTES = 64 * 1024;

/** A damaged or foreign archive; the message is for the operator. */
export class TarError extends Error {}

export interface TarEntry {
  path: string;
  size: number;
  mtimeSec: number;
}

/** The header blocks of a file; its bytes follow, then `tarPadding`. */
export function tarHeader({ path, size, mtimeSec }: TarEntry): Uint8Array {
  const needsPax = Buffer.byteLength(path) > NAME_MAX_BYTES || /[^\x20-\x7e]/.test(path) || size > SIZE_MAX;
  if (!needsPax) return header(path, size, mtimeSec, "0");
  const records = Buffer.from(paxRecord("path", path) + paxRecord("size", String(size)));
  const short = Buffer.from(path)
    .subarray(-NAME_MAX_BYTES)
    .toString("latin1")
    .replace(/[^\x20-\x7e]/g, "_");
  return Buffer.concat([
    header("pax", records.length, mtimeSec, "x"),
    records,
    tarPadding(records.length),
    header(short, Math.min(size, SIZE_MAX), mtimeSec, "0"),
  ]);
}

export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES);
}

/** The end of an archive. */
export function tarEnd(): Uint8Array {
  return new Uint8Array(2 * BLOCK_BYTES);
}

function header(name: string, size: number, mtimeSec: number, type: string): Uint8Array {
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, at: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, "0"), at, "latin1");
  block.write(name, 0, NAME_MAX_BYTES, "latin1");
  octal(0o600, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(Math.max(0, Math.floor(mtimeSec)), 136, 12);
  block.fill(0x20, 148, 156);
  block.write(type, 156, "latin1");
  block.write("ustar\u000000", 257, "latin1");
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  block[154] = 0;
  return block;
}

/** `<length> <key>=<value>\n`, the length counting itself. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/** Takes pieces of a stream by count. */
class Pieces {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next bytes, at most `max`; undefined at the end. */
  async some(max: number): Promise<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) return undefined;
      this.#rest = next.value;
    }
    const piece = this.#rest.subarray(0, max);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }

  /** Exactly `count` bytes, for small counts. @throws {TarError} at the end of the stream */
  async exactly(count: number): Promise<Buffer> {
    const out = Buffer.alloc(count);
    for (let at = 0; at < count; ) {
      const piece = await this.some(count - at);
      if (piece === undefined) throw new TarError("the archive ends early: it is cut off");
      out.set(piece, at);
      at += piece.length;
    }
    return out;
  }
}

/**
 * Reads an archive. Each body must be read to its end before the next entry is asked for.
 * @throws {TarError}
 */
export async function* tarEntries(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<TarEntry & { body: AsyncGenerator<Uint8Array> }> {
  const pieces = new Pieces(stream);
  let pax = new Map<string, string>();
  for (;;) {
    const block = await pieces.exactly(BLOCK_BYTES);
    if (block.every((byte) => byte === 0)) return;
    const { name, size, mtimeSec, type } = readHeader(block);
    if (type === "x") {
      if (size > PAX_MAX_BYTES) throw new TarError("a pax header is too long");
      pax = readPax(await pieces.exactly(size));
      await pieces.exactly(tarPadding(size).length);
      continue;
    }
    if (type !== "0" && type !== "\0")
      throw new TarError(`${name}: not a regular file: this is no backup of madmail`);
    const entry = { path: pax.get("path") ?? name, size: Number(pax.get("size") ?? size), mtimeSec };
    pax = new Map();
    if (!Number.isSafeInteger(entry.size)) throw new TarError(`${entry.path}: its size is no number`);
    yield { ...entry, body: bodyOf(pieces, entry.size) };
  }
}

async function* bodyOf(pieces: Pieces, size: number): AsyncGenerator<Uint8Array> {
  for (let left = size; left > 0; ) {
    const piece = await pieces.some(left);
    if (piece === undefined) throw new TarError("the archive ends early: it is cut off");
    left -= piece.length;
    yield piece;
  }
  await pieces.exactly(tarPadding(size).length);
}

function readHeader(block: Buffer): { name: string; size: number; mtimeSec: number; type: string } {
  const text = (at: number, length: number) =>
    block.toString("latin1", at, at + length).replace(/\0.*$/s, "");
  const octal = (at: number, length: number) => Number.parseInt(text(at, length).trim() || "0", 8);
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  if (octal(148, 8) !== sum)
    throw new TarError("a header's checksum is wrong: not a tar archive, or damaged");
  const prefix = text(345, 155);
  const name = prefix === "" ? text(0, 100) : `${prefix}/${text(0, 100)}`;
  return { name, size: octal(124, 12), mtimeSec: octal(136, 12), type: block.toString("latin1", 156, 157) };
}

function readPax(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString("latin1", at, Math.max(space, at)));
    if (space < 0 || !Number.isInteger(length) || length <= space - at || at + length > bytes.length) {
      throw new TarError("a pax header can't be read");
    }
    const record = bytes.toString("utf8", space + 1, at + length - 1);
    const equals = record.indexOf("=");
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}
