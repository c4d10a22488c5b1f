/** Rows of `history_samples`. */
import { and, asc, eq, gte, lt, sql } from "drizzle-orm";
import { parseJson } from "../core/json.ts";
import type { Db } from "./open.ts";
import { PreparedRows } from "./prepared-rows.ts";
import { historySamples } from "./schema.ts";

export interface HistoryRow {
  startedAtSec: number;
  sample: Readonly<Record<string, number>>;
}

export class HistoryRows extends PreparedRows<ReturnType<typeof prepare>> {
  constructor(db: Db) {
    super(() => prepare(db));
  }

  /** Writes a slot over. */
  put(tier: number, slot: number, { startedAtSec, sample }: HistoryRow): void {
    this.statements.put.run({ tier, slot, startedAt: startedAtSec, sample: JSON.stringify(sample) });
  }

  /** @param beforeSec exclusive @returns oldest first */
  between(tier: number, fromSec: number, beforeSec: number): HistoryRow[] {
    const rows = this.statements.between.all({ tier, from: fromSec, before: beforeSec });
    return rows.map(({ startedAt, sample }) => ({ startedAtSec: startedAt, sample: numbersOf(sample) }));
  }
}

function numbersOf(text: string): Record<string, number> {
  const value = parseJson(text);
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
}

function prepare(db: Db) {
  const { tier, slot, startedAt, sample } = historySamples;
  return {
    put: db
      .insert(historySamples)
      .values({
        tier: sql.placeholder("tier"),
        slot: sql.placeholder("slot"),
        startedAt: sql.placeholder("startedAt"),
        sample: sql.placeholder("sample"),
      })
      .onConflictDoUpdate({
        target: [tier, slot],
        set: { startedAt: sql`excluded.started_at`, sample: sql`excluded.sample` },
      })
      .prepare(),
    between: db
      .select({ startedAt, sample })
      .from(historySamples)
      .where(
        and(
          eq(tier, sql.placeholder("tier")),
          gte(startedAt, sql.placeholder("from")),
          lt(startedAt, sql.placeholder("before")),
        ),
      )
      .orderBy(asc(startedAt))
      .prepare(),
  };
}
