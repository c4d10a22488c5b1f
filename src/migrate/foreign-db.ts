/**
 * Databases of madmail and maddy, read without touching them: a database that was closed well is opened as an
 * immutable file (no lock, no shared memory file beside it); one with a write-ahead log is copied first.
 */
import { constants, Database } from "bun:sqlite";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { SourceError } from "./source.ts";

export type ForeignRow = Readonly<Record<string, unknown>>;

export class ForeignDb {
  readonly path: string;
  /** Its server did not close it: it may be running still. */
  readonly wasOpen: boolean;
  readonly #db: Database;
  readonly #copyDir: string | undefined;

  /** @throws {SourceError} for what is no SQLite database */
  constructor(path: string) {
    this.path = path;
    this.wasOpen = sizeOf(`${path}-wal`) > 0;
    this.#copyDir = this.wasOpen ? fs.mkdtempSync(join(tmpdir(), "madmail-import-")) : undefined;
    try {
      this.#db = this.#copyDir === undefined ? openImmutable(path) : openCopy(path, this.#copyDir);
      this.#db.query("SELECT 1 FROM sqlite_schema").get();
    } catch (error) {
      this.#removeCopy();
      const why = error instanceof Error ? error.message : String(error);
      throw new SourceError(`${path}: cannot be read as a SQLite database (${why})`, { cause: error });
    }
  }

  has(table: string): boolean {
    return (
      this.#db
        .query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE")
        .get(table) !== null
    );
  }

  /** Rows of the first of these tables that is there, by column names in lower case; none without a table. */
  rows(...tables: string[]): ForeignRow[] {
    const table = tables.find((name) => this.has(name));
    return table === undefined ? [] : this.query(`SELECT * FROM "${table}"`);
  }

  query(sql: string, ...values: (string | number)[]): ForeignRow[] {
    try {
      const rows = this.#db.query(sql).all(...values) as Record<string, unknown>[];
      return rows.map((row) =>
        Object.fromEntries(Object.entries(row).map(([key, value]) => [key.toLowerCase(), value])),
      );
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new SourceError(`${this.path}: cannot be read (${why})`, { cause: error });
    }
  }

  close(): void {
    this.#db.close();
    this.#removeCopy();
  }

  #removeCopy(): void {
    if (this.#copyDir !== undefined) fs.rmSync(this.#copyDir, { recursive: true, force: true });
  }
}

function openImmutable(path: string): Database {
  const url = `${pathToFileURL(path).href}?immutable=1`;
  return new Database(url, constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI);
}

function openCopy(path: string, directory: string): Database {
  const copy = join(directory, basename(path));
  for (const suffix of ["", "-wal"]) fs.copyFileSync(`${path}${suffix}`, `${copy}${suffix}`);
  return new Database(copy, { readwrite: true });
}

function sizeOf(path: string): number {
  return fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

export function textOf(value: unknown): string {
  return typeof value === "string"
    ? value
    : value instanceof Uint8Array
      ? Buffer.from(value).toString("utf8")
      : "";
}

export function numberOf(value: unknown): number {
  const number = typeof value === "bigint" || typeof value === "string" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? Math.max(0, Math.floor(number)) : 0;
}

/** Seconds since 1970 of what different programs put into a time column; 0 for nothing. */
export function secondsOf(value: unknown): number {
  if (typeof value !== "string" || /^\d+$/.test(value)) {
    const number = numberOf(value);
    return number > 100_000_000_000 ? Math.floor(number / 1000) : number;
  }
  const [, day, time = "00:00:00", zone = "Z"] =
    /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(?:\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?)?/.exec(value) ?? [];
  const ms =
    day === undefined
      ? Number.NaN
      : Date.parse(`${day}T${time}${zone.replace(/^([+-]\d\d)(\d\d)$/, "$1:$2")}`);
  return Number.isNaN(ms) ? 0 : Math.max(0, Math.floor(ms / 1000));
}
