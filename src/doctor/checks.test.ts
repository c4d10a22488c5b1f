/** Each check on bad worlds: what it says, and what it does not say of a good one. */
import { describe, expect, test } from "bun:test";
import { resolveConfig } from "../config/config.ts";
import { type ConfigFile, configSchema } from "../config/schema.ts";
import { ManualClock } from "../core/clock.ts";
import type { CertificateStatus } from "../tls/status.ts";
import { type Check, type CheckResult, runChecks } from "./check.ts";
import { checkTable } from "./table.ts";
import type { Books, Machine, Running, World, ZoneRow } from "./world.ts";

const DAY_MS = 864e5;
const NOW_MS = Date.UTC(2026, 10, 22);
const file = (more: Record<string, unknown> = {}): ConfigFile =>
  configSchema.parse({ state_dir: "/state", hostname: "relay.test", limits: { connections: 1000 }, ...more });
const configOf = (more: Record<string, unknown> = {}) => resolveConfig(file(more));

const machine: Machine = {
  userId: 100,
  directory: () => ({ ownerId: 100, mode: 0o40700 }),
  readableSecrets: () => [],
  disk: () => ({ freeBytes: 5e10, totalBytes: 1e11, freeNodes: 1e6, totalNodes: 2e6 }),
  syncMs: () => Promise.resolve(1),
  lastWrittenMs: () => NOW_MS - 1000,
  memory: () => ({ availableBytes: 5e8, totalBytes: 1e9 }),
  residentBytes: 5e7,
  openFiles: () => ({ open: 30, max: 65_536 }),
  poolThreads: 16,
  cpus: 2,
};
const certificate: CertificateStatus = {
  mode: "self-signed",
  facts: {
    fingerprint: "ab",
    names: ["relay.test"],
    selfSigned: true,
    trusted: false,
    notBeforeMs: NOW_MS - DAY_MS,
    notAfterMs: NOW_MS + 90 * DAY_MS,
  },
  hoursLeft: 90 * 24,
  interim: false,
  acme: undefined,
  underWay: false,
  clockAheadMs: undefined,
};
const books: Books = {
  databaseFaults: () => [],
  queue: () => Promise.resolve({ messages: 0, oldestQueuedAtMs: null, destinations: [] }),
  certificate: () => Promise.resolve(certificate),
  pendingSettings: () => [],
};
const running: Running = {
  startedAtMs: NOW_MS,
  addresses: () => ({}),
  turnAdvertised: () => true,
  irohUrl: () => "http://relay.test",
  pushResting: () => false,
  clockAheadMs: () => Promise.resolve(undefined),
  makeAccount: () => Promise.reject(new Error("no account can be made (unavailable)")),
  removeAccount: () => undefined,
  testServer: () => Promise.reject(new Error("not asked")),
};
const row: ZoneRow = {
  line: "relay.test. 3600 IN MX 10 relay.test.",
  name: "relay.test.",
  type: "MX",
  need: "required",
  why: "other servers deliver to this host",
  state: "ok",
  found: [],
};
const key: ZoneRow = { ...row, name: "default._domainkey.relay.test.", type: "TXT", why: "DKIM" };
const world = (more: Partial<World> = {}): World => ({
  config: configOf(),
  clock: new ManualClock(NOW_MS),
  mayAsk: true,
  peer: undefined,
  machine,
  closed: undefined,
  books,
  running: undefined,
  takenPorts: () => [],
  zone: () => Promise.resolve([row, key]),
  ask: () => Promise.resolve({ status: 200, dateMs: undefined }),
  ...more,
});

function named(name: string): Check {
  const check = checkTable.find((each) => each.name === name);
  if (check === undefined) throw new Error(`no check ${name}`);
  return check;
}

async function result(name: string, bad: World): Promise<CheckResult> {
  const [only] = await runChecks([named(name)], bad);
  if (only === undefined) throw new Error("no result");
  return only;
}

