/**
 * One archive of a whole relay, running or not: a snapshot of the database, mail, keys, queue, configuration, and a
 * manifest with the digest of each file, written last. The archive gets its name only when all of it is on disk.
 */
import { Database } from "bun:sqlite";
import * as fs from "node:fs";
import { dirname, resolve } from "node:path";
import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip, createZstdCompress } from "node:zlib";
import { commit, version } from "../core/version.ts";
import { lockStateDirectory } from "../db/lock.ts";
import { DatabaseError, databaseError } from "../db/open.ts";
import { walkState, type WalkedFile } from "./backup-walk.ts";
import { syncDirectory } from "./disk.ts";
import { MANIFEST, ManifestLines } from "./manifest.ts";
import { SourceError } from "./source.ts";
import { tarEnd, tarHeader, tarPadding } from "./tar.ts";

const DATABASE = "madmail.db";
/** Where files from outside of the state directory lie in the archive. */
const CONFIG_DIR = "backup-config";
const CHUNK_BYTES = 256 * 1024;

export interface BackupOptions {
  stateDir: string;
  /** `….tar`, `….tar.gz` or `….tar.zst`; must not exist. */
  file: string;
  /** Further files, such as the configuration, by their names below `backup-config/`. */
  extra: readonly { name: string; file: string }[];
  onProgress?: (done: { files: number; bytes: number }) => void;
}

export interface BackupReport {
  file: string;
  files: number;
  /** Of the files; the archive may be smaller. */
  bytes: number;
  archiveBytes: number;
  running: boolean;
}

/** @throws {SourceError | DatabaseError} @throws errno errors */
export async function writeBackup(options: BackupOptions): Promise<BackupReport> {
  const file = resolve(options.file);
  const compressor = compressorOf(file);
  if (fs.existsSync(file)) throw new SourceError(`${file}: is there already; choose another name`);
  if (!fs.existsSync(`${options.stateDir}/${DATABASE}`)) {
    throw new SourceError(`${options.stateDir}: expected the state of a relay, found no ${DATABASE}`);
  }
  const running = isRunning(options.stateDir);
  const parts = { archive: `${file}.part`, snapshot: `${file}.db.part`, manifest: `${file}.manifest.part` };
  for (const path of Object.values(parts)) fs.rmSync(path, { force: true });
  try {
    snapshot(`${options.stateDir}/${DATABASE}`, parts.snapshot);
    const head = { madmail: 1, program: version, commit, createdAtMs: Date.now(), running } as const;
    const manifest = new ManifestLines(parts.manifest, head);
    const out = fs.createWriteStream(parts.archive, { flags: "wx", mode: 0o600, flush: true });
    const stream = Readable.from(archive(options, parts, manifest), {
      objectMode: false,
      highWaterMark: CHUNK_BYTES,
    });
    await (compressor === undefined ? pipeline(stream, out) : pipeline(stream, compressor, out));
    const { size } = fs.statSync(parts.archive);
    fs.linkSync(parts.archive, file);
    await syncDirectory(dirname(file));
    return { file, files: manifest.files, bytes: manifest.bytes, archiveBytes: size, running };
  } finally {
    for (const path of Object.values(parts)) fs.rmSync(path, { force: true });
  }
}

function compressorOf(file: string): Transform | undefined {
  if (file.endsWith(".tar")) return undefined;
  if (/\.(tar\.gz|tgz)$/.test(file)) return createGzip({ level: 6 });
  if (file.endsWith(".tar.zst")) return createZstdCompress();
  throw new SourceError(`${file}: expected a name that ends in .tar, .tar.gz or .tar.zst`);
}

function isRunning(stateDir: string): boolean {
  try {
    lockStateDirectory(stateDir)();
    return false;
  } catch (error) {
    if (error instanceof DatabaseError && error.fault === "busy") return true;
    throw error;
  }
}

/** A copy as of one moment, without holding up the relay's writes. */
function snapshot(from: string, to: string): void {
  // Made first, so that nobody else can ever read it.
  fs.closeSync(fs.openSync(to, "wx", 0o600));
  try {
    const db = new Database(from, { readwrite: true });
    try {
      db.run("PRAGMA busy_timeout = 30000");
      db.query("VACUUM INTO ?1").run(to);
    } finally {
      db.close();
    }
  } catch (error) {
    throw databaseError(error, from);
  }
}

async function* archive(
  { stateDir, extra, onProgress }: BackupOptions,
  parts: { archive: string; snapshot: string; manifest: string },
  manifest: ManifestLines,
): AsyncGenerator<Uint8Array> {
  const own = new Set(Object.values(parts).map((path) => resolve(path)));
  const files = new Files();
  const walk = (async () => {
    await files.put({ path: DATABASE, file: parts.snapshot });
    for (const { name, file } of extra) await files.put({ path: `${CONFIG_DIR}/${name}`, file });
    await walkState(stateDir, async (walked) => own.has(resolve(walked.file)) || (await files.put(walked)));
  })().finally(() => files.end());
  walk.catch(() => undefined);
  for (let next = await files.next(); next !== undefined; next = await files.next()) {
    let found = false;
    try {
      for await (const piece of tarred(next.walked, manifest)) {
        found = true;
        yield piece;
      }
      onProgress?.({ files: manifest.files, bytes: manifest.bytes });
    } finally {
      next.answer(found);
    }
  }
  await walk;
  manifest.end();
  const { size } = fs.statSync(parts.manifest);
  yield tarHeader({ path: MANIFEST, size, mtimeSec: Date.now() / 1000 });
  yield* fs.createReadStream(parts.manifest);
  yield tarPadding(size);
  yield tarEnd();
}

/** Nothing at all when the file is not there. @throws {SourceError} when it shrinks while it is read */
async function* tarred({ path, file }: WalkedFile, manifest: ManifestLines): AsyncGenerator<Uint8Array> {
  let handle: fs.promises.FileHandle;
  try {
    handle = await fs.promises.open(file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  try {
    const { size, mtimeMs } = await handle.stat();
    yield tarHeader({ path, size, mtimeSec: mtimeMs / 1000 });
    const hash = new Bun.CryptoHasher("sha256");
    for (let at = 0; at < size; ) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - at));
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) throw new SourceError(`${file}: became shorter while it was read; try again`);
      const piece = chunk.subarray(0, bytesRead);
      hash.update(piece);
      at += bytesRead;
      yield piece;
    }
    yield tarPadding(size);
    manifest.add(path, size, hash.digest("hex"));
  } finally {
    await handle.close();
  }
}

/** Hands files from the walk to the archive one at a time: the walk waits until each is written. */
class Files {
  #waiting: { walked: WalkedFile; answer: (found: boolean) => void } | undefined;
  #wake: (() => void) | undefined;
  #ended = false;

  put(walked: WalkedFile): Promise<boolean> {
    return new Promise((answer) => {
      this.#waiting = { walked, answer };
      this.#wake?.();
    });
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async next(): Promise<{ walked: WalkedFile; answer: (found: boolean) => void } | undefined> {
    while (this.#waiting === undefined && !this.#ended) {
      await new Promise<void>((resolve_) => {
        this.#wake = resolve_;
      });
    }
    const next = this.#waiting;
    this.#waiting = undefined;
    return next;
  }
}
