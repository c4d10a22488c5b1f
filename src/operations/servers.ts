/** How it goes with each server that this relay exchanges mail with. */
import { z } from "zod";
import { peerKey } from "../core/peer-key.ts";
import type { OperationContext } from "./context.ts";
import { count, domain } from "./fields.ts";
import { operation, OperationError } from "./operation.ts";
import { waiting } from "./queue.ts";

const LIST_MAX = 10_000;
/** Servers of which fewer attempts succeed are in trouble. */
const BAD_SHARE = 0.3;

const health = z.enum(["perfect", "federated", "bad", "idle"]);

const serverRow = z.strictObject({
  domain: z.string(),
  queuedMessages: count,
  failedHttp: count,
  failedHttps: count,
  failedSmtp: count,
  successHttp: count,
  successHttps: count,
  successSmtp: count,
  inboundDeliveries: count,
  successfulDeliveries: count,
  meanLatencyMs: z.number().nonnegative(),
  /** To the hour; 0 is never. */
  lastActiveSec: z.int(),
  lastError: z.string(),
  health,
  /** An exception from the policy. */
  hasRule: z.boolean(),
  isDismissed: z.boolean(),
});
type ServerRow = z.output<typeof serverRow>;

const sortKeys = {
  domain: (row: ServerRow) => row.domain,
  queued: (row: ServerRow) => row.queuedMessages,
  failures: failuresOf,
  successes: (row: ServerRow) => row.successfulDeliveries,
  inbound: (row: ServerRow) => row.inboundDeliveries,
  latency: (row: ServerRow) => row.meanLatencyMs,
  active: (row: ServerRow) => row.lastActiveSec,
};
const sortNames = ["domain", "queued", "failures", "successes", "inbound", "latency", "active"] as const;

export const serverOperations = {
  "federation.servers": operation({
    summary: "How it goes with each server: deliveries, failures, time taken, last trouble",
    permission: "read",
    input: z.strictObject({
      search: z.string().trim().max(255).default(""),
      health: health.optional(),
      sort: z.enum(sortNames).default("active"),
      descending: z.boolean().default(true),
      offset: z.int().nonnegative().default(0),
      limit: z.int().min(1).max(LIST_MAX).default(1000),
    }),
    output: z.strictObject({ total: count, matching: count, servers: z.array(serverRow) }),
    async run(context, { search, health: wanted, sort, descending, offset, limit }) {
      const rows = await serverRows(context);
      const needle = search.toLowerCase();
      const matching = rows.filter(
        (row) => row.domain.includes(needle) && (wanted === undefined || row.health === wanted),
      );
      const key = sortKeys[sort];
      matching.sort((a, b) => {
        const [one, other] = [key(a), key(b)];
        const order = one < other ? -1 : one > other ? 1 : a.domain < b.domain ? -1 : 1;
        return descending ? -order : order;
      });
      return {
        total: rows.length,
        matching: matching.length,
        servers: matching.slice(offset, offset + limit),
      };
    },
  }),

  "federation.traffic": operation({
    summary: "Mail from and to other servers in figures, this one left out",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({
      inbound: count,
      outbound: count,
      queued: count,
      /** Attempts that failed. */
      expired: count,
      meanLatencyMs: z.number().nonnegative(),
      health: z.strictObject({ perfect: count, federated: count, bad: count }),
      peers: z.strictObject({ connections: count, domains: count, addresses: count }),
    }),
    run: trafficOf,
  }),

  "federation.test": operation({
    summary: "What DNS, HTTPS and SMTP of a server say now",
    permission: "read",
    input: z.strictObject({ domain }),
    output: z.strictObject({
      domain: z.string(),
      /** What the operator's routing says instead of DNS. */
      override: z.string().nullable(),
      allowed: z.boolean(),
      mx: z.strictObject({ hosts: z.array(z.string()), why: z.string() }),
      mtaSts: z.string().nullable(),
      hosts: z.array(
        z.strictObject({
          host: z.string(),
          addresses: z.array(z.string()),
          why: z.string(),
          ways: z.array(
            z.strictObject({
              route: z.enum(["https", "http", "smtp"]),
              port: z.int(),
              works: z.boolean(),
              /** What the server said, or why there is no answer. */
              said: z.string(),
              tls: z.enum(["valid", "unverified", "none", "failed"]),
              certificate: z
                .strictObject({ names: z.array(z.string()), issuer: z.string(), notAfter: z.string() })
                .nullable(),
              ms: z.int().nonnegative(),
            }),
          ),
        }),
      ),
      works: z.boolean(),
    }),
    async run({ live }, { domain: asked }, { signal }) {
      if (live === undefined) {
        throw new OperationError("notRunning", "the relay does not run: it is the one to ask other servers");
      }
      return live.testServer(asked, signal);
    },
  }),
};

