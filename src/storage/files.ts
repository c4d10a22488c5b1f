/**
 * The few file calls whose failure or delay decides whether mail is lost: a port, so that tests can fail them.
 * Cheap calls are synchronous (measured: half the CPU of `fs/promises`); whatever waits for the disk runs in the pool.
 * Descriptors, not FileHandles: a collected FileHandle throws an uncaught error.
 */
import * as fs from "node:fs";

/** Mail is nobody else's business: owner only. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** All synchronous calls throw, all promises reject, with errors that carry an errno `code`. */
export interface Files {
  /** Creates a file that must not exist. @returns a descriptor for writing */
  create(path: string): number;
  /** Writes all of `bytes` at the descriptor's position. */
  write(fd: number, bytes: Uint8Array): void;
  openDirectory(path: string): number;
  close(fd: number): void;
  rename(from: string, to: string): void;
  link(from: string, to: string): void;
  unlink(path: string): void;
  /** Creates a directory and its parents; harmless when it exists. */
  mkdir(path: string): void;
  /** fdatasync in the pool. */
  syncData(fd: number): Promise<void>;
  /** fsync in the pool. */
  sync(fd: number): Promise<void>;
}

/** The machine's file system. */
export const diskFiles: Files = {
  create: (path) => fs.openSync(path, "wx", FILE_MODE),
  write(fd, bytes) {
    for (let at = 0; at < bytes.length; ) at += fs.writeSync(fd, bytes, at, bytes.length - at);
  },
  openDirectory: (path) => fs.openSync(path, "r"),
  close: (fd) => fs.closeSync(fd),
  rename: (from, to) => fs.renameSync(from, to),
  link: (from, to) => fs.linkSync(from, to),
  unlink: (path) => fs.unlinkSync(path),
  mkdir: (path) => void fs.mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE }),
  syncData: (fd) => inPool((done) => fs.fdatasync(fd, done)),
  sync: (fd) => inPool((done) => fs.fsync(fd, done)),
};

/** True if the error says that the file or directory is not there. */
export function isMissing(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}

/** The errno name of a failed file call, or `undefined`. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

function inPool(call: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error ? reject(error) : resolve()));
  });
}
