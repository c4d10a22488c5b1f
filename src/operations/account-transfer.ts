/** All accounts at once: to another server, from another server, away. */
import { availableParallelism } from "node:os";
import { z } from "zod";
import type { ImportFault } from "../auth/account-operations.ts";
import { NEVER_LOGGED_IN } from "../db/schema.ts";
import { duration } from "../config/schema-fields.ts";
import { faultOf, reason, remove } from "./accounts.ts";
import type { OperationContext } from "./context.ts";
import { count } from "./fields.ts";
import { operation, type RunningCall } from "./operation.ts";

const USERS_MAX = 1_000_000;
/** A wrong file has as many faults as lines; nobody reads more. */
const ERRORS_MAX = 100;
const PROGRESS_EVERY = 100;

const exported = z.strictObject({ username: z.string(), hash: z.string() });
const imported = z.strictObject({
  username: z.string().max(320),
  password: z.string().max(1024).optional(),
  hash: z.string().max(1024).optional(),
});
type Imported = z.output<typeof imported>;

export const accountTransferOperations = {
  "accounts.export": operation({
    summary: "Every account with the hash of its password",
    // Whoever may only look does not get hashes, and that somebody took them is on the audit list.
    permission: "change",
    input: z.strictObject({}),
    output: z.strictObject({ users: z.array(exported) }),
    run: ({ state }) => ({
      users: [...state.accounts.entries()].map(([username, { hash }]) => ({ username, hash })),
    }),
  }),

  "accounts.import": operation({
    summary: "Make accounts of another server: with a hash, a password, or one that nobody knows",
    permission: "change",
    sideBySide: true,
    input: z.strictObject({ users: z.array(imported).min(1).max(USERS_MAX) }),
    output: z.strictObject({
      imported: count,
      /** Those that exist already, and those with an error. */
      skipped: count,
      /** The first hundred. */
      errors: z.array(z.string()),
    }),
    run: (context, { users }, call) => importAll(context, users, call),
  }),

  "accounts.deleteAll": operation({
    summary: "Take every account away for good, with its mail, and block its name",
    permission: "destroy",
    sideBySide: true,
    input: z.strictObject({ reason: reason.optional() }),
    output: z.strictObject({ deleted: count }),
    async run(context, input, call) {
      const users = [...context.state.accounts.entries()].map(([user]) => user);
      const blockReason = input.reason ?? "bulk delete by the operator";
      let deleted = 0;
      for (const user of users) {
        if (call.signal?.aborted === true) break;
        if (await remove(context, user, { blockReason, keepMail: false })) deleted++;
        if (deleted % PROGRESS_EVERY === 0) tell(call, deleted, users.length);
      }
      return { deleted };
    },
  }),

  "accounts.prune": operation({
    summary: "Take away accounts that were handed out long ago and never used; their names are free again",
    permission: "destroy",
    input: z.strictObject({ olderThan: duration, dryRun: z.boolean().default(false) }),
    output: z.strictObject({ accounts: count }),
    async run(context, { olderThan, dryRun }) {
      const beforeSec = Math.floor((context.clock.nowMs() - olderThan) / 1000);
      const unused = [...context.state.accounts.entries()].filter(
        ([, account]) => account.firstLoginAtSec === NEVER_LOGGED_IN && account.createdAtSec < beforeSec,
      );
      if (dryRun) return { accounts: unused.length };
      for (const [user] of unused) await remove(context, user, { blockReason: undefined, keepMail: false });
      return { accounts: unused.length };
    },
  }),
};

interface ImportTally {
  imported: number;
  skipped: number;
  errors: string[];
}

async function importAll(
  context: OperationContext,
  users: readonly Imported[],
  call: RunningCall,
): Promise<ImportTally> {
  const tally: ImportTally = { imported: 0, skipped: 0, errors: [] };
  let next = 0;
  // As many at once as there are cores to hash, so that people who log in meanwhile wait for few.
  const work = async () => {
    for (let user = users[next++]; user !== undefined; user = users[next++]) {
      if (call.signal?.aborted === true) return;
      await importOne(context, user, tally);
      const done = tally.imported + tally.skipped;
      if (done % PROGRESS_EVERY === 0) tell(call, done, users.length);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return tally;
}

async function importOne(context: OperationContext, user: Imported, tally: ImportTally): Promise<void> {
  const why = await importFault(context, user);
  if (why === undefined) {
    tally.imported++;
    return;
  }
  tally.skipped++;
  // Imported before: nothing to say.
  if (why === "exists" || tally.errors.length >= ERRORS_MAX) return;
  tally.errors.push(
    why === "badHash"
      ? `${user.username}: a hash in no format that is known here`
      : faultOf(why, user.username === "" ? "an entry without a username" : user.username).message,
  );
}

async function importFault(
  { accounts }: OperationContext,
  { username, password, hash }: Imported,
): Promise<ImportFault | undefined> {
  const done = await accounts.import(username, {
    ...(password === undefined || password === "" ? {} : { password }),
    ...(hash === undefined || hash === "" ? {} : { hash }),
  });
  return done.ok ? undefined : done.why;
}

function tell(call: RunningCall, done: number, total: number): void {
  call.onProgress({ done, total, what: "accounts" });
}
