/** Rows of `message_stats`. */
import { sql } from "drizzle-orm";
import type { Db } from "./open.ts";
import { messageStats } from "./schema.ts";

export class MessageStatRows {
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

  forEach(visit: (name: string, count: number) => void): void {
    for (const { name, count } of this.#statements.all.all()) visit(name, count);
  }

  /** Adds to a counter, so that two writers can't lose each other's counts. */
  add(name: string, count: number): void {
    this.#statements.add.run({ name, count });
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
