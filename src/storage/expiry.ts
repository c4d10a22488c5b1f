/**
 * Which messages are past their time, and what a walk over mailboxes counts. Pure: the same choice for a mailbox whose
 * index is in memory and for one that is only names in a directory.
 */
import { Flag } from "./store.ts";

/** Times are wall-clock milliseconds: what was delivered before goes. A rule that is absent is off. */
export interface ExpiryRule {
  readonly anyBeforeMs?: number;
  /** Messages of at least so many bytes, once they were read. */
  readonly large?: { readonly minBytes: number; readonly beforeMs: number };
  readonly seenBeforeMs?: number;
  readonly unseenBeforeMs?: number;
  /** Of an account that holds more than `aboveBytes`, the oldest messages until `toBytes` are left. */
  readonly shrink?: { readonly aboveBytes: number; readonly toBytes: number; readonly beforeMs: number };
}

/** What the choice is made by. */
export interface Dated {
  readonly size: number;
  readonly internalDateMs: number;
  readonly flags: number;
}

export interface MailTally {
  messages: number;
  bytes: number;
}

/** Lower bounds of the size classes that are counted, bytes. */
export const sizeClasses = [
  0,
  100 * 2 ** 10,
  500 * 2 ** 10,
  2 ** 20,
  2 * 2 ** 20,
  5 * 2 ** 20,
  10 * 2 ** 20,
] as const;

/** Everything that a walk saw. Numbers only. */
export interface Census extends MailTally {
  accounts: number;
  unseen: number;
  /** In the order of `sizeClasses`; each message is in one class. */
  classes: MailTally[];
}

export function emptyCensus(): Census {
  return {
    accounts: 0,
    messages: 0,
    bytes: 0,
    unseen: 0,
    classes: sizeClasses.map(() => ({ messages: 0, bytes: 0 })),
  };
}

/** Adds an account's messages to what was counted. */
export function countAccount(census: Census, messages: readonly Dated[]): void {
  census.accounts++;
  for (const { size, flags } of messages) {
    census.messages++;
    census.bytes += size;
    if ((flags & Flag.seen) === 0) census.unseen++;
    let place = sizeClasses.length - 1;
    while (place > 0 && size < (sizeClasses[place] ?? 0)) place--;
    const tally = census.classes[place];
    if (tally !== undefined) {
      tally.messages++;
      tally.bytes += size;
    }
  }
}

/** @param messages all of one account @returns those that go */
export function chooseExpired<T extends Dated>(messages: readonly T[], rule: ExpiryRule): T[] {
  const gone = messages.filter((message) => isExpired(message, rule));
  const { shrink } = rule;
  if (shrink === undefined) return gone;
  const doomed = new Set(gone);
  const kept = doomed.size === 0 ? messages : messages.filter((message) => !doomed.has(message));
  let bytes = kept.reduce((sum, { size }) => sum + size, 0);
  if (bytes <= shrink.aboveBytes) return gone;
  const oldest = kept
    .filter(({ internalDateMs }) => internalDateMs < shrink.beforeMs)
    .sort((a, b) => a.internalDateMs - b.internalDateMs);
  for (const message of oldest) {
    if (bytes <= shrink.toBytes) break;
    bytes -= message.size;
    gone.push(message);
  }
  return gone;
}

function isExpired({ size, internalDateMs, flags }: Dated, rule: ExpiryRule): boolean {
  if (rule.anyBeforeMs !== undefined && internalDateMs < rule.anyBeforeMs) return true;
  if ((flags & Flag.seen) === 0) {
    return rule.unseenBeforeMs !== undefined && internalDateMs < rule.unseenBeforeMs;
  }
  if (rule.seenBeforeMs !== undefined && internalDateMs < rule.seenBeforeMs) return true;
  const { large } = rule;
  return large !== undefined && size >= large.minBytes && internalDateMs < large.beforeMs;
}
