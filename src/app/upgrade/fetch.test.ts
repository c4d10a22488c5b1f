/** What is taken as a release: only what the key has signed, whole, and with nothing of its paths obeyed. */
import { afterAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tar, type TarEntry } from "../../../release/tar.ts";
import { sha256 } from "../install/files.ts";
import { chooseArchive, fetchRelease } from "./fetch.ts";
import { platformName } from "./platform.ts";
import { ReleaseKey } from "./signature.ts";
import { unpack } from "./unpack.ts";

const dir = mkdtempSync(join(tmpdir(), "madmail-fetch-"));
afterAll(() => rmSync(dir, { recursive: true }));
let count = 0;
const fresh = (): string => {
  const path = join(dir, String(count++));
  mkdirSync(path);
  return path;
};

const { privateKey } = generateKeyPairSync("ed25519");
const keyText = (key: KeyObject) =>
  Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url").toString("base64");
const key = new ReleaseKey(keyText(privateKey));
const program = Buffer.from("#!/bin/sh\necho hello\n");

function archiveOf(entries: readonly TarEntry[]): Uint8Array {
  return Bun.gzipSync(tar(entries, 0) as Uint8Array<ArrayBuffer>);
}

const good: TarEntry[] = [
  { name: "madmail-1.0.0-x/README.md", mode: 0o644, bytes: Buffer.alloc(3000, "r") },
  { name: "madmail-1.0.0-x/madmail", mode: 0o755, bytes: program },
  { name: "madmail-1.0.0-x/madmail.sig", mode: 0o644, bytes: sign(null, program, privateKey) },
];

/** A release in a directory, as the release script writes it. */
async function release(change: (dir: string) => void = () => {}): Promise<{ place: string; file: string }> {
  const place = fresh();
  const name = `madmail-1.0.0-${platformName()}.tar.gz`;
  const file = join(place, name);
  writeFileSync(file, archiveOf(good));
  writeFileSync(`${file}.sig`, sign(null, readFileSync(file), privateKey));
  const sums = `${await sha256(file)}  ${name}\n`;
  writeFileSync(join(place, "SHA256SUMS"), sums);
  writeFileSync(join(place, "SHA256SUMS.sig"), sign(null, Buffer.from(sums), privateKey));
  change(place);
  return { place, file };
}

async function fault(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "none",
    (error: unknown) => String(error),
  );
}

