/**
 * Puts a backup back. All of it is unpacked beside the state directory and checked there (names, digests against the
 * manifest, the database) before anything is swapped; what was there is moved aside, never deleted.
 *
 * UIDs that were given out after the backup must not come again for other messages (RFC 9051 §2.3.1.1), so each
 * mailbox's next UID leaps forward.
 */
import { Database } from "bun:sqlite";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { lockStateDirectory } from "../db/lock.ts";
import { closeDatabase, databaseError, openDatabase } from "../db/open.ts";
import { parseJson } from "../core/json.ts";
import type { Owner } from "./body.ts";
import { giveTo, syncDirectory, writeOwned } from "./disk.ts";
import { linesOf, MANIFEST, type ManifestHead, ManifestLines, manifestHead } from "./manifest.ts";
import { SourceError } from "./source.ts";
import { type TarEntry, TarError, tarEntries } from "./tar.ts";

/** More than a mailbox gets between a backup and its use; a client passes them in a few round trips. */
const UID_LEAP = 10_000;
const UID_MAX = 0xffff_ffff;
const DATABASE = "madmail.db";

export interface RestoreOptions {
  file: string;
  stateDir: string;
  /** Keep UIDs as they are: right only for a relay that has not run since the backup. */
  exactUids: boolean;
  onProgress?: (done: { files: number; bytes: number }) => void;
}

export interface RestoreReport {
  file: string;
  program: string;
  createdAtMs: number;
  files: number;
  bytes: number;
  accounts: number;
  /** Where the state that was there is now. */
  movedAside: string | undefined;
}

/**
 * Reads an archive to its end and checks it, without writing anything that stays.
 * @throws {SourceError} saying what is wrong with it
 */
