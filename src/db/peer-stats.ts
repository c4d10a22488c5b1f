/** Rows of `federation_server_stats`. */
import { desc, eq, sql } from "drizzle-orm";
import type { PeerKey } from "../core/peer-key.ts";
import type { Db } from "./open.ts";
import { PreparedRows } from "./prepared-rows.ts";
import { federationServerStats as stats } from "./schema.ts";

export interface PeerStatRow {
  failedHttp: number;
  failedHttps: number;
  failedSmtp: number;
  successHttp: number;
  successHttps: number;
  successSmtp: number;
  inboundDeliveries: number;
  successfulDeliveries: number;
  totalLatencyMs: number;
  lastError: string;
  /** Seconds; the beginning of the hour. */
  lastActive: number;
}

export class PeerStatRows extends PreparedRows<ReturnType<typeof prepare>> {
  constructor(db: Db) {
    super(() => prepare(db));
  }

  /** The most recently active first. */
  forEach(visit: (peer: PeerKey, row: PeerStatRow) => void): void {
    for (const { domain, ...row } of this.statements.all.all()) visit(domain as PeerKey, row);
  }

  put(peer: PeerKey, row: PeerStatRow): void {
    this.statements.put.run({ domain: peer, ...row });
  }

  remove(peer: PeerKey): void {
    this.statements.remove.run({ domain: peer });
  }
}

function prepare(db: Db) {
  const domain = sql.placeholder("domain");
  const values = {
    failedHttp: sql.placeholder("failedHttp"),
    failedHttps: sql.placeholder("failedHttps"),
    failedSmtp: sql.placeholder("failedSmtp"),
    successHttp: sql.placeholder("successHttp"),
    successHttps: sql.placeholder("successHttps"),
    successSmtp: sql.placeholder("successSmtp"),
    inboundDeliveries: sql.placeholder("inboundDeliveries"),
    successfulDeliveries: sql.placeholder("successfulDeliveries"),
    totalLatencyMs: sql.placeholder("totalLatencyMs"),
    lastError: sql.placeholder("lastError"),
    lastActive: sql.placeholder("lastActive"),
  };
  return {
    all: db.select().from(stats).orderBy(desc(stats.lastActive)).prepare(),
    // The whole row anew: there is one writer, and it knows the sums.
    put: db
      .insert(stats)
      .values({ domain, ...values })
      .onConflictDoUpdate({
        target: stats.domain,
        set: {
          failedHttp: sql`excluded.failed_http`,
          failedHttps: sql`excluded.failed_https`,
          failedSmtp: sql`excluded.failed_smtp`,
          successHttp: sql`excluded.success_http`,
          successHttps: sql`excluded.success_https`,
          successSmtp: sql`excluded.success_smtp`,
          inboundDeliveries: sql`excluded.inbound_deliveries`,
          successfulDeliveries: sql`excluded.successful_deliveries`,
          totalLatencyMs: sql`excluded.total_latency_ms`,
          lastError: sql`excluded.last_error`,
          lastActive: sql`excluded.last_active`,
        },
      })
      .prepare(),
    remove: db.delete(stats).where(eq(stats.domain, domain)).prepare(),
  };
}
