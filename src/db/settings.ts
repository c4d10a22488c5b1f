/** Rows of `settings`. */
import { eq, sql } from "drizzle-orm";
import type { Db } from "./open.ts";
import { PreparedRows } from "./prepared-rows.ts";
import { settings } from "./schema.ts";

export class SettingRows extends PreparedRows<ReturnType<typeof prepare>> {
  constructor(db: Db) {
    super(() => prepare(db));
  }

  forEach(visit: (key: string, value: string) => void): void {
    for (const { key, value } of this.statements.all.all()) visit(key, value);
  }

  put(key: string, value: string): void {
    this.statements.put.run({ key, value });
  }

  remove(key: string): void {
    this.statements.remove.run({ key });
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
