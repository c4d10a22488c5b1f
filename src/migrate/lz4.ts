/**
 * LZ4 as message stores use it, decompression only: the frame format (maddy) and Dovecot's own framing of blocks.
 * Checksums are passed over: who calls knows the size that must come out.
 */

/** Distance that a match can reach back. */
const WINDOW_BYTES = 65_536;
const FRAME_MAGIC = 0x184d2204;
const DOVECOT_MAGIC = "Dovecot-LZ4\x0d\x2a\x9b\xc5";
/** Blocks are 4 MiB at most in either form; a larger claim is damage. */
const BLOCK_MAX_BYTES = 4 * 2 ** 20;

export class Lz4Error extends Error {}

export function isLz4(head: Uint8Array): boolean {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  if (bytes.length >= 4 && bytes.readUInt32LE(0) === FRAME_MAGIC) return true;
  return bytes.subarray(0, DOVECOT_MAGIC.length).equals(Buffer.from(DOVECOT_MAGIC, "latin1"));
}

/** Yields the decompressed pieces. @throws {Lz4Error} on damage */
export function* lz4Pieces(packed: Uint8Array): Generator<Uint8Array> {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  if (bytes.length >= 4 && bytes.readUInt32LE(0) === FRAME_MAGIC) yield* framePieces(bytes);
  else yield* dovecotPieces(bytes);
}

function* framePieces(bytes: Buffer): Generator<Uint8Array> {
  const flags = bytes[4] ?? 0;
  if (flags >> 6 !== 1) throw new Lz4Error("LZ4: unknown version of the frame format");
  const [isIndependent, hasBlockSum, hasSize, hasDictionary] = [32, 16, 8, 1].map(
    (bit) => (flags & bit) !== 0,
  );
  if (hasDictionary) throw new Lz4Error("LZ4: compressed against a dictionary");
  let at = 6 + (hasSize ? 8 : 0) + 1;
  let history: Uint8Array = new Uint8Array(0);
  for (;;) {
    const word = uint32(bytes, at, "LE");
    at += 4;
    if (word === 0) return;
    const length = word & 0x7fff_ffff;
    const block = slice(bytes, at, length);
    at += length + (hasBlockSum ? 4 : 0);
    const piece = word >>> 31 === 1 ? block : inflateBlock(block, history);
    if (!isIndependent) history = tail(history, piece);
    yield piece;
  }
}

/** Magic, the largest block, then blocks, each behind its packed length; the file's end is the end. */
function* dovecotPieces(bytes: Buffer): Generator<Uint8Array> {
  for (let at = DOVECOT_MAGIC.length + 4; at < bytes.length; ) {
    const length = uint32(bytes, at, "BE");
    yield inflateBlock(slice(bytes, at + 4, length), new Uint8Array(0));
    at += 4 + length;
  }
}

/** One block; matches may begin in `history`, which is what came before it. */
function inflateBlock(block: Uint8Array, history: Uint8Array): Uint8Array {
  let out = Buffer.allocUnsafe(history.length + Math.max(block.length * 4, 65_536));
  out.set(history);
  let size = history.length;
  const room = (more: number) => {
    if (size + more - history.length > BLOCK_MAX_BYTES) throw new Lz4Error("LZ4: a block is too large");
    if (size + more <= out.length) return;
    const larger = Buffer.allocUnsafe(Math.max(out.length * 2, size + more));
    larger.set(out.subarray(0, size));
    out = larger;
  };
  let at = 0;
  const extended = (nibble: number): number => {
    let length = nibble;
    for (let more = nibble === 15 ? 255 : 0; more === 255; ) {
      more = block[at++] ?? fail();
      length += more;
    }
    return length;
  };
  while (at < block.length) {
    const token = block[at++] ?? fail();
    const literals = extended(token >> 4);
    if (at + literals > block.length) fail();
    room(literals);
    out.set(block.subarray(at, at + literals), size);
    size += literals;
    at += literals;
    if (at === block.length) break;
    const distance = (block[at] ?? fail()) | ((block[at + 1] ?? fail()) << 8);
    at += 2;
    const length = extended(token & 15) + 4;
    if (distance === 0 || distance > size) fail();
    room(length);
    // Source and target may overlap: that is how runs are written.
    if (distance >= length) out.copyWithin(size, size - distance, size - distance + length);
    else for (let i = 0; i < length; i++) out[size + i] = out[size + i - distance] ?? 0;
    size += length;
  }
  return out.subarray(history.length, size);
}

function tail(history: Uint8Array, piece: Uint8Array): Uint8Array {
  if (piece.length >= WINDOW_BYTES) return piece.subarray(piece.length - WINDOW_BYTES);
  return Buffer.concat([history, piece]).subarray(-WINDOW_BYTES);
}

function uint32(bytes: Buffer, at: number, order: "LE" | "BE"): number {
  if (at + 4 > bytes.length) fail();
  return order === "LE" ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
}

function slice(bytes: Uint8Array, at: number, length: number): Uint8Array {
  if (length > BLOCK_MAX_BYTES + 1024 || at + length > bytes.length) fail();
  return bytes.subarray(at, at + length);
}

function fail(): never {
  throw new Lz4Error("LZ4: the data ends or breaks off within a block");
}
