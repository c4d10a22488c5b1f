import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, resolveConfig } from "../config/config.ts";
import { configSchema } from "../config/schema.ts";
import type { Address, Domain } from "../core/address.ts";
import { ManualClock } from "../core/clock.ts";
import { closeDatabase, DatabaseError, type Db, openDatabase } from "../db/open.ts";
import { NEVER_LOGGED_IN } from "../db/schema.ts";
import type { Event, Log } from "../log/events.ts";
import { HotState } from "./hot-state.ts";
import type { Quota } from "./quota-book.ts";
import { settingKeys } from "./settings.ts";

const root = mkdtempSync(join(tmpdir(), "madmail-state-"));
afterAll(() => rmSync(root, { recursive: true }));

const ada = "ada@example.org" as Address;
const bob = "bob@example.org" as Address;
const account = { hash: "h", loggedIn: true };

function configOf(accounts: Record<string, unknown> = {}): Config {
  return resolveConfig(configSchema.parse({ domains: ["example.org"], state_dir: root, accounts }), root);
}

class Memory implements Log {
  events: Event[] = [];
  emit(event: Event): void {
    this.events.push(event);
  }
  counts(): ReadonlyMap<string, number> {
    return new Map();
  }
}

async function started(options: { db?: Db; clock?: ManualClock; config?: () => Config } = {}) {
  const db = options.db ?? openDatabase(join(root, `${crypto.randomUUID()}.db`));
  const clock = options.clock ?? new ManualClock();
  const log = new Memory();
  const state = new HotState({ db, clock, log, config: options.config ?? (() => configOf()) });
  await state.start();
  return { db, clock, log, state };
}

describe("AccountBook", () => {
  test("finds after a restart what it was told before", async () => {
    const { db, clock, state } = await started();
    state.accounts.create(ada, account);
    state.accounts.create(bob, { hash: "b", loggedIn: false, usedToken: "t" });
    state.accounts.setHash(ada, "h2");
    state.accounts.setQuota(ada, 77);
    state.blocklist.add(bob, "spam");
    state.settings.set("__LANGUAGE__", "fa");
    state.counters.add("sent_messages", 3);
    await state.stop();
    const again = (await started({ db, clock })).state;
    expect([...again.accounts.entries()]).toEqual([...state.accounts.entries()]);
    expect(again.accounts.get(ada)).toMatchObject({ hash: "h2", quotaBytes: 77 });
    expect(again.accounts.get(bob)).toMatchObject({ firstLoginAtSec: NEVER_LOGGED_IN, usedToken: "t" });
    expect(again.blocklist.has(bob)).toBe(true);
    expect(again.settings.get("__LANGUAGE__")).toBe("fa");
    expect(again.counters.total("sent_messages")).toBe(3);
  });

  test("creates a name once, and takes in an account that another process made", async () => {
    const { db, state } = await started();
    expect(state.accounts.create(ada, account)).toBe(true);
    expect(state.accounts.create(ada, { ...account, hash: "other" })).toBe(false);
    const other = (await started({ db })).state;
    other.accounts.create(bob, { hash: "theirs", loggedIn: false });
    expect(state.accounts.has(bob)).toBe(false);
    expect(state.accounts.create(bob, { hash: "mine", loggedIn: true })).toBe(false);
    expect(state.accounts.get(bob)?.hash).toBe("theirs");
  });

  test.each([
    [100_000, 86_400],
    [200_000, 172_800],
    [172_800, 172_800],
  ])("keeps a login at %d s as day %d", async (atSec, want) => {
    const { db, state, clock } = await started({ clock: new ManualClock(atSec * 1000) });
    state.accounts.create(ada, { ...account, loggedIn: false });
    expect(state.noteLogin(ada)).toBe(true);
    state.flush();
    const { firstLoginAtSec, lastLoginAtSec } = (await started({ db, clock })).state.accounts.get(ada) ?? {};
    expect([firstLoginAtSec, lastLoginAtSec]).toEqual([want, want]);
  });

  test("writes later logins behind: after half a minute, and at the stop", async () => {
    const { db, state, clock } = await started();
    state.accounts.create(ada, account);
    const stored = () =>
      Number(db.$client.query("SELECT last_login_at FROM quotas WHERE username = ?").values(ada)[0]?.[0]);
    const first = stored();
    clock.advance(86_400_000);
    state.noteLogin(ada);
    clock.advance(29_000);
    const before = stored();
    clock.advance(1001);
    expect([before - first, stored() - first]).toEqual([0, 86_400]);
    clock.advance(86_400_000);
    state.noteLogin(ada);
    await state.stop();
    expect(stored() - first).toBe(2 * 86_400);
    clock.advance(60_000);
  });

  test("forgets a removed account, whose late statistics make no row", async () => {
    const { db, state, clock } = await started();
    state.accounts.create(ada, account);
    clock.advance(86_400_000);
    state.noteLogin(ada);
    expect(state.removeAccount(ada)).toBe(true);
    expect(state.removeAccount(ada)).toBe(false);
    expect(state.noteLogin(ada)).toBe(false);
    state.flush();
    expect(db.$client.query("SELECT * FROM quotas").values()).toEqual([]);
  });
});

