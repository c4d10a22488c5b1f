/** Where services listen. A change counts from the next reload: only the listener that it is about moves. */
import { z } from "zod";
import type { OperationContext } from "./context.ts";
import { count } from "./fields.ts";
import { operation, OperationError } from "./operation.ts";
import { changeSetting, requireSetting, settingRowOf } from "./settings.ts";

/** How its settings begin, and its name among the addresses that are bound. */
const services = {
  smtp: ["smtp", "smtp"],
  submission: ["submission", "submission"],
  "submission-tls": ["submission_tls", "submissions"],
  imap: ["imap", "imap"],
  "imap-tls": ["imap_tls", "imaps"],
  turn: ["turn", "turn"],
  iroh: ["iroh", "iroh"],
  shadowsocks: ["ss", "shadowsocks"],
  http: ["http", "http"],
  https: ["https", "https"],
} as const satisfies Record<string, readonly [prefix: string, listener: string]>;
export const portServices = [
  "smtp",
  "submission",
  "submission-tls",
  "imap",
  "imap-tls",
  "turn",
  "iroh",
  "shadowsocks",
  "http",
  "https",
] as const satisfies readonly (keyof typeof services)[];
type PortService = (typeof portServices)[number];

const service = z.enum(portServices);
const portRow = z.strictObject({
  service,
  /** As wanted; null where nothing is to listen. */
  port: z.int().nullable(),
  access: z.enum(["public", "local", "off"]),
  source: z.enum(["default", "file", "setting"]),
  /** `host:port` as bound now. */
  bound: z.array(z.string()),
  connections: count,
  addresses: count,
  /** Waits for a reload. */
  pending: z.boolean(),
});
const changed = portRow.extend({ notices: z.array(z.string()) });

export const portOperations = {
  "ports.list": operation({
    summary: "Where each service listens, and what waits for a reload",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({ total: count, ports: z.array(portRow) }),
    run(context) {
      const ports = portServices.map((each) => rowOf(context, each));
      return { total: ports.length, ports };
    },
  }),

  "ports.set": operation({
    summary: "Let a service listen on another port from the next reload on",
    permission: "change",
    input: z.strictObject({ service, port: z.int(), expected: z.string().optional() }),
    output: changed,
    run: (context, input) => change(context, input.service, "port", String(input.port), input.expected),
  }),

  "ports.reset": operation({
    summary: "Leave port and access of a service to the configuration file",
    permission: "change",
    input: z.strictObject({ service }),
    output: changed,
    async run(context, input) {
      const [prefix] = services[input.service];
      for (const name of [`${prefix}_local_only`, `${prefix}_enabled`]) {
        if (isPlaceSetting(input.service, name))
          await changeSetting(context, requireSetting(name), undefined);
      }
      return change(context, input.service, "port", undefined);
    },
  }),

  "ports.access": operation({
    summary: "Let only this machine reach a service, or everybody",
    permission: "change",
    input: z.strictObject({ service, access: z.enum(["public", "local"]) }),
    output: changed,
    run(context, input) {
      if (input.service === "shadowsocks") {
        throw new OperationError(
          "refused",
          "a proxy that only this machine reaches is none; turn it off instead",
        );
      }
      return input.access === "local"
        ? change(context, input.service, "local_only", "true")
        : makePublic(context, input.service);
    },
  }),

  "ports.enable": operation({
    summary: "Whether anything listens for http or https at all",
    permission: "change",
    input: z.strictObject({ service: z.enum(["http", "https"]), enabled: z.boolean() }),
    output: changed,
    run: (context, input) => change(context, input.service, "enabled", String(input.enabled)),
  }),
};

async function change(
  context: OperationContext,
  name: PortService,
  what: "port" | "local_only" | "enabled",
  text: string | undefined,
  expected?: string,
): Promise<z.output<typeof changed>> {
  const setting = requireSetting(`${services[name][0]}_${what}`);
  const { notices } = await changeSetting(context, setting, text, expected);
  return { ...rowOf(context, name), notices };
}

/** As the file says: which addresses those are is its matter. */
async function makePublic(context: OperationContext, name: PortService): Promise<z.output<typeof changed>> {
  const row = await change(context, name, "local_only", undefined);
  if (row.access !== "local") return row;
  const { path } = requireSetting(`${services[name][0]}_local_only`);
  const notice = `the configuration file (${path}) names addresses of this machine only`;
  return { ...row, notices: [...row.notices, notice] };
}

function isPlaceSetting(name: PortService, setting: string): boolean {
  if (setting.endsWith("_local_only")) return name !== "shadowsocks";
  return name === "http" || name === "https";
}

function rowOf(context: OperationContext, name: PortService): z.output<typeof portRow> {
  const [prefix, listener] = services[name];
  const port = settingRowOf(context, `${prefix}_port`);
  const local = name === "shadowsocks" ? undefined : settingRowOf(context, `${prefix}_local_only`);
  const enabled =
    name === "http" || name === "https" ? settingRowOf(context, `${prefix}_enabled`) : undefined;
  const isOff = port.wanted === "" || enabled?.wanted === "disabled";
  const isSet = [port, local, enabled].some((row) => row?.source === "setting");
  const open = context.live?.connections()[listener];
  return {
    service: name,
    port: isOff ? null : Number(port.wanted),
    access: isOff ? "off" : local?.wanted === "true" ? "local" : "public",
    source: isSet ? "setting" : port.source,
    bound: context.live?.addresses()[listener] ?? [],
    connections: open?.connections ?? 0,
    addresses: open?.addresses ?? 0,
    pending: [port, local, enabled].some((row) => row?.pending === true),
  };
}
