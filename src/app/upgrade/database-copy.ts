/** Copies of the database around an upgrade: to try a new version on, and to go back to. */
import { Database } from "bun:sqlite";
import * as fs from "node:fs";
import { dirname } from "node:path";
import { syncDirectory } from "../install/files.ts";
import { InstallError } from "../install/machine.ts";

const OWNER_ONLY = 0o600;

/** A whole copy of a database that may be in use. What was begun under that name before is replaced. @throws {InstallError} */
export function copyDatabase(from: string, to: string): void {
  const next = `${to}.tmp`;
  fs.rmSync(next, { force: true });
  let source: Database | undefined;
  try {
    fs.mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    source = new Database(from, { readonly: true });
    source.run("PRAGMA busy_timeout = 5000");
    source.query("VACUUM INTO ?").run(next);
    fs.chmodSync(next, OWNER_ONLY);
    const fd = fs.openSync(next, "r+");
    fs.fsyncSync(fd);
    fs.closeSync(fd);
    fs.renameSync(next, to);
    syncDirectory(dirname(to));
  } catch (error) {
    fs.rmSync(next, { force: true });
    const why = error instanceof Error ? error.message : String(error);
    throw new InstallError(`the database ${from} can't be copied to ${to} (${why})`, { cause: error });
  } finally {
    source?.close();
  }
}

/** Whether another version has changed the tables since the copy was made. A database that can't be read counts as changed. */
export function wasMigrated(database: string, backup: string): boolean {
  const before = newestMigration(backup);
  const now = newestMigration(database);
  return now === undefined || now !== before;
}

/** Puts a copy in the place of the database. The relay must be stopped. Repeating it after a crash is harmless. */
export function restoreDatabase(backup: string, database: string): void {
  const owner = fs.statSync(dirname(database));
  const next = `${database}.restored`;
  fs.rmSync(next, { force: true });
  fs.copyFileSync(backup, next, fs.constants.COPYFILE_EXCL);
  fs.chmodSync(next, OWNER_ONLY);
  if (process.getuid?.() === 0) fs.lchownSync(next, owner.uid, owner.gid);
  const fd = fs.openSync(next, "r+");
  fs.fsyncSync(fd);
  fs.closeSync(fd);
  // The log of the old file first: beside the new one it would be read into it.
  fs.rmSync(`${database}-wal`, { force: true });
  fs.rmSync(`${database}-shm`, { force: true });
  fs.renameSync(next, database);
  syncDirectory(dirname(database));
}

function newestMigration(path: string): number | undefined {
  let database: Database | undefined;
  try {
    database = new Database(path, { readonly: true });
    const row = database.query("SELECT max(created_at) FROM __drizzle_migrations").values()[0];
    return Number(row?.[0] ?? 0);
  } catch {
    return undefined;
  } finally {
    database?.close();
  }
}
