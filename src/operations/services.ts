/** Services beside mail: what they do now, and turning them on and off. */
import { z } from "zod";
import { FAILURES_MAX } from "../push/breaker.ts";
import { proxyAccess, proxyFacts } from "../shadowsocks/facts.ts";
import { SecretError } from "../shadowsocks/secret.ts";
import type { OperationContext } from "./context.ts";
import { count } from "./fields.ts";
import { operation, OperationError } from "./operation.ts";
import { changeSetting, requireSetting } from "./settings.ts";

/** By the name of the setting that switches it. */
const switches = {
  turn: "turn_enabled",
  iroh: "iroh_enabled",
  shadowsocks: "ss_enabled",
  push: "push_mode",
  webimap: "webimap_enabled",
  websmtp: "websmtp_enabled",
  adminWeb: "admin_web_enabled",
  openRelay: "allow_inbound_remote_rcpt",
} as const;
const serviceNames = [
  "turn",
  "iroh",
  "shadowsocks",
  "push",
  "webimap",
  "websmtp",
  "adminWeb",
  "openRelay",
] as const satisfies readonly (keyof typeof switches)[];

const figures = z.record(z.string(), z.number());
const serviceFacts = z.strictObject({
  turn: z.strictObject({
    enabled: z.boolean(),
    /** Whether clients are told of it now. */
    advertised: z.boolean(),
    /** Calls under way. */
    allocations: count,
    /** Calls that may end by themselves after it was turned off or moved. */
    ending: count,
    /** Since it was turned on, by name. */
    figures,
  }),
  iroh: z.strictObject({
    enabled: z.boolean(),
    /** What clients are told. */
    url: z.string().nullable(),
    connections: count,
    endpoints: count,
    figures,
  }),
  shadowsocks: z.strictObject({
    enabled: z.boolean(),
    cipher: z.string(),
    link: z.string().nullable(),
    connections: count,
    addresses: count,
  }),
  push: z.strictObject({
    mode: z.enum(["off", "on", "auto"]),
    pending: count,
    /** Since the start. */
    sent: count,
    consecutiveFailures: count,
    resting: z.boolean(),
    /** In mode `auto`. */
    restsAfter: count,
  }),
  webimap: z.strictObject({ enabled: z.boolean() }),
  websmtp: z.strictObject({ enabled: z.boolean() }),
  webmailCorsOrigins: z.array(z.string()),
  adminWeb: z.strictObject({ enabled: z.boolean(), path: z.string() }),
  adminApi: z.strictObject({ enabled: z.boolean(), path: z.string() }),
  openRelay: z.strictObject({ enabled: z.boolean() }),
});

export const serviceOperations = {
  "services.get": operation({
    summary: "Which services are on, and their figures",
    permission: "read",
    input: z.strictObject({}),
    output: serviceFacts,
    run: servicesOf,
  }),

  "services.set": operation({
    summary: "Turn a service on or off; push knows auto, too",
    permission: "change",
    input: z.strictObject({
      service: z.enum(serviceNames),
      state: z.enum(["on", "off", "auto"]),
      expected: z.string().optional(),
    }),
    output: z.strictObject({
      service: z.enum(serviceNames),
      state: z.enum(["on", "off", "auto"]),
      notices: z.array(z.string()),
    }),
    async run(context, { service, state, expected }) {
      if (state === "auto" && service !== "push") {
        throw new OperationError("invalid", `${service} is on or off; only push knows auto`);
      }
      const setting = requireSetting(switches[service]);
      const { notices } = await changeSetting(context, setting, state, expected);
      return { service, state, notices };
    },
  }),

  "proxy.profiles": operation({
    summary: "The Shadowsocks proxy as link, SIP008 document and Xray outbound",
    permission: "read",
    reveals: () => true,
    input: z.strictObject({}),
    output: z.strictObject({
      link: z.string(),
      sip008: z.record(z.string(), z.unknown()),
      xray: z.record(z.string(), z.unknown()),
    }),
    run(context) {
      const config = context.config();
      const { link } = orRefused(() => proxyFacts(config));
      const access = orRefused(() => proxyAccess(config));
      if (link === undefined || access === undefined) {
        throw new OperationError("unavailable", "there is no password yet: turn the proxy on first");
      }
      const { host, port, method, password } = access;
      const remarks = config.domains[0];
      const server = { server: host, server_port: port, password, method };
      return {
        link,
        sip008: { version: 1, servers: [{ id: sip008Id(host, port), remarks, ...server }] },
        xray: {
          protocol: "shadowsocks",
          tag: remarks,
          settings: { servers: [{ address: host, port, method, password }] },
        },
      };
    },
  }),
};

function servicesOf(context: OperationContext): z.output<typeof serviceFacts> {
  const config = context.config();
  const { turn, iroh, push, webmail, admin, smtp } = config;
  const services = context.live?.services;
  const calls = services?.turn();
  const relay = services?.iroh();
  const pusher = services?.push();
  const proxy = services?.shadowsocks();
  const { enabled, cipher, link } = orRefused(() => proxyFacts(config));
  return {
    turn: {
      enabled: turn.enabled,
      advertised: calls?.advertised ?? false,
      allocations: calls?.facts?.allocations ?? 0,
      ending: calls?.ending ?? 0,
      figures: calls?.facts === undefined ? {} : plainFigures({ ...calls.facts }),
    },
    iroh: {
      enabled: iroh.enabled,
      url: relay?.url ?? null,
      connections: relay?.connections ?? 0,
      endpoints: (relay?.legacyEndpoints ?? 0) + (relay?.currentEndpoints ?? 0),
      figures: { ...relay?.counters },
    },
    shadowsocks: {
      enabled,
      cipher,
      link: proxy?.link ?? link ?? null,
      connections: proxy?.connections ?? 0,
      addresses: proxy?.addresses ?? 0,
    },
    push: {
      mode: push.mode,
      pending: pusher?.pending ?? 0,
      sent: pusher?.sent ?? 0,
      consecutiveFailures: pusher?.consecutiveFailures ?? 0,
      resting: pusher?.resting ?? false,
      restsAfter: FAILURES_MAX,
    },
    webimap: { enabled: webmail.imap },
    websmtp: { enabled: webmail.smtp },
    webmailCorsOrigins: [...webmail.cors_origins],
    adminWeb: { enabled: admin.web, path: admin.web_path },
    adminApi: { enabled: admin.token !== "disabled", path: admin.path },
    openRelay: { enabled: smtp.allow_remote_recipients },
  };
}

/** Tables inside become one name: `refusals.401`. */
function plainFigures(facts: Record<string, unknown>, prefix = ""): Record<string, number> {
  return Object.fromEntries(
    Object.entries(facts).flatMap(([name, value]): [string, number][] => {
      if (typeof value === "number") return [[`${prefix}${name}`, value]];
      if (typeof value !== "object" || value === null) return [];
      return Object.entries(plainFigures({ ...value }, `${prefix}${name}.`));
    }),
  );
}

/** SIP008 wants a UUID that stays the same; it means nothing else. */
function sip008Id(host: string, port: number): string {
  const hex = new Bun.CryptoHasher("sha256").update(`${host}:${port}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function orRefused<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof SecretError) throw new OperationError("refused", error.message, { cause: error });
    throw error;
  }
}