describe("a release", () => {
  test("is taken from its directory, from its archive, from a web site", async () => {
    const { place, file } = await release();
    const site = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => new Response(Bun.file(join(place, new URL(request.url).pathname))),
    });
    for (const from of [place, file, `file://${file}`, `http://127.0.0.1:${site.port}/`]) {
      const executable = await fetchRelease(from, fresh(), key);
      expect(readFileSync(executable)).toEqual(program);
      expect(statSync(executable).mode & 0o777).toBe(0o755);
      expect(readFileSync(`${executable}.sig`)).toHaveLength(64);
    }
    await site.stop(true);
  });

  const other = generateKeyPairSync("ed25519").privateKey;
  const name = `madmail-1.0.0-${platformName()}.tar.gz`;
  const rows: [what: string, change: (dir: string) => void, says: string][] = [
    ["with other sums", (at) => writeFileSync(join(at, "SHA256SUMS"), "x"), "INVALID SIGNATURE"],
    ["with sums that nobody signed", (at) => rmSync(join(at, "SHA256SUMS.sig")), "INVALID SIGNATURE"],
    [
      "that another key has signed",
      (at) =>
        writeFileSync(join(at, "SHA256SUMS.sig"), sign(null, readFileSync(join(at, "SHA256SUMS")), other)),
      "INVALID SIGNATURE",
    ],
    [
      "with a signature of another length",
      (at) => writeFileSync(join(at, "SHA256SUMS.sig"), "short"),
      "INVALID SIGNATURE",
    ],
    ["with another archive", (at) => writeFileSync(join(at, name), archiveOf([])), "wrong checksum"],
    ["without its archive", (at) => rmSync(join(at, name)), "is not there"],
  ];
  for (const [what, change, says] of rows) {
    test(`${what} is refused`, async () => {
      const { place } = await release(change);
      expect(await fault(fetchRelease(place, fresh(), key))).toContain(says);
    });
  }

  test("whose archive is signed but whose program is not is refused", async () => {
    const at = fresh();
    const file = join(at, "x.tar.gz");
    writeFileSync(
      file,
      archiveOf([...good.slice(0, 2), { name: "x/madmail.sig", mode: 0o644, bytes: Buffer.alloc(64) }]),
    );
    writeFileSync(`${file}.sig`, sign(null, readFileSync(file), privateKey));
    expect(await fault(fetchRelease(file, fresh(), key))).toContain("INVALID SIGNATURE: the program in");
  });

  test("is refused whole by a program that knows no key", () => {
    expect(() => new ReleaseKey(undefined)).toThrow("built without a release key");
    expect(() => new ReleaseKey("AAAA")).toThrow("damaged");
  });

  test("is chosen by platform, and is the newest", () => {
    const sum = "a".repeat(64);
    const names = [
      "madmail-1.9.0-linux-x64.tar.gz",
      "madmail-1.10.0-linux-x64.tar.gz",
      "madmail-2.0.0-linux-x64-musl.tar.gz",
    ];
    const sums = [...names, "install.sh", "madmail-1.11.0.cdx.json"]
      .map((each) => `${sum}  ${each}\n`)
      .join("");
    expect(chooseArchive(sums, "linux-x64")).toMatchObject({ file: names[1] });
    expect(chooseArchive(sums, "linux-x64-musl")).toMatchObject({ file: names[2] });
    expect(chooseArchive(sums, "darwin-arm64")).toBeUndefined();
  });
});

describe("an archive", () => {
  const packed = archiveOf(good);
  const taking = async (bytes: Uint8Array, maxBytes = 1e6) => {
    const at = fresh();
    writeFileSync(join(at, "a.tar.gz"), bytes);
    await unpack(join(at, "a.tar.gz"), { madmail: join(at, "out") }, maxBytes);
    return at;
  };

  test("gives the file asked for, and writes no other, wherever its paths lead", async () => {
    const at = await taking(archiveOf([{ name: "../../evil", mode: 0o755, bytes: program }, ...good]));
    expect(readdirSync(at).sort()).toEqual(["a.tar.gz", "out"]);
    expect(readFileSync(join(at, "out"))).toEqual(program);
    expect(existsSync(join(dir, "evil"))).toBe(false);
  });

  test("cut short anywhere is refused or gives the whole file", async () => {
    for (let length = 0; length < packed.length; length += 7) {
      const at = fresh();
      writeFileSync(join(at, "a.tar.gz"), packed.subarray(0, length));
      const said = await fault(unpack(join(at, "a.tar.gz"), { madmail: join(at, "out") }, 1e6));
      if (said === "none") expect(readFileSync(join(at, "out"))).toEqual(program);
      else expect(said).toMatch(/can't be unpacked|there is no madmail/);
    }
  });

  const rows: [what: string, bytes: Uint8Array, says: string][] = [
    ["without the file", archiveOf(good.slice(0, 1)), "there is no madmail in it"],
    ["that is none", Buffer.from("hello"), "can't be unpacked"],
    ["of something that is no tar", Bun.gzipSync(Buffer.alloc(2000, "x")), "can't be unpacked"],
  ];
  for (const [what, bytes, says] of rows) {
    test(`${what} is refused`, async () => expect(await fault(taking(bytes))).toContain(says));
  }
  test("with a file above the limit is refused", async () => {
    expect(await fault(taking(packed, 5))).toContain("too large");
  });
});