const withMachine = (more: Partial<Machine>) => world({ machine: { ...machine, ...more } });
const withBooks = (more: Partial<Books>) => world({ books: { ...books, ...more } });
const withRunning = (more: Partial<Running>, also: Partial<World> = {}) =>
  world({ running: { ...running, ...more }, ...also });
const withCertificate = (more: Partial<CertificateStatus>, facts: Partial<CertificateStatus["facts"]> = {}) =>
  withBooks({
    certificate: () =>
      Promise.resolve({ ...certificate, ...more, facts: { ...certificate.facts, ...facts } }),
  });
const noSpace = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
const oldMs = NOW_MS - 20 * 3_600_000;

const rows: [what: string, name: string, bad: World, state: "fail" | "warn", says: RegExp][] = [
  [
    "an open relay",
    "configuration",
    world({ config: configOf({ smtp: { allow_remote_recipients: true } }) }),
    "warn",
    /open relay/,
  ],
  [
    "fsync turned off",
    "configuration",
    world({ config: configOf({ storage: { fsync: "never" } }) }),
    "warn",
    /power cut/,
  ],
  [
    "no way to fetch mail",
    "configuration",
    world({ config: configOf({ listen: { imap: [], imaps: [] } }) }),
    "fail",
    /fetch/,
  ],
  [
    "settings that wait",
    "configuration",
    withBooks({ pendingSettings: () => ["smtp_port"] }),
    "warn",
    /smtp_port/,
  ],
  [
    "an expired certificate",
    "certificate",
    withCertificate({ hoursLeft: -1 }, { notAfterMs: NOW_MS - 1 }),
    "fail",
    /expired on 2026-11-2/,
  ],
  [
    "a certificate that ends soon",
    "certificate",
    withCertificate({ hoursLeft: 50 }),
    "warn",
    /2 days and 2 hours/,
  ],
  [
    "a certificate of the future",
    "certificate",
    withCertificate({}, { notBeforeMs: NOW_MS + DAY_MS }),
    "fail",
    /not valid yet/,
  ],
  [
    "a certificate for another name",
    "certificate",
    withCertificate({}, { names: ["other.test"] }),
    "fail",
    /connect to relay\.test/,
  ],
  [
    "a key of another certificate",
    "certificate",
    withBooks({ certificate: () => Promise.reject(new Error("key does not match")) }),
    "fail",
    /key does not match/,
  ],
  [
    "an authority that gave nothing",
    "certificate",
    withCertificate({ mode: "acme", interim: true }),
    "warn",
    /no certificate yet/,
  ],
  [
    "a missing state directory",
    "state-directory",
    withMachine({
      directory: () => {
        throw new Error("ENOENT");
      },
    }),
    "fail",
    /ENOENT/,
  ],
  [
    "another owner",
    "state-directory",
    withMachine({ directory: () => ({ ownerId: 7, mode: 0o700 }) }),
    "fail",
    /belongs to user 7/,
  ],
  [
    "secrets that others may read",
    "state-directory",
    withMachine({
      directory: () => ({ ownerId: 100, mode: 0o755 }),
      readableSecrets: () => ["dkim/default.private"],
    }),
    "fail",
    /default\.private/,
  ],
  [
    "a locked directory",
    "state-directory",
    world({ closed: "the database is busy", books: undefined }),
    "fail",
    /database is busy/,
  ],
  [
    "a full disk",
    "disk",
    withMachine({ disk: () => ({ freeBytes: 1e6, totalBytes: 1e11, freeNodes: 1e6, totalNodes: 2e6 }) }),
    "fail",
    /disk is full/,
  ],
  [
    "a nearly full disk",
    "disk",
    withMachine({ disk: () => ({ freeBytes: 5e8, totalBytes: 1e11, freeNodes: 1e6, totalNodes: 2e6 }) }),
    "warn",
    /nearly full/,
  ],
  [
    "no inodes",
    "disk",
    withMachine({ disk: () => ({ freeBytes: 5e10, totalBytes: 1e11, freeNodes: 10, totalNodes: 2e6 }) }),
    "fail",
    /inodes/,
  ],
  [
    "a disk that takes no write",
    "disk",
    withMachine({ syncMs: () => Promise.reject(noSpace) }),
    "fail",
    /ENOSPC/,
  ],
  ["a slow disk", "disk", withMachine({ syncMs: () => Promise.resolve(300) }), "warn", /300 ms/],
  [
    "a clock before this program",
    "clock",
    world({ clock: new ManualClock(0) }),
    "fail",
    /before this program/,
  ],
  [
    "a clock that went back",
    "clock",
    withMachine({ lastWrittenMs: () => NOW_MS + DAY_MS }),
    "fail",
    /went back/,
  ],
  [
    "a clock far ahead",
    "clock",
    withRunning({ clockAheadMs: () => Promise.resolve(3_600_000) }),
    "fail",
    /3600 seconds ahead/,
  ],
  [
    "a clock behind a peer's",
    "clock",
    world({
      peer: "peer.test" as World["peer"],
      ask: () => Promise.resolve({ status: 200, dateMs: NOW_MS + 90_000 }),
    }),
    "warn",
    /90 seconds behind/,
  ],
  [
    "few files",
    "open-files",
    withRunning({}, { machine: { ...machine, openFiles: () => ({ open: 30, max: 1024 }) } }),
    "warn",
    /1024 files/,
  ],
  [
    "files used up",
    "open-files",
    withRunning({}, { machine: { ...machine, openFiles: () => ({ open: 65_000, max: 65_536 }) } }),
    "fail",
    /new connections/,
  ],
  [
    "a narrow pool",
    "thread-pool",
    withRunning({}, { machine: { ...machine, poolThreads: undefined } }),
    "warn",
    /only 2 threads/,
  ],
  [
    "memory used up",
    "memory",
    withMachine({ memory: () => ({ availableBytes: 1e6, totalBytes: 1e9 }) }),
    "fail",
    /used up/,
  ],
  [
    "a damaged database",
    "database",
    withBooks({ databaseFaults: () => ["row 3 missing from index"] }),
    "fail",
    /row 3 missing/,
  ],
  [
    "a full queue",
    "queue",
    withBooks({
      queue: () => Promise.resolve({ messages: 90_000, oldestQueuedAtMs: NOW_MS, destinations: [] }),
    }),
    "fail",
    /90000 messages/,
  ],
  [
    "mail that waits long",
    "queue",
    withBooks({
      queue: () =>
        Promise.resolve({
          messages: 1,
          oldestQueuedAtMs: oldMs,
          destinations: [{ domain: "slow.test", messages: 1 }],
        }),
    }),
    "warn",
    /20 hours/,
  ],
  [
    "a port that is taken before the start",
    "ports",
    world({ takenPorts: () => ["port 25/tcp for smtp is taken by master (process 12)"] }),
    "fail",
    /master \(process 12\)/,
  ],
  [
    "a listener that is gone",
    "ports",
    withRunning({ addresses: () => ({ imaps: ["127.0.0.1:1"] }) }),
    "fail",
    /imaps on 127\.0\.0\.1:1 does not answer/,
  ],
  ["no listener", "ports", withRunning({}), "fail", /nothing listens/],
  [
    "a missing MX",
    "dns",
    world({ zone: () => Promise.resolve([{ ...row, state: "missing" }]) }),
    "fail",
    /MX relay\.test\. is missing/,
  ],
  [
    "a wrong MX",
    "dns",
    world({ zone: () => Promise.resolve([{ ...row, state: "different", found: ["10 other.test"] }]) }),
    "fail",
    /says 10 other\.test/,
  ],
  [
    "a name server that is down",
    "dns",
    world({ zone: () => Promise.resolve([{ ...row, state: "trouble" }]) }),
    "fail",
    /nobody answers/,
  ],
  [
    "another DKIM key",
    "dkim",
    world({ zone: () => Promise.resolve([{ ...key, state: "different", found: ["v=DKIM1; p=x"] }]) }),
    "fail",
    /default\._domainkey/,
  ],
  [
    "a peer out of reach",
    "peer",
    withRunning(
      {
        testServer: () =>
          Promise.resolve({
            allowed: true,
            works: false,
            mx: { hosts: [], why: "no such domain" },
            hosts: [],
          }),
      },
      { peer: "peer.test" as World["peer"] },
    ),
    "fail",
    /no such domain/,
  ],
  ["a TURN server that listens nowhere", "turn", withRunning({}), "fail", /listens nowhere/],
  [
    "a TURN server that is deaf",
    "turn",
    withRunning({ addresses: () => ({ turn: ["127.0.0.1:1"] }) }),
    "fail",
    /STUN/,
  ],
  [
    "an iroh relay that fails",
    "iroh",
    withRunning(
      { addresses: () => ({ http: ["127.0.0.1:1"] }) },
      { ask: () => Promise.resolve({ status: 503, dateMs: undefined }) },
    ),
    "fail",
    /503/,
  ],
  [
    "a push service out of reach",
    "push",
    withRunning(
      {},
      { config: configOf({ push: { mode: "on" } }), ask: () => Promise.reject(new Error("ECONNREFUSED")) },
    ),
    "fail",
    /ECONNREFUSED/,
  ],
  [
    "push that rests",
    "push",
    withRunning({ pushResting: () => true }, { config: configOf({ push: { mode: "auto" } }) }),
    "warn",
    /rest/,
  ],
  [
    "no room for accounts",
    "message",
    withRunning({ addresses: () => ({ submissions: ["127.0.0.1:1"], imaps: ["127.0.0.1:1"] }) }),
    "fail",
    /making two accounts: no account can be made/,
  ],
];

