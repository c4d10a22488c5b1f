/** Settings one by one and as a snapshot, services as switches, sizes: as panels of madmail ask for them. */
import { z } from "zod";
import { OperationError } from "../../operations/operation.ts";
import type { OutputOf } from "../../operations/operations.ts";
import { actionOf } from "./account-resources.ts";
import { type AdminCall, type AdminResource, change, ok } from "./resource.ts";

type SettingRow = OutputOf<"settings.get">;

/** What the snapshot shows as a word, not as an object. */
const switches = [
  "registration",
  "jit_registration",
  "turn_enabled",
  "iroh_enabled",
  "push_enabled",
  "push_mode",
  "ss_enabled",
  "admin_web_enabled",
  "webimap_enabled",
  "websmtp_enabled",
  "registration_token_required",
  "auto_purge_seen_enabled",
  "message_retention_enabled",
  "allow_inbound_remote_rcpt",
] as const;

/** Parts that this program does not have: told as off, and never on. */
const absent = ["ss_ws_enabled", "ss_grpc_enabled", "http_proxy_enabled"] as const;

/** What every panel reads at once. Also part of the overview. */
export async function snapshot({ operations, scope }: AdminCall): Promise<Record<string, unknown>> {
  const secrets = scope === "full";
  const { settings } = await operations.call("settings.list", { secrets });
  const rows = new Map(settings.map((row) => [row.name, row]));
  const { federation, message } = await operations.call("sizes.get", {});
  const { shadowsocks } = await operations.call("services.get", {});
  const places = [...rows.keys()].filter((name) => name.endsWith("_local_only"));
  const access = places.map((name) => [
    name.replace(/_local_only$/, "_access"),
    rows.get(name)?.value === "true" ? "local" : "public",
  ]);
  return {
    ...Object.fromEntries([...rows].map(([name, row]) => [name, rendered(row)])),
    ...Object.fromEntries(
      switches.flatMap((name) => (rows.has(name) ? [[name, rows.get(name)?.value]] : [])),
    ),
    ...Object.fromEntries(absent.map((name) => [name, "disabled"])),
    ...Object.fromEntries(access),
    federation_enabled: rows.get("federation_enabled")?.value === "enabled",
    federation_policy: rows.get("federation_policy")?.value,
    shadowsocks_url: secrets ? shadowsocks.link : null,
    message_size_effective: message.effective,
    message_size_effective_bytes: message.effectiveBytes,
    federation_size_effective: federation.effective,
    federation_size_effective_bytes: federation.effectiveBytes,
  };
}

function rendered({ key, value, source, effect }: SettingRow) {
  return { key, value: value ?? "", is_set: source === "setting", restart_required: effect !== "live" };
}

const settingPost = z.object({
  action: z.string().default(""),
  value: z.union([z.string(), z.number(), z.boolean()]).optional(),
});

/** One setting by its name; toggles take enable and disable too. */
export const settingResource: AdminResource = {
  methods: {
    async GET({ operations, argument: name }) {
      return ok({ ...rendered(await operations.call("settings.get", { name })), restart_required: false });
    },
    POST: change(async ({ operations, argument: name, body }) => {
      const { action, value } = settingPost.parse(body ?? {});
      switch (action) {
        case "set":
          if (value === undefined || value === "") throw new OperationError("invalid", "value is required");
          return ok(rendered(await operations.call("settings.set", { name, value })));
        case "enable":
        case "disable":
          return ok(rendered(await operations.call("settings.set", { name, value: `${action}d` })));
        case "reset":
          return ok(rendered(await operations.call("settings.reset", { name })));
        default:
          throw new OperationError("invalid", `invalid action: ${action} (expected set|reset)`);
      }
    }),
  },
};

/** A switch that is one setting. */
function toggle(name: string): AdminResource {
  const status = async ({ operations }: AdminCall) => {
    const { value } = await operations.call("settings.get", { name });
    return { status: value === "enabled" ? "enabled" : "disabled" };
  };
  return {
    methods: {
      GET: async (call) => ok(await status(call)),
      POST: change(async (call) => {
        const action = actionOf(call.body, ["enable", "disable", "set"]);
        const wanted = action === "set" ? settingPost.parse(call.body).value === true : action === "enable";
        await call.operations.call("settings.set", { name, value: wanted });
        // Everything that a switch turns is turned at once here.
        return ok({ ...(await status(call)), restart_required: false });
      }),
    },
  };
}

/** A part that this program does not have, and says so. */
function missing(what: string): AdminResource {
  return {
    methods: {
      GET: () => ok({ status: "disabled" }),
      POST: change(({ body }) => {
        if (actionOf(body, ["enable", "disable"]) === "disable") return ok({ status: "disabled" });
        throw new OperationError("invalid", `${what} is not part of this program`);
      }),
    },
  };
}

