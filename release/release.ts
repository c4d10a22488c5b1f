/**
 * `bun run release`: archives for all platforms, checksums, signatures, bill of materials and install.sh in
 * dist/release/<version>/. Same commit, same key, same bytes.
 *
 *   bun release/release.ts --key FILE [--targets linux-x64,…] [--url URL] [--out DIR] [--version V] [--level 1]
 *
 * The key is an Ed25519 private key in PEM (`openssl genpkey -algorithm ed25519`), from --key or $MADMAIL_SIGNING_KEY.
 * It never belongs into the repository. Its public half goes into the executables and into install.sh.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { $ } from "bun";
import lock from "../package-lock.json";
import packageJson from "../package.json";
import { compile } from "./compile.ts";
import { billOfMaterials, type LockFile } from "./sbom.ts";
import { tar } from "./tar.ts";
import { ownTarget, runtimeOf, type Target, targets } from "./targets.ts";

/** An executable above this needs a look at what came in. */
const EXECUTABLE_MAX_BYTES = 140 * 2 ** 20;
/** `version` on this machine; the budget is 60 ms on a quiet one. */
const START_MAX_MS = 250;
const START_RUNS = 5;
const SPKI_PREFIX_BYTES = 12;

const root = join(import.meta.dir, "..");

interface Release {
  version: string;
  out: string;
  key: KeyObject;
  /** The public half: 32 bytes, base64. */
  publicKey: string;
  url: string | undefined;
  timeSeconds: number;
  entry: string | undefined;
  /** Of gzip: 6 for people, 1 for tests. */
  level: 1 | 6;
}

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    key: { type: "string" },
    targets: { type: "string" },
    url: { type: "string" },
    out: { type: "string" },
    version: { type: "string" },
    entry: { type: "string" },
    level: { type: "string", default: "6" },
  },
});
process.exitCode = await main();

async function main(): Promise<number> {
  const key = signingKey(values.key);
  if (key === undefined) return 2;
  const wanted = values.targets?.split(",");
  const unknown = wanted?.find((name) => !targets.some((target) => target.name === name));
  if (unknown !== undefined) {
    console.error(`release: no target ${unknown}; there are: ${targets.map(({ name }) => name).join(", ")}`);
    return 2;
  }
  const version = values.version ?? packageJson.version;
  const out = values.out ?? join(root, "dist", "release", version);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(SPKI_PREFIX_BYTES);
  const release: Release = {
    version,
    out,
    key,
    publicKey: publicKey.toString("base64"),
    url: values.url,
    timeSeconds: await commitTime(),
    entry: values.entry,
    level: values.level === "1" ? 1 : 6,
  };
  const files: string[] = [];
  for (const target of targets.filter(({ name }) => wanted?.includes(name) ?? true)) {
    files.push(await archive(release, target));
  }
  files.push(writeInstaller(release), writeBill(release));
  writeSums(release, files);
  return 0;
}

