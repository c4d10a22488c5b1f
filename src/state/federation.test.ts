/** Rules, overrides, exchangers and counters of other servers: in RAM and in the database. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resolveConfig } from "../config/config.ts";
import { configSchema } from "../config/schema.ts";
import { type Domain, parseDomain } from "../core/address.ts";
import { ManualClock } from "../core/clock.ts";
import { type PeerKey, peerKey } from "../core/peer-key.ts";
import { type Db, openDatabase } from "../db/open.ts";
import type { Log } from "../log/events.ts";
import { HotState } from "./hot-state.ts";
import { settingKeys } from "./settings.ts";

const root = mkdtempSync(join(tmpdir(), "madmail-federation-"));
afterAll(() => rmSync(root, { recursive: true }));
const log: Log = { emit: () => undefined, counts: () => new Map() };

function domain(text: string): Domain {
  const parsed = parseDomain(text);
  if (parsed === undefined) throw new Error(`not a domain: ${text}`);
  return parsed;
}

async function started(db: Db, federation: Record<string, unknown> = {}, clock = new ManualClock()) {
  const file = configSchema.parse({ domains: ["relay.test"], state_dir: root, federation });
  const config = resolveConfig(file, root);
  const state = new HotState({ db, config: () => config, clock, log });
  await state.start();
  return { state, clock };
}

const fresh = () => openDatabase(join(root, `${crypto.randomUUID()}.db`));
const key = (text: string) => peerKey(text) as PeerKey;

test("rules and the dismissed are kept under one spelling, and are there after a restart", async () => {
  const db = fresh();
  const { state } = await started(db);
  state.federation.rules.add("[192.0.2.1]");
  state.federation.rules.add("Peer.Test");
  state.federation.dismissed.add("192.0.2.9");
  expect(state.federation.rules.remove("peer.test")).toBe(true);
  expect(state.federation.rules.remove("peer.test")).toBe(false);
  expect(() => state.federation.rules.add("not a domain")).toThrow(RangeError);
  const again = (await started(db)).state;
  expect([...again.federation.rules.entries()].map(([peer]) => peer)).toEqual([key("192.0.2.1")]);
  expect(again.federation.hasRule(key("192.0.2.1"))).toBe(true);
  expect(again.federation.isDismissed(key("[192.0.2.9]"))).toBe(true);
});

test("a setting beats the configuration, an unreadable one does not", async () => {
  const { state } = await started(fresh(), { policy: "REJECT", enabled: false });
  expect(state.federation.policy).toBe("REJECT");
  expect(state.federation.enabled).toBe(false);
  state.federation.setPolicy("ACCEPT");
  state.federation.setEnabled(true);
  expect([state.federation.policy, state.federation.enabled]).toEqual(["ACCEPT", true]);
  state.settings.set(settingKeys.federationPolicy, "reject ");
  expect(state.federation.policy).toBe("REJECT");
  state.settings.set(settingKeys.federationPolicy, "maybe");
  state.settings.unset(settingKeys.federationEnabled);
  expect([state.federation.policy, state.federation.enabled]).toEqual(["REJECT", false]);
});

test("rules that another process wrote count after a reload", async () => {
  const db = fresh();
  const [a, b] = [(await started(db)).state, (await started(db)).state];
  b.federation.rules.add("peer.test");
  b.overrides.set("peer.test", "other.test");
  expect(a.federation.hasRule(key("peer.test"))).toBe(false);
  a.hydrateFederation();
  expect(a.federation.hasRule(key("peer.test"))).toBe(true);
  expect(a.overrides.lookup(domain("peer.test"))).toBe("other.test");
});

test("overrides are looked up as the domain stands, then without, then with brackets", async () => {
  const db = fresh();
  const { state } = await started(db);
  const { overrides } = state;
  const ip = domain("[192.0.2.1]");
  expect(overrides.lookup(ip)).toBeUndefined();
  overrides.set("192.0.2.1", "bare.test");
  expect(overrides.lookup(ip)).toBe("bare.test");
  overrides.set("[192.0.2.1]", "https://brackets.test/mxdeliv", "why");
  expect(overrides.lookup(ip)).toBe("https://brackets.test/mxdeliv");
  overrides.set("Peer.Test", "host.test:2525");
  const again = (await started(db)).state.overrides;
  expect(again.lookup(domain("peer.test"))).toBe("host.test:2525");
  expect([...again.entries()].map(([lookupKey, { comment }]) => [lookupKey, comment])).toEqual([
    ["192.0.2.1", ""],
    ["[192.0.2.1]", "why"],
    ["peer.test", ""],
  ]);
  expect(again.remove("PEER.test")).toBe(true);
  expect(again.lookup(domain("peer.test"))).toBeUndefined();
});

for (const target of ["", "ftp://x.test/", "a b", "https://user@x.test/", "x.test/path", "a".repeat(300)]) {
  test(`an override to ${JSON.stringify(target.slice(0, 30))} is not taken`, async () => {
    const { state } = await started(fresh());
    expect(() => state.overrides.set("peer.test", target)).toThrow(RangeError);
  });
}

test("exchangers are made, changed, polled and removed", async () => {
  const db = fresh();
  const { state, clock } = await started(db);
  state.exchangers.set("one", { url: "https://x.test/box" });
  state.exchangers.set("one", { enabled: false, pollIntervalSec: 5 });
  state.exchangers.notePoll("one");
  expect(() => state.exchangers.set("two", { url: "file:///etc/passwd" })).toThrow(RangeError);
  expect(() => state.exchangers.set("one", { pollIntervalSec: 0 })).toThrow(RangeError);
  const again = (await started(db)).state.exchangers;
  expect([...again.entries()]).toEqual([
    [
      "one",
      expect.objectContaining({
        url: "https://x.test/box",
        enabled: false,
        pollIntervalSec: 5,
        lastPollAtSec: Math.floor(clock.nowMs() / 1000),
      }),
    ],
  ]);
  expect(again.remove("one")).toBe(true);
  expect([...(await started(db)).state.exchangers.entries()]).toEqual([]);
});

test("the tracker counts by way and direction, names nobody, and is written every half minute", async () => {
  const db = fresh();
  const { state, clock } = await started(db);
  const peer = domain("[192.0.2.1]");
  state.peers.noteOutbound(peer, {
    route: "smtp",
    attempts: [
      { route: "https", why: "connect to 192.0.2.1 for bob@peer.test failed" },
      { route: "http", why: "status 404" },
    ],
    latencyMs: 120.4,
  });
  state.peers.noteOutbound(peer, {
    route: undefined,
    attempts: [{ route: "smtp", why: "timeout" }],
    latencyMs: 5,
  });
  state.peers.noteInbound(peer);
  clock.advance(30_000);
  const row = (await started(db)).state.peers.get(key("192.0.2.1"));
  expect(row).toEqual({
    failedHttp: 1,
    failedHttps: 1,
    failedSmtp: 1,
    successHttp: 0,
    successHttps: 0,
    successSmtp: 1,
    inboundDeliveries: 1,
    successfulDeliveries: 1,
    totalLatencyMs: 120,
    lastError: "timeout",
    lastActive: Math.floor(clock.nowMs() / 3_600_000) * 3600,
  });
  state.peers.noteOutbound(peer, {
    route: undefined,
    attempts: [{ route: "https", why: "no way to bob@peer.test at 192.0.2.1" }],
    latencyMs: 1,
  });
  expect(state.peers.get(key("192.0.2.1"))?.lastError).toBe("no way to <address> at <ip>");
});

test("the tracker keeps to its bound, in memory and in the database", async () => {
  const db = fresh();
  const { state } = await started(db);
  for (let n = 0; n < 5010; n++) state.peers.noteInbound(domain(`d${n}.test`));
  state.flush();
  for (let n = 0; n < 10; n++) state.peers.noteInbound(domain(`e${n}.test`));
  state.flush();
  const count = db.$client.query("SELECT count(*) FROM federation_server_stats").values()[0]?.[0];
  expect(count).toBe(5000);
  expect(state.peers.get(key("d19.test"))).toBeUndefined();
  expect(state.peers.get(key("d20.test"))).toBeDefined();
});