const push: AdminResource = {
  methods: {
    GET: async (call) => ok(await pushStatus(call)),
    POST: change(async (call) => {
      const action = actionOf(call.body, ["enable", "on", "disable", "off", "auto"]);
      const state = action === "auto" ? "auto" : action === "enable" || action === "on" ? "on" : "off";
      await call.operations.call("services.set", { service: "push", state });
      const { status, mode } = await pushStatus(call);
      return ok({ status, mode, restart_required: false });
    }),
  },
};

export async function pushStatus({ operations }: AdminCall) {
  const { push: facts } = await operations.call("services.get", {});
  return {
    status: facts.mode === "off" ? "disabled" : "enabled",
    mode: facts.mode,
    successful_notifications: facts.sent,
    consecutive_failures: facts.consecutiveFailures,
    auto_disable_after: facts.restsAfter,
  };
}

const webmailPost = z.object({ origin: z.string().trim().optional() });

/** WebIMAP and WebSMTP together, with the origins that may use them. */
const webmail: AdminResource = {
  methods: {
    GET: async (call) => ok(await webmailStatus(call)),
    POST: change(async (call) => {
      const action = actionOf(call.body, ["enable", "add_origin", "disable"]);
      const { origin = "" } = webmailPost.parse(call.body ?? {});
      if (action === "add_origin" && origin === "") throw new OperationError("invalid", "origin is required");
      if (origin !== "") await addOrigin(call, origin);
      if (action !== "add_origin") {
        const state = action === "enable" ? "on" : "off";
        await call.operations.call("services.set", { service: "webimap", state });
        await call.operations.call("services.set", { service: "websmtp", state });
      }
      return ok(await webmailStatus(call));
    }),
  },
};

async function addOrigin({ operations }: AdminCall, origin: string): Promise<void> {
  const { webmailCorsOrigins } = await operations.call("services.get", {});
  const value = [...new Set([...webmailCorsOrigins, origin])].join(",");
  await operations.call("settings.set", { name: "webmail_cors_origins", value });
}

async function webmailStatus({ operations }: AdminCall) {
  const { webimap, websmtp, webmailCorsOrigins: list } = await operations.call("services.get", {});
  const isOn = webimap.enabled && websmtp.enabled;
  return {
    status: isOn ? "enabled" : "disabled",
    browser_access_enabled: isOn && list.length > 0,
    webimap_enabled: webimap.enabled,
    websmtp_enabled: websmtp.enabled,
    cors_origins: list.join(","),
    cors_origins_list: list,
  };
}

/** The largest message, or the largest that servers bring by HTTP. */
function size(which: "message" | "federation"): AdminResource {
  const figures = async ({ operations }: AdminCall) => {
    const { [which]: facts } = await operations.call("sizes.get", {});
    return { ...facts.set, effective_bytes: facts.effectiveBytes, effective: facts.effective };
  };
  return {
    methods: {
      async GET(call) {
        const { [which]: facts } = await call.operations.call("sizes.get", {});
        return ok({ ...(await figures(call)), config_bytes: facts.configBytes, config: facts.config });
      },
      PUT: change(async (call) => {
        const { size: text } = z
          .object({ size: z.string().min(1, "size is required") })
          .parse(call.body ?? {});
        await call.operations.call("sizes.set", { which, size: text });
        return ok({ size: text, ...(await figures(call)) });
      }),
      DELETE: change(async (call) => {
        await call.operations.call("sizes.reset", { which });
        return ok({ reset: true, ...(await figures(call)) });
      }),
    },
  };
}

export const settingResources: Record<string, AdminResource> = {
  "/admin/settings": { methods: { GET: async (call) => ok(await snapshot(call)) } },
  "/admin/settings/registration_token_required": toggle("registration_token_required"),
  "/admin/settings/allow_inbound_remote_rcpt": toggle("allow_inbound_remote_rcpt"),
  "/admin/services/turn": toggle("turn_enabled"),
  "/admin/services/iroh": toggle("iroh_enabled"),
  "/admin/services/admin_web": toggle("admin_web_enabled"),
  "/admin/services/webimap": toggle("webimap_enabled"),
  "/admin/services/websmtp": toggle("websmtp_enabled"),
  "/admin/services/shadowsocks": toggle("ss_enabled"),
  "/admin/services/auto_purge_seen": toggle("auto_purge_seen_enabled"),
  "/admin/services/message_retention": toggle("message_retention_enabled"),
  "/admin/services/ss_ws": missing("Shadowsocks over WebSocket"),
  "/admin/services/ss_grpc": missing("Shadowsocks over gRPC"),
  "/admin/services/http_proxy": missing("the HTTP proxy"),
  "/admin/services/push": push,
  "/admin/services/webmail_dev": webmail,
  "/admin/message-size": size("message"),
  "/admin/federation-size": size("federation"),
};
