import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import zlib from "node:zlib";
import * as fc from "fast-check";
import { DeflateStream } from "./deflate.ts";
import { InflateError } from "./inflate.ts";

const { Z_FULL_FLUSH, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, Z_NO_FLUSH, Z_BLOCK } = zlib.constants;
const noise = randomBytes(3000);

/** What a client sends in a session: commands, a literal of armored text, bytes that look like a flush. */
const writes = [
  Buffer.from("A1 LOGIN someone secret\r\n"),
  Buffer.from("A2 SELECT INBOX\r\nA3 IDLE\r\n"),
  Buffer.from([0, 0, 0xff, 0xff]),
  Buffer.from(noise.toString("base64")),
  Buffer.from([1, 0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]),
  Buffer.from("DONE\r\n"),
  noise.subarray(0, 700),
  Buffer.from("A2 SELECT INBOX\r\nA3 IDLE\r\n"),
  Buffer.alloc(70_000, "abc"),
];

/** Node's streaming deflater, flushed with `flush` after each write; one output per write. */
async function compress(options: zlib.ZlibOptions, flush: number): Promise<Buffer[]> {
  const stream = zlib.createDeflateRaw(options);
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  const outputs: Buffer[] = [];
  for (const bytes of writes) {
    await new Promise<void>((resolve) => stream.write(bytes, () => resolve()));
    await new Promise<void>((resolve) => stream.flush(flush, resolve));
    outputs.push(Buffer.concat(chunks.splice(0)));
  }
  await new Promise<void>((resolve) => stream.flush(Z_SYNC_FLUSH, resolve));
  outputs.push(Buffer.concat(chunks.splice(0)));
  stream.destroy();
  return outputs;
}

const inflateAll = (chunks: readonly Uint8Array[]) => {
  const stream = new DeflateStream();
  return Buffer.concat(chunks.flatMap((chunk) => [...stream.inflate(chunk)]));
};
const plain = Buffer.concat(writes);

