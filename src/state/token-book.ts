/**
 * Registration tokens in RAM; written through. A use is reserved when an account is handed out and counted when it
 * first logs in: accounts that nobody fetched hold their place, but cost the invitation nothing once they are removed.
 *
 * Invariant: `pending` of a token is the number of accounts made with it that never logged in, plus those being made.
 */
import type { Clock } from "../core/clock.ts";
import type { TokenRow, TokenRows } from "../db/tokens.ts";
import { NEVER_LOGGED_IN } from "../db/schema.ts";
import type { AccountBook } from "./account-book.ts";

export type TokenFault = "tokenUnknown" | "tokenExpired" | "tokenUsedUp";

export interface TokenTerms {
  maxUses: number;
  comment?: string | undefined;
  /** Undefined: never. */
  expiresAtSec?: number | undefined;
}

export interface Token extends Readonly<TokenRow> {
  /** Uses that are promised to accounts which have not logged in yet. */
  readonly pending: number;
}

type Entry = TokenRow & { pending: number };

export class TokenBook {
  readonly #rows: TokenRows;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, Entry>();

  constructor(rows: TokenRows, clock: Clock) {
    this.#rows = rows;
    this.#clock = clock;
  }

  /** Fills the book; `accounts` tells which uses are pending, so hydrate it first. */
  hydrate(accounts: AccountBook): void {
    this.#tokens.clear();
    this.#rows.forEach((token, row) => this.#tokens.set(token, { ...row, pending: 0 }));
    if (this.#tokens.size === 0) return;
    for (const [, account] of accounts.entries()) {
      if (account.usedToken === undefined || account.firstLoginAtSec !== NEVER_LOGGED_IN) continue;
      const token = this.#tokens.get(account.usedToken);
      if (token !== undefined) token.pending++;
    }
  }

  get(token: string): Token | undefined {
    return this.#tokens.get(token);
  }

  entries(): IterableIterator<[string, Token]> {
    return this.#tokens.entries();
  }

  /** @returns false if there is a token of that name */
  create(token: string, { maxUses, comment = "", expiresAtSec }: TokenTerms): boolean {
    const row: TokenRow = { maxUses, usedCount: 0, comment, expiresAtSec, createdAtSec: this.#nowSec() };
    if (!this.#rows.insert(token, row)) return false;
    this.#tokens.set(token, { ...row, pending: 0 });
    return true;
  }

  /** Gives a token other terms; its uses stay counted. @returns false if there is none of that name */
  update(token: string, { maxUses, comment = "", expiresAtSec }: TokenTerms): boolean {
    const entry = this.#tokens.get(token);
    if (entry === undefined) return false;
    const terms = { maxUses, comment, expiresAtSec };
    this.#rows.update(token, terms);
    Object.assign(entry, terms);
    return true;
  }

  /** Accounts that were handed out with it and never used can no longer log in. @returns false if there was none */
  remove(token: string): boolean {
    this.#rows.remove(token);
    return this.#tokens.delete(token);
  }

  /** Holds one use for an account that is being made. Give it back with `release`, or count it with `writeUse`. */
  reserve(token: string): TokenFault | undefined {
    const entry = this.#tokens.get(token);
    if (entry === undefined) return "tokenUnknown";
    if (entry.expiresAtSec !== undefined && entry.expiresAtSec <= this.#nowSec()) return "tokenExpired";
    if (entry.usedCount + entry.pending >= entry.maxUses) return "tokenUsedUp";
    entry.pending++;
    return undefined;
  }

  release(token: string): void {
    const entry = this.#tokens.get(token);
    if (entry !== undefined && entry.pending > 0) entry.pending--;
  }

  /**
   * Counts a reserved use in the database. Its expiry no longer matters: the account was made in time.
   * Then call `useWritten`, once the transaction holds.
   * @returns false if the token was removed, or its limit lowered, since the reservation
   */
  writeUse(token: string): boolean {
    return this.#tokens.has(token) && this.#rows.consume(token);
  }

  useWritten(token: string): void {
    this.release(token);
    const entry = this.#tokens.get(token);
    if (entry !== undefined) entry.usedCount++;
  }

  #nowSec(): number {
    return Math.floor(this.#clock.nowMs() / 1000);
  }
}
