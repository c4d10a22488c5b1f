import { afterAll, expect, test } from "bun:test";
import * as fc from "fast-check";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { BodyError, placeBody, withCrlf } from "./body.ts";
import { faultOf } from "./fault.test-help.ts";

const dir = mkdtempSync(join(tmpdir(), "madmail-body-"));
afterAll(() => rmSync(dir, { recursive: true }));
let count = 0;

async function place(bytes: Uint8Array | string, options: { minSize?: number; sameDevice?: boolean } = {}) {
  const from = join(dir, `from${++count}`);
  const to = join(dir, `to${count}`);
  writeFileSync(from, bytes, { mode: 0o600 });
  const { uid, gid } = statSync(from);
  const { minSize, sameDevice = true } = options;
  const placed = await placeBody(from, to, { owner: { uid, gid }, sameDevice: () => sameDevice, minSize });
  expect(readFileSync(from)).toEqual(Buffer.from(bytes));
  return { ...placed, text: readFileSync(to, "latin1"), sameFile: statSync(from).ino === statSync(to).ino };
}

const mail = "A: b\r\n\r\nc\r\n";

test("what needs no change is linked, or copied where a link cannot reach", async () => {
  expect(await place(mail)).toEqual({ size: mail.length, linked: true, text: mail, sameFile: true });
  expect(await place(mail, { sameDevice: false })).toEqual({
    size: mail.length,
    linked: false,
    text: mail,
    sameFile: false,
  });
});

test("bare line feeds get their carriage return, packed messages are unpacked", async () => {
  const bare = mail.replaceAll("\r\n", "\n");
  for (const bytes of [bare, gzipSync(bare), zstdCompressSync(bare), gzipSync(mail)]) {
    expect(await place(bytes)).toEqual({ size: mail.length, linked: false, text: mail, sameFile: false });
  }
});

test("what is damaged or locked is refused with its reason, and leaves nothing", async () => {
  const rows: [Uint8Array | string, number | undefined, string][] = [
    [gzipSync(mail.repeat(100)).subarray(0, 30), undefined, "can't be decompressed (gzip)"],
    [zstdCompressSync(mail), 9999, "shorter than the index says"],
    [mail, 9999, "shorter than the index says"],
    ["BZh91AY&SY", undefined, "bzip2"],
    ["CRYPTED\x03\x07\x02", undefined, "mail_crypt"],
  ];
  for (const [bytes, minSize, why] of rows) {
    const fault = await faultOf(place(bytes, minSize === undefined ? {} : { minSize }));
    expect(fault).toBeInstanceOf(BodyError);
    expect(fault).toHaveProperty("message", expect.stringContaining(why));
    expect(statSync(join(dir, `to${count}`), { throwIfNoEntry: false })).toBeUndefined();
  }
});

test("withCrlf() gives the same however the message is cut", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(10, 13, 65), { maxLength: 40 }), fc.nat(40), (codes, cut) => {
      const bytes = Uint8Array.from(codes);
      const whole = Buffer.from(withCrlf(bytes, 0));
      const [first, second] = [bytes.subarray(0, cut), bytes.subarray(cut)];
      const parts = Buffer.concat([withCrlf(first, 0), withCrlf(second, first.at(-1) ?? 0)]);
      expect(parts).toEqual(whole);
      expect(whole.toString("latin1")).toBe(
        Buffer.from(bytes)
          .toString("latin1")
          .replace(/(?<!\r)\n/g, "\r\n"),
      );
    }),
  );
});
