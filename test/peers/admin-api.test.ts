/**
 * The admin API of the executable as panels of madmail use it: every resource and method, its shape, and the envelope.
 * One relay; rows run in order, and later ones see what earlier ones did.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Relay } from "../support/relay.ts";

interface Answer {
  status: number;
  resource?: string;
  body?: unknown;
  error: string | null;
  version: string;
}

let relay: Relay;
let token: string;
/** An account that the rows make and use. */
let email = "";

beforeAll(async () => {
  relay = await Relay.start({ name: "admin-api" });
  token = readFileSync(join(relay.stateDir, "admin_token"), "utf8").trim();
});
afterAll(() => relay.dispose());

async function ask(method: string, resource: string, body?: unknown, path = "/api/admin"): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${relay.ports.http}${path}`, {
    method: "POST",
    body: JSON.stringify({ method, resource, headers: { Authorization: `Bearer ${token}` }, body }),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as Answer;
}

const number = expect.any(Number) as number;
const text = expect.any(String) as string;
const flag = expect.any(Boolean) as boolean;
const list = expect.any(Array) as unknown[];
const setting = { key: text, value: text, is_set: flag, restart_required: flag };

/** Method, resource, input, status, what the body has at least. A function gets what only the run knows. */
type Row = [method: string, resource: string, body: unknown, status: number, want?: unknown];

const accounts: Row[] = [
  [
    "GET",
    "/admin/accounts",
    undefined,
    200,
    {
      accounts: [
        {
          username: text,
          used_bytes: number,
          max_bytes: number,
          is_default_quota: true,
          created_at: number,
          first_login_at: 1,
          last_login_at: 0,
        },
      ],
      total: 1,
    },
  ],
  ["PUT", "/admin/accounts", {}, 405],
  ["DELETE", "/admin/accounts", {}, 400],
  ["DELETE", "/admin/accounts", { username: "nobody@relay.test" }, 404],
  [
    "PATCH",
    "/admin/accounts",
    { action: "export" },
    200,
    { users: [{ username: text, hash: text }], total: 1 },
  ],
  ["PATCH", "/admin/accounts", { action: "import", users: [] }, 400],
  [
    "PATCH",
    "/admin/accounts",
    {
      action: "import",
      users: [
        { username: "old@relay.test", password: "password-1" },
        { username: "bad@relay.test", hash: "nonsense" },
      ],
    },
    200,
    { imported: 1, skipped: 1, errors: list },
  ],
  ["PATCH", "/admin/accounts", { action: "nonsense" }, 400],
  ["GET", "/admin/blocklist", undefined, 200, { blocked: [], total: 0 }],
  ["POST", "/admin/blocklist", { username: "rude@relay.test" }, 200, { blocked: "rude@relay.test" }],
  [
    "GET",
    "/admin/blocklist",
    undefined,
    200,
    { blocked: [{ username: "rude@relay.test", reason: "manually blocked", blocked_at: number }], total: 1 },
  ],
  ["DELETE", "/admin/blocklist", { username: "rude@relay.test" }, 200, { unblocked: "rude@relay.test" }],
  ["DELETE", "/admin/blocklist", { username: "rude@relay.test" }, 404],
  ["PATCH", "/admin/blocklist", { action: "delete_all" }, 200, { unblocked: 0 }],
  [
    "GET",
    "/admin/quota",
    undefined,
    200,
    { total_storage_bytes: number, accounts_count: 2, default_quota_bytes: number },
  ],
  [
    "PUT",
    "/admin/quota",
    { username: "old@relay.test", max_bytes: 5_000_000 },
    200,
    { username: "old@relay.test", max_bytes: 5_000_000 },
  ],
  [
    "GET",
    "/admin/quota",
    { username: "old@relay.test" },
    200,
    { username: "old@relay.test", used_bytes: 0, max_bytes: 5_000_000, is_default: false },
  ],
  ["PUT", "/admin/quota", { username: "old@relay.test", max_bytes: -1 }, 400],
  ["PUT", "/admin/quota", { username: "old@relay.test" }, 400],
  ["DELETE", "/admin/quota", { username: "old@relay.test" }, 200, { reset: "old@relay.test" }],
  ["DELETE", "/admin/quota", {}, 400],
  ["PUT", "/admin/quota", { max_bytes: 2_000_000 }, 200],
  ["GET", "/admin/quota", {}, 200, { default_quota_bytes: 2_000_000 }],
  ["PUT", "/admin/quota", { default_quota: 3_000_000 }, 200],
];

const registration: Row[] = [
  ["GET", "/admin/registration", undefined, 200, { status: "open" }],
  ["POST", "/admin/registration", { action: "close" }, 200, { status: "closed" }],
  ["POST", "/admin/registration", { action: "enable" }, 400],
  ["POST", "/admin/registration", { action: "open" }, 200, { status: "open" }],
  ["DELETE", "/admin/registration", undefined, 405],
  ["GET", "/admin/registration/jit", undefined, 200, { status: "enabled" }],
  ["POST", "/admin/registration/jit", { action: "disable" }, 200, { status: "disabled" }],
  ["POST", "/admin/registration/jit", { action: "enable" }, 200, { status: "enabled" }],
  ["GET", "/admin/registration-token", undefined, 200, { tokens: [], total: 0 }],
  [
    "POST",
    "/admin/registration-token",
    { token: "friends", max_uses: 3, comment: "for friends", expires_in: "7d" },
    201,
    { token: "friends", max_uses: 3 },
  ],
  ["POST", "/admin/registration-token", { token: "friends", max_uses: 4 }, 200, { max_uses: 4 }],
  [
    "POST",
    "/admin/registration-token",
    { max_uses: 0 },
    201,
    { token: expect.stringMatching(/^[a-z0-9]{24}$/), max_uses: 1, expires_at: null },
  ],
  ["POST", "/admin/registration-token", { expires_in: "soon" }, 400],
  [
    "GET",
    "/admin/registration-token",
    undefined,
    200,
    {
      total: 2,
      tokens: expect.arrayContaining([
        expect.objectContaining({
          token: "friends",
          used_count: 0,
          pending_reservations: 0,
          comment: "",
          created_at: number,
          status: "active",
        }),
      ]),
    },
  ],
  ["DELETE", "/admin/registration-token", { token: "friends" }, 200, { deleted: "friends" }],
  ["DELETE", "/admin/registration-token", { token: "friends" }, 404],
  ["DELETE", "/admin/registration-token", { token: "" }, 400],
  ["PATCH", "/admin/registration-token", {}, 405],
];

const federation: Row[] = [
  [
    "GET",
    "/admin/settings/federation",
    undefined,
    200,
    {
      enabled: true,
      policy: "ACCEPT",
      max_federation_size: null,
      federation_size_effective: text,
      federation_size_effective_bytes: number,
    },
  ],
  ["POST", "/admin/settings/federation", { policy: "reject" }, 200, { policy: "REJECT" }],
  ["POST", "/admin/settings/federation", { policy: "maybe" }, 400],
  [
    "POST",
    "/admin/settings/federation",
    { policy: "ACCEPT", enabled: true },
    200,
    { policy: "ACCEPT", enabled: true },
  ],
  ["POST", "/admin/federation/rules", { domain: "[192.0.2.1]" }, 200, { domain: "192.0.2.1", total: 1 }],
  ["POST", "/admin/federation/rules", { domain: "Peer.Test" }, 200, { domain: "peer.test", total: 2 }],
  ["POST", "/admin/federation/rules", { domain: "peer.test" }, 200, { total: 2 }],
  ["POST", "/admin/federation/rules", {}, 400],
  [
    "GET",
    "/admin/federation/rules",
    undefined,
    200,
    {
      rules: [
        { domain: "192.0.2.1", created_at: number },
        { domain: "peer.test", created_at: number },
      ],
      total: 2,
    },
  ],
  ["DELETE", "/admin/federation/rules", { domain: "peer.test" }, 200, { domain: "peer.test", remaining: 1 }],
  ["DELETE", "/admin/federation/rules", { domain: "peer.test" }, 200, { remaining: 1 }],
  [
    "POST",
    "/admin/federation/silent-dismiss",
    { domain: "void.test" },
    200,
    { domain: "void.test", total: 1 },
  ],
  [
    "GET",
    "/admin/federation/silent-dismiss",
    undefined,
    200,
    { domains: [{ domain: "void.test", created_at: number }], total: 1 },
  ],
  ["DELETE", "/admin/federation/silent-dismiss", { domain: "void.test" }, 200, { remaining: 0 }],
  ["GET", "/admin/federation/servers", undefined, 200, { servers: [], total: 0 }],
  [
    "POST",
    "/admin/dns",
    { lookup_key: "peer.test", target_host: "10.0.0.1", comment: "tunnel" },
    201,
    { lookup_key: "peer.test", target_host: "10.0.0.1", comment: "tunnel" },
  ],
  ["POST", "/admin/dns", { lookup_key: "", target_host: "" }, 400],
  [
    "GET",
    "/admin/dns",
    undefined,
    200,
    { overrides: [{ lookup_key: "peer.test", target_host: "10.0.0.1", comment: "tunnel" }], total: 1 },
  ],
  ["GET", "/admin/federation/rules", undefined, 200, { total: 1 }],
  ["DELETE", "/admin/dns", { lookup_key: "peer.test" }, 200, { deleted: "peer.test" }],
  ["DELETE", "/admin/dns", { lookup_key: "peer.test" }, 404],
  ["POST", "/admin/exchangers", { name: "box", url: "https://box.test" }, 201, { name: "box" }],
  ["POST", "/admin/exchangers", { name: "box", url: "https://box.test" }, 409],
  ["PUT", "/admin/exchangers", { name: "box", enabled: false, poll_interval: 300 }, 200, { updated: "box" }],
  [
    "GET",
    "/admin/exchangers",
    undefined,
    200,
    {
      exchangers: [
        { name: "box", url: "https://box.test", enabled: false, poll_interval: 300, last_poll_at: 0 },
      ],
      total: 1,
    },
  ],
  ["DELETE", "/admin/exchangers", { name: "box" }, 200, { deleted: "box" }],
  ["DELETE", "/admin/exchangers", { name: "box" }, 404],
];

const settings: Row[] = [
  [
    "GET",
    "/admin/settings",
    undefined,
    200,
    {
      registration: "open",
      jit_registration: "enabled",
      turn_enabled: text,
      iroh_enabled: text,
      push_mode: "off",
      ss_ws_enabled: "disabled",
      federation_enabled: true,
      federation_policy: "ACCEPT",
      smtp_port: setting,
      smtp_access: "local",
      turn_secret: setting,
      language: setting,
      message_size_effective: text,
      message_size_effective_bytes: number,
    },
  ],
  [
    "GET",
    "/admin/settings/turn_ttl",
    undefined,
    200,
    { key: "__TURN_TTL__", value: text, is_set: false, restart_required: false },
  ],
  ["POST", "/admin/settings/turn_ttl", { action: "set", value: 3600 }, 200, { value: "3600", is_set: true }],
  ["POST", "/admin/settings/turn_ttl", { action: "set", value: 0 }, 400],
  ["POST", "/admin/settings/turn_ttl", { action: "set", value: "" }, 400],
  ["POST", "/admin/settings/turn_ttl", { action: "reset" }, 200, { is_set: false }],
  ["POST", "/admin/settings/turn_ttl", { action: "explode" }, 400],
  ["POST", "/admin/settings/smtp_port", { action: "set", value: "70000" }, 400],
  [
    "POST",
    "/admin/settings/smtp_port",
    { action: "set", value: "2525" },
    200,
    { value: "2525", is_set: true, restart_required: true },
  ],
  ["POST", "/admin/settings/smtp_port", { action: "reset" }, 200],
  ["POST", "/admin/settings/smtp_hostname", { action: "set", value: "a\r\nb" }, 400],
  ["POST", "/admin/settings/turn_relay_port_max", { action: "set", value: 1000 }, 400],
  [
    "POST",
    "/admin/settings/dclogin_imap_security",
    { action: "set", value: "starttls" },
    200,
    { value: "starttls" },
  ],
  ["POST", "/admin/settings/dclogin_imap_security", { action: "set", value: "none" }, 400],
  ["POST", "/admin/settings/dclogin_imap_security", { action: "reset" }, 200],
  ["GET", "/admin/settings/nonsense", undefined, 404],
  ["GET", "/admin/settings/registration_token_required", undefined, 200, { status: "disabled" }],
  ["POST", "/admin/settings/registration_token_required", { action: "enable" }, 200, { status: "enabled" }],
  ["POST", "/admin/settings/registration_token_required", { action: "disable" }, 200, { status: "disabled" }],
  ["POST", "/admin/settings/allow_inbound_remote_rcpt", { action: "enable" }, 200, { status: "enabled" }],
  ["POST", "/admin/settings/allow_inbound_remote_rcpt", { action: "disable" }, 200, { status: "disabled" }],
  ...["turn", "iroh", "webimap", "websmtp"].flatMap((name): Row[] => [
    ["GET", `/admin/services/${name}`, undefined, 200, { status: expect.stringMatching(/^(en|dis)abled$/) }],
    ["POST", `/admin/services/${name}`, { action: "disable" }, 200, { status: "disabled" }],
    [
      "POST",
      `/admin/services/${name}`,
      { action: "enable" },
      200,
      { status: "enabled", restart_required: false },
    ],
    ["POST", `/admin/services/${name}`, { action: "explode" }, 400],
    ["DELETE", `/admin/services/${name}`, {}, 405],
  ]),
  ...["ss_ws", "ss_grpc", "http_proxy"].flatMap((name): Row[] => [
    ["GET", `/admin/services/${name}`, undefined, 200, { status: "disabled" }],
    ["POST", `/admin/services/${name}`, { action: "enable" }, 400],
  ]),
  [
    "GET",
    "/admin/services/push",
    undefined,
    200,
    {
      status: "disabled",
      mode: "off",
      successful_notifications: 0,
      consecutive_failures: 0,
      auto_disable_after: 5,
    },
  ],
  ["POST", "/admin/services/push", { action: "auto" }, 200, { status: "enabled", mode: "auto" }],
  ["POST", "/admin/services/push", { action: "off" }, 200, { status: "disabled", mode: "off" }],
  [
    "GET",
    "/admin/services/webmail_dev",
    undefined,
    200,
    {
      status: "enabled",
      webimap_enabled: true,
      websmtp_enabled: true,
      cors_origins: "",
      cors_origins_list: [],
    },
  ],
  ["POST", "/admin/services/webmail_dev", { action: "add_origin" }, 400],
  [
    "POST",
    "/admin/services/webmail_dev",
    { action: "add_origin", origin: "https://app.test" },
    200,
    { cors_origins_list: ["https://app.test"], browser_access_enabled: true },
  ],
  [
    "POST",
    "/admin/services/webmail_dev",
    { action: "disable" },
    200,
    { status: "disabled", webimap_enabled: false, websmtp_enabled: false },
  ],
  [
    "GET",
    "/admin/message-size",
    undefined,
    200,
    {
      appendlimit: null,
      max_message_size: null,
      effective_bytes: number,
      effective: text,
      config_bytes: number,
      config: text,
    },
  ],
  [
    "PUT",
    "/admin/message-size",
    { size: "64M" },
    200,
    { size: "64M", effective: "64M", effective_bytes: 67_108_864 },
  ],
  ["PUT", "/admin/message-size", { size: "much" }, 400],
  ["PUT", "/admin/message-size", {}, 400],
  ["DELETE", "/admin/message-size", undefined, 200, { reset: true, effective_bytes: number }],
  [
    "PUT",
    "/admin/federation-size",
    { size: "20M" },
    200,
    { max_federation_size: "20M", effective_bytes: 20_971_520 },
  ],
  ["GET", "/admin/federation-size", undefined, 200, { max_federation_size: "20M" }],
  ["DELETE", "/admin/federation-size", undefined, 200, { reset: true }],
];

const mail: Row[] = [
  ["GET", "/admin/notice", undefined, 200, { total_users: number, domain: "relay.test" }],
  [
    "POST",
    "/admin/notice",
    { subject: "Maintenance", body: "Tonight.", recipient: "old" },
    200,
    { sent: 1, failed: 0 },
  ],
  ["POST", "/admin/notice", { subject: "", body: "x" }, 400],
  ["POST", "/admin/notice", { subject: "a\r\nBcc: b", body: "x" }, 400],
  [
    "POST",
    "/admin/notice",
    { subject: "x", body: "y", recipient: "nobody@relay.test" },
    500,
    { sent: 0, failed: 1, errors: list },
  ],
  [
    "POST",
    "/admin/queue",
    { action: "purge_read" },
    200,
    { action: "purge_read", message: text, deleted: 0 },
  ],
  ["POST", "/admin/queue", { action: "purge_older" }, 400],
  ["POST", "/admin/queue", { action: "purge_older", retention: "24h" }, 200, { deleted: 0 }],
  ["POST", "/admin/queue", { action: "purge_user" }, 400],
  ["POST", "/admin/queue", { action: "purge_user", username: "old@relay.test" }, 200, { deleted: 1 }],
  ["POST", "/admin/queue", { action: "purge_all" }, 200, { deleted: 0 }],
  ["POST", "/admin/queue", { action: "purge_queue" }, 200, { deleted: 0 }],
  ["POST", "/admin/queue", { action: "bogus" }, 400],
  ["GET", "/admin/queue", undefined, 405],
];

const server: Row[] = [
  [
    "GET",
    "/admin/status",
    undefined,
    200,
    {
      version: text,
      users: { registered: number },
      uptime: { boot_time: text, duration: text },
      imap: { connections: 0, unique_ips: 0 },
      turn: { relays: 0 },
      shadowsocks: { connections: 0, unique_ips: 0 },
      sent_messages: 0,
      outbound_messages: 0,
      received_messages: number,
      email_servers: { connections: 0, connection_ips: 0, domain_servers: 0, ip_servers: 0 },
      federation_traffic: {
        inbound: 0,
        outbound: 0,
        queued: 0,
        expired: 0,
        mean_latency_ms: 0,
        health: { perfect: 0, federated: 0, bad: 0 },
      },
      message_retention: { enabled: true, days: 20, retention: "20d" },
      push: { enabled: false, mode: "off", auto_disable_after: 5 },
    },
  ],
  [
    "GET",
    "/admin/storage",
    undefined,
    200,
    {
      disk: { total_bytes: number, used_bytes: number, available_bytes: number, percent_used: number },
      state_dir: { size_bytes: number },
      database: { driver: "sqlite3", size_bytes: number },
    },
  ],
  [
    "GET",
    "/admin/overview",
    undefined,
    200,
    { version: text, disk: expect.any(Object), tokens: { total: number }, settings: { smtp_port: setting } },
  ],
  ["POST", "/admin/reload", {}, 200, { status: "reloaded", message: text }],
  ["POST", "/admin/reload", { scope: "http", wait: true }, 200, { status: "reloaded" }],
  ["POST", "/admin/reload", { scope: "moon" }, 400],
  ["POST", "/admin/cache/reload", {}, 200, { credentials_cache_reloaded: true, quota_cache_reloaded: true }],
  ["GET", "/admin/services/message_retention", undefined, 200, { status: "enabled" }],
  ["POST", "/admin/services/message_retention", { action: "disable" }, 200, { status: "disabled" }],
  ["POST", "/admin/services/message_retention", { action: "enable" }, 200, { status: "enabled" }],
  ["POST", "/admin/settings/message_retention", { action: "set", value: "30d" }, 200, { value: "30d" }],
  ["POST", "/admin/settings/message_retention", { action: "set", value: "soon" }, 400],
  ["GET", "/admin/services/auto_purge_seen", undefined, 200, { status: "disabled" }],
  ["POST", "/admin/services/auto_purge_seen", { action: "enable" }, 200, { status: "enabled" }],
  ["POST", "/admin/services/auto_purge_seen", { action: "disable" }, 200, { status: "disabled" }],
  ["GET", "/admin/shares", undefined, 200, { shares: [], total: 0 }],
  [
    "POST",
    "/admin/shares",
    { slug: "anna", url: `openpgp4fpr:${"A".repeat(40)}#a=anna%40relay.test&n=Anna&i=x&s=y`, name: "Anna" },
    201,
    { slug: "anna", name: "Anna" },
  ],
  ["POST", "/admin/shares", { slug: "anna" }, 400],
  ["PUT", "/admin/shares", { slug: "anna", name: "Anna B" }, 200, { updated: "anna" }],
  ["PUT", "/admin/shares", { slug: "nobody", name: "x" }, 404],
  ["DELETE", "/admin/shares", { slug: "anna" }, 200, { deleted: "anna" }],
  ["DELETE", "/admin/shares", { slug: "anna" }, 404],
];

