/**
 * Opens the database: file, pragmas, migrations.
 *
 * Invariants
 * - The file, its WAL and its shared memory are readable by the owner only (SQLite gives the latter two the mode of the first).
 * - A database that a newer program has migrated is refused, never touched.
 * - WAL with synchronous NORMAL: a power cut may take the last transactions, never the consistency.
 */
import { Database } from "bun:sqlite";
import { chmodSync, closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type BunSQLiteDatabase, drizzle } from "drizzle-orm/bun-sqlite";
import { migrate } from "drizzle-orm/bun-sqlite/migrator";
import { embeddedDirectory } from "../config/embedded.ts";

/** How long a statement waits for another process, such as the command line tool, to finish writing. */
const BUSY_TIMEOUT_MS = 5000;
const OWNER_ONLY = 0o600;

export type Db = BunSQLiteDatabase & { $client: Database };
export type Tx = Parameters<Parameters<Db["transaction"]>[0]>[0];

export type DatabaseFault = "notWritable" | "tooNew" | "corrupt" | "busy" | "full" | "failed";

/** A database that can't be used, with a message for the operator. */
export class DatabaseError extends Error {
  readonly fault: DatabaseFault;
  constructor(fault: DatabaseFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

/**
 * Opens or creates the database and brings its tables up to date.
 * @param migrationsFolder what drizzle-kit wrote; the embedded one unless a test says otherwise
 * @throws {DatabaseError}
 */
export function openDatabase(path: string, migrationsFolder = embeddedDirectory("drizzle")): Db {
  let client: Database | undefined;
  try {
    createForOwner(path);
    client = new Database(path, { readwrite: true, create: true });
    // The timeout comes first: switching to WAL may already have to wait.
    client.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    // Only a database without tables takes it: lets free pages be given back little by little.
    client.run("PRAGMA auto_vacuum = INCREMENTAL");
    client.run("PRAGMA journal_mode = WAL");
    client.run("PRAGMA synchronous = NORMAL");
    client.run("PRAGMA foreign_keys = ON");
    const db = drizzle({ client });
    refuseNewer(db.$client, path, migrationsFolder);
    migrate(db, { migrationsFolder });
    return db;
  } catch (error) {
    client?.close();
    throw databaseError(error, path);
  }
}

/**
 * Folds the WAL back into the file and closes it. Bun leaves a connection half open while prepared statements live,
 * and SQLite folds only at the real end: hence the explicit checkpoint. Another process may hinder it, which is harmless.
 */
export function closeDatabase(db: Db): void {
  db.$client.run("PRAGMA wal_checkpoint(TRUNCATE)");
  db.$client.close();
}

/**
 * Runs `work` in one transaction that takes the write lock at once, so that it can't fail half-way for another writer.
 * Statements prepared outside take part, since there is one connection. Nested calls are savepoints.
 * An async callback would commit at its first await: the last parameter makes that a type error.
 */
export function inTransaction<T>(
  db: Db,
  work: (tx: Tx) => T,
  ..._sync: [T] extends [never] ? [] : T extends PromiseLike<unknown> ? [never] : []
): T {
  return db.transaction(work, { behavior: "immediate" });
}

/** Says in the operator's words what SQLite or the file system complained about. */
export function databaseError(error: unknown, path: string): DatabaseError {
  if (error instanceof DatabaseError) return error;
  const code = codeOf(error);
  const options = { cause: error };
  if (/^(EACCES|EPERM|EROFS|ENOENT|ENOTDIR|EISDIR|SQLITE_READONLY|SQLITE_CANTOPEN)/.test(code)) {
    const what = `cannot write the database ${path} (${code}): the directory ${dirname(path)} must exist and belong to the user this program runs as`;
    return new DatabaseError("notWritable", what, options);
  }
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    const what = `the database ${path} is damaged or not a database (${code}): restore it from a backup, or move it away to start with an empty one`;
    return new DatabaseError("corrupt", what, options);
  }
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return new DatabaseError("busy", `the database ${path} is held by another process (${code})`, options);
  }
  if (/^(SQLITE_FULL|ENOSPC|EDQUOT)/.test(code)) {
    return new DatabaseError("full", `no space left for the database ${path} (${code})`, options);
  }
  const text = error instanceof Error ? error.message : String(error);
  return new DatabaseError("failed", `the database ${path} failed: ${text}`, options);
}

/** SQLite would create the file with the umask's mode; there must be no moment at which others can read it. */
function createForOwner(path: string): void {
  const fd = openSync(path, "a", OWNER_ONLY);
  const { mode } = fstatSync(fd);
  closeSync(fd);
  if ((mode & 0o077) !== 0) chmodSync(path, OWNER_ONLY);
}

function refuseNewer(client: Database, path: string, migrationsFolder: string): void {
  const table = client.query("SELECT 1 FROM sqlite_schema WHERE name = '__drizzle_migrations'").get();
  if (table === null) return;
  const row = client.query("SELECT max(created_at) FROM __drizzle_migrations").values()[0];
  const applied = Number(row?.[0] ?? 0);
  if (applied > newestMigration(migrationsFolder)) {
    throw new DatabaseError(
      "tooNew",
      `the database ${path} was written by a newer version of this program: update the program, or restore the backup made before the update`,
    );
  }
}

function newestMigration(migrationsFolder: string): number {
  const text = readFileSync(join(migrationsFolder, "meta", "_journal.json"), "utf8");
  const journal = JSON.parse(text) as { entries: { when: number }[] };
  return journal.entries.at(-1)?.when ?? 0;
}

/** Drizzle wraps what SQLite throws: the code is somewhere down the chain of causes. */
function codeOf(error: unknown): string {
  for (let e = error; e instanceof Error; e = e.cause) {
    if ("code" in e && typeof e.code === "string") return e.code;
  }
  return "";
}
