/**
 * Every account in RAM: who exists, with which hash, since when, with how much room.
 * Written through when a person or the command line changes it; the day of the last login is written behind.
 * Removed accounts leave at once, so the book is as large as the table.
 */
import type { Address } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { AccountRow, AccountRows } from "../db/accounts.ts";
import { NEVER_LOGGED_IN } from "../db/schema.ts";
import { type Quota, type QuotaBook, storedQuota } from "./quota-book.ts";

const DAY_SEC = 86_400;

/** An account as it is now; a later look may find another object. */
export type Account = Readonly<AccountRow>;

export interface NewAccount {
  hash: string;
  /** True at a first login; false for accounts that are handed out. */
  loggedIn: boolean;
  usedToken?: string | undefined;
}

export class AccountBook {
  readonly #rows: AccountRows;
  readonly #clock: Clock;
  readonly #quotas: QuotaBook;
  readonly #accounts = new Map<Address, AccountRow>();
  /** Accounts whose last login is not in the database yet. */
  readonly #unsaved = new Set<Address>();

  constructor(rows: AccountRows, clock: Clock, quotas: QuotaBook) {
    this.#rows = rows;
    this.#clock = clock;
    this.#quotas = quotas;
  }

  /** Fills the book from the database. */
  hydrate(): void {
    this.#accounts.clear();
    this.#unsaved.clear();
    this.#rows.forEach((user, row) => this.#accounts.set(user, row));
  }

  get size(): number {
    return this.#accounts.size;
  }

  get(user: Address): Account | undefined {
    return this.#accounts.get(user);
  }

  has(user: Address): boolean {
    return this.#accounts.has(user);
  }

  /** In the order of creation, roughly. Do not add or remove while walking. */
  entries(): IterableIterator<[Address, Account]> {
    return this.#accounts.entries();
  }

  /**
   * Adds an account, in the database first. An account that another process made meanwhile is taken into the book instead.
   * @returns whether it was added @throws what the database throws; then nothing has changed
   */
  create(user: Address, account: NewAccount): boolean {
    const nowSec = Math.floor(this.#clock.nowMs() / 1000);
    const today = startOfDay(nowSec);
    const row: AccountRow = {
      hash: account.hash,
      createdAtSec: nowSec,
      firstLoginAtSec: account.loggedIn ? today : NEVER_LOGGED_IN,
      lastLoginAtSec: account.loggedIn ? today : 0,
      quotaBytes: 0,
      usedToken: account.usedToken,
    };
    if (this.#accounts.has(user)) return false;
    const added = this.#rows.insert(user, row);
    const current = added ? row : this.#rows.get(user);
    if (current !== undefined) this.#accounts.set(user, current);
    return added;
  }

  /** @returns false if there is no such account */
  setHash(user: Address, hash: string): boolean {
    return this.#change(user, (row) => {
      this.#rows.setHash(user, hash);
      row.hash = hash;
    });
  }

  /** @param bytes 0 is unlimited; undefined takes the domain's or the default @returns false if there is no such account */
  setQuota(user: Address, bytes: number | undefined): boolean {
    return this.#change(user, (row) => {
      const stored = storedQuota(bytes);
      this.#rows.setQuota(user, stored);
      row.quotaBytes = stored;
    });
  }

  /** @returns false if there was no such account */
  remove(user: Address): boolean {
    return this.#change(user, () => {
      this.#rows.remove(user);
      this.#accounts.delete(user);
      this.#unsaved.delete(user);
    });
  }

  /** Notes the day of a login. It is written with the next `flush`. HotState.noteLogin does this and what belongs to it. */
  noteLogin(user: Address): void {
    const row = this.#accounts.get(user);
    const today = this.#today();
    if (row === undefined || row.lastLoginAtSec === today) return;
    row.lastLoginAtSec = today;
    this.#unsaved.add(user);
  }

  /** Writes that the account was used for the first time, today. Then call `firstLoginWritten`. */
  writeFirstLogin(user: Address): void {
    this.#rows.setLogins(user, this.#today(), this.#today());
  }

  firstLoginWritten(user: Address): void {
    const row = this.#accounts.get(user);
    if (row === undefined) return;
    row.firstLoginAtSec = this.#today();
    row.lastLoginAtSec = row.firstLoginAtSec;
  }

  /** What the mailbox may hold, bytes; 0 is unlimited. */
  quotaBytes(user: Address): number {
    return this.quota(user).bytes;
  }

  /** The same with its reason: the account's own, else its domain's, else the server's, else the configured one. */
  quota(user: Address): Quota {
    return this.#quotas.of(user, this.#accounts.get(user)?.quotaBytes ?? 0);
  }

  get hasUnsaved(): boolean {
    return this.#unsaved.size > 0;
  }

  /** Writes the last logins that are not in the database yet. Run it in a transaction, then call `saved`. */
  writeUnsaved(): void {
    for (const user of this.#unsaved) {
      const row = this.#accounts.get(user);
      if (row !== undefined) this.#rows.setLogins(user, row.firstLoginAtSec, row.lastLoginAtSec);
    }
  }

  saved(): void {
    this.#unsaved.clear();
  }

  /** Midnight UTC, so that a login can't be matched with anything that happened on that day. */
  #today(): number {
    return startOfDay(Math.floor(this.#clock.nowMs() / 1000));
  }

  #change(user: Address, change: (row: AccountRow) => void): boolean {
    const row = this.#accounts.get(user);
    if (row === undefined) return false;
    change(row);
    return true;
  }
}

function startOfDay(sec: number): number {
  return sec - (sec % DAY_SEC);
}
