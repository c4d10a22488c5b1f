import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { faultOf } from "./fault.test-help.ts";
import { TarError, tarEnd, tarEntries, tarHeader, tarPadding } from "./tar.ts";

type File = { path: string; bytes: Uint8Array };

function archive(files: readonly File[]): Buffer {
  const pieces = files.flatMap(({ path, bytes }) => [
    tarHeader({ path, size: bytes.length, mtimeSec: 1_700_000_000 }),
    bytes,
    tarPadding(bytes.length),
  ]);
  return Buffer.concat([...pieces, tarEnd()]);
}

async function* inPieces(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function unpack(bytes: Uint8Array, size: number): Promise<File[]> {
  const files: File[] = [];
  for await (const { path, body } of tarEntries(inPieces(bytes, size))) {
    const pieces: Uint8Array[] = [];
    for await (const piece of body) pieces.push(piece);
    files.push({ path, bytes: new Uint8Array(Buffer.concat(pieces)) });
  }
  return files;
}

const path = fc
  .array(fc.string({ minLength: 1, maxLength: 60, unit: "grapheme" }), { minLength: 1, maxLength: 8 })
  .map((parts) => parts.join("/").replaceAll("\0", "_"));
const file = fc.record({ path, bytes: fc.uint8Array({ maxLength: 1500 }) });

test("what is written is read again, however the stream is cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(file, { maxLength: 5 }),
      fc.integer({ min: 1, max: 2000 }),
      async (files, size) => {
        expect(await unpack(archive(files), size)).toEqual(
          files.map((each) => ({ ...each, bytes: new Uint8Array(each.bytes) })),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test("other programs read it: names of more than 100 bytes and beyond ASCII", () => {
  const names = ["short", `${"long/".repeat(40)}name`, "grüße/日本語", "x".repeat(100), "x".repeat(101)];
  const bytes = archive(names.map((name) => ({ path: name, bytes: new Uint8Array([1, 2, 3]) })));
  const listed = Bun.spawnSync(["tar", "-tf", "-"], {
    stdin: bytes,
    env: { LC_ALL: "C.UTF-8", PATH: process.env["PATH"] ?? "" },
  });
  const shown = listed.stdout
    .toString()
    .replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  expect([listed.exitCode, shown.split("\n").length - 1]).toEqual([0, names.length]);
  expect(shown).toContain(names[1] ?? "");
});

test("cut off, damaged and foreign archives are errors with words for the operator", async () => {
  const whole = archive([{ path: "a", bytes: new Uint8Array(700) }]);
  for (const end of [0, 1, 511, 512, 800, 1535, 1536, whole.length - 1024]) {
    expect(await faultOf(unpack(whole.subarray(0, end), 300))).toBeInstanceOf(TarError);
  }
  const link = Buffer.from(whole);
  link.write("2", 156, "latin1");
  const sum = link
    .subarray(0, 512)
    .reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  link.write(sum.toString(8).padStart(6, "0"), 148, "latin1");
  expect(await faultOf(unpack(link, 300))).toHaveProperty(
    "message",
    expect.stringContaining("not a regular file"),
  );
});