/** One executable, signed, in an archive of its own. @returns its file name */
async function archive(release: Release, target: Target): Promise<string> {
  const { version, out, key, publicKey, url, timeSeconds, entry } = release;
  const isOwn = ownTarget()?.name === target.name;
  const dir = mkdtempSync(join(tmpdir(), "madmail-release-"));
  try {
    const executable = join(dir, target.executable);
    const runtime = isOwn ? undefined : await runtimeOf(target, join(root, "dist", "runtimes"));
    const code = await compile({
      outfile: executable,
      target: runtime === undefined ? undefined : { name: target.bun, runtime },
      releaseKey: publicKey,
      releaseUrl: url,
      version,
      entry,
    });
    if (code !== 0) throw new Error(`${target.name}: the compiler failed`);
    const bytes = readFileSync(executable);
    const started = isOwn ? startTimeMs(executable) : undefined;
    const base = `madmail-${version}-${target.name}`;
    const text = (name: string) => ({
      name: `${base}/${name}`,
      mode: 0o644,
      bytes: readFileSync(join(root, name)),
    });
    const packed = Bun.gzipSync(
      tar(
        [
          { name: `${base}/${target.executable}`, mode: 0o755, bytes },
          { name: `${base}/${target.executable}.sig`, mode: 0o644, bytes: sign(null, bytes, key) },
          text("LICENSE"),
          text("README.md"),
          text("CHANGELOG.md"),
        ],
        timeSeconds,
      ) as Uint8Array<ArrayBuffer>,
      { level: release.level },
    );
    writeFileSync(join(out, `${base}.tar.gz`), packed);
    const start = started === undefined ? "" : `, starts in ${started.toFixed(0)} ms`;
    console.log(
      `${base.padEnd(34)}${megabytes(bytes.length)}, packed ${megabytes(packed.length)}${start}; needs ${target.needs}`,
    );
    if (bytes.length > EXECUTABLE_MAX_BYTES)
      throw new Error(`${base}: above ${megabytes(EXECUTABLE_MAX_BYTES)}`);
    if ((started ?? 0) > START_MAX_MS) console.log(`  slow: expected at most ${START_MAX_MS} ms`);
    return `${base}.tar.gz`;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** install.sh with the key and the place of the releases filled in. */
function writeInstaller({ out, publicKey, url }: Release): string {
  const text = readFileSync(join(root, "install.sh"), "utf8");
  const filled = text
    .replace(/^release_key=''$/m, `release_key='${publicKey}'`)
    .replace(/^release_url=''$/m, `release_url='${(url ?? "").replaceAll("'", "")}'`);
  if (filled === text) throw new Error("install.sh: the lines for key and URL are not there");
  writeFileSync(join(out, "install.sh"), filled, { mode: 0o755 });
  return "install.sh";
}

function writeBill({ out, version }: Release): string {
  const name = `madmail-${version}.cdx.json`;
  const locked = { ...(lock as LockFile), version };
  writeFileSync(join(out, name), billOfMaterials(locked, Bun.version));
  return name;
}

/** SHA256SUMS, and a signature of each file and of the sums. */
function writeSums({ out, key }: Release, files: readonly string[]): void {
  const sorted = [...files].sort();
  const lines = sorted.map((name) => {
    const bytes = readFileSync(join(out, name));
    writeFileSync(join(out, `${name}.sig`), sign(null, bytes, key));
    return `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`;
  });
  const sums = lines.join("");
  writeFileSync(join(out, "SHA256SUMS"), sums);
  writeFileSync(join(out, "SHA256SUMS.sig"), sign(null, Buffer.from(sums), key));
  console.log(`${sorted.length} files with signatures, SHA256SUMS and its signature in ${out}`);
}

/** The best of some runs of `version`: others may be busy on this machine. */
function startTimeMs(executable: string): number {
  const times = Array.from({ length: START_RUNS }, () => {
    const begunAt = performance.now();
    const { exitCode } = Bun.spawnSync([executable, "version"], { stdout: "ignore", stderr: "inherit" });
    if (exitCode !== 0) throw new Error(`${executable}: \`version\` failed`);
    return performance.now() - begunAt;
  });
  return Math.min(...times);
}

function signingKey(file: string | undefined): KeyObject | undefined {
  const pem = file === undefined ? process.env["MADMAIL_SIGNING_KEY"] : readFileSync(file, "utf8");
  if (pem === undefined || pem === "") {
    console.error(
      "release: needs a signing key: --key FILE or $MADMAIL_SIGNING_KEY; make one with\n  openssl genpkey -algorithm ed25519 -out release.key",
    );
    return undefined;
  }
  if (file !== undefined && (statSync(file).mode & 0o077) !== 0) {
    console.error(`release: ${file} can be read by others than you; chmod 600 it`);
    return undefined;
  }
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyType === "ed25519") return key;
  console.error(`release: expected an Ed25519 key, found ${key.asymmetricKeyType}`);
  return undefined;
}

/** What the archives say as their time: that of the commit, so that building again gives the same bytes. */
async function commitTime(): Promise<number> {
  const given = process.env["SOURCE_DATE_EPOCH"];
  if (given !== undefined) return Number(given);
  const text = await $`git -C ${root} log -1 --format=%ct`.quiet().nothrow().text();
  return Number(text.trim() || 0);
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
