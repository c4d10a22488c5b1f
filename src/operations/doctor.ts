/** The relay looked over from the inside. */
import { z } from "zod";
import { askPage } from "../doctor/ask.ts";
import { type CheckResult, runChecks } from "../doctor/check.ts";
import { systemMachine } from "../doctor/machine.ts";
import { checkTable } from "../doctor/table.ts";
import type { Books, Running, World } from "../doctor/world.ts";
import { certificateOf } from "./certificates.ts";
import type { OperationContext } from "./context.ts";
import { count, domain } from "./fields.ts";
import { operation, type RunningCall } from "./operation.ts";
import { queueOperations } from "./queue.ts";
import { pendingSettings } from "./settings.ts";

const checkResult = z.strictObject({
  /** Stable, for scripts. */
  name: z.string(),
  title: z.string(),
  state: z.enum(["ok", "warn", "fail", "skipped"]),
  /** What was seen, or why nothing was looked at. */
  said: z.string(),
  troubles: z.array(z.strictObject({ weight: z.enum(["warn", "fail"]), what: z.string(), mend: z.string() })),
  ms: count,
}) satisfies z.ZodType<CheckResult>;

export const doctorOperations = {
  "doctor.run": operation({
    summary: "Look the relay over, send an encrypted message through it, and tell what is wrong",
    // Two accounts come and go, and mail with them.
    permission: "change",
    sideBySide: true,
    input: z.strictObject({
      /** A server to try to reach. */
      peer: domain.optional(),
      /** Asks no other machine. */
      offline: z.boolean().default(false),
    }),
    output: z.strictObject({ running: z.boolean(), checks: z.array(checkResult) }),
    async run(context, { peer, offline }, call) {
      const { config, clock, live, survey } = context;
      const world: World = {
        ...survey,
        config: config(),
        clock,
        mayAsk: !offline,
        peer,
        machine: systemMachine(config().stateDir),
        closed: undefined,
        books: booksOf(context, call),
        running: runningOf(context),
        ask: askPage,
      };
      const checks = await runChecks(checkTable, world, {
        signal: call.signal,
        onDone: (done, { title }) => call.onProgress({ done, total: checkTable.length, what: title }),
      });
      return { running: live !== undefined, checks };
    },
  }),
};

function booksOf(context: OperationContext, call: RunningCall): Books {
  return {
    databaseFaults() {
      const rows = context.db.$client.query<{ quick_check: string }, []>("PRAGMA quick_check(10)").all();
      return rows.map((row) => row.quick_check).filter((text) => text !== "ok");
    },
    queue: async () => queueOperations["queue.status"].run(context, {}, call),
    certificate: () => certificateOf(context),
    pendingSettings: () => pendingSettings(context),
  };
}

function runningOf({ live, accounts, log }: OperationContext): Running | undefined {
  if (live === undefined) return undefined;
  return {
    startedAtMs: live.startedAtMs,
    addresses: () => live.addresses(),
    turnAdvertised: () => live.services.turn().advertised,
    irohUrl: () => live.services.iroh().url,
    pushResting: () => live.services.push().resting,
    clockAheadMs: async () => (await live.certificates.status()).clockAheadMs,
    async makeAccount() {
      const made = await accounts.createRandom();
      if (made.ok) return made;
      throw new Error(`no account can be made (${made.why})`);
    },
    removeAccount(address) {
      try {
        accounts.prune(address);
      } catch (error) {
        log.emit({ kind: "internalFault", where: "account of the doctor", error });
      }
    },
    testServer: (domainName, stop) => live.testServer(domainName, stop),
  };
}