/** Everyone mail was exchanged with, and everyone it waits for. */
async function serverRows(context: OperationContext): Promise<ServerRow[]> {
  const { state } = context;
  const queued = await queuedByPeer(context);
  const rows = new Map<string, ServerRow>();
  const rowFor = (name: string): ServerRow => {
    const key = peerKey(name);
    const stats = key === undefined ? undefined : state.peers.get(key);
    const { totalLatencyMs, lastActive, lastError, ...counts } = stats ?? noStats;
    const { successfulDeliveries } = counts;
    const row = {
      ...counts,
      domain: name,
      queuedMessages: queued.get(name) ?? 0,
      meanLatencyMs: successfulDeliveries === 0 ? 0 : totalLatencyMs / successfulDeliveries,
      lastActiveSec: lastActive,
      lastError,
      hasRule: key !== undefined && state.federation.hasRule(key),
      isDismissed: key !== undefined && state.federation.isDismissed(key),
    };
    return { ...row, health: healthOf(row) };
  };
  for (const [name] of state.peers.entries()) rows.set(name, rowFor(name));
  for (const name of queued.keys()) if (!rows.has(name)) rows.set(name, rowFor(name));
  return [...rows.values()];
}

const noStats = {
  failedHttp: 0,
  failedHttps: 0,
  failedSmtp: 0,
  successHttp: 0,
  successHttps: 0,
  successSmtp: 0,
  inboundDeliveries: 0,
  successfulDeliveries: 0,
  totalLatencyMs: 0,
  lastActive: 0,
  lastError: "",
};

async function queuedByPeer({ live, store }: OperationContext): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const add = (name: string, messages: number) => {
    const key = peerKey(name) ?? name;
    counts.set(key, (counts.get(key) ?? 0) + messages);
  };
  if (live !== undefined) {
    for (const { domain: name, messages } of live.queue.destinations()) add(name, messages);
    return counts;
  }
  for (const { letter } of await waiting({ store })) add(letter.domain, 1);
  return counts;
}

type Tally = Pick<
  ServerRow,
  | "failedHttp"
  | "failedHttps"
  | "failedSmtp"
  | "successHttp"
  | "successHttps"
  | "successSmtp"
  | "inboundDeliveries"
  | "successfulDeliveries"
>;

function failuresOf(row: Pick<Tally, "failedHttp" | "failedHttps" | "failedSmtp">): number {
  return row.failedHttp + row.failedHttps + row.failedSmtp;
}

/** A way that failed counts even where the next one carried the message: of those with trouble, few are all bad. */
function healthOf(row: Tally): ServerRow["health"] {
  const failures = failuresOf(row);
  const successes = row.successHttp + row.successHttps + row.successSmtp;
  if (failures + successes + row.inboundDeliveries === 0) return "idle";
  if (failures === 0) return "perfect";
  return successes / (successes + failures) < BAD_SHARE ? "bad" : "federated";
}

async function trafficOf(context: OperationContext) {
  const { hostname, domains } = context.config();
  const own = new Set([hostname, ...domains].map((name) => peerKey(name)));
  const rows = (await serverRows(context)).filter(({ domain: name }) => !own.has(peerKey(name)));
  const sum = (of: (row: ServerRow) => number) => rows.reduce((total, row) => total + of(row), 0);
  const outbound = sum((row) => row.successfulDeliveries);
  const inState = (wanted: ServerRow["health"]) => rows.filter((row) => row.health === wanted).length;
  const met = rows.filter((row) => row.successfulDeliveries + row.inboundDeliveries > 0);
  const addresses = met.filter(({ domain: name }) => /^[\d.]+$|:/.test(name)).length;
  return {
    inbound: sum((row) => row.inboundDeliveries),
    outbound,
    queued: sum((row) => row.queuedMessages),
    expired: sum(failuresOf),
    meanLatencyMs: outbound === 0 ? 0 : sum((row) => row.meanLatencyMs * row.successfulDeliveries) / outbound,
    health: { perfect: inState("perfect"), federated: inState("federated"), bad: inState("bad") },
    peers: { connections: met.length, domains: met.length - addresses, addresses },
  };
}
