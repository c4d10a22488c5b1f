/** Rows of `settings`. */
import { eq, sql } from "drizzle-orm";
import type { Db } from "./open.ts";
import { settings } from "./schema.ts";

export class SettingRows {
  readonly #db: Db;
  #prepared: ReturnType<typeof prepare> | undefined;

  constructor(db: Db) {
    this.#db = db;
  }

  /** Prepared at first use: constructors do no I/O. */
  get #statements() {
    this.#prepared ??= prepare(this.#db);
    return this.#prepared;
  }

  forEach(visit: (key: string, value: string) => void): void {
    for (const { key, value } of this.#statements.all.all()) visit(key, value);
  }

  put(key: string, value: string): void {
    this.#statements.put.run({ key, value });
  }

  remove(key: string): void {
    this.#statements.remove.run({ key });
  }
}

function prepare(db: Db) {
  const key = sql.placeholder("key");
  return {
    all: db.select().from(settings).prepare(),
    put: db
      .insert(settings)
      .values({ key, value: sql.placeholder("value") })
      .onConflictDoUpdate({ target: settings.key, set: { value: sql`excluded.value` } })
      .prepare(),
    remove: db.delete(settings).where(eq(settings.key, key)).prepare(),
  };
}
