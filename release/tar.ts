/** Writes tar archives (POSIX ustar) whose bytes depend on nothing but names, contents and the one time given. */

const BLOCK_BYTES = 512;
const NAME_MAX_BYTES = 100;

export interface TarEntry {
  name: string;
  mode: number;
  bytes: Uint8Array;
}

/** @param timeSeconds of every entry, Unix time @throws {Error} for a name that is too long */
export function tar(entries: readonly TarEntry[], timeSeconds: number): Uint8Array {
  const parts = entries.flatMap((entry) => [header(entry, timeSeconds), padded(entry.bytes)].flat());
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK_BYTES)]);
}

function padded(bytes: Uint8Array): Uint8Array[] {
  const rest = bytes.length % BLOCK_BYTES;
  return rest === 0 ? [bytes] : [bytes, Buffer.alloc(BLOCK_BYTES - rest)];
}

function header({ name, mode, bytes }: TarEntry, timeSeconds: number): Uint8Array {
  if (Buffer.byteLength(name) > NAME_MAX_BYTES) throw new Error(`${name}: too long for a tar header`);
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  block.write(name, 0, "utf8");
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(bytes.length, 124, 12);
  octal(timeSeconds, 136, 12);
  block.write("        ", 148, "latin1");
  block.write("0", 156, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  block.write("root", 265, "latin1");
  block.write("root", 297, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
