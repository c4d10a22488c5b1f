import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { configFromText } from "../config/read.ts";
import { applySettings } from "../config/settings.ts";
import { parseDomain } from "../core/address.ts";
import { closeDatabase, type Db, openDatabase } from "../db/open.ts";
import { HotState } from "../state/hot-state.ts";
import type { MaildirStore } from "../storage/maildir.ts";
import { MaildirFixture } from "../storage/maildir.test-help.ts";
import type { LiveRelay } from "./context.ts";
import { operatorOn } from "./operations.test-help.ts";
import type { Caller } from "./operations.ts";

const text = `domains = ["relay.test"]
[turn]
secret = "file-secret-of-16-and-more"
[limits]
message_size = "10M"
`;

let fixture: MaildirFixture;
let store: MaildirStore;
let db: Db;
let state: HotState;
let file: Config;
/** Of the relay that runs, as it was at its last reload. */
let inForce: Config;
let applied: number;
let notices: string[];

beforeEach(async () => {
  fixture = await MaildirFixture.make();
  file = configFromText(`state_dir = ${JSON.stringify(fixture.directory)}\n${text}`, "m.toml");
  inForce = file;
  applied = 0;
  notices = [];
  const log = { emit: () => undefined, counts: () => new Map() };
  store = await fixture.open({ fsync: "never" });
  db = openDatabase(join(fixture.directory, "madmail.db"));
  state = new HotState({ db, config: () => inForce, clock: fixture.clock, log });
  await state.start();
});

afterEach(async () => {
  await state.stop();
  closeDatabase(db);
  await fixture.dispose();
});

function operator(isRunning = true): Caller {
  const live: Partial<LiveRelay> = {
    applySettings: () => {
      applied++;
      const { listen } = inForce;
      inForce = { ...applySettings(file, (key) => state.settings.get(key)), listen };
      return Promise.resolve(notices);
    },
    addresses: () => ({ imap: ["127.0.0.1:143"] }),
    connections: () => ({ imap: { connections: 3, addresses: 2 } }),
    queue: {
      retry: () => 0,
      drop: () => 0,
      destinations: () => [{ domain: parseDomain("peer.test") ?? ("" as never), messages: 4 }],
    },
    lookForExchangers: () => undefined,
  };
  const parts = { clock: fixture.clock, db, state, store };
  return operatorOn({
    ...parts,
    config: () => inForce,
    fileConfig: () => file,
    ...(isRunning ? { live } : {}),
  });
}

function caller(isRunning = true): Caller["call"] {
  const one = operator(isRunning);
  return (name, input, options) => one.call(name, input, options);
}

const fault = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: { fault: string; message: string }) => `${error.fault}: ${error.message}`,
  );

