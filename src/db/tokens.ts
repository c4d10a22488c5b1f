/** Rows of `registration_tokens`. */
import { and, eq, lt, sql } from "drizzle-orm";
import type { Db } from "./open.ts";
import { PreparedRows } from "./prepared-rows.ts";
import { registrationTokens } from "./schema.ts";

export interface TokenRow {
  maxUses: number;
  usedCount: number;
  comment: string;
  /** Undefined: never. */
  expiresAtSec: number | undefined;
  createdAtSec: number;
}

export class TokenRows extends PreparedRows<ReturnType<typeof prepare>> {
  constructor(db: Db) {
    super(() => prepare(db));
  }

  forEach(visit: (token: string, row: TokenRow) => void): void {
    for (const row of this.statements.all.all()) {
      visit(row.token, {
        maxUses: row.maxUses,
        usedCount: row.usedCount,
        comment: row.comment,
        expiresAtSec: row.expiresAt ?? undefined,
        createdAtSec: row.createdAt,
      });
    }
  }

  /** Adds a token. @returns false if there is one of that name */
  insert(token: string, row: TokenRow): boolean {
    const { maxUses, usedCount, comment, expiresAtSec, createdAtSec } = row;
    const values = { token, maxUses, usedCount, comment, createdAt: createdAtSec };
    return this.statements.insert.get({ ...values, expiresAt: expiresAtSec ?? null }) !== undefined;
  }

  update(token: string, terms: Pick<TokenRow, "maxUses" | "comment" | "expiresAtSec">): void {
    const { maxUses, comment, expiresAtSec } = terms;
    this.statements.update.run({ token, maxUses, comment, expiresAt: expiresAtSec ?? null });
  }

  /** Counts one use if one is left. @returns whether it was */
  consume(token: string): boolean {
    return this.statements.consume.get({ token }) !== undefined;
  }

  remove(token: string): void {
    this.statements.remove.run({ token });
  }
}

function prepare(db: Db) {
  const token = sql.placeholder("token");
  const { usedCount, maxUses } = registrationTokens;
  return {
    all: db.select().from(registrationTokens).prepare(),
    insert: db
      .insert(registrationTokens)
      .values({
        token,
        maxUses: sql.placeholder("maxUses"),
        usedCount: sql.placeholder("usedCount"),
        comment: sql.placeholder("comment"),
        expiresAt: sql.placeholder("expiresAt"),
        createdAt: sql.placeholder("createdAt"),
      })
      .onConflictDoNothing()
      .returning({ token: registrationTokens.token })
      .prepare(),
    update: db
      .update(registrationTokens)
      .set({
        maxUses: sql`${sql.placeholder("maxUses")}`,
        comment: sql`${sql.placeholder("comment")}`,
        expiresAt: sql`${sql.placeholder("expiresAt")}`,
      })
      .where(eq(registrationTokens.token, token))
      .prepare(),
    consume: db
      .update(registrationTokens)
      .set({ usedCount: sql`${usedCount} + 1` })
      .where(and(eq(registrationTokens.token, token), lt(usedCount, maxUses)))
      .returning({ usedCount })
      .prepare(),
    remove: db.delete(registrationTokens).where(eq(registrationTokens.token, token)).prepare(),
  };
}
