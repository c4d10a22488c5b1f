/**
 * The part of the seam that maintenance uses: whole accounts, one at a time, without what clients need.
 * Nothing here makes an index enter memory; an account that is in memory is changed through it, so that its clients
 * hear of every departure and its counters stay right.
 */
import type { Address } from "../core/address.ts";
import type { Census, ExpiryRule, MailTally } from "./expiry.ts";

/** Called between small pieces of work; what it returns is waited for, so that mail goes first. */
export type Breathe = () => Promise<void> | undefined;

export interface KeeperOptions {
  breathe: Breathe;
  /** Ends the work early, between two pieces. */
  signal: AbortSignal;
}

export interface ExpireOptions extends KeeperOptions {
  /** Only counts what would go. */
  dryRun: boolean;
  /** Gets what the account holds, before anything goes. */
  census: Census;
}

/** What does not fit together in one account's mail. Counts. */
export interface CheckResult {
  /** Known to the index, absent on disk. */
  missing: number;
  /** On disk, but not known to the index (or, of an account that is not in memory, without a number yet). */
  unknown: number;
  /** The same number on two files. */
  duplicate: number;
  /** The file's size is not the one that its name tells. */
  torn: number;
  /** Mailboxes whose UIDVALIDITY can't be read. */
  unmarked: number;
  /** Put right. */
  repaired: number;
}

export interface MailKeeper {
  /** Accounts that have mail directories, in no order. @throws {StorageError} */
  users(): Promise<Address[]>;
  /** Deletes what is past its time. @returns what went, or would go @throws {StorageError} */
  expire(user: Address, rule: ExpiryRule, options: ExpireOptions): Promise<MailTally>;
  /** Compares an account with what is on disk; nothing is deleted by `repair`. @throws {StorageError} */
  check(user: Address, options: KeeperOptions & { repair: boolean }): Promise<CheckResult>;
  /** Deletes what was begun in the account and left lying since before `beforeMs`. @throws {StorageError} */
  sweepTemp(
    user: Address,
    beforeMs: number,
    options: KeeperOptions & { dryRun: boolean },
  ): Promise<MailTally>;
  /** The same for the place where messages wait while they come in. @throws {StorageError} */
  sweepSpool(beforeMs: number, options: { dryRun: boolean }): Promise<MailTally>;
}
