/** Rows of `passwords` and `quotas`: an account is a password row, with what is kept about it in its quota row. */
import { eq, sql } from "drizzle-orm";
import type { Address } from "../core/address.ts";
import { type Db, inTransaction } from "./open.ts";
import { PreparedRows } from "./prepared-rows.ts";
import { GLOBAL_QUOTA_USER, NEVER_LOGGED_IN, passwords, quotas } from "./schema.ts";

/** What is kept about an account. Times as in schema.ts. */
export interface AccountRow {
  hash: string;
  createdAtSec: number;
  /** NEVER_LOGGED_IN until the first login. */
  firstLoginAtSec: number;
  lastLoginAtSec: number;
  /** As `quotas.max_storage`: 0 takes the default, -1 is unlimited. */
  quotaBytes: number;
  usedToken: string | undefined;
}

type RawAccount = [string, string, number, number | null, number | null, number | null, string | null];

export class AccountRows extends PreparedRows<ReturnType<typeof prepare>> {
  readonly #db: Db;

  constructor(db: Db) {
    super(() => prepare(db));
    this.#db = db;
  }

  /** Every account with a password, in one pass. An empty hash is no password: such a row counts as absent. */
  forEach(visit: (user: Address, row: AccountRow) => void): void {
    for (const raw of this.statements.all.values() as RawAccount[]) {
      if (raw[1] !== "") visit(raw[0] as Address, toRow(raw));
    }
  }

  get(user: Address): AccountRow | undefined {
    const raw = (this.statements.one.values({ user }) as RawAccount[])[0];
    return raw === undefined || raw[1] === "" ? undefined : toRow(raw);
  }

  /** Adds an account, unless there is one: never overwrites. @returns whether it was added */
  insert(user: Address, row: AccountRow): boolean {
    const { addPassword, putQuota } = this.statements;
    return inTransaction(this.#db, () => {
      const added = addPassword.get({ user, hash: row.hash, createdAt: row.createdAtSec });
      if (added === undefined) return false;
      putQuota.run({
        user,
        maxStorage: row.quotaBytes,
        createdAt: row.createdAtSec,
        firstLoginAt: row.firstLoginAtSec,
        lastLoginAt: row.lastLoginAtSec,
        usedToken: row.usedToken ?? null,
      });
      return true;
    });
  }

  setHash(user: Address, hash: string): void {
    this.statements.setHash.run({ user, hash });
  }

  /** Sets the quota of an account, or of the whole server; as `quotas.max_storage`. */
  setQuota(user: Address | typeof GLOBAL_QUOTA_USER, quotaBytes: number): void {
    this.statements.setQuota.run({ user, maxStorage: quotaBytes });
  }

  setLogins(user: Address, firstLoginAtSec: number, lastLoginAtSec: number): void {
    this.statements.setLogins.run({ user, firstLoginAt: firstLoginAtSec, lastLoginAt: lastLoginAtSec });
  }

  remove(user: Address): void {
    inTransaction(this.#db, () => {
      this.statements.removePassword.run({ user });
      this.statements.removeQuota.run({ user });
    });
  }

  /** @returns as `quotas.max_storage`; 0 when the server has no default of its own */
  globalQuotaBytes(): number {
    const row = this.statements.quota.get({ user: GLOBAL_QUOTA_USER });
    return row?.maxStorage ?? 0;
  }
}

function toRow(raw: RawAccount): AccountRow {
  return {
    hash: raw[1],
    createdAtSec: raw[2],
    firstLoginAtSec: raw[3] ?? NEVER_LOGGED_IN,
    lastLoginAtSec: raw[4] ?? 0,
    quotaBytes: raw[5] ?? 0,
    usedToken: raw[6] ?? undefined,
  };
}

function prepare(db: Db) {
  const user = sql.placeholder("user");
  const hash = sql.placeholder("hash");
  const createdAt = sql.placeholder("createdAt");
  const maxStorage = sql.placeholder("maxStorage");
  const firstLoginAt = sql.placeholder("firstLoginAt");
  const lastLoginAt = sql.placeholder("lastLoginAt");
  const columns = {
    username: passwords.username,
    hash: passwords.hash,
    createdAt: passwords.createdAt,
    firstLoginAt: quotas.firstLoginAt,
    lastLoginAt: quotas.lastLoginAt,
    maxStorage: quotas.maxStorage,
    usedToken: quotas.usedToken,
  };
  const accounts = () =>
    db.select(columns).from(passwords).leftJoin(quotas, eq(quotas.username, passwords.username));
  const quotaRow = {
    username: user,
    maxStorage,
    createdAt,
    firstLoginAt,
    lastLoginAt,
    usedToken: sql.placeholder("usedToken"),
  };
  return {
    all: accounts().prepare(),
    one: accounts().where(eq(passwords.username, user)).prepare(),
    addPassword: db
      .insert(passwords)
      .values({ username: user, hash, createdAt })
      .onConflictDoUpdate({
        target: passwords.username,
        set: { hash: sql`excluded.hash`, createdAt: sql`excluded.created_at` },
        setWhere: eq(passwords.hash, ""),
      })
      .returning({ username: passwords.username })
      .prepare(),
    putQuota: db
      .insert(quotas)
      .values(quotaRow)
      .onConflictDoUpdate({
        target: quotas.username,
        set: {
          maxStorage: sql`excluded.max_storage`,
          createdAt: sql`excluded.created_at`,
          firstLoginAt: sql`excluded.first_login_at`,
          lastLoginAt: sql`excluded.last_login_at`,
          usedToken: sql`excluded.used_token`,
        },
      })
      .prepare(),
    setHash: db
      .update(passwords)
      .set({ hash: sql`${hash}` })
      .where(eq(passwords.username, user))
      .prepare(),
    setQuota: db
      .insert(quotas)
      .values({ username: user, maxStorage })
      .onConflictDoUpdate({ target: quotas.username, set: { maxStorage: sql`excluded.max_storage` } })
      .prepare(),
    setLogins: db
      .insert(quotas)
      .values({ username: user, firstLoginAt, lastLoginAt })
      .onConflictDoUpdate({
        target: quotas.username,
        set: { firstLoginAt: sql`excluded.first_login_at`, lastLoginAt: sql`excluded.last_login_at` },
      })
      .prepare(),
    quota: db
      .select({ maxStorage: quotas.maxStorage })
      .from(quotas)
      .where(eq(quotas.username, user))
      .prepare(),
    removePassword: db.delete(passwords).where(eq(passwords.username, user)).prepare(),
    removeQuota: db.delete(quotas).where(eq(quotas.username, user)).prepare(),
  };
}
