/** Accounts that nobody uses: handed out and never opened, or left long ago. Their names may be taken again. */
import type { Address } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { NEVER_LOGGED_IN } from "../db/schema.ts";
import type { Account } from "../state/account-book.ts";
import { type Job, type JobContext, noFigures, type TaskFigures } from "./job.ts";

/** Ages in ms; 0 turns a rule off. */
export interface AccountRules {
  readonly unusedMs: number;
  readonly dormantMs: number;
  readonly intervalMs: number;
}

export interface AccountJobParts {
  rules: () => AccountRules;
  accounts: { readonly size: number; entries(): IterableIterator<[Address, Account]> };
  /**
   * Since when logins are known here: what came from another server may bring old or no times, and nobody is to be taken
   * for gone before this relay has watched as long as the rule says.
   */
  watchedSinceSec: () => number;
  /** Has a connection now: not left, whatever its last login says. */
  isConnected: (user: Address) => boolean;
  /** Removes the account with everything it has. */
  remove(user: Address): Promise<void>;
  clock: Clock;
}

export function accountJobs(parts: AccountJobParts): Job[] {
  return [
    {
      name: "prune-unused-accounts",
      aliases: ["prune-unused", "unused-accounts"],
      summary: "remove accounts that were handed out and never logged in",
      intervalMs: () => (parts.rules().unusedMs > 0 ? parts.rules().intervalMs : 0),
      run: (context) =>
        prune(parts, context, parts.rules().unusedMs, "unused_accounts", (account) =>
          account.firstLoginAtSec === NEVER_LOGGED_IN ? account.createdAtSec : Infinity,
        ),
    },
    {
      name: "prune-dormant-accounts",
      aliases: ["prune-dormant", "dormant-accounts", "prune-inactive-accounts"],
      summary: "remove accounts without a login for long, with their mail",
      intervalMs: () => (parts.rules().dormantMs > 0 ? parts.rules().intervalMs : 0),
      run: (context) =>
        prune(parts, context, parts.rules().dormantMs, "dormant_accounts", (account) =>
          account.firstLoginAtSec === NEVER_LOGGED_IN
            ? Infinity
            : Math.max(account.createdAtSec, account.firstLoginAtSec, account.lastLoginAtSec),
        ),
    },
  ];
}

/** @param sinceSec since when the account is what the rule is about; Infinity when it is not */
async function prune(
  parts: AccountJobParts,
  context: JobContext,
  ruleMs: number,
  key: string,
  sinceSec: (account: Account) => number,
): Promise<TaskFigures> {
  const figures = noFigures();
  const ageMs = context.retentionMs ?? ruleMs;
  if (ageMs === 0) return { ...figures, findings: [`no age: give one, or set ${key}`] };
  figures.accounts = parts.accounts.size;
  const beforeSec = (parts.clock.nowMs() - ageMs) / 1000;
  // An age that somebody gives by hand is meant.
  const floorSec = context.retentionMs === undefined ? parts.watchedSinceSec() : 0;
  // Chosen first: the book must not change while it is walked.
  const doomed: [Address, Account][] = [];
  for (const [user, account] of parts.accounts.entries()) {
    if (Math.max(sinceSec(account), floorSec) < beforeSec) doomed.push([user, account]);
  }
  for (const [index, [user]] of doomed.entries()) {
    if (context.signal.aborted) break;
    if (parts.isConnected(user)) continue;
    if (!context.dryRun) await parts.remove(user);
    figures.removedAccounts++;
    if (index % 100 === 99) context.progress(index + 1, doomed.length);
    await context.breathe();
  }
  return figures;
}
