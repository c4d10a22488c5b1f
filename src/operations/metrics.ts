/** What the relay measures about itself, now and in the past. Numbers only. */
import { statSync } from "node:fs";
import { z } from "zod";
import { historyRanges, sampleSchema } from "../metrics/history.ts";
import { diskFigures } from "../metrics/process.ts";
import { sizeClasses } from "../storage/expiry.ts";
import type { OperationContext } from "./context.ts";
import { bytes, count, timeMs } from "./fields.ts";
import { operation, OperationError } from "./operation.ts";

const perService = z.record(z.string(), z.strictObject({ connections: count, addresses: count }));

export const metricsOperations = {
  "metrics.figures": operation({
    summary: "Traffic, speed, refusals, logins and the process, since the start",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({
      uptimeMs: z.number().nonnegative(),
      connections: perService,
      /** Bytes inside TLS, by what they are for. */
      traffic: z.record(z.string(), z.strictObject({ inBytes: count, outBytes: count })),
      /** From the last byte of a message to its being durable, ms. */
      delivery: z.strictObject({ count, p50Ms: z.number(), p99Ms: z.number() }),
      accepted: count,
      acceptedBytes: bytes,
      /** Messages and commands, by the name of the reason. */
      refused: z.record(z.string(), count),
      dropped: z.record(z.string(), count),
      logins: count,
      loginFailures: count,
      queue: z.strictObject({ messages: count, bytes, running: count }),
      process: z.strictObject({
        residentBytes: bytes,
        heapBytes: bytes,
        cpuSeconds: z.number(),
        openFiles: count.nullable(),
        openFilesMax: count.nullable(),
        loopLagMs: z.number(),
        loopLagP99Ms: z.number(),
      }),
    }),
    run(context) {
      const figures = running(context);
      const { tally, queue } = figures.parts;
      const { openFiles, openFilesMax, ...rest } = figures.process();
      const { messages, bytes: waiting, running: transferring } = queue();
      return {
        uptimeMs: figures.uptimeMs,
        connections: figures.connections(),
        traffic: figures.traffic(),
        delivery: {
          count: figures.latency.count,
          p50Ms: figures.latency.quantile(0.5),
          p99Ms: figures.latency.quantile(0.99),
        },
        accepted: tally.total("messageAccepted"),
        acceptedBytes: tally.acceptedBytes,
        refused: byReason([...tally.of("messageRefused"), ...tally.of("commandRefused")]),
        dropped: byReason(tally.of("messageDropped")),
        logins: tally.total("loginSucceeded"),
        loginFailures: tally.total("loginFailed"),
        queue: { messages, bytes: waiting, running: transferring },
        process: {
          ...rest,
          openFiles: openFiles ?? null,
          openFilesMax: openFilesMax ?? null,
          loopLagMs: figures.lag.lastMs,
          loopLagP99Ms: figures.lag.histogram.quantile(0.99),
        },
      };
    },
  }),

  "metrics.connections": operation({
    summary: "Open connections by service, and how many addresses they come from",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({ services: perService, turnAllocations: count }),
    run(context) {
      const figures = running(context);
      const turnAllocations = figures.parts.turn()?.allocations ?? 0;
      return { services: figures.connections(), turnAllocations };
    },
  }),

  "storage.figures": operation({
    summary: "Room on disk, the database, and mail as the last walk counted it",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({
      disk: z.strictObject({ freeBytes: bytes, totalBytes: bytes }).nullable(),
      databaseBytes: bytes,
      accounts: count,
      /** Null before the first walk after the start. */
      mail: z
        .strictObject({
          countedAtMs: timeMs,
          mailboxes: count,
          messages: count,
          bytes,
          unseen: count,
          classes: z.array(z.strictObject({ minBytes: bytes, messages: count, bytes })),
        })
        .nullable(),
    }),
    run({ config, db, state, census }) {
      const walked = census();
      return {
        disk: diskFigures(config().stateDir) ?? null,
        databaseBytes: sizeOf(db.$client.filename) + sizeOf(`${db.$client.filename}-wal`),
        accounts: state.accounts.size,
        mail:
          walked === undefined
            ? null
            : {
                countedAtMs: walked.atMs,
                mailboxes: walked.counted.accounts,
                messages: walked.counted.messages,
                bytes: walked.counted.bytes,
                unseen: walked.counted.unseen,
                classes: walked.counted.classes.map((each, i) => ({
                  minBytes: sizeClasses[i] ?? 0,
                  messages: each.messages,
                  bytes: each.bytes,
                })),
              },
      };
    },
  }),

  "history.read": operation({
    summary: "Samples of the past, oldest first, for charts",
    permission: "read",
    input: z.strictObject({ range: z.enum(historyRanges).default("24h") }),
    output: z.strictObject({
      stepSec: count,
      points: z.array(z.strictObject({ startedAtSec: z.int(), sample: sampleSchema })),
    }),
    run: ({ history }, { range }) => history.read(range),
  }),
};

function running({ live }: OperationContext) {
  if (live === undefined)
    throw new OperationError("notRunning", "the relay does not run: there are no figures");
  return live.figures;
}

/** The reason is the last label. */
function byReason(entries: readonly { labels: readonly string[]; count: number }[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { labels, count: added } of entries) {
    const why = labels.at(-1) ?? "";
    sums[why] = (sums[why] ?? 0) + added;
  }
  return sums;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
