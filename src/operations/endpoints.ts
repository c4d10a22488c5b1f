/** The operator's own routing instead of what DNS says ("endpoint cache", "dns overrides"). */
import { z } from "zod";
import { lowerAscii } from "../core/bytes.ts";
import { count } from "./fields.ts";
import { orInvalid } from "./federation.ts";
import { operation, OperationError } from "./operation.ts";

const endpoint = z.strictObject({
  /** A mail domain or an IP address. */
  key: z.string(),
  /** Host, host with port, or URL. */
  target: z.string(),
  comment: z.string(),
  createdAtSec: z.int(),
  updatedAtSec: z.int(),
});
const key = z.string().trim().min(1, "lookup_key is required").max(320);

export const endpointOperations = {
  "endpoints.list": operation({
    summary: "Domains whose mail goes where the operator says",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({ total: count, endpoints: z.array(endpoint) }),
    run({ state }) {
      const endpoints = [...state.overrides.entries()].map(([name, row]) => ({ key: name, ...row }));
      endpoints.sort((a, b) => (a.key < b.key ? -1 : 1));
      return { total: endpoints.length, endpoints };
    },
  }),

  "endpoints.get": operation({
    summary: "Where mail for a domain goes",
    permission: "read",
    input: z.strictObject({ key }),
    output: endpoint,
    run: ({ state }, input) => {
      const found = state.overrides.get(input.key);
      if (found === undefined) throw new OperationError("notFound", `nothing is set for ${input.key}`);
      return { key: lowerAscii(input.key), ...found };
    },
  }),

  "endpoints.set": operation({
    summary: "Send mail for a domain to a host or URL of the operator's choice",
    permission: "change",
    input: z.strictObject({
      key,
      target: z.string().trim().min(1, "target_host is required").max(2048),
      comment: z.string().max(1024).optional(),
    }),
    output: endpoint,
    run: ({ state }, { key: name, target, comment }) => {
      const kept = comment ?? state.overrides.get(name)?.comment;
      orInvalid(() => state.overrides.set(name, target, kept));
      const row = state.overrides.get(name);
      if (row === undefined) throw new OperationError("failed", "the entry was not kept");
      return { key: lowerAscii(name), ...row };
    },
  }),

  "endpoints.remove": operation({
    summary: "Leave a domain to DNS again",
    permission: "change",
    input: z.strictObject({ key }),
    output: z.strictObject({ key: z.string(), remaining: count }),
    run: ({ state }, input) => {
      if (!state.overrides.remove(input.key)) {
        throw new OperationError("notFound", `nothing is set for ${input.key}`);
      }
      return { key: lowerAscii(input.key), remaining: [...state.overrides.entries()].length };
    },
  }),
};
