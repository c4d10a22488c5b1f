/** Small file calls of imports, backups and restores. */
import * as fs from "node:fs";

/** @throws errno errors */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await fs.promises.open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A small file, whole or not at all, for its owner only; synced. */
export function writeOwned(
  path: string,
  bytes: string | Uint8Array,
  owner: { uid: number; gid: number },
): void {
  const next = `${path}.new`;
  fs.rmSync(next, { force: true });
  const fd = fs.openSync(next, "wx", 0o600);
  try {
    fs.writeFileSync(fd, bytes);
    fs.fsyncSync(fd);
    giveTo(owner, (uid, gid) => fs.fchownSync(fd, uid, gid));
  } finally {
    fs.closeSync(fd);
  }
  fs.renameSync(next, path);
}

/** A directory for its owner only; harmless when it is there. */
export function makeOwned(path: string, owner: { uid: number; gid: number }): void {
  if (fs.existsSync(path)) return;
  fs.mkdirSync(path, { recursive: true, mode: 0o700 });
  giveTo(owner, (uid, gid) => fs.chownSync(path, uid, gid));
}

/** A command run by root leaves files to the user that the relay runs as. */
export function giveTo(
  { uid, gid }: { uid: number; gid: number },
  give: (uid: number, gid: number) => void,
): void {
  if (process.getuid?.() === 0) give(uid, gid);
}
