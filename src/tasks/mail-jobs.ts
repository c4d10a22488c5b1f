/**
 * Mail whose time is over. Each job is one walk over all accounts; which rules it applies is all they differ in.
 * The hourly walk applies every rule that is on, and counts what there is on the way.
 */
import type { Address } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { type Census, emptyCensus, type ExpiryRule } from "../storage/expiry.ts";
import type { MailKeeper } from "../storage/keeper.ts";
import { type Job, type JobContext, noFigures, type TaskFigures } from "./job.ts";

/** Mail younger than this never makes room for other mail (chatmail relays promise so). */
const SHRINK_AFTER_MS = 24 * 60 * 60 * 1000;

/** Ages in ms; 0 turns a rule off. */
export interface MailRules {
  readonly mailMs: number;
  readonly largeMs: number;
  readonly largeMinBytes: number;
  readonly seenMs: number;
  /** Read mail goes whatever its age. */
  readonly purgeSeen: boolean;
  readonly unseenMs: number;
  /** Percent of the quota: mailboxes above the first are cut down to the second; 0 is never. */
  readonly shrinkAbovePercent: number;
  readonly shrinkToPercent: number;
  readonly intervalMs: number;
}

export interface MailJobParts {
  keeper: MailKeeper;
  rules: () => MailRules;
  /** Bytes; 0 is unlimited. */
  quotaBytes(user: Address): number;
  /** Gets the count of everything after a whole walk. */
  onCensus(census: Census): void;
  clock: Clock;
}

type RuleFor = (rules: MailRules, nowMs: number, context: JobContext) => (user: Address) => ExpiryRule;

export function mailJobs(parts: MailJobParts): Job[] {
  const byHand = () => 0;
  const interval = () => parts.rules().intervalMs;
  return [
    {
      name: "prune-old-messages",
      aliases: ["retention", "prune-messages"],
      summary:
        "delete mail by age, large mail sooner, read and unread mail by their own rules, and shrink full mailboxes",
      intervalMs: interval,
      run: (context) => walk(parts, context, everyRule(parts)),
    },
    {
      name: "purge-seen",
      aliases: ["purge-read", "auto-purge-seen"],
      summary: "delete read mail, all of it unless an age is given",
      intervalMs: byHand,
      run: (context) =>
        walk(parts, context, (rules, nowMs) => {
          return same({ seenBeforeMs: nowMs - (context.retentionMs ?? rules.seenMs) + 1 });
        }),
    },
    {
      name: "prune-unread-older",
      aliases: ["prune-unread"],
      summary: "delete mail that nobody read, by age",
      intervalMs: byHand,
      run: async (context) => {
        const ageMs = context.retentionMs ?? parts.rules().unseenMs;
        if (ageMs === 0) return { ...noFigures(), findings: ["no age: give one, or set unread_retention"] };
        return await walk(parts, context, (_, nowMs) => same({ unseenBeforeMs: nowMs - ageMs }));
      },
    },
    {
      name: "shrink-mailboxes",
      aliases: ["quota-expire"],
      summary: "delete the oldest mail of mailboxes that are nearly full",
      intervalMs: byHand,
      run: (context) =>
        walk(parts, context, (rules, nowMs) => (user) => shrinkRule(parts, rules, user, nowMs)),
    },
  ];
}

function everyRule(parts: MailJobParts): RuleFor {
  return (rules, nowMs, context) => {
    const mailMs = context.retentionMs ?? rules.mailMs;
    const byAge: ExpiryRule = {
      ...(mailMs > 0 ? { anyBeforeMs: nowMs - mailMs } : {}),
      ...(rules.largeMs > 0
        ? { large: { minBytes: rules.largeMinBytes, beforeMs: nowMs - rules.largeMs } }
        : {}),
      ...(rules.purgeSeen
        ? { seenBeforeMs: nowMs + 1 }
        : rules.seenMs > 0
          ? { seenBeforeMs: nowMs - rules.seenMs }
          : {}),
      ...(rules.unseenMs > 0 ? { unseenBeforeMs: nowMs - rules.unseenMs } : {}),
    };
    return (user) => ({ ...byAge, ...shrinkRule(parts, rules, user, nowMs) });
  };
}

function shrinkRule(parts: MailJobParts, rules: MailRules, user: Address, nowMs: number): ExpiryRule {
  const quota = parts.quotaBytes(user);
  if (quota === 0 || rules.shrinkAbovePercent === 0) return {};
  return {
    shrink: {
      aboveBytes: (quota * rules.shrinkAbovePercent) / 100,
      toBytes: (quota * rules.shrinkToPercent) / 100,
      beforeMs: nowMs - SHRINK_AFTER_MS,
    },
  };
}

function same(rule: ExpiryRule): (user: Address) => ExpiryRule {
  return () => rule;
}

async function walk(parts: MailJobParts, context: JobContext, ruleFor: RuleFor): Promise<TaskFigures> {
  const { keeper, clock, rules } = parts;
  const { signal, breathe, dryRun } = context;
  const rule = ruleFor(rules(), clock.nowMs(), context);
  const census = emptyCensus();
  const figures = noFigures();
  const users = await keeper.users();
  for (const [index, user] of users.entries()) {
    if (signal.aborted) break;
    const { messages, bytes } = await keeper.expire(user, rule(user), { dryRun, census, signal, breathe });
    figures.removedMessages += messages;
    figures.removedBytes += bytes;
    if (index % 100 === 99) context.progress(index + 1, users.length);
    await breathe();
  }
  Object.assign(figures, { accounts: census.accounts, messages: census.messages, bytes: census.bytes });
  if (!signal.aborted) parts.onCensus(dryRun ? census : less(census, figures));
  return figures;
}

/** What is left; how the classes share the difference shows at the next walk. */
function less(census: Census, { removedMessages, removedBytes }: TaskFigures): Census {
  return { ...census, messages: census.messages - removedMessages, bytes: census.bytes - removedBytes };
}
