/** Rows of `audit_events`: the last thousand changes that operators made. */
import { desc, lte, sql } from "drizzle-orm";
import type { Db } from "./open.ts";
import { PreparedRows } from "./prepared-rows.ts";
import { auditEvents } from "./schema.ts";

/** Older ones are removed. */
const KEPT = 1000;

export interface AuditRow {
  /** Seconds since 1970. */
  atSec: number;
  operation: string;
  face: string;
  /** False where it was refused or failed. */
  done: boolean;
}

export class AuditRows extends PreparedRows<ReturnType<typeof prepare>> {
  constructor(db: Db) {
    super(() => prepare(db));
  }

  add({ atSec, operation, face, done }: AuditRow): void {
    const { id } = this.statements.add.get({ at: atSec, operation, face, done });
    this.statements.trim.run({ last: id - KEPT });
  }

  /** Newest first. */
  latest(limit: number): AuditRow[] {
    return this.statements.latest
      .all({ limit })
      .map(({ at, operation, face, done }) => ({ atSec: at, operation, face, done }));
  }
}

function prepare(db: Db) {
  return {
    add: db
      .insert(auditEvents)
      .values({
        at: sql.placeholder("at"),
        operation: sql.placeholder("operation"),
        face: sql.placeholder("face"),
        done: sql.placeholder("done"),
      })
      .returning({ id: auditEvents.id })
      .prepare(),
    trim: db
      .delete(auditEvents)
      .where(lte(auditEvents.id, sql.placeholder("last")))
      .prepare(),
    latest: db
      .select()
      .from(auditEvents)
      .orderBy(desc(auditEvents.id))
      .limit(sql.placeholder("limit"))
      .prepare(),
  };
}
