/** Relays that hold mail for this one until it asks. */
import { z } from "zod";
import { count } from "./fields.ts";
import { orInvalid } from "./federation.ts";
import { operation, OperationError } from "./operation.ts";

const name = z.string().trim().min(1, "name is required").max(100);
const url = z.string().trim().min(1, "url is required").max(2048);
const pollIntervalSec = z.int();
const exchanger = z.strictObject({
  name: z.string(),
  url: z.string(),
  enabled: z.boolean(),
  pollIntervalSec: z.int(),
  /** 0 is never. */
  lastPollAtSec: z.int(),
});

export const exchangerOperations = {
  "exchangers.list": operation({
    summary: "Relays that are asked for mail",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({ total: count, exchangers: z.array(exchanger) }),
    run({ state }) {
      const exchangers = [...state.exchangers.entries()].map(([each, row]) => ({
        name: each,
        url: row.url,
        enabled: row.enabled,
        pollIntervalSec: row.pollIntervalSec,
        lastPollAtSec: row.lastPollAtSec,
      }));
      return { total: exchangers.length, exchangers };
    },
  }),

  "exchangers.add": operation({
    summary: "Ask another relay for mail from now on",
    permission: "change",
    input: z.strictObject({ name, url, pollIntervalSec: pollIntervalSec.optional() }),
    output: z.strictObject({ name: z.string() }),
    run: ({ state, live }, { name: added, url: place, pollIntervalSec: seconds }) => {
      if (state.exchangers.has(added)) throw new OperationError("conflict", `${added} is there already`);
      const interval = seconds === undefined ? {} : { pollIntervalSec: seconds };
      orInvalid(() => state.exchangers.set(added, { url: place, ...interval }));
      live?.lookForExchangers();
      return { name: added };
    },
  }),

  "exchangers.update": operation({
    summary: "Change where, how often or whether a relay is asked",
    permission: "change",
    input: z.strictObject({
      name,
      url: url.optional(),
      enabled: z.boolean().optional(),
      pollIntervalSec: pollIntervalSec.optional(),
    }),
    output: z.strictObject({ name: z.string() }),
    run: ({ state, live }, { name: changed, url: place, enabled, pollIntervalSec: seconds }) => {
      if (!state.exchangers.has(changed)) {
        throw new OperationError("notFound", `there is no exchanger ${changed}`);
      }
      orInvalid(() =>
        state.exchangers.set(changed, {
          ...(place === undefined ? {} : { url: place }),
          ...(enabled === undefined ? {} : { enabled }),
          ...(seconds === undefined ? {} : { pollIntervalSec: seconds }),
        }),
      );
      live?.lookForExchangers();
      return { name: changed };
    },
  }),

  "exchangers.remove": operation({
    summary: "Ask a relay no more",
    permission: "change",
    input: z.strictObject({ name }),
    output: z.strictObject({ name: z.string(), remaining: count }),
    run: ({ state, live }, { name: removed }) => {
      if (!state.exchangers.remove(removed)) {
        throw new OperationError("notFound", `there is no exchanger ${removed}`);
      }
      live?.lookForExchangers();
      return { name: removed, remaining: [...state.exchangers.entries()].length };
    },
  }),
};
