/** Files that are there whole or not at all, whatever happens in between. */
import * as fs from "node:fs";
import { dirname } from "node:path";
import type { UserIds } from "./machine.ts";

export interface FileFacts {
  mode: number;
  owner?: UserIds | undefined;
}

/** Writes beside the file, syncs, renames. What an interrupted run left beside it is replaced. */
export function writeWhole(path: string, content: string | Uint8Array, { mode, owner }: FileFacts): void {
  const next = `${path}.tmp`;
  fs.rmSync(next, { force: true });
  const fd = fs.openSync(next, "wx", mode);
  try {
    fs.writeFileSync(fd, content);
    fs.fchmodSync(fd, mode);
    if (owner !== undefined) fs.fchownSync(fd, owner.uid, owner.gid);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  fs.renameSync(next, path);
  syncDirectory(dirname(path));
}

/** Makes `path` a symbolic link to `target` in one go, whatever it was. */
export function linkWhole(path: string, target: string): void {
  const next = `${path}.tmp`;
  fs.rmSync(next, { force: true, recursive: true });
  fs.symlinkSync(target, next);
  fs.renameSync(next, path);
  syncDirectory(dirname(path));
}

/** Where a link leads; undefined when there is none. */
export function linkTarget(path: string): string | undefined {
  try {
    return fs.readlinkSync(path);
  } catch {
    return undefined;
  }
}

export function syncDirectory(path: string): void {
  const fd = fs.openSync(path, "r");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Copies a file and syncs it, without holding it in memory. */
export function copySynced(from: string, to: string, mode: number): void {
  fs.copyFileSync(from, to);
  fs.chmodSync(to, mode);
  const fd = fs.openSync(to, "r+");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Gives one file or directory to its owner; a link itself, never what it leads to. */
export function give(path: string, owner: UserIds | undefined): void {
  if (owner !== undefined && fs.existsSync(path)) fs.lchownSync(path, owner.uid, owner.gid);
}

/** Whether both hold the same bytes. */
export async function sameBytes(one: string, other: string): Promise<boolean> {
  if (!fs.existsSync(one) || !fs.existsSync(other)) return false;
  if (fs.statSync(one).size !== fs.statSync(other).size) return false;
  return (await sha256(one)) === (await sha256(other));
}

/** SHA-256 of a file, lower case hex, read piece by piece. */
export async function sha256(path: string): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  for await (const piece of Bun.file(path).stream()) hash.update(piece);
  return hash.digest("hex");
}
