/** The relay as a whole: what it is and does now, and taking a changed configuration. */
import { z } from "zod";
import { replaceAdminToken } from "../auth/admin-token.ts";
import { version } from "../core/version.ts";
import { count, timeMs } from "./fields.ts";
import { operation, OperationError } from "./operation.ts";
import { pendingSettings } from "./settings.ts";

const AUDIT_MAX = 1000;

export const relayOperations = {
  "relay.status": operation({
    summary: "Whether it runs, where it listens, how many accounts and messages",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({
      version: z.string(),
      running: z.boolean(),
      startedAtMs: timeMs.nullable(),
      hostname: z.string(),
      domains: z.array(z.string()),
      listeners: z.record(z.string(), z.array(z.string())),
      accounts: count,
      /** Open now, by service. */
      connections: z.record(z.string(), z.strictObject({ connections: count, addresses: count })),
      services: z.strictObject({
        turn: z.boolean(),
        iroh: z.boolean(),
        shadowsocks: z.boolean(),
        push: z.enum(["off", "on", "auto"]),
        /** Calls under way. */
        turnAllocations: count,
        /** Endpoints that can be reached. */
        irohEndpoints: count,
        /** Since the start. */
        pushesSent: count,
      }),
      /** Settings that wait for a reload or a start. */
      pending: z.array(z.string()),
      /** Since the database was made, by name of the counter. */
      messages: z.record(z.string(), count),
    }),
    run(context) {
      const { config, state, live } = context;
      const { hostname, domains, turn, iroh, shadowsocks, push } = config();
      const relay = live?.services.iroh();
      return {
        version,
        running: live !== undefined,
        startedAtMs: live?.startedAtMs ?? null,
        hostname,
        domains: [...domains],
        listeners: live?.addresses() ?? {},
        accounts: state.accounts.size,
        connections: live?.connections() ?? {},
        services: {
          turn: turn.enabled,
          iroh: iroh.enabled,
          shadowsocks: shadowsocks.enabled,
          push: push.mode,
          turnAllocations: live?.services.turn().facts?.allocations ?? 0,
          irohEndpoints: (relay?.legacyEndpoints ?? 0) + (relay?.currentEndpoints ?? 0),
          pushesSent: live?.services.push().sent ?? 0,
        },
        pending: pendingSettings(context),
        messages: Object.fromEntries(state.counters.entries()),
      };
    },
  }),

  "relay.reload": operation({
    summary: "Read configuration, settings, certificates and keys again",
    permission: "change",
    input: z.strictObject({}),
    output: z.strictObject({ notices: z.array(z.string()) }),
    async run({ live }) {
      if (live === undefined)
        throw new OperationError("notRunning", "the relay does not run: nothing to reload");
      return { notices: await live.reload() };
    },
  }),

  "relay.restart": operation({
    summary: "End and start anew, for what a reload can't change; connections end",
    permission: "change",
    input: z.strictObject({}),
    output: z.strictObject({}),
    run({ live }) {
      if (live === undefined)
        throw new OperationError("notRunning", "the relay does not run: nothing to restart");
      if (live.restart === undefined)
        throw new OperationError("refused", "this relay can't start itself anew");
      live.restart();
      return {};
    },
  }),

  "admin.loginLink": operation({
    summary: "A link that opens the admin panel once, within a quarter of an hour",
    permission: "change",
    input: z.strictObject({}),
    output: z.strictObject({ link: z.string() }),
    run({ live }) {
      if (live === undefined)
        throw new OperationError("notRunning", "the relay does not run: nothing to log in to");
      const link = live.loginLink();
      if (link === undefined) throw new OperationError("refused", "the admin panel is off");
      return { link };
    },
  }),

  "admin.replaceToken": operation({
    summary: "Make a new token for the admin API; the old one opens nothing any more",
    permission: "destroy",
    input: z.strictObject({}),
    output: z.strictObject({ replaced: z.literal(true) }),
    run({ config }) {
      const { admin, stateDir } = config();
      if (admin.token !== undefined) {
        throw new OperationError("refused", "the configuration file says the token: change it there");
      }
      replaceAdminToken(stateDir);
      return { replaced: true as const };
    },
  }),

  "audit.list": operation({
    summary: "What operators changed, newest first: names of actions, never whom they were about",
    permission: "read",
    input: z.strictObject({ limit: z.int().min(1).max(AUDIT_MAX).default(100) }),
    output: z.strictObject({
      events: z.array(
        z.strictObject({ atSec: z.int(), operation: z.string(), face: z.string(), done: z.boolean() }),
      ),
    }),
    run: ({ state }, { limit }) => ({ events: state.audit.latest(limit) }),
  }),
};