const whole: Row[] = [
  ["POST", "/admin/operations/relay.status", {}, 200, { running: true }],
  ["POST", "/admin/operations/nothing.there", {}, 404],
  ["GET", "/admin/nothing", undefined, 404],
  ["PATCH", "/admin/accounts", { action: "delete_all" }, 200, { deleted: number }],
  ["GET", "/admin/accounts", undefined, 200, { accounts: [], total: 0 }],
];

test("an account is made, and its link works for a client", async () => {
  const made = await ask("POST", "/admin/accounts", {});
  expect(made).toMatchObject({ status: 201, resource: "/admin/accounts", error: null, version: text });
  email = (made.body as { email: string; password: string }).email;
  expect(email).toMatch(/^[a-z0-9]{12}@relay\.test$/);
});

describe.each([
  ["accounts", accounts],
  ["registration", registration],
  ["federation", federation],
  ["settings", settings],
  ["mail", mail],
  ["the server", server],
  ["the rest", whole],
])("%s", (_, rows) => {
  test.each(
    rows.map((row) => ({ name: `${row[0]} ${row[1]} ${JSON.stringify(row[2] ?? {}).slice(0, 80)}`, row })),
  )("$name", async ({ row }) => {
    const [method, resource, body, status, want] = row;
    const answer = await ask(method, resource, body);
    expect(answer.status).toBe(status);
    if (status >= 400 && status !== 500) expect(answer.error).toEqual(text);
    if (want !== undefined) expect(answer.body).toMatchObject(want as object);
  });
});

