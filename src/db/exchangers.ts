/** Rows of `exchangers`. */
import { eq, sql } from "drizzle-orm";
import type { Db } from "./open.ts";
import { PreparedRows } from "./prepared-rows.ts";
import { exchangers } from "./schema.ts";

export interface ExchangerRow {
  url: string;
  enabled: boolean;
  pollIntervalSec: number;
  lastPollAtSec: number;
  createdAtSec: number;
  updatedAtSec: number;
}

export class ExchangerRows extends PreparedRows<ReturnType<typeof prepare>> {
  constructor(db: Db) {
    super(() => prepare(db));
  }

  forEach(visit: (name: string, row: ExchangerRow) => void): void {
    for (const row of this.statements.all.all()) {
      visit(row.name, {
        url: row.url,
        enabled: row.enabled,
        pollIntervalSec: row.pollInterval,
        lastPollAtSec: row.lastPollAt,
        createdAtSec: row.createdAt,
        updatedAtSec: row.updatedAt,
      });
    }
  }

  put(name: string, row: ExchangerRow): void {
    this.statements.put.run({ name, ...row, enabled: row.enabled ? 1 : 0 });
  }

  remove(name: string): void {
    this.statements.remove.run({ name });
  }
}

function prepare(db: Db) {
  const name = sql.placeholder("name");
  return {
    all: db.select().from(exchangers).orderBy(exchangers.name).prepare(),
    put: db
      .insert(exchangers)
      .values({
        name,
        url: sql.placeholder("url"),
        enabled: sql`${sql.placeholder("enabled")}`,
        pollInterval: sql.placeholder("pollIntervalSec"),
        lastPollAt: sql.placeholder("lastPollAtSec"),
        createdAt: sql.placeholder("createdAtSec"),
        updatedAt: sql.placeholder("updatedAtSec"),
      })
      .onConflictDoUpdate({
        target: exchangers.name,
        set: {
          url: sql`excluded.url`,
          enabled: sql`excluded.enabled`,
          pollInterval: sql`excluded.poll_interval`,
          lastPollAt: sql`excluded.last_poll_at`,
          updatedAt: sql`excluded.updated_at`,
        },
      })
      .prepare(),
    remove: db.delete(exchangers).where(eq(exchangers.name, name)).prepare(),
  };
}
