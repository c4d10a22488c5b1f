/** With which servers this relay exchanges mail: the policy and its exceptions. */
import { z } from "zod";
import { peerKey } from "../core/peer-key.ts";
import type { PeerList } from "../state/federation-book.ts";
import type { OperationContext } from "./context.ts";
import { bytes, count } from "./fields.ts";
import { operation, OperationError } from "./operation.ts";
import { changeSetting, requireSetting } from "./settings.ts";

const policy = z
  .string()
  .trim()
  .transform((text) => text.toUpperCase())
  .pipe(z.enum(["ACCEPT", "REJECT"], { error: "expected ACCEPT or REJECT" }));
const federationFacts = z.strictObject({
  enabled: z.boolean(),
  policy: z.enum(["ACCEPT", "REJECT"]),
  /** Servers that are exceptions from the policy. */
  rules: count,
  /** Servers to which mail is accepted and thrown away. */
  dismissed: count,
  /** Largest message by HTTP that is taken from other servers. */
  messageMaxBytes: bytes,
});
const whose = z.strictObject({ domain: z.string().trim().min(1, "domain is required").max(255) });
const peerEntry = z.strictObject({ domain: z.string(), createdAtSec: z.int() });

export const federationOperations = {
  "federation.get": operation({
    summary: "Whether mail goes to other servers, and to which",
    permission: "read",
    input: z.strictObject({}),
    output: federationFacts,
    run: factsOf,
  }),

  "federation.setPolicy": operation({
    summary: "Let servers without a rule in (ACCEPT), or keep them out (REJECT)",
    permission: "change",
    input: z.strictObject({ policy, expected: policy.optional() }),
    output: federationFacts,
    async run(context, { policy: next, expected }) {
      await changeSetting(context, requireSetting("federation_policy"), next, expected);
      return factsOf(context);
    },
  }),

  "federation.setEnabled": operation({
    summary: "Exchange mail with other servers, or with none",
    permission: "change",
    input: z.strictObject({ enabled: z.boolean() }),
    output: federationFacts,
    async run(context, { enabled }) {
      await changeSetting(context, requireSetting("federation_enabled"), String(enabled));
      return factsOf(context);
    },
  }),

  "federation.rules.list": listOperation(
    "Servers that are exceptions from the policy",
    ({ state }) => state.federation.rules,
  ),
  "federation.rules.add": addOperation("Make a server an exception", ({ state }) => state.federation.rules),
  "federation.rules.remove": removeOperation(
    "Treat a server as the policy says",
    ({ state }) => state.federation.rules,
  ),
  "federation.rules.clear": clearOperation("Remove every exception", ({ state }) => state.federation.rules),

  "federation.dismissed.list": listOperation(
    "Servers to which mail is accepted and thrown away",
    ({ state }) => state.federation.dismissed,
  ),
  "federation.dismissed.add": addOperation(
    "Throw mail to a server away",
    ({ state }) => state.federation.dismissed,
  ),
  "federation.dismissed.remove": removeOperation(
    "Send mail to a server again",
    ({ state }) => state.federation.dismissed,
  ),
  "federation.dismissed.clear": clearOperation(
    "Send mail to all of them again",
    ({ state }) => state.federation.dismissed,
  ),
};

function factsOf({ state, config }: OperationContext): z.output<typeof federationFacts> {
  const { federation } = state;
  const { limits, federation: settings } = config();
  return {
    enabled: federation.enabled,
    policy: federation.policy,
    rules: federation.rules.size,
    dismissed: federation.dismissed.size,
    messageMaxBytes: Math.min(limits.message_size, settings.message_size),
  };
}

type PickList = (context: OperationContext) => PeerList;

function listOperation(summary: string, pick: PickList) {
  return operation({
    summary,
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({ total: count, domains: z.array(peerEntry) }),
    run(context) {
      const domains = [...pick(context).entries()].map(([name, createdAtSec]) => ({
        domain: name,
        createdAtSec,
      }));
      domains.sort((a, b) => (a.domain < b.domain ? -1 : 1));
      return { total: domains.length, domains };
    },
  });
}

function addOperation(summary: string, pick: PickList) {
  return operation({
    summary,
    permission: "change",
    input: whose,
    output: z.strictObject({ domain: z.string(), total: count }),
    run: (context, input) => {
      const list = pick(context);
      const key = orInvalid(() => list.add(input.domain));
      return { domain: key, total: list.size };
    },
  });
}

function removeOperation(summary: string, pick: PickList) {
  return operation({
    summary,
    permission: "change",
    input: whose,
    output: z.strictObject({ domain: z.string(), removed: z.boolean(), remaining: count }),
    run: (context, input) => {
      const list = pick(context);
      const removed = orInvalid(() => list.remove(input.domain));
      return { domain: peerKey(input.domain) ?? input.domain, removed, remaining: list.size };
    },
  });
}

function clearOperation(summary: string, pick: PickList) {
  return operation({
    summary,
    permission: "destroy",
    input: z.strictObject({}),
    output: z.strictObject({ removed: count }),
    run(context) {
      const list = pick(context);
      const all = [...list.entries()].map(([name]) => name);
      for (const name of all) list.remove(name);
      return { removed: all.length };
    },
  });
}

/** What books call out of range is the caller's fault. @throws {OperationError} */
export function orInvalid<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError) throw new OperationError("invalid", error.message, { cause: error });
    throw error;
  }
}