export async function checkBackup(
  file: string,
  onProgress?: RestoreOptions["onProgress"],
): Promise<RestoreReport> {
  const scratch = fs.mkdtempSync(join(tmpdir(), "madmail-check-"));
  try {
    const read = await readArchive(file, scratch, undefined, onProgress);
    const accounts = checkDatabase(join(scratch, DATABASE));
    return { file, ...read, accounts, movedAside: undefined };
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

/** @throws {SourceError} when the archive is no good @throws {DatabaseError} when the relay runs, or the database is too new */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreReport> {
  const stateDir = resolve(options.stateDir);
  const isThere = fs.existsSync(stateDir);
  // Held until the swap: a relay must not begin to write into what is about to go.
  const unlock = isThere && fs.existsSync(join(stateDir, DATABASE)) ? lockStateDirectory(stateDir) : () => {};
  const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const staging = `${stateDir}.restoring`;
  try {
    fs.rmSync(staging, { recursive: true, force: true });
    fs.mkdirSync(staging, { recursive: true, mode: 0o700 });
    const owner = fs.statSync(isThere ? stateDir : dirname(stateDir));
    const scratch = join(staging, ".check");
    fs.mkdirSync(scratch, { mode: 0o700 });
    const read = await readArchive(options.file, scratch, { directory: staging, owner }, options.onProgress);
    fs.rmSync(scratch, { recursive: true });
    const accounts = checkDatabase(join(staging, DATABASE));
    // Migrations run here, where a failure harms nothing.
    closeDatabase(openDatabase(join(staging, DATABASE)));
    if (!options.exactUids) leapUids(join(staging, "mail"), owner);
    giveAll(staging, owner);
    await syncTree(staging);
    const movedAside =
      isThere && fs.readdirSync(stateDir).length > 0 ? `${stateDir}.before-${stamp}` : undefined;
    swap(stateDir, staging, movedAside);
    await syncDirectory(dirname(stateDir));
    return { file: options.file, ...read, accounts, movedAside };
  } catch (error) {
    fs.rmSync(staging, { recursive: true, force: true });
    throw error;
  } finally {
    unlock();
  }
}

function swap(stateDir: string, staging: string, movedAside: string | undefined): void {
  try {
    if (movedAside !== undefined) fs.renameSync(stateDir, movedAside);
    // rename replaces an empty directory.
    fs.renameSync(staging, stateDir);
  } catch (error) {
    if (movedAside !== undefined && !fs.existsSync(stateDir)) fs.renameSync(movedAside, stateDir);
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new SourceError(
      `${stateDir}: cannot be replaced (${code}); where it is a mount point, restore into a directory inside of it`,
      { cause: error },
    );
  }
}

interface ReadArchive extends Pick<ManifestHead, "program" | "createdAtMs"> {
  files: number;
  bytes: number;
}

/** @param place undefined: only the database is kept, in `scratch` */
async function readArchive(
  file: string,
  scratch: string,
  place: { directory: string; owner: Owner } | undefined,
  onProgress: RestoreOptions["onProgress"],
): Promise<ReadArchive> {
  const seen = new ManifestLines(join(scratch, "seen"), undefined);
  const manifest = join(scratch, "manifest");
  try {
    for await (const { body, ...entry } of tarEntries(unpacked(file))) {
      if (entry.path === MANIFEST) {
        await save(body, manifest, entry);
        continue;
      }
      if (fs.existsSync(manifest)) throw new SourceError(`${file}: something follows the manifest`);
      checkPath(file, entry.path);
      const target =
        place !== undefined
          ? join(place.directory, entry.path)
          : entry.path === DATABASE
            ? join(scratch, DATABASE)
            : undefined;
      const sha256 = await save(body, target, entry);
      seen.add(entry.path, entry.size, sha256);
      onProgress?.({ files: seen.files, bytes: seen.bytes });
    }
  } catch (error) {
    throw asFault(file, error);
  }
  seen.end();
  if (!fs.existsSync(manifest))
    throw new SourceError(`${file}: it has no manifest: it is cut off, or no backup`);
  const head = await compare(file, seen.path, manifest);
  return { ...head, files: seen.files, bytes: seen.bytes };
}

async function* unpacked(file: string): AsyncGenerator<Uint8Array> {
  const stream = fs.createReadStream(file, { highWaterMark: 256 * 1024 });
  const unpacker = /\.(gz|tgz)$/.test(file)
    ? createGunzip()
    : file.endsWith(".zst")
      ? createZstdDecompress()
      : undefined;
  stream.on("error", (error) => unpacker?.destroy(error));
  yield* (unpacker === undefined ? stream : stream.pipe(unpacker)) as AsyncIterable<Uint8Array>;
}

/** Below the state directory, and nowhere else. */
function checkPath(file: string, path: string): void {
  const parts = path.split("/");
  if (
    path.startsWith("/") ||
    path.includes("\0") ||
    parts.some((part) => part === "" || part === "." || part === "..")
  ) {
    throw new SourceError(
      `${file}: ${JSON.stringify(path)} leads out of the state directory: this is no backup of madmail`,
    );
  }
}

/** @returns the digest @param target undefined: only the digest */
async function save(
  body: AsyncGenerator<Uint8Array>,
  target: string | undefined,
  entry: TarEntry,
): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  if (target !== undefined) fs.mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
  const fd = target === undefined ? undefined : fs.openSync(target, "wx", 0o600);
  try {
    for await (const piece of body) {
      hash.update(piece);
      if (fd !== undefined) for (let at = 0; at < piece.length; ) at += fs.writeSync(fd, piece, at);
    }
    if (fd !== undefined) fs.futimesSync(fd, entry.mtimeSec, entry.mtimeSec);
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
  return hash.digest("hex");
}

/** The manifest's lines are those of what was read, behind its head. */
async function compare(file: string, seen: string, manifest: string): Promise<ManifestHead> {
  const told = linesOf(manifest);
  const first = await told.next();
  const head = manifestHead.safeParse(parseJson(first.value ?? ""));
  if (!head.success) throw new SourceError(`${file}: its manifest is of another version, or damaged`);
  for await (const line of linesOf(seen)) {
    const next = await told.next();
    if (next.value === line) continue;
    const path = /^\{"path":"([^"]*)/.exec(line)?.[1] ?? "its end";
    throw new SourceError(`${file}: ${path} is not what the manifest says: the archive is damaged`);
  }
  if ((await told.next()).done !== true) throw new SourceError(`${file}: files of the manifest are missing`);
  return head.data;
}

/** @returns the number of accounts @throws {SourceError} */
function checkDatabase(path: string): number {
  if (!fs.existsSync(path)) throw new SourceError("the backup has no database");
  try {
    const db = new Database(path, { readwrite: true });
    try {
      const said = db.query("PRAGMA integrity_check").values()[0]?.[0];
      if (said !== "ok") throw new SourceError(`the database in the backup is damaged: ${String(said)}`);
      return Number(db.query("SELECT count(*) FROM passwords WHERE hash <> ''").values()[0]?.[0] ?? 0);
    } finally {
      db.close();
    }
  } catch (error) {
    throw error instanceof SourceError ? error : databaseError(error, path);
  }
}

function leapUids(mail: string, owner: Owner): void {
  if (!fs.existsSync(mail)) return;
  for (const name of fs.readdirSync(mail, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith("/madmail-uid")) continue;
    const path = join(mail, name);
    const text = fs.readFileSync(path, "latin1");
    const leapt = text.replace(
      / N(\d+) /,
      (_, next: string) => ` N${Math.min(Number(next) + UID_LEAP, UID_MAX)} `,
    );
    writeOwned(path, leapt, owner);
  }
}

function giveAll(root: string, owner: Owner): void {
  giveTo(owner, (uid, gid) => {
    fs.chownSync(root, uid, gid);
    for (const name of fs.readdirSync(root, { recursive: true, encoding: "utf8" })) {
      fs.lchownSync(join(root, name), uid, gid);
    }
  });
}

/** One call for all: a sync of each of a million small files would take hours. */
async function syncTree(root: string): Promise<void> {
  if (Bun.which("sync") !== null) {
    const { exited } = Bun.spawn(["sync", "-f", root], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    if ((await exited) === 0) return;
  }
  for (const name of ["", ...fs.readdirSync(root, { recursive: true, encoding: "utf8" })]) {
    if (fs.lstatSync(join(root, name)).isFile() || name === "") await syncDirectory(join(root, name));
  }
}

function asFault(file: string, error: unknown): unknown {
  if (error instanceof SourceError) return error;
  if (error instanceof TarError) return new SourceError(`${file}: ${error.message}`, { cause: error });
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (/^(Z_|ZSTD|ERR_)/.test(code)) {
    return new SourceError(`${file}: can't be decompressed: it is damaged or cut off (${code})`, {
      cause: error,
    });
  }
  return error;
}