describe("quota()", () => {
  interface Given {
    own?: number;
    domain?: number;
    server?: number;
    config?: number;
  }
  const rows: [string, Given, number, Quota["source"]][] = [
    ["the configured default", {}, 500 * 2 ** 20, "default"],
    ["nothing, which is unlimited", { config: 0 }, 0, "none"],
    ["the server's before the configured one", { server: 10 }, 10, "default"],
    ["the server's, lifted", { server: 0, config: 9 }, 0, "none"],
    ["the domain's before the server's", { domain: 7, server: 10 }, 7, "domain"],
    ["the domain's, lifted", { domain: 0, server: 10 }, 0, "domain"],
    ["the account's own before all", { own: 5, domain: 7, server: 10 }, 5, "user"],
    ["the account's own, lifted", { own: 0, domain: 7, server: 10 }, 0, "user"],
  ];
  test.each(rows)("is %s", async (_, { own, domain, server, config }, bytes, source) => {
    const settings = { default_quota: config ?? "500M" };
    const { db, state } = await started({ config: () => configOf(settings) });
    state.accounts.create(ada, account);
    if (own !== undefined) state.accounts.setQuota(ada, own);
    if (domain !== undefined) state.quotas.setDomain("example.org" as Domain, domain);
    if (server !== undefined) state.quotas.setDefault(server);
    const again = (await started({ db, config: () => configOf(settings) })).state;
    for (const { accounts } of [state, again]) {
      expect(accounts.quota(ada)).toEqual({ bytes, source });
      expect(accounts.quotaBytes(ada)).toBe(bytes);
      expect(accounts.size).toBe(1);
    }
  });

  test("goes back to the next in line when one is taken away", async () => {
    const { db, state } = await started();
    const domain = "example.org" as Domain;
    state.accounts.create(ada, account);
    state.accounts.setQuota(ada, 5);
    state.quotas.setDomain(domain, 7);
    state.quotas.setDefault(10);
    const seen = () => state.accounts.quotaBytes(ada);
    state.accounts.setQuota(ada, undefined);
    expect(seen()).toBe(7);
    state.quotas.setDomain(domain, undefined);
    expect(seen()).toBe(10);
    state.quotas.setDefault(undefined);
    expect(seen()).toBe(500 * 2 ** 20);
    expect((await started({ db })).state.accounts.quota(ada)).toEqual(state.accounts.quota(ada));
  });
});

describe("Settings", () => {
  test("leave unset things to the configuration, of the moment", async () => {
    let config = configOf();
    const { state } = await started({ config: () => config });
    const { settings } = state;
    expect([settings.registrationOpen, settings.jitEnabled, settings.tokenRequired]).toEqual([
      true,
      true,
      false,
    ]);
    config = configOf({ registration: "closed", token_required: true });
    expect([settings.registrationOpen, settings.jitEnabled, settings.tokenRequired]).toEqual([
      false,
      false,
      true,
    ]);
  });

  const rows: [string, Record<string, string>, boolean][] = [
    ["nothing set", {}, true],
    ["registration closed", { [settingKeys.registrationOpen]: "false" }, false],
    ["creation at login off", { [settingKeys.jitEnabled]: "0" }, false],
    ["tokens required", { [settingKeys.tokenRequired]: "true" }, false],
    [
      "registration closed, creation at login on",
      { [settingKeys.registrationOpen]: "no", [settingKeys.jitEnabled]: "yes" },
      false,
    ],
    ["nonsense, as unset", { [settingKeys.jitEnabled]: "perhaps" }, true],
  ];
  test.each(rows)("with %s", async (_, values, jit) => {
    const { state } = await started();
    for (const [key, value] of Object.entries(values)) state.settings.set(key, value);
    expect(state.settings.jitEnabled).toBe(jit);
    for (const key of Object.keys(values)) state.settings.unset(key);
    expect(state.settings.jitEnabled).toBe(true);
  });

  test.each(["LANGUAGE", "__language__", "__X", "__A B__", "____"])("refuse the key %s", async (key) => {
    const { state } = await started();
    expect(() => state.settings.set(key, "x")).toThrow(RangeError);
    expect(() => state.settings.set("__X__", "x".repeat(8193))).toThrow(RangeError);
  });
});

