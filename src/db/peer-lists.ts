/** Rows of `federation_rules` and `federation_silent_dismiss`: lists of servers. */
import { eq, sql } from "drizzle-orm";
import type { PeerKey } from "../core/peer-key.ts";
import type { Db } from "./open.ts";
import { PreparedRows } from "./prepared-rows.ts";
import { federationRules, federationSilentDismiss } from "./schema.ts";

const tables = { rules: federationRules, dismissed: federationSilentDismiss } as const;

export class PeerListRows extends PreparedRows<ReturnType<typeof prepare>> {
  constructor(db: Db, list: keyof typeof tables) {
    super(() => prepare(db, list));
  }

  forEach(visit: (peer: PeerKey, createdAtSec: number) => void): void {
    for (const row of this.statements.all.all()) visit(row.domain as PeerKey, row.createdAt);
  }

  /** One that is there keeps its date. */
  put(peer: PeerKey, createdAtSec: number): void {
    this.statements.put.run({ peer, createdAtSec });
  }

  remove(peer: PeerKey): void {
    this.statements.remove.run({ peer });
  }
}

function prepare(db: Db, list: keyof typeof tables) {
  const table = tables[list];
  const peer = sql.placeholder("peer");
  return {
    all: db.select().from(table).orderBy(table.domain).prepare(),
    put: db
      .insert(table)
      .values({ domain: peer, createdAt: sql.placeholder("createdAtSec") })
      .onConflictDoNothing()
      .prepare(),
    remove: db.delete(table).where(eq(table.domain, peer)).prepare(),
  };
}
