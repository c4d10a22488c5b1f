/**
 * Brings a release to this machine: from a file, a directory, or over HTTP. What it returns is signed by the release
 * key; nothing of it has run yet.
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename, join } from "node:path";
import { sha256 } from "../install/files.ts";
import { InstallError } from "../install/machine.ts";
import { platformName } from "./platform.ts";
import type { ReleaseKey } from "./signature.ts";
import { unpack } from "./unpack.ts";

/** An archive is half of that today. */
const ARCHIVE_MAX_BYTES = 256 * 2 ** 20;
const EXECUTABLE_MAX_BYTES = 512 * 2 ** 20;
const SMALL_MAX_BYTES = 2 ** 20;
/** Without a byte for that long a download is given up. */
const STALL_MS = 60_000;
const EXECUTABLE_MODE = 0o755;
const SUMS = "SHA256SUMS";
/** What the executable is called inside an archive. */
const INSIDE = process.platform === "win32" ? "madmail.exe" : "madmail";
const SUM_LINE = /^([0-9a-f]{64}) {2}(\S+)$/;

/**
 * @param from an archive or executable (with its `.sig` beside it), a directory of a release, or the URL of either
 * @param workDir made anew; the caller removes it
 * @returns the checked executable; its own signature lies beside it
 * @throws {InstallError}
 */
export async function fetchRelease(from: string, workDir: string, key: ReleaseKey): Promise<string> {
  rmSync(workDir, { recursive: true, force: true });
  mkdirSync(workDir, { recursive: true, mode: 0o700 });
  const place = from.replace(/^file:\/\//, "");
  const executable = join(workDir, "program");
  if (!isWholeRelease(place)) {
    return isArchive(place)
      ? fromArchive(place, undefined, workDir, key)
      : fromExecutable(place, executable, key);
  }
  const base = place.replace(/\/+$/, "");
  const sums = join(workDir, SUMS);
  await bring(`${base}/${SUMS}`, sums, SMALL_MAX_BYTES);
  await bring(`${base}/${SUMS}.sig`, `${sums}.sig`, SMALL_MAX_BYTES);
  key.check(sums, `${sums}.sig`, `${base}/${SUMS}`);
  const chosen = chooseArchive(readFileSync(sums, "utf8"), platformName());
  if (chosen === undefined) throw new InstallError(`${from} has no release for ${platformName()}`);
  return fromArchive(`${base}/${chosen.file}`, chosen.sum, workDir, key);
}

/** The newest archive for a platform in a list of sums. */
export function chooseArchive(sums: string, platform: string): { file: string; sum: string } | undefined {
  const suffix = `-${platform}.tar.gz`;
  return sums
    .split("\n")
    .flatMap((line) => {
      const [, sum = "", file = ""] = SUM_LINE.exec(line) ?? [];
      const version = /^madmail-(\d.*)$/.exec(file.slice(0, -suffix.length))?.[1];
      return file.endsWith(suffix) && version !== undefined ? [{ file, sum, version }] : [];
    })
    .sort((a, b) => Bun.semver.order(b.version, a.version))[0];
}

async function fromArchive(
  place: string,
  sum: string | undefined,
  workDir: string,
  key: ReleaseKey,
): Promise<string> {
  const archive = join(workDir, "release.tar.gz");
  await bring(place, archive, ARCHIVE_MAX_BYTES);
  await bring(`${place}.sig`, `${archive}.sig`, SMALL_MAX_BYTES);
  if (sum !== undefined && (await sha256(archive)) !== sum)
    throw new InstallError(`${place}: wrong checksum`);
  key.check(archive, `${archive}.sig`, place);
  const executable = join(workDir, "program");
  const files = { [INSIDE]: executable, [`${INSIDE}.sig`]: `${executable}.sig` };
  await unpack(archive, files, EXECUTABLE_MAX_BYTES);
  rmSync(archive);
  return checked(executable, place, key);
}

async function fromExecutable(place: string, executable: string, key: ReleaseKey): Promise<string> {
  await bring(place, executable, EXECUTABLE_MAX_BYTES);
  await bring(`${place}.sig`, `${executable}.sig`, SMALL_MAX_BYTES);
  return checked(executable, place, key);
}

function checked(executable: string, place: string, key: ReleaseKey): string {
  key.check(executable, `${executable}.sig`, `the program in ${place}`);
  chmodSync(executable, EXECUTABLE_MODE);
  return executable;
}

async function bring(place: string, to: string, maxBytes: number): Promise<void> {
  if (isUrl(place)) return download(place, to, maxBytes);
  if (!existsSync(place)) {
    const isSignature = place.endsWith(".sig");
    throw new InstallError(isSignature ? `INVALID SIGNATURE: there is no ${place}` : `${place} is not there`);
  }
  if (statSync(place).size > maxBytes) throw new InstallError(`${place} is too large for a release`);
  copyFileSync(place, to);
}

async function download(url: string, to: string, maxBytes: number): Promise<void> {
  const stalled = new AbortController();
  let timer = setTimeout(() => stalled.abort(), STALL_MS);
  const file = await open(to, "wx", 0o600);
  try {
    const response = await fetch(url, { signal: stalled.signal });
    if (!response.ok || response.body === null) throw new InstallError(`${url}: ${response.status}`);
    let bytes = 0;
    for await (const piece of response.body) {
      bytes += piece.length;
      if (bytes > maxBytes) throw new InstallError(`${url} is too large for a release`);
      await file.write(piece);
      clearTimeout(timer);
      timer = setTimeout(() => stalled.abort(), STALL_MS);
    }
  } catch (error) {
    if (error instanceof InstallError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new InstallError(`${url}: can't be fetched (${why})`, { cause: error });
  } finally {
    clearTimeout(timer);
    await file.close();
  }
}

function isUrl(place: string): boolean {
  return /^https?:\/\//i.test(place);
}

function isArchive(place: string): boolean {
  return /\.(tar\.gz|tgz)$/.test(place);
}

/** A directory, or a URL that names no file of ours. */
function isWholeRelease(place: string): boolean {
  if (isUrl(place)) return !isArchive(place) && !/^madmail-\d/.test(basename(new URL(place).pathname));
  return existsSync(place) && statSync(place).isDirectory();
}
