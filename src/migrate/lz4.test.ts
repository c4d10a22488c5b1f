import { expect, test } from "bun:test";
import { isLz4, Lz4Error, lz4Pieces } from "./lz4.ts";

const text = (packed: Uint8Array) => Buffer.concat([...lz4Pieces(packed)]).toString("latin1");
/** "abc", then nine bytes from three back, then "xyzzy" as the literals that must end a block. */
const block = Buffer.from([0x35, 97, 98, 99, 3, 0, 0x50, 120, 121, 122, 122, 121]);
const want = "abcabcabcabcxyzzy";
const uint32 = (value: number, order: "LE" | "BE") => {
  const bytes = Buffer.alloc(4);
  if (order === "LE") bytes.writeUInt32LE(value);
  else bytes.writeUInt32BE(value);
  return bytes;
};
const magic = uint32(0x184d2204, "LE");
const frame = (flags: number, ...blocks: Buffer[]) =>
  Buffer.concat([
    magic,
    Buffer.from([flags, 0x40, 0]),
    ...blocks.map((each) => Buffer.concat([uint32(each.length, "LE"), each])),
    Buffer.alloc(4),
  ]);
const dovecot = (...blocks: Buffer[]) =>
  Buffer.concat([
    Buffer.from("Dovecot-LZ4\x0d\x2a\x9b\xc5", "latin1"),
    uint32(65_536, "BE"),
    ...blocks.map((each) => Buffer.concat([uint32(each.length, "BE"), each])),
  ]);

test("a frame and Dovecot's own form are read, matches that overlap themselves too", () => {
  expect(text(frame(0x60, block))).toBe(want);
  expect(text(frame(0x60, block, block))).toBe(want + want);
  expect(text(dovecot(block, block))).toBe(want + want);
});

test("a block of a linked frame may reach back into the one before it", () => {
  // No literals, then four bytes from five back, then "!".
  const linked = Buffer.from([0x00, 5, 0, 0x10, 33]);
  expect(text(frame(0x40, block, linked))).toBe(`${want}xyzz!`);
  expect(() => text(frame(0x60, block, linked))).toThrow(Lz4Error);
});

test("a stored block is taken as it is", () => {
  const stored = Buffer.concat([uint32(0x8000_0003, "LE"), Buffer.from("raw")]);
  expect(text(Buffer.concat([magic, Buffer.from([0x60, 0x40, 0]), stored, Buffer.alloc(4)]))).toBe("raw");
});

test("whatever is cut off or damaged is an error, never a hang or a wrong answer without end", () => {
  const whole = frame(0x60, block);
  for (let end = 4; end < whole.length; end++) expect(() => text(whole.subarray(0, end))).toThrow(Lz4Error);
  for (let at = 7; at < whole.length; at++) {
    for (const value of [0, 255]) {
      const damaged = Buffer.from(whole);
      damaged[at] = value;
      try {
        text(damaged);
      } catch (error) {
        expect(error).toBeInstanceOf(Lz4Error);
      }
    }
  }
});

test("isLz4() knows both by their first bytes", () => {
  expect([frame(0x60), dovecot(), Buffer.from("From: x")].map(isLz4)).toEqual([true, true, false]);
});