test("a moved path really moves, at once", async () => {
  expect(
    (await ask("POST", "/admin/settings/admin_path", { action: "set", value: "hidden/api" })).status,
  ).toBe(200);
  const gone = await fetch(`http://127.0.0.1:${relay.ports.http}/api/admin`, { method: "POST", body: "{}" });
  expect(gone.status).toBe(404);
  const moved = await ask("POST", "/admin/settings/admin_path", { action: "reset" }, "/hidden/api");
  expect(moved.status).toBe(200);
  expect((await ask("GET", "/admin/registration")).status).toBe(200);
});

test("the panel is served where its setting says, and not at all when off", async () => {
  const panel = (path: string) => fetch(`http://127.0.0.1:${relay.ports.http}${path}`);
  expect((await panel("/admin/")).status).toBe(200);
  await ask("POST", "/admin/settings/admin_web_path", { action: "set", value: "xxx" });
  expect((await panel("/xxx/")).status).toBe(200);
  expect((await panel("/admin/")).status).toBe(404);
  await ask("POST", "/admin/services/admin_web", { action: "disable" });
  expect((await panel("/xxx/")).status).toBe(404);
});

test("a restart asked for is a new life in the same process", async () => {
  const before = (await ask("GET", "/admin/status")).body as { uptime: { boot_time: string } };
  const pid = relay.pid;
  const from = relay.output.length;
  expect((await ask("POST", "/admin/restart")).body).toMatchObject({ status: "restarting" });
  await relay.until((output) => /"ready":true.*\n/.test(output.slice(from)));
  // The configuration names no ports, so each life has its own.
  relay.ports.http = Number(/"http":\["127\.0\.0\.1:(\d+)"/.exec(relay.output.slice(from))?.[1]);
  const after = (await ask("GET", "/admin/status")).body as { uptime: { boot_time: string } };
  expect(after.uptime.boot_time > before.uptime.boot_time).toBe(true);
  expect(relay.pid).toBe(pid);
});
