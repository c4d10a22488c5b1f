import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeDatabase, DatabaseError, databaseError, inTransaction, openDatabase } from "./open.ts";
import { settings } from "./schema.ts";
import { SettingRows } from "./settings.ts";

const root = mkdtempSync(join(tmpdir(), "madmail-db-"));
afterAll(() => rmSync(root, { recursive: true }));
let files = 0;
const freshPath = () => join(root, `${++files}.db`);

function faultOf(work: () => void): DatabaseError {
  try {
    work();
  } catch (error) {
    if (error instanceof DatabaseError) return error;
    throw error;
  }
  throw new Error("expected a DatabaseError");
}

describe("openDatabase()", () => {
  test("makes a file, and its WAL, that only the owner reads", () => {
    const path = freshPath();
    const db = openDatabase(path);
    new SettingRows(db).put("__X__", "1");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600);
    closeDatabase(db);
  });

  test("takes the group's and the world's rights off a file that has them", () => {
    const path = freshPath();
    writeFileSync(path, "", { mode: 0o644 });
    closeDatabase(openDatabase(path));
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("sets WAL, NORMAL, a busy timeout and foreign keys", () => {
    const db = openDatabase(freshPath());
    const pragma = (name: string) => db.$client.query(`PRAGMA ${name}`).values()[0]?.[0];
    expect([
      pragma("journal_mode"),
      pragma("synchronous"),
      pragma("busy_timeout"),
      pragma("foreign_keys"),
    ]).toEqual(["wal", 1, 5000, 1]);
    closeDatabase(db);
  });

  test("opens what it made before, with its rows", () => {
    const path = freshPath();
    const first = openDatabase(path);
    new SettingRows(first).put("__X__", "kept");
    closeDatabase(first);
    const second = openDatabase(path);
    const seen: string[] = [];
    new SettingRows(second).forEach((key, value) => seen.push(`${key}=${value}`));
    expect(seen).toEqual(["__X__=kept"]);
    closeDatabase(second);
  });

  test("names the directory when it is missing", () => {
    const error = faultOf(() => openDatabase(join(root, "missing", "a.db")));
    expect(error.fault).toBe("notWritable");
    expect(error.message).toContain(join(root, "missing"));
    expect(error.message).toContain("ENOENT");
  });

  test("says that a file of something else is no database", () => {
    const path = freshPath();
    writeFileSync(path, "this is a letter to grandmother, not a database. ".repeat(40));
    expect(faultOf(() => openDatabase(path)).fault).toBe("corrupt");
  });

  test("says that a database with a torn page is damaged", () => {
    const path = freshPath();
    closeDatabase(openDatabase(path));
    const bytes = readFileSync(path);
    bytes.fill(0x5a, 100, 4096); // the schema page, behind the file's header
    writeFileSync(path, bytes);
    expect(faultOf(() => openDatabase(path)).fault).toBe("corrupt");
  });

  test("refuses a database of a newer version, and leaves it alone", () => {
    const path = freshPath();
    const db = openDatabase(path);
    db.$client.run("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('future', 9999999999999)");
    closeDatabase(db);
    const error = faultOf(() => openDatabase(path));
    expect(error.fault).toBe("tooNew");
    expect(error.message).toContain("newer version");
    const last = new Database(path)
      .query("SELECT hash FROM __drizzle_migrations ORDER BY created_at DESC")
      .get();
    expect(last).toEqual({ hash: "future" });
  });
});

describe("databaseError()", () => {
  const rows: [string, string][] = [
    ["EACCES", "notWritable"],
    ["EROFS", "notWritable"],
    ["SQLITE_READONLY_DIRECTORY", "notWritable"],
    ["SQLITE_CORRUPT_INDEX", "corrupt"],
    ["SQLITE_BUSY", "busy"],
    ["SQLITE_FULL", "full"],
    ["SQLITE_IOERR_WRITE", "failed"],
  ];
  test.each(rows)("reads %s below a wrapper as %s", (code, want) => {
    const cause = Object.assign(new Error("inner"), { code });
    expect(databaseError(new Error("Failed query", { cause }), "x.db").fault).toBe(want as never);
  });
});

describe("inTransaction()", () => {
  test("undoes everything when the work throws", () => {
    const db = openDatabase(freshPath());
    const rows = new SettingRows(db);
    expect(() =>
      inTransaction(db, () => {
        rows.put("__A__", "1");
        throw new Error("stop");
      }),
    ).toThrow("stop");
    expect(db.select().from(settings).all()).toEqual([]);
    closeDatabase(db);
  });

  test("keeps what an inner transaction did when only another inner one fails", () => {
    const db = openDatabase(freshPath());
    const rows = new SettingRows(db);
    inTransaction(db, () => {
      inTransaction(db, () => rows.put("__A__", "1"));
      expect(() =>
        inTransaction(db, () => {
          rows.put("__B__", "1");
          throw new Error("inner");
        }),
      ).toThrow("inner");
    });
    expect(db.select().from(settings).all()).toEqual([{ key: "__A__", value: "1" }]);
    closeDatabase(db);
  });

  test("does not take an async callback", () => {
    const db = openDatabase(freshPath());
    // @ts-expect-error: an async callback would commit at its first await
    const misuse = () => inTransaction(db, async () => 1);
    expect(typeof misuse).toBe("function");
    closeDatabase(db);
  });
});

test("migrations are in the order of their times, as the migrator applies them by time", () => {
  const folder = join(import.meta.dir, "..", "..", "drizzle");
  const journal = JSON.parse(readFileSync(join(folder, "meta", "_journal.json"), "utf8")) as {
    entries: { idx: number; when: number; tag: string }[];
  };
  const times = journal.entries.map((entry) => entry.when);
  expect(times.length).toBeGreaterThan(0);
  for (const [i, time] of times.entries()) expect(time).toBeGreaterThan(times[i - 1] ?? 0);
  for (const [i, entry] of journal.entries.entries()) {
    expect(entry.idx).toBe(i);
    expect(statSync(join(folder, `${entry.tag}.sql`)).isFile()).toBe(true);
  }
});
