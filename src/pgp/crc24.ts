/**
 * CRC-24 of OpenPGP armor (RFC 9580 §6.1.1), sixteen bytes a step: this is the only per-byte work of the gate.
 * Four bytes come in one load, so the words must be little-endian, as on every machine Bun runs on.
 */

export const CRC24_INIT = 0xb704ce;
const POLYNOMIAL = 0x864cfb;
const LANES = 16;

/** `tables[256 * n + b]`: the CRC of byte `b` followed by `n` zero bytes. */
const tables: Int32Array = makeTables();

/** Bytes that begin at a four-byte boundary, seen in both widths. */
export interface CrcSource {
  bytes: Uint8Array;
  words: Int32Array;
}

/** Adds the first `length` bytes of `source` to a CRC. */
export function crc24(crc: number, source: CrcSource, length: number): number {
  const { bytes, words } = source;
  const t = tables;
  const whole = length - (length % LANES);
  let c = crc;
  for (let i = 0; i < whole >> 2; i += 4) {
    const w0 = words[i] as number;
    const w1 = words[i + 1] as number;
    const w2 = words[i + 2] as number;
    const w3 = words[i + 3] as number;
    c =
      (t[3840 + ((w0 ^ (c >>> 16)) & 255)] as number) ^
      (t[3584 + (((w0 >>> 8) ^ (c >>> 8)) & 255)] as number) ^
      (t[3328 + (((w0 >>> 16) ^ c) & 255)] as number) ^
      (t[3072 + (w0 >>> 24)] as number) ^
      (t[2816 + (w1 & 255)] as number) ^
      (t[2560 + ((w1 >>> 8) & 255)] as number) ^
      (t[2304 + ((w1 >>> 16) & 255)] as number) ^
      (t[2048 + (w1 >>> 24)] as number) ^
      (t[1792 + (w2 & 255)] as number) ^
      (t[1536 + ((w2 >>> 8) & 255)] as number) ^
      (t[1280 + ((w2 >>> 16) & 255)] as number) ^
      (t[1024 + (w2 >>> 24)] as number) ^
      (t[768 + (w3 & 255)] as number) ^
      (t[512 + ((w3 >>> 8) & 255)] as number) ^
      (t[256 + ((w3 >>> 16) & 255)] as number) ^
      (t[w3 >>> 24] as number);
  }
  for (let i = whole; i < length; i++) {
    c = ((c << 8) & 0xffffff) ^ (t[((c >>> 16) ^ (bytes[i] as number)) & 255] as number);
  }
  return c;
}

function makeTables(): Int32Array {
  const table = new Int32Array(256 * LANES);
  for (let i = 0; i < 256; i++) {
    let c = i << 16;
    for (let bit = 0; bit < 8; bit++) c = c & 0x800000 ? ((c << 1) ^ POLYNOMIAL) & 0xffffff : c << 1;
    table[i] = c;
  }
  for (let i = 256; i < table.length; i++) {
    const c = table[i - 256] ?? 0;
    table[i] = ((c << 8) & 0xffffff) ^ (table[c >>> 16] ?? 0);
  }
  return table;
}