describe("settings", () => {
  test("a live one counts at once, and goes back to the file", async () => {
    const call = caller();
    expect(await call("settings.get", { name: "max_message_size" })).toMatchObject({
      value: "10M",
      source: "file",
    });
    notices = ["said by somebody"];
    const set = await call("settings.set", { name: "__MAX_MESSAGE_SIZE__", value: "32M" });
    expect(set).toMatchObject({
      name: "max_message_size",
      value: "32M",
      source: "setting",
      pending: false,
      notices,
    });
    expect(inForce.limits.message_size).toBe(32 * 2 ** 20);
    expect(await call("settings.reset", { name: "max_message_size" })).toMatchObject({
      value: "10M",
      source: "file",
    });
    expect(inForce.limits.message_size).toBe(10 * 2 ** 20);
    expect(applied).toBe(2);
  });

  test("one that needs a reload waits, and says so", async () => {
    const call = caller();
    const set = await call("settings.set", { name: "imap_port", value: 1143 });
    expect(set).toMatchObject({ value: "1143", inForce: "143", pending: true, effect: "reload" });
    expect((await call("settings.list", {})).pending).toEqual(["imap_port"]);
    expect(applied).toBe(0);
    const { ports } = await call("ports.list", {});
    expect(ports.find(({ service }) => service === "imap")).toMatchObject({
      port: 1143,
      bound: ["127.0.0.1:143"],
      connections: 3,
      addresses: 2,
      pending: true,
    });
    inForce = applySettings(file, (key) => state.settings.get(key));
    expect((await call("settings.list", {})).pending).toEqual([]);
  });

  test("on a stopped relay nothing waits", async () => {
    const call = caller(false);
    expect(await call("settings.set", { name: "imap_port", value: "1143" })).toMatchObject({
      pending: false,
    });
  });

  test.each<[string, string | number | boolean, string]>([
    ["turn_port", 50_000, "invalid: turn_port 50000 is inside the range of relayed ports, 49152 to 65535"],
    ["turn_relay_port_min", 65_535, "done"],
    [
      "turn_relay_port_max",
      49_151,
      "invalid: turn_relay_port_min must be <= turn_relay_port_max, found 49152 and 49151",
    ],
    ["imap_port", 993, "invalid: port 993 would be both imap and imaps"],
    ["imap_port", 0, "invalid: imap_port: expected a port from 1 to 65535, found 0"],
    ["imap_port", "", "invalid: imap_port: expected a port from 1 to 65535, found not set"],
    [
      "turn_secret",
      "short",
      "invalid: turn_secret: expected 16 to 512 characters without spaces, found something else",
    ],
    ["turn_enabled", false, "done"],
    ["no_such", "1", "notFound: there is no setting no_such"],
    ["ss_cipher", "2022-blake3-aes-128-gcm", "done"],
  ])("%s = %j is %s", async (name, value, want) => {
    expect(await fault(operator().call("settings.set", { name, value }))).toBe(want);
    if (want === "done") return;
    expect([...state.settings.entries()]).toEqual([]);
    expect(applied).toBe(0);
  });

  test("a password that its cipher can't take is refused", async () => {
    const call = caller();
    await call("settings.set", { name: "ss_password", value: "plain" });
    expect(
      await fault(call("settings.set", { name: "ss_cipher", value: "2022-blake3-aes-128-gcm" })),
    ).toStartWith("invalid: 2022-blake3-aes-128-gcm needs a password of exactly 16 bytes in base64");
  });

  test("two who edit at once: the second is told", async () => {
    const call = caller();
    await call("settings.set", { name: "language", value: "fa", expected: "auto" });
    expect(await fault(call("settings.set", { name: "language", value: "ru", expected: "auto" }))).toBe(
      "conflict: language is fa by now; nothing was changed",
    );
    expect(await fault(call("federation.setPolicy", { policy: "reject", expected: "reject" }))).toStartWith(
      "conflict: federation_policy is ACCEPT by now",
    );
    expect(state.settings.get("__LANGUAGE__")).toBe("fa");
  });

  test("secrets are shown to who asks for them only", async () => {
    const call = caller();
    const find = async (secrets: boolean) =>
      (await call("settings.list", { secrets })).settings.find(({ name }) => name === "turn_secret");
    expect(await find(false)).toMatchObject({ value: null, inForce: null, secret: true, source: "file" });
    expect(await find(true)).toMatchObject({ value: "file-secret-of-16-and-more" });
  });

  test("push has two names for one thing", async () => {
    const call = caller();
    await call("settings.set", { name: "push_mode", value: "on" });
    await call("settings.set", { name: "push_enabled", value: "disabled" });
    expect(inForce.push.mode).toBe("off");
    expect(state.settings.get("__PUSH_MODE__")).toBeUndefined();
    expect(await call("services.set", { service: "push", state: "auto" })).toMatchObject({ state: "auto" });
    expect(inForce.push.mode).toBe("auto");
    expect(await fault(call("services.set", { service: "turn", state: "auto" }))).toStartWith(
      "invalid: turn is on or off",
    );
  });

  test("a path for the panel turns the panel on", async () => {
    expect(await operator().call("settings.set", { name: "admin_web_path", value: "xxx" })).toMatchObject({
      value: "/xxx",
    });
    expect(inForce.admin).toMatchObject({ web: true, web_path: "/xxx" });
  });

  test("sizes: one for all messages, one for other servers", async () => {
    const call = caller();
    expect((await call("sizes.get", {})).federation.effective).toBe("10M");
    const set = await call("sizes.set", { size: "64M" });
    expect(set.message).toMatchObject({
      effective: "64M",
      config: "10M",
      set: { appendlimit: "64M", max_message_size: "64M" },
    });
    expect((await call("sizes.set", { which: "federation", size: "1M" })).federation.effectiveBytes).toBe(
      2 ** 20,
    );
    expect((await call("sizes.reset", {})).message.effective).toBe("10M");
    expect(await fault(call("sizes.set", { size: "much" }))).toStartWith(
      "invalid: max_message_size: expected a size",
    );
  });
});

