/** Other servers: policy, rules, silent dismissal, figures, routing of the operator's own, exchangers. */
import { z } from "zod";
import { type AdminCall, type AdminResource, change, ok } from "./resource.ts";

const SERVERS_ALL = 10_000;
const domainBody = z.object({ domain: z.string().trim().min(1, "domain is required") });

type PeerListName = "federation.rules" | "federation.dismissed";

/** Rules, and silent dismissal, have one shape; the key of the list differs. */
function peerList(name: PeerListName, listKey: "rules" | "domains"): AdminResource {
  return {
    methods: {
      async GET({ operations }) {
        const { domains, total } = await operations.call(`${name}.list`, {});
        const rows = domains.map(({ domain, createdAtSec }) => ({ domain, created_at: createdAtSec }));
        return ok({ [listKey]: rows, total });
      },
      POST: change(async ({ operations, body }) => {
        const added = await operations.call(`${name}.add`, domainBody.parse(body ?? {}));
        return ok({ domain: added.domain, total: added.total });
      }),
      DELETE: change(async ({ operations, body }) => {
        const { domain, remaining } = await operations.call(`${name}.remove`, domainBody.parse(body ?? {}));
        return ok({ domain, remaining });
      }),
    },
  };
}

const servers: AdminResource = {
  methods: {
    async GET({ operations }) {
      const { servers: rows, total } = await operations.call("federation.servers", { limit: SERVERS_ALL });
      const rendered = rows.map((row) => ({
        domain: row.domain,
        queued_messages: row.queuedMessages,
        failed_http: row.failedHttp,
        failed_https: row.failedHttps,
        failed_smtp: row.failedSmtp,
        success_http: row.successHttp,
        success_https: row.successHttps,
        success_smtp: row.successSmtp,
        inbound_deliveries: row.inboundDeliveries,
        successful_deliveries: row.successfulDeliveries,
        mean_latency_ms: row.meanLatencyMs,
        last_active: row.lastActiveSec,
        last_error: row.lastError,
        health: row.health,
      }));
      return ok({ servers: rendered, total });
    },
  },
};

const settingsBody = z.object({ enabled: z.boolean().optional(), policy: z.string().optional() });

const settings: AdminResource = {
  methods: {
    GET: async (call) => ok(await federationSettings(call)),
    POST: change(async (call) => {
      const { enabled, policy } = settingsBody.parse(call.body ?? {});
      // The policy first: it is the one that can be refused.
      if (policy !== undefined) await call.operations.call("federation.setPolicy", { policy });
      if (enabled !== undefined) await call.operations.call("federation.setEnabled", { enabled });
      return ok(await federationSettings(call));
    }),
  },
};

async function federationSettings({ operations }: AdminCall) {
  const { enabled, policy } = await operations.call("federation.get", {});
  const { federation } = await operations.call("sizes.get", {});
  return {
    enabled,
    policy,
    max_federation_size: federation.set["max_federation_size"] ?? null,
    federation_size_effective: federation.effective,
    federation_size_effective_bytes: federation.effectiveBytes,
  };
}

const dns: AdminResource = {
  methods: {
    async GET({ operations }) {
      const { endpoints, total } = await operations.call("endpoints.list", {});
      const overrides = endpoints.map(({ key, target, comment }) => ({
        lookup_key: key,
        target_host: target,
        comment,
      }));
      return ok({ overrides, total });
    },
    POST: change(async ({ operations, body }) => {
      const input = z
        .object({ lookup_key: z.string(), target_host: z.string(), comment: z.string().optional() })
        .parse(body ?? {});
      const { key, target, comment } = await operations.call("endpoints.set", {
        key: input.lookup_key,
        target: input.target_host,
        comment: input.comment,
      });
      return { status: 201, body: { lookup_key: key, target_host: target, comment } };
    }),
    DELETE: change(async ({ operations, body }) => {
      const { lookup_key: key } = z.object({ lookup_key: z.string() }).parse(body ?? {});
      return ok({ deleted: (await operations.call("endpoints.remove", { key })).key });
    }),
  },
};

const exchangerName = z.object({ name: z.string().trim().min(1, "name is required") });

const exchangers: AdminResource = {
  methods: {
    async GET({ operations }) {
      const { exchangers: rows, total } = await operations.call("exchangers.list", {});
      const rendered = rows.map(({ name, url, enabled, pollIntervalSec, lastPollAtSec }) => ({
        name,
        url,
        enabled,
        poll_interval: pollIntervalSec,
        last_poll_at: lastPollAtSec,
      }));
      return ok({ exchangers: rendered, total });
    },
    POST: change(async ({ operations, body }) => {
      const input = exchangerName
        .extend({ url: z.string(), poll_interval: z.int().optional() })
        .parse(body ?? {});
      const { name } = await operations.call("exchangers.add", {
        name: input.name,
        url: input.url,
        pollIntervalSec: input.poll_interval,
      });
      return { status: 201, body: { name } };
    }),
    PUT: change(async ({ operations, body }) => {
      const input = exchangerName
        .extend({
          url: z.string().optional(),
          enabled: z.boolean().optional(),
          poll_interval: z.int().optional(),
        })
        .parse(body ?? {});
      const { name } = await operations.call("exchangers.update", {
        name: input.name,
        url: input.url,
        enabled: input.enabled,
        pollIntervalSec: input.poll_interval,
      });
      return ok({ updated: name });
    }),
    DELETE: change(async ({ operations, body }) => {
      return ok({
        deleted: (await operations.call("exchangers.remove", exchangerName.parse(body ?? {}))).name,
      });
    }),
  },
};

export const federationResources: Record<string, AdminResource> = {
  "/admin/federation/rules": peerList("federation.rules", "rules"),
  "/admin/federation/silent-dismiss": peerList("federation.dismissed", "domains"),
  "/admin/federation/servers": servers,
  "/admin/settings/federation": settings,
  "/admin/dns": dns,
  "/admin/exchangers": exchangers,
};
