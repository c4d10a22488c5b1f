/** What lies about: files that were begun and left, mail that does not fit its index, a database that wants care. */
import type { Address } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { careForDatabase } from "../db/care.ts";
import type { Db } from "../db/open.ts";
import { emptyCheck } from "../storage/check.ts";
import type { CheckResult, MailKeeper } from "../storage/keeper.ts";
import { type Job, type JobContext, noFigures, type TaskFigures } from "./job.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** As the Maildir convention has it: what is older in tmp/ was given up. */
const TEMP_MS = 36 * 60 * 60 * 1000;

export interface TidyJobParts {
  keeper: MailKeeper;
  db: Db;
  /** An account here, as opposed to mail of one that is gone. */
  isAccount: (user: Address) => boolean;
  checkIntervalMs: () => number;
  clock: Clock;
}

export function tidyJobs(parts: TidyJobParts): Job[] {
  return [
    {
      name: "sweep-temp",
      aliases: ["temp-sweep", "clean-temp"],
      summary: "delete files that were begun and left",
      intervalMs: () => DAY_MS,
      run: (context) => sweepTemp(parts, context),
    },
    {
      name: "check-storage",
      aliases: ["check", "integrity-check"],
      summary: "compare mail on disk with its index; puts right what it can when asked to",
      intervalMs: parts.checkIntervalMs,
      run: (context) => checkStorage(parts, context),
    },
    {
      name: "care-database",
      aliases: ["sqlite-care", "optimize-database"],
      summary: "fold the database's journal, give free pages back, refresh its statistics",
      intervalMs: () => DAY_MS,
      run: async (context) => {
        const { freedBytes, findings } = careForDatabase(parts.db, context.dryRun);
        return { ...noFigures(), removedBytes: freedBytes, findings };
      },
    },
  ];
}

async function sweepTemp({ keeper, clock }: TidyJobParts, context: JobContext): Promise<TaskFigures> {
  const { dryRun, signal, breathe } = context;
  const beforeMs = clock.nowMs() - TEMP_MS;
  const figures = noFigures();
  const add = ({ messages, bytes }: { messages: number; bytes: number }) => {
    figures.removedMessages += messages;
    figures.removedBytes += bytes;
  };
  add(await keeper.sweepSpool(beforeMs, { dryRun }));
  await eachUser(keeper, context, async (user) => {
    add(await keeper.sweepTemp(user, beforeMs, { dryRun, signal, breathe }));
    figures.accounts++;
  });
  return figures;
}

async function checkStorage({ keeper, isAccount }: TidyJobParts, context: JobContext): Promise<TaskFigures> {
  const { repair, dryRun, signal, breathe } = context;
  const figures = noFigures();
  const sum = emptyCheck();
  let ownerless = 0;
  await eachUser(keeper, context, async (user) => {
    const found = await keeper.check(user, { repair: repair && !dryRun, signal, breathe });
    for (const key of Object.keys(sum) as (keyof CheckResult)[]) sum[key] += found[key];
    if (!isAccount(user)) ownerless++;
    figures.accounts++;
  });
  const texts: [count: number, text: string][] = [
    [sum.missing, "messages in an index without a file"],
    [
      sum.unknown,
      "files that have no number yet (another program's; they get one when the mailbox is opened)",
    ],
    [sum.duplicate, "files with a number that another file has"],
    [sum.torn, "files whose size is not the one they were accepted with"],
    [sum.unmarked, "mailboxes whose UIDVALIDITY can't be read (clients will fetch them anew)"],
    [ownerless, "mail directories without an account"],
  ];
  figures.findings = texts.filter(([count]) => count > 0).map(([count, text]) => `${count} ${text}`);
  if (sum.repaired > 0) figures.findings.push(`${sum.repaired} put right`);
  return figures;
}

async function eachUser(
  keeper: MailKeeper,
  { signal, breathe, progress }: JobContext,
  visit: (user: Address) => Promise<void>,
): Promise<void> {
  const users = await keeper.users();
  for (const [index, user] of users.entries()) {
    if (signal.aborted) return;
    await visit(user);
    if (index % 100 === 99) progress(index + 1, users.length);
    await breathe();
  }
}