describe("the doctor", () => {
  test.each(rows)("tells of %s", async (_, name, bad, state, says) => {
    const told = await result(name, bad);
    expect(told.state).toBe(state);
    expect(told.troubles.map(({ what }) => what).join("\n")).toMatch(says);
    for (const { mend } of told.troubles) expect(mend.length).toBeGreaterThan(10);
  });

  test("finds nothing wrong in a good world", async () => {
    const results = await runChecks(checkTable, world());
    expect(results.filter(({ state }) => state === "warn" || state === "fail")).toEqual([]);
    expect(results.map(({ name }) => name)).toEqual(checkTable.map(({ name }) => name));
    expect(new Set(checkTable.map(({ name }) => name)).size).toBe(checkTable.length);
  });

  test("asks no other machine when it must not", async () => {
    const forbidden = () => Promise.reject(new Error("asked"));
    const bad = world({ mayAsk: false, zone: forbidden, ask: forbidden, peer: "peer.test" as World["peer"] });
    const results = await runChecks(checkTable, bad);
    expect(results.filter(({ state }) => state === "fail")).toEqual([]);
    for (const name of ["dns", "dkim", "peer", "push"]) {
      expect(results.find((each) => each.name === name)?.state).toBe("skipped");
    }
  });

  test("a check that hangs is given up, one that breaks is told, and the others go on", async () => {
    const clock = new ManualClock(NOW_MS);
    const hanging: Check = { name: "hang", title: "", run: () => new Promise(() => {}) };
    const breaking: Check = {
      name: "break",
      title: "",
      run() {
        throw new Error("bug");
      },
    };
    const others = Promise.withResolvers<void>();
    const done = runChecks([hanging, breaking, named("memory")], world({ clock }), {
      onDone: (count) => (count === 2 ? others.resolve() : undefined),
    });
    await others.promise;
    clock.advance(20_000);
    const results = await done;
    expect(results.map(({ state }) => state)).toEqual(["fail", "fail", "ok"]);
    expect(results[0]?.troubles[0]?.what).toContain("15 seconds");
    expect(results[1]?.troubles[0]?.what).toContain("bug");
  });
});
