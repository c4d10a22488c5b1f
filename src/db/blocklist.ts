/** Rows of `blocked_users`. */
import { eq, sql } from "drizzle-orm";
import type { Address } from "../core/address.ts";
import type { Db } from "./open.ts";
import { PreparedRows } from "./prepared-rows.ts";
import { blockedUsers } from "./schema.ts";

export interface BlockRow {
  reason: string;
  blockedAtSec: number;
}

export class BlockRows extends PreparedRows<ReturnType<typeof prepare>> {
  constructor(db: Db) {
    super(() => prepare(db));
  }

  forEach(visit: (user: Address, row: BlockRow) => void): void {
    for (const row of this.statements.all.all()) {
      visit(row.username as Address, { reason: row.reason, blockedAtSec: row.blockedAt });
    }
  }

  put(user: Address, row: BlockRow): void {
    this.statements.put.run({ user, reason: row.reason, blockedAt: row.blockedAtSec });
  }

  remove(user: Address): void {
    this.statements.remove.run({ user });
  }
}

function prepare(db: Db) {
  const user = sql.placeholder("user");
  return {
    all: db.select().from(blockedUsers).prepare(),
    put: db
      .insert(blockedUsers)
      .values({ username: user, reason: sql.placeholder("reason"), blockedAt: sql.placeholder("blockedAt") })
      .onConflictDoUpdate({
        target: blockedUsers.username,
        set: { reason: sql`excluded.reason`, blockedAt: sql`excluded.blocked_at` },
      })
      .prepare(),
    remove: db.delete(blockedUsers).where(eq(blockedUsers.username, user)).prepare(),
  };
}
