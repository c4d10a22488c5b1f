/** Rows of `dns_overrides`. */
import { eq, sql } from "drizzle-orm";
import type { Db } from "./open.ts";
import { PreparedRows } from "./prepared-rows.ts";
import { dnsOverrides } from "./schema.ts";

export interface OverrideRow {
  target: string;
  comment: string;
  createdAtSec: number;
  updatedAtSec: number;
}

export class OverrideRows extends PreparedRows<ReturnType<typeof prepare>> {
  constructor(db: Db) {
    super(() => prepare(db));
  }

  forEach(visit: (lookupKey: string, row: OverrideRow) => void): void {
    for (const { lookupKey, targetHost, comment, createdAt, updatedAt } of this.statements.all.all()) {
      visit(lookupKey, {
        target: targetHost,
        comment,
        createdAtSec: createdAt,
        updatedAtSec: updatedAt,
      });
    }
  }

  put(lookupKey: string, row: OverrideRow): void {
    this.statements.put.run({ lookupKey, ...row });
  }

  remove(lookupKey: string): void {
    this.statements.remove.run({ lookupKey });
  }
}

function prepare(db: Db) {
  const lookupKey = sql.placeholder("lookupKey");
  return {
    all: db.select().from(dnsOverrides).orderBy(dnsOverrides.lookupKey).prepare(),
    put: db
      .insert(dnsOverrides)
      .values({
        lookupKey,
        targetHost: sql.placeholder("target"),
        comment: sql.placeholder("comment"),
        createdAt: sql.placeholder("createdAtSec"),
        updatedAt: sql.placeholder("updatedAtSec"),
      })
      .onConflictDoUpdate({
        target: dnsOverrides.lookupKey,
        set: {
          targetHost: sql`excluded.target_host`,
          comment: sql`excluded.comment`,
          updatedAt: sql`excluded.updated_at`,
        },
      })
      .prepare(),
    remove: db.delete(dnsOverrides).where(eq(dnsOverrides.lookupKey, lookupKey)).prepare(),
  };
}
