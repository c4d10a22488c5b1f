/** Maintenance by hand: which jobs there are, when they run, and running them now. */
import { z } from "zod";
import type { TaskResult } from "../tasks/scheduler.ts";
import { bytes, count, timeMs } from "./fields.ts";
import { operation, OperationError, type RunningCall } from "./operation.ts";

const result = z.strictObject({
  task: z.string(),
  /** Nothing was changed: the figures are of what would go. */
  dryRun: z.boolean(),
  startedAtMs: timeMs,
  tookMs: z.number().nonnegative(),
  outcome: z.enum(["done", "cancelled", "failed"]),
  /** Looked at. */
  accounts: count,
  messages: count,
  bytes,
  removedAccounts: count,
  removedMessages: count,
  removedBytes: bytes,
  /** For the operator, one line each. */
  findings: z.array(z.string()),
});

const options = {
  dryRun: z.boolean().default(false),
  /** Instead of the age that the configuration names. */
  retentionMs: z.int().positive().optional(),
};

export const taskOperations = {
  "tasks.list": operation({
    summary: "Maintenance jobs, when they run, and how they last ended",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({
      tasks: z.array(
        z.strictObject({
          name: z.string(),
          aliases: z.array(z.string()),
          summary: z.string(),
          /** 0 is only by hand. */
          intervalMs: count,
          state: z.enum(["idle", "queued", "running"]),
          progress: z.strictObject({ done: count, total: count }).nullable(),
          nextRunMs: timeMs.nullable(),
          last: result.nullable(),
        }),
      ),
    }),
    run: ({ tasks }) => ({
      tasks: tasks.list().map((task) => ({
        ...task,
        aliases: [...task.aliases],
        progress: task.progress ?? null,
        nextRunMs: task.nextRunMs === undefined ? null : Math.round(task.nextRunMs),
        last: task.last === undefined ? null : resultOf(task.last),
      })),
    }),
  }),

  "tasks.run": operation({
    summary: "Run one maintenance job now",
    permission: "destroy",
    sideBySide: true,
    input: z.strictObject({
      task: z.string(),
      ...options,
      /** `check-storage` puts right what it can. */
      repair: z.boolean().default(false),
    }),
    output: result,
    async run({ tasks }, { task, ...given }, call) {
      const done = await tasks.run(task, { ...given, onProgress: progressOf(task, call) });
      if (done === undefined) throw new OperationError("notFound", `${task}: there is no such task`);
      return resultOf(done);
    },
  }),

  "tasks.runAll": operation({
    summary: "Run every maintenance job that has a schedule, now, one after the other",
    permission: "destroy",
    sideBySide: true,
    input: z.strictObject({ dryRun: options.dryRun }),
    output: z.strictObject({ results: z.array(result) }),
    async run({ tasks }, given, call) {
      const done = await tasks.runAll({ ...given, onProgress: progressOf("maintenance", call) });
      return { results: done.map(resultOf) };
    },
  }),
};

function progressOf(what: string, call: RunningCall): (done: number, total: number) => void {
  return (done, total) => call.onProgress({ done, total, what });
}

function resultOf({ figures, tookMs, ...rest }: TaskResult): z.output<typeof result> {
  return { ...rest, tookMs: Math.round(tookMs), ...figures };
}
