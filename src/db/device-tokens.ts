/**
 * Rows of `push_tokens`: what devices leave with SETMETADATA. Read and written straight in the database: once per
 * connection at most. A token that no device has named for 90 days is gone.
 */
import { and, asc, desc, eq, gte, lt, sql } from "drizzle-orm";
import type { Address } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Db } from "./open.ts";
import { pushTokens } from "./schema.ts";

const DAY_MS = 86_400_000;
const TOKEN_LIFE_DAYS = 90;
/** More devices than a person has; the longest unnamed give way. */
const TOKENS_PER_USER_MAX = 16;
const TOKEN_MAX_CHARS = 8192;
/** Printable, without the blank that separates tokens in answers. */
const TOKEN = /^[\x21-\x7e]+$/;

export class DeviceTokens {
  readonly #statements: ReturnType<typeof prepare>;
  readonly #clock: Clock;

  constructor(db: Db, clock: Clock) {
    this.#statements = prepare(db);
    this.#clock = clock;
  }

  /** Tokens of all devices, in the order of their text. */
  of(user: Address): string[] {
    return this.#statements.of.all({ user, since: this.#expiryDay() }).map((row) => row.deviceToken);
  }

  /** Adds or renews. @returns false for what can't be a token */
  add(user: Address, token: string): boolean {
    const text = token.trim();
    if (text.length > TOKEN_MAX_CHARS || !TOKEN.test(text)) return false;
    this.#statements.put.run({ user, token: text, day: this.#today() });
    for (const { deviceToken } of this.#statements.surplus.all({ user })) this.remove(user, deviceToken);
    return true;
  }

  remove(user: Address, token: string): void {
    this.#statements.remove.run({ user, token });
  }

  /** Whether any user's device has this token. */
  has(token: string): boolean {
    return this.#statements.has.get({ token, since: this.#expiryDay() }) !== undefined;
  }

  /** The token is dead, whoever had it. */
  removeEverywhere(token: string): void {
    this.#statements.removeEverywhere.run({ token });
  }

  removeAll(user: Address): void {
    this.#statements.removeAll.run({ user });
  }

  /** Forgets tokens that no device has named for 90 days. */
  expire(): void {
    this.#statements.expire.run({ since: this.#expiryDay() });
  }

  #today(): number {
    return (Math.floor(this.#clock.nowMs() / DAY_MS) * DAY_MS) / 1000;
  }

  #expiryDay(): number {
    return this.#today() - (TOKEN_LIFE_DAYS * DAY_MS) / 1000;
  }
}

function prepare(db: Db) {
  const user = sql.placeholder("user");
  const since = sql.placeholder("since");
  const mine = eq(pushTokens.username, user);
  const same = eq(pushTokens.deviceToken, sql.placeholder("token"));
  return {
    of: db
      .select({ deviceToken: pushTokens.deviceToken })
      .from(pushTokens)
      .where(and(mine, gte(pushTokens.updatedAt, since)))
      .orderBy(asc(pushTokens.deviceToken))
      .prepare(),
    surplus: db
      .select({ deviceToken: pushTokens.deviceToken })
      .from(pushTokens)
      .where(mine)
      .orderBy(desc(pushTokens.updatedAt))
      .limit(1000)
      .offset(TOKENS_PER_USER_MAX)
      .prepare(),
    put: db
      .insert(pushTokens)
      .values({ username: user, deviceToken: sql.placeholder("token"), updatedAt: sql.placeholder("day") })
      .onConflictDoUpdate({
        target: [pushTokens.username, pushTokens.deviceToken],
        set: { updatedAt: sql`excluded.updated_at` },
      })
      .prepare(),
    has: db
      .select({ deviceToken: pushTokens.deviceToken })
      .from(pushTokens)
      .where(and(same, gte(pushTokens.updatedAt, since)))
      .limit(1)
      .prepare(),
    remove: db.delete(pushTokens).where(and(mine, same)).prepare(),
    removeEverywhere: db.delete(pushTokens).where(same).prepare(),
    removeAll: db.delete(pushTokens).where(mine).prepare(),
    expire: db.delete(pushTokens).where(lt(pushTokens.updatedAt, since)).prepare(),
  };
}