describe("DeflateStream.inflate()", () => {
  test("keeps nothing of a chunk that it was only lent", () => {
    const stream = new DeflateStream();
    const sent = zlib.deflateRawSync(plain, { level: 6, finishFlush: Z_SYNC_FLUSH });
    const text: Uint8Array[] = [];
    for (let at = 0; at < sent.length; at += 7) {
      const lent = Buffer.from(sent.subarray(at, at + 7));
      text.push(...stream.inflate(lent));
      lent.fill(0xaa);
    }
    expect(Buffer.concat(text).equals(plain)).toBe(true);
  });

  for (const level of [0, 1, 6, 9]) {
    for (const [name, flush] of Object.entries({
      Z_SYNC_FLUSH,
      Z_FULL_FLUSH,
      Z_PARTIAL_FLUSH,
      Z_BLOCK,
      Z_NO_FLUSH,
    })) {
      test(`takes level ${level} with ${name}, as flushed and in other slices`, async () => {
        const outputs = await compress({ level }, flush);
        expect(inflateAll(outputs).equals(plain)).toBe(true);
        const whole = Buffer.concat(outputs);
        expect(inflateAll([whole]).equals(plain)).toBe(true);
        const slices = Array.from({ length: Math.ceil(whole.length / 997) }, (_, i) =>
          whole.subarray(i * 997, i * 997 + 997),
        );
        expect(inflateAll(slices).equals(plain)).toBe(true);
      });
    }
  }

  for (const [name, strategy] of Object.entries({
    fixed: zlib.constants.Z_FIXED,
    huffman: zlib.constants.Z_HUFFMAN_ONLY,
    rle: zlib.constants.Z_RLE,
  })) {
    test(`takes strategy ${name} byte by byte and cut in two at each point`, async () => {
      const outputs = await compress({ level: 6, strategy, windowBits: 9, memLevel: 1 }, Z_SYNC_FLUSH);
      const whole = Buffer.concat(outputs.slice(0, 6));
      const want = Buffer.concat(writes.slice(0, 6));
      expect(inflateAll(Array.from(whole, (byte) => Uint8Array.of(byte))).equals(want)).toBe(true);
      for (let cut = 0; cut <= whole.length; cut += cut < 150 || cut > whole.length - 60 ? 1 : 41) {
        expect(inflateAll([whole.subarray(0, cut), whole.subarray(cut)]).equals(want)).toBe(true);
      }
    });
  }

  test("gives each command as soon as it was flushed, however", async () => {
    for (const flush of [Z_SYNC_FLUSH, Z_PARTIAL_FLUSH, Z_FULL_FLUSH]) {
      const outputs = await compress({ level: 6 }, flush);
      const stream = new DeflateStream();
      for (const [i, bytes] of writes.entries()) {
        expect(Buffer.concat([...stream.inflate(outputs[i] ?? noise)]).equals(bytes)).toBe(true);
      }
    }
  });

  test("bytes read ahead of a stored block survive a cut", () => {
    // Few symbols give the end of block a short code, so that whole bytes are read ahead when it is found; noise
    // follows as a stored block whose length is not zero.
    for (let symbols = 3; symbols < 12; symbols++) {
      for (let skew = 0; skew < 8; skew++) {
        const few = Buffer.from(
          Array.from({ length: 127 }, (_, i) => 97 + ((i * i + (i >> skew)) % symbols)),
        );
        const text = Buffer.concat([few, noise]);
        const options = { memLevel: 1, strategy: zlib.constants.Z_HUFFMAN_ONLY, finishFlush: Z_SYNC_FLUSH };
        const whole = zlib.deflateRawSync(text, options);
        for (let cut = 20; cut < 130; cut++) {
          expect(inflateAll([whole.subarray(0, cut), whole.subarray(cut)]).equals(text)).toBe(true);
        }
      }
    }
  });

  test("whatever is written and wherever it is cut, the text is the same", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 }),
        fc.integer({ min: 0, max: 9 }),
        (texts, sizes, level) => {
          const parts = texts.map((text) => zlib.deflateRawSync(text, { level, finishFlush: Z_SYNC_FLUSH }));
          const whole = Buffer.concat(parts);
          const slices: Uint8Array[] = [];
          for (let at = 0, i = 0; at < whole.length; i++) {
            const size = sizes[i % sizes.length] ?? 1;
            slices.push(whole.subarray(at, at + size));
            at += size;
          }
          expect(inflateAll(slices)).toEqual(Buffer.concat(texts));
        },
      ),
      { numRuns: 200 },
    );
  });

  for (const [name, hex] of [
    ["a reserved block type", "ff0102030405"],
    ["a flushed reserved block type", "ffffffff0000ffff"],
    ["a stored block whose lengths disagree", "0005000500"],
    [
      "a distance before the start",
      Buffer.from(zlib.deflateRawSync("")).toString("hex").replace(/.*/, "4b04620000"),
    ],
    ["plain text", Buffer.from("A1 NOOP\r\nA2 NOOP\r\nA3 NOOP\r\n").toString("hex")],
  ] as const) {
    test(`${name} is garbage`, () => {
      expect(() => inflateAll([Buffer.from(hex, "hex"), noise])).toThrow(InflateError);
    });
  }

  test("noise never does more than be garbage, end, or wait", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 5 }), (chunks) => {
        try {
          inflateAll(chunks);
        } catch (error) {
          expect(error).toBeInstanceOf(InflateError);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("a bomb is refused, flushed or not", () => {
    const bomb = zlib.deflateRawSync(Buffer.alloc(4 << 20), { finishFlush: Z_SYNC_FLUSH });
    for (const chunks of [[bomb], [bomb.subarray(0, 3000)]]) {
      const stream = new DeflateStream(1 << 20);
      const work = () => chunks.map((chunk) => stream.inflate(chunk));
      expect(work).toThrow(expect.objectContaining({ why: "tooLarge" }));
    }
  });
});

describe("DeflateStream.deflate()", () => {
  for (const size of [1, 255, 256, 10_000, 70_000, 300_000]) {
    test(`${size} bytes are decoded by zlib as soon as they are there`, () => {
      const stream = new DeflateStream();
      for (const bytes of [Buffer.alloc(size, "x"), Buffer.from(randomBytes(size))]) {
        const blocks = stream.deflate(bytes);
        const decoded = zlib.inflateRawSync(blocks, { finishFlush: Z_SYNC_FLUSH });
        expect(decoded.equals(bytes)).toBe(true);
        expect(blocks.length).toBeLessThan(size * 1.01 + 32);
      }
    });
  }

  test("blocks of many calls are one stream to a real inflater", () => {
    const stream = new DeflateStream();
    const whole = Buffer.concat(writes.map((bytes) => stream.deflate(bytes)));
    expect(zlib.inflateRawSync(whole, { finishFlush: Z_SYNC_FLUSH }).equals(plain)).toBe(true);
    expect(stream.deflate(new Uint8Array(0)).length).toBe(0);
  });

  test("armored text shrinks", () => {
    const text = Buffer.from(noise.toString("base64"));
    expect(new DeflateStream().deflate(text).length).toBeLessThan(text.length * 0.8);
  });
});