describe("TokenBook", () => {
  test("counts pending accounts against the limit, also after a restart", async () => {
    const { db, state, clock } = await started();
    state.tokens.create("t", { maxUses: 2 });
    expect(state.tokens.reserve("t")).toBeUndefined();
    state.accounts.create(ada, { hash: "h", loggedIn: false, usedToken: "t" });
    expect(state.tokens.reserve("t")).toBeUndefined();
    expect(state.tokens.reserve("t")).toBe("tokenUsedUp");
    state.tokens.release("t");
    const again = (await started({ db, clock })).state;
    expect(again.tokens.get("t")).toMatchObject({ pending: 1, usedCount: 0 });
    expect(again.noteLogin(ada)).toBe(true);
    expect(again.tokens.get("t")).toMatchObject({ pending: 0, usedCount: 1 });
    expect(again.noteLogin(ada)).toBe(true);
    expect((await started({ db, clock })).state.tokens.get("t")).toMatchObject({ pending: 0, usedCount: 1 });
  });

  test("frees the use of a removed account that never logged in, not of one that did", async () => {
    const { state } = await started();
    state.tokens.create("t", { maxUses: 2 });
    for (const user of [ada, bob]) {
      state.tokens.reserve("t");
      state.accounts.create(user, { hash: "h", loggedIn: false, usedToken: "t" });
    }
    state.noteLogin(ada);
    state.removeAccount(ada);
    state.removeAccount(bob);
    expect(state.tokens.get("t")).toMatchObject({ pending: 0, usedCount: 1 });
  });

  test("refuses what is unknown, removed, expired or taken twice", async () => {
    const { state, clock } = await started();
    const expiresAtSec = clock.nowMs() / 1000 + 60;
    expect(state.tokens.create("t", { maxUses: 1, expiresAtSec })).toBe(true);
    expect(state.tokens.create("t", { maxUses: 9 })).toBe(false);
    expect(state.tokens.reserve("other")).toBe("tokenUnknown");
    clock.advance(60_000);
    expect(state.tokens.reserve("t")).toBe("tokenExpired");
    expect([state.tokens.remove("t"), state.tokens.remove("t")]).toEqual([true, false]);
    expect(state.tokens.reserve("t")).toBe("tokenUnknown");
  });

  test("changes limit, comment and expiry of a token, and nothing of its uses", async () => {
    const { db, state, clock } = await started();
    const token = { maxUses: 1, comment: "a", expiresAtSec: 5 };
    expect(state.tokens.update("t", token)).toBe(false);
    state.tokens.create("t", { maxUses: 2 });
    state.tokens.reserve("t");
    expect(state.tokens.update("t", token)).toBe(true);
    expect(state.tokens.get("t")).toMatchObject({ ...token, pending: 1, usedCount: 0 });
    expect((await started({ db, clock })).state.tokens.get("t")).toMatchObject(token);
  });

  test("denies the first login of an account whose token is gone", async () => {
    const { state } = await started();
    state.tokens.create("t", { maxUses: 1 });
    state.tokens.reserve("t");
    state.accounts.create(ada, { hash: "h", loggedIn: false, usedToken: "t" });
    state.tokens.remove("t");
    expect(state.noteLogin(ada)).toBe(false);
    expect(state.accounts.get(ada)?.firstLoginAtSec).toBe(NEVER_LOGGED_IN);
  });
});

test("start() names the database when it can't be read", async () => {
  const path = join(root, "damaged.db");
  const db = openDatabase(path);
  db.$client.run("ALTER TABLE settings RENAME COLUMN value TO other");
  const options = { db, clock: new ManualClock(), log: new Memory(), config: () => configOf() };
  const fault = await new HotState(options).start().catch((error: unknown) => error);
  expect(String(fault)).toContain(path);
  expect(fault).toBeInstanceOf(DatabaseError);
});

test("flush() reports a database in trouble, keeps the statistics and writes them later", async () => {
  const { db, state, log } = await started();
  state.counters.add("sent_messages", 2);
  db.$client.run("ALTER TABLE message_stats RENAME TO away");
  state.flush();
  expect(log.events.map((event) => event.kind)).toEqual(["storageTrouble", "internalFault"]);
  db.$client.run("ALTER TABLE away RENAME TO message_stats");
  state.counters.add("sent_messages");
  await state.stop();
  expect(db.$client.query("SELECT * FROM message_stats").values()).toEqual([["sent_messages", 3]]);
  closeDatabase(db);
});
