/** The relay as a whole: figures, disk, reload; and short addresses of contacts. As panels of madmail ask for them. */
import { z } from "zod";
import { type AdminCall, type AdminResource, change, ok } from "./resource.ts";
import { pushStatus, snapshot } from "./setting-resources.ts";

const DAY_SEC = 86_400;
const SHARES_ALL = 1000;

async function status(call: AdminCall) {
  const { operations } = call;
  const now = await operations.call("relay.status", {});
  const { connections, messages, startedAtMs } = now;
  const { sent_messages = 0, outbound_messages = 0, received_messages = 0 } = messages;
  const { peers, ...traffic } = await operations.call("federation.traffic", {});
  const imap = ["imap", "imaps"].map((name) => connections[name]);
  const proxy = connections["shadowsocks"];
  return {
    version: now.version,
    users: { registered: now.accounts },
    uptime: uptime(startedAtMs ?? Date.now()),
    imap: {
      connections: imap.reduce((sum, each) => sum + (each?.connections ?? 0), 0),
      unique_ips: imap.reduce((sum, each) => sum + (each?.addresses ?? 0), 0),
    },
    turn: { relays: now.services.turnAllocations },
    shadowsocks: { connections: proxy?.connections ?? 0, unique_ips: proxy?.addresses ?? 0 },
    sent_messages,
    outbound_messages,
    received_messages,
    email_servers: {
      connections: peers.connections,
      connection_ips: peers.connections,
      domain_servers: peers.domains,
      ip_servers: peers.addresses,
    },
    federation_traffic: {
      inbound: traffic.inbound,
      outbound: traffic.outbound,
      queued: traffic.queued,
      expired: traffic.expired,
      mean_latency_ms: traffic.meanLatencyMs,
      health: traffic.health,
    },
    message_retention: await retention(call),
    push: await pushFacts(call),
  };
}

function uptime(startedAtMs: number) {
  const seconds = Math.max(0, Math.floor((Date.now() - startedAtMs) / 1000));
  const days = Math.floor(seconds / DAY_SEC);
  const hours = Math.floor((seconds % DAY_SEC) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const parts = [...(days > 0 ? [`${days}d`] : []), `${hours}h`, `${minutes}m`, `${seconds % 60}s`];
  return { boot_time: new Date(startedAtMs).toISOString(), duration: parts.join(" ") };
}

async function retention({ operations }: AdminCall) {
  const { value } = await operations.call("settings.get", { name: "message_retention" });
  const enabled = await operations.call("settings.get", { name: "message_retention_enabled" });
  const days = /^(\d+)d$/.exec(value ?? "")?.[1];
  return {
    enabled: enabled.value === "enabled",
    days: days === undefined ? 0 : Number(days),
    retention: value ?? "",
  };
}

async function pushFacts(call: AdminCall) {
  const { status: on, ...facts } = await pushStatus(call);
  return { enabled: on === "enabled", ...facts };
}

async function storage({ operations }: AdminCall) {
  const { disk, databaseBytes, mail } = await operations.call("storage.figures", {});
  const totalBytes = disk?.totalBytes ?? 0;
  const usedBytes = totalBytes - (disk?.freeBytes ?? 0);
  const { totalBytes: mailBytes } = await operations.call("quota.summary", {});
  return {
    disk: {
      total_bytes: totalBytes,
      used_bytes: usedBytes,
      available_bytes: disk?.freeBytes ?? 0,
      percent_used: totalBytes === 0 ? 0 : (usedBytes / totalBytes) * 100,
    },
    state_dir: { size_bytes: databaseBytes + (mail?.bytes ?? mailBytes) },
    database: { driver: "sqlite3", size_bytes: databaseBytes },
  };
}

async function overview(call: AdminCall) {
  const { tokens } = await call.operations.call("tokens.list", {});
  return {
    ...(await status(call)),
    ...(await storage(call)),
    tokens: { total: tokens.length },
    settings: await snapshot(call),
  };
}

const reloadPost = z.object({
  scope: z.enum(["full", "http", "http_routes", "routes"]).default("full"),
  wait: z.boolean().default(false),
});

const reload: AdminResource = {
  methods: {
    POST: change(async ({ operations, body }) => {
      reloadPost.parse(body ?? {});
      // It takes milliseconds: whether somebody waits or not, it is done when the answer goes out.
      const { notices } = await operations.call("relay.reload", {});
      return ok({ status: "reloaded", message: notices.join("; ") || "configuration read again" });
    }),
  },
};

const restart: AdminResource = {
  methods: {
    POST: change(async ({ operations }) => {
      await operations.call("relay.restart", {});
      return ok({ status: "restarting", message: "the relay starts anew" });
    }),
  },
};

const cacheReload: AdminResource = {
  methods: {
    POST: change(() =>
      ok({
        credentials_cache_reloaded: true,
        quota_cache_reloaded: true,
        message: "changes are in force at once; there is nothing to read again",
      }),
    ),
  },
};

const shareSlug = z.object({ slug: z.string().trim().min(1, "slug is required") });
const shareFields = shareSlug.extend({ url: z.string(), name: z.string().default("") });

const shares: AdminResource = {
  methods: {
    async GET({ operations }) {
      const { contacts, total } = await operations.call("contacts.list", { limit: SHARES_ALL });
      return ok({ shares: contacts.map(({ slug, url, name }) => ({ slug, url, name })), total });
    },
    POST: change(async ({ operations, body }) => {
      const { slug, url, name } = await operations.call("contacts.create", shareFields.parse(body ?? {}));
      return { status: 201, body: { slug, url, name } };
    }),
    PUT: change(async ({ operations, body }) => {
      const input = shareFields.partial({ url: true }).parse(body ?? {});
      return ok({ updated: (await operations.call("contacts.update", input)).slug });
    }),
    DELETE: change(async ({ operations, body }) => {
      const { slug } = shareSlug.parse(body ?? {});
      await operations.call("contacts.remove", { slug });
      return ok({ deleted: slug });
    }),
  },
};

export const serverResources: Record<string, AdminResource> = {
  "/admin/status": { methods: { GET: async (call) => ok(await status(call)) } },
  "/admin/overview": { methods: { GET: async (call) => ok(await overview(call)) } },
  "/admin/storage": { methods: { GET: async (call) => ok(await storage(call)) } },
  "/admin/reload": reload,
  "/admin/restart": restart,
  "/admin/cache/reload": cacheReload,
  "/admin/shares": shares,
};
