/** Rows of `message_stats`. */
import { sql } from "drizzle-orm";
import type { Db } from "./open.ts";
import { PreparedRows } from "./prepared-rows.ts";
import { messageStats } from "./schema.ts";

export class MessageStatRows extends PreparedRows<ReturnType<typeof prepare>> {
  constructor(db: Db) {
    super(() => prepare(db));
  }

  forEach(visit: (name: string, count: number) => void): void {
    for (const { name, count } of this.statements.all.all()) visit(name, count);
  }

  /** Adds to a counter, so that two writers can't lose each other's counts. */
  add(name: string, count: number): void {
    this.statements.add.run({ name, count });
  }
}

function prepare(db: Db) {
  return {
    all: db.select().from(messageStats).prepare(),
    add: db
      .insert(messageStats)
      .values({ name: sql.placeholder("name"), count: sql.placeholder("count") })
      .onConflictDoUpdate({
        target: messageStats.name,
        set: { count: sql`${messageStats.count} + excluded.count` },
      })
      .prepare(),
  };
}
