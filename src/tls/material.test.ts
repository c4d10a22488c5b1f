import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "../core/clock.ts";
import { TlsMaterialStore, type TlsSource, factsOf } from "./material.ts";
import { makeCertificate, makeKey } from "./self-signed.ts";

const root = await mkdtemp(join(tmpdir(), "madmail-tls-"));
afterAll(() => rm(root, { recursive: true }));

const NOW_MS = 1_790_000_000_000;
const clock = new ManualClock(NOW_MS);
let count = 0;
const newDirectory = () => join(root, String(++count));

async function loaded(source: TlsSource, at = clock): Promise<TlsMaterialStore> {
  const store = new TlsMaterialStore(source, at);
  await store.load();
  return store;
}

const failure = (work: Promise<unknown>): Promise<string> => work.then(() => "no failure", String);

/** A pair in files of a new directory. */
async function filePair(names = ["file.example"]) {
  const [key, directory] = [await makeKey(), await mkdtemp(join(root, "pair-"))];
  const source = {
    mode: "file",
    cert: join(directory, "cert.pem"),
    key: join(directory, "key.pem"),
  } as const;
  await writeFile(source.key, key);
  await writeFile(source.cert, await makeCertificate(names, key, NOW_MS));
  return source;
}

describe("a self-signed pair", () => {
  test("is made once, with tight modes, and found again", async () => {
    const stateDir = newDirectory();
    const source = { mode: "self-signed", stateDir, names: ["mail.example", "192.0.2.1"] } as const;
    const first = await loaded(source);
    const second = await loaded(source);
    expect(second.current()).toEqual(first.current());
    expect((await stat(join(stateDir, "tls"))).mode & 0o777).toBe(0o700);
    expect((await stat(join(stateDir, "tls", "key.pem"))).mode & 0o777).toBe(0o600);
    expect(first.facts()).toMatchObject({ names: ["mail.example", "192.0.2.1"], selfSigned: true });
    expect(first.facts().notAfterMs - NOW_MS).toBe(100 * 365 * 86_400_000);
    expect(await first.reload()).toMatchObject({ do: "unchanged" });
  });

  test("is an ECDSA P-256 certificate of an end entity, as openssl reads it", async () => {
    const key = await makeKey();
    const pem = await makeCertificate(["münchen.example", "_under.example", "2001:db8::1"], key, NOW_MS);
    const { stdout } = spawnSync("openssl", ["x509", "-noout", "-text"], { input: pem, encoding: "utf8" });
    for (const fact of [
      "CA:FALSE",
      "NIST CURVE: P-256",
      "ecdsa-with-SHA256",
      "DNS:xn--mnchen-3ya.example, DNS:_under.example, IP Address:2001:DB8:0:0:0:0:0:1",
      "Subject: CN = xn--mnchen-3ya.example",
      "TLS Web Server Authentication",
    ]) {
      expect(stdout).toContain(fact);
    }
  });

  test("keeps its key when new names need a new certificate", async () => {
    const stateDir = newDirectory();
    const before = await loaded({ mode: "self-signed", stateDir, names: ["a.example"] });
    const after = await loaded({ mode: "self-signed", stateDir, names: ["a.example", "2001:DB8:0::1"] });
    expect(after.current().key).toBe(before.current().key);
    expect(after.facts().names).toEqual(["a.example", "2001:db8::1"]);
    expect(after.facts().fingerprint).not.toBe(before.facts().fingerprint);
    // An IPv6 name in another spelling is the same name.
    const again = await loaded({ mode: "self-signed", stateDir, names: ["2001:db8::0001", "A.example"] });
    expect(again.facts().fingerprint).toBe(after.facts().fingerprint);
  });

  test("is made again when it has expired", async () => {
    const stateDir = newDirectory();
    const source = { mode: "self-signed", stateDir, names: ["a.example"] } as const;
    const before = await loaded(source);
    const later = new ManualClock(before.facts().notAfterMs + 1);
    const after = await loaded(source, later);
    expect(after.facts().notAfterMs).toBeGreaterThan(before.facts().notAfterMs);
    expect(after.current().key).toBe(before.current().key);
  });

  test("an unusable stored key is named and not overwritten", async () => {
    const stateDir = newDirectory();
    const source = { mode: "self-signed", stateDir, names: ["a.example"] } as const;
    await loaded(source);
    const file = join(stateDir, "tls", "key.pem");
    await writeFile(file, "garbage");
    expect(await failure(loaded(source))).toContain(`${file}: not a PEM private key`);
    expect(await readFile(file, "utf8")).toBe("garbage");
  });

  test("a state directory that cannot be made is named", async () => {
    const file = join(root, "a-file");
    await writeFile(file, "");
    const source = { mode: "self-signed", stateDir: file, names: ["a.example"] } as const;
    expect(await failure(loaded(source))).toContain(`${file}/tls: cannot be made`);
  });
});

describe("a pair from files", () => {
  test("is loaded with its facts", async () => {
    const source = await filePair();
    const store = await loaded(source);
    const certificate = new X509Certificate(await readFile(source.cert));
    expect(store.current().cert).toBe(await readFile(source.cert, "utf8"));
    expect(store.facts()).toEqual(factsOf(certificate));
    expect(store.facts().fingerprint).toMatch(/^[0-9a-f]{64}$/);
  });

  test("each fault names its file", async () => {
    const source = await filePair();
    const other = await filePair();
    const broken = join(root, "broken.pem");
    await writeFile(broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    const locked = join(root, "locked.pem");
    await writeFile(locked, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
    for (const [change, want] of [
      [{ key: other.key }, `${other.key}: this key does not belong to the certificate in ${source.cert}`],
      [{ cert: broken }, `${broken}: not a PEM certificate`],
      [{ key: broken }, `${broken}: not a PEM private key`],
      [{ key: locked }, `${locked}: the key is encrypted`],
      [{ cert: join(root, "none") }, `${join(root, "none")}: cannot be read: ENOENT`],
    ] as const) {
      expect(await failure(loaded({ ...source, ...change }))).toContain(want);
    }
  });

  test("reload takes a good new pair and keeps the old one before a bad", async () => {
    const source = await filePair(["old.example"]);
    const store = await loaded(source);
    const old = store.current();
    expect(store.current()).toBe(old);
    const next = await filePair(["new.example"]);
    await writeFile(source.key, await readFile(next.key));
    const result = await store.reload();
    expect(result).toMatchObject({ do: "kept" });
    expect(result.do === "kept" && result.why).toContain("does not belong");
    expect(store.current()).toBe(old);
    await writeFile(source.cert, await readFile(next.cert));
    expect(await store.reload()).toMatchObject({ do: "replaced", facts: { names: ["new.example"] } });
    expect(store.current()).not.toBe(old);
  });

  test("using it before load is a caller's bug", () => {
    const store = new TlsMaterialStore({ mode: "file", cert: "c", key: "k" }, clock);
    expect(() => store.current()).toThrow("before `load`");
  });
});