describe("federation", () => {
  test("rules and dismissed servers are kept under one name", async () => {
    const call = caller();
    expect(await call("federation.rules.add", { domain: "[192.0.2.1]" })).toEqual({
      domain: "192.0.2.1",
      total: 1,
    });
    expect(await call("federation.rules.add", { domain: "192.0.2.1" })).toEqual({
      domain: "192.0.2.1",
      total: 1,
    });
    expect(await fault(call("federation.rules.add", { domain: "no domain" }))).toStartWith(
      "invalid: expected a domain",
    );
    expect(await call("federation.dismissed.add", { domain: "Example.ORG" })).toMatchObject({
      domain: "example.org",
    });
    expect(await call("federation.get", {})).toMatchObject({
      policy: "ACCEPT",
      rules: 1,
      dismissed: 1,
      enabled: true,
    });
    expect(await call("federation.rules.remove", { domain: "192.0.2.1" })).toMatchObject({
      removed: true,
      remaining: 0,
    });
    expect(await call("federation.rules.remove", { domain: "192.0.2.1" })).toMatchObject({ removed: false });
    expect(await call("federation.dismissed.clear", {})).toEqual({ removed: 1 });
  });

  test("figures: who is fine, who is bad, who waits", async () => {
    const domain = (name: string) => parseDomain(name) ?? ("" as never);
    const failed = (count: number) =>
      Array.from({ length: count }, () => ({ route: "smtp" as const, why: "timed out" }));
    state.peers.noteInbound(domain("good.test"));
    state.peers.noteOutbound(domain("good.test"), { route: "https", attempts: [], latencyMs: 100 });
    state.peers.noteOutbound(domain("bad.test"), { route: undefined, attempts: failed(4), latencyMs: 1 });
    state.peers.noteOutbound(domain("relay.test"), { route: "https", attempts: [], latencyMs: 1 });
    const call = caller();
    const { servers, total } = await call("federation.servers", { sort: "failures" });
    expect([total, servers[0]]).toMatchObject([
      4,
      { domain: "bad.test", failedSmtp: 4, health: "bad", lastError: "timed out" },
    ]);
    expect((await call("federation.servers", { search: "peer" })).servers).toMatchObject([
      { queuedMessages: 4, health: "idle" },
    ]);
    expect(await call("federation.traffic", {})).toMatchObject({
      inbound: 1,
      outbound: 1,
      queued: 4,
      expired: 4,
      meanLatencyMs: 100,
      health: { perfect: 1, federated: 0, bad: 1 },
      peers: { connections: 1, domains: 1, addresses: 0 },
    });
  });

  test("endpoints and exchangers come, change and go", async () => {
    const call = caller();
    expect(await fault(call("endpoints.set", { key: "a.test", target: "" }))).toContain(
      "target_host is required",
    );
    expect(await fault(call("endpoints.set", { key: "a.test", target: "no host!" }))).toStartWith(
      "invalid: expected a host",
    );
    await call("endpoints.set", { key: "A.test", target: "192.0.2.1", comment: "why" });
    expect(await call("endpoints.set", { key: "a.test", target: "host.test:8443" })).toMatchObject({
      comment: "why",
    });
    expect(await call("endpoints.list", {})).toMatchObject({
      total: 1,
      endpoints: [{ key: "a.test", target: "host.test:8443" }],
    });
    expect(await call("endpoints.remove", { key: "a.test" })).toEqual({ key: "a.test", remaining: 0 });
    expect(await fault(call("endpoints.remove", { key: "a.test" }))).toBe(
      "notFound: nothing is set for a.test",
    );
    await call("exchangers.add", { name: "one", url: "https://x.test" });
    expect(await fault(call("exchangers.add", { name: "one", url: "https://x.test" }))).toStartWith(
      "conflict",
    );
    await call("exchangers.update", { name: "one", enabled: false, pollIntervalSec: 5 });
    expect((await call("exchangers.list", {})).exchangers).toMatchObject([
      { enabled: false, pollIntervalSec: 5 },
    ]);
    expect(await fault(call("exchangers.update", { name: "two", enabled: true }))).toStartWith("notFound");
    expect(await call("exchangers.remove", { name: "one" })).toEqual({ name: "one", remaining: 0 });
  });
});
