import { afterAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, resolveConfig } from "../config/config.ts";
import { configSchema } from "../config/schema.ts";
import type { Address } from "../core/address.ts";
import { ManualClock } from "../core/clock.ts";
import { closeDatabase, type Db, openDatabase } from "../db/open.ts";
import { NEVER_LOGGED_IN } from "../db/schema.ts";
import type { Event, Log } from "../log/events.ts";
import { HotState } from "../state/hot-state.ts";
import { settingKeys } from "../state/settings.ts";
import { AccountOperations } from "./account-operations.ts";
import type { LoginResult } from "./authenticator.ts";
import { HashSlots } from "./hash-slots.ts";
import { Login } from "./login.ts";
import { Registration } from "./registration.ts";
import { Revocations } from "./revocations.ts";

const root = mkdtempSync(join(tmpdir(), "madmail-login-"));
const opened: Db[] = [];
afterAll(() => {
  for (const db of opened) db.$client.close();
  rmSync(root, { recursive: true });
});

const ada = "adalovelace@example.org" as Address;
const password = "a long and random password"; // long: the cheaper hash
const bad: LoginResult = { ok: false, why: "badCredentials" };
const unavailable: LoginResult = { ok: false, why: "unavailable" };
const good = (user: string): LoginResult => ({ ok: true, user: user as Address });

class Memory implements Log {
  readonly events: Event[] = [];
  emit(event: Event): void {
    this.events.push(event);
  }
  counts(): ReadonlyMap<string, number> {
    return new Map();
  }
  times(kind: Event["kind"]): number {
    return this.events.filter((event) => event.kind === kind).length;
  }
}

/** Counts slow hashes, and lets a test stand between two of them. */
class CountingSlots extends HashSlots {
  runs = 0;
  before: (() => Promise<void> | void) | undefined;
  override run<T>(work: () => Promise<T>): Promise<T> | undefined {
    this.runs++;
    return super.run(async () => {
      await this.before?.();
      return await work();
    });
  }
}

interface Setup {
  accounts?: Record<string, unknown>;
  limits?: Record<string, unknown>;
  path?: string;
  slots?: CountingSlots;
}

async function house(setup: Setup = {}) {
  const path = setup.path ?? join(root, `${crypto.randomUUID()}.db`);
  const config: Config = resolveConfig(
    configSchema.parse({
      domains: ["example.org"],
      state_dir: root,
      accounts: setup.accounts ?? {},
      limits: setup.limits ?? {},
    }),
  );
  const db = openDatabase(path);
  opened.push(db);
  const [clock, log, slots] = [new ManualClock(), new Memory(), setup.slots ?? new CountingSlots()];
  const revocations = new Revocations();
  const state = new HotState({ db, config: () => config, clock, log });
  await state.start();
  const parts = { state, config: () => config, clock, log, slots, revocations };
  const login = new Login(parts);
  return {
    ...parts,
    db,
    path,
    login,
    registration: new Registration(parts),
    operations: new AccountOperations(parts),
    /** Logs in; from one address unless the test says otherwise. */
    enter: (username: string, secret = password, peerAddress = "192.0.2.1") =>
      login.login({ username, password: secret, peerAddress }),
    stop: async () => {
      await login.settled();
      await state.stop();
      closeDatabase(db);
    },
  };
}

describe("the first login", () => {
  test("creates the account, the next one finds it, another password does not", async () => {
    const { enter, state, log, slots } = await house();
    expect(await enter(ada)).toEqual(good(ada));
    expect(state.accounts.get(ada)?.hash).toStartWith("$argon2id$v=19$m=8192,t=1,p=1$");
    expect(await enter(ada)).toEqual(good(ada));
    expect(slots.runs).toBe(1);
    expect(await enter(ada, "another long password, wrong")).toEqual(bad);
    expect(log.times("accountCreated")).toBe(1);
  });

  test("is in the database before it succeeds, and outlives a restart", async () => {
    const first = await house();
    await first.enter(ada);
    const stored = first.db.$client.query("SELECT username FROM passwords").values();
    expect(stored).toEqual([[ada]]);
    await first.stop();
    const second = await house({ path: first.path });
    expect(await second.enter(ada, "another long password, wrong")).toEqual(bad);
    expect(await second.enter(ada)).toEqual(good(ada));
    expect(second.log.times("accountCreated")).toBe(0);
  });

  test("takes the name as people type it", async () => {
    const { enter, state } = await house();
    expect(await enter(` AdaLovelace@EXAMPLE.org `)).toEqual(good(ada));
    expect([...state.accounts.entries()].map(([user]) => user)).toEqual([ada]);
  });

  test("gives two accounts the same password, and different hashes", async () => {
    const { enter, state } = await house();
    const users = ["first-user@example.org", "second-user@example.org"];
    expect(await Promise.all(users.map((user) => enter(user)))).toEqual(users.map(good));
    expect(new Set(users.map((user) => state.accounts.get(user as Address)?.hash)).size).toBe(2);
  });

  const refused: [string, string, string, Setup["accounts"]][] = [
    ["a foreign domain", "adalovelace@example.com", password, {}],
    ["a subdomain", "adalovelace@mail.example.org", password, {}],
    ["no domain", "adalovelace", password, {}],
    ["no local part", "@example.org", password, {}],
    ["a path", "../../../x@example.org", password, {}],
    ["percent signs", "adalovelace@%5bexample.org%5d", password, {}],
    ["a name that is too short", "ada@example.org", password, {}],
    ["a name that is too long", `${"a".repeat(33)}@example.org`, password, {}],
    ["a plus", "ada+lovelace@example.org", password, {}],
    ["a slash", "ada/lovelace@example.org", password, {}],
    ["a reserved name", "postmaster@example.org", password, {}],
    ["a short password", ada, "admin", {}],
    ["no password", ada, "", {}],
    ["an endless password", ada, "x".repeat(1025), {}],
    ["a line end in the password", ada, "a long and random\r\npassword", {}],
    ["registration closed", ada, password, { registration: "closed" }],
    ["creation at login off", ada, password, { create_at_login: false }],
    ["tokens required", ada, password, { token_required: true }],
  ];
  test.each(refused)("is refused with %s", async (_, username, secret, accounts) => {
    const { enter, state } = await house({ accounts: accounts ?? {} });
    expect(await enter(username, secret)).toEqual(bad);
    expect(state.accounts.size).toBe(0);
  });

  test("obeys a setting at once, and again when it is taken back", async () => {
    const { enter, state } = await house();
    state.settings.setFlag(settingKeys.registrationOpen, false);
    expect(await enter(ada)).toEqual(bad);
    state.settings.unset(settingKeys.registrationOpen);
    expect(await enter(ada)).toEqual(good(ada));
    state.settings.setFlag(settingKeys.registrationOpen, false);
    expect(await enter(ada)).toEqual(good(ada));
  });

  test("fails when registration closes, or the name is blocked, while the hash is made", async () => {
    const { enter, state, slots } = await house();
    slots.before = () => state.settings.setFlag(settingKeys.registrationOpen, false);
    expect(await enter(ada)).toEqual(bad);
    slots.before = () => state.blocklist.add(ada, "");
    state.settings.unset(settingKeys.registrationOpen);
    expect(await enter(ada)).toEqual(bad);
    expect(state.accounts.size).toBe(0);
  });

  test("is put off, not refused, when too many hashes wait or the database fails", async () => {
    const busy = await house({ slots: new CountingSlots(1, 0) });
    const gate = Promise.withResolvers<void>();
    busy.slots.before = () => gate.promise;
    const first = busy.enter(ada);
    expect(await busy.enter("second-user@example.org")).toEqual(unavailable);
    gate.resolve();
    expect(await first).toEqual(good(ada));

    const broken = await house();
    broken.db.$client.run("ALTER TABLE passwords RENAME TO away");
    expect(await broken.enter(ada)).toEqual(unavailable);
    expect(broken.state.accounts.size).toBe(0);
    expect(broken.log.times("internalFault")).toBe(1);
  });
});

describe("at the same moment", () => {
  test("ten logins of one new account share one hash and one account", async () => {
    const { enter, log, slots } = await house();
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, i) => enter(ada, password, `192.0.2.${i % 3}`)),
    );
    expect(results).toEqual(Array<LoginResult>(10).fill(good(ada)));
    expect([slots.runs, log.times("accountCreated")]).toEqual([1, 1]);
  });

  test("fifty logins of five new accounts make five accounts", async () => {
    const { enter, state, slots } = await house();
    const users = Array.from({ length: 50 }, (_, i) => `user-number-${i % 5}@example.org`);
    expect(await Promise.all(users.map((user) => enter(user)))).toEqual(users.map(good));
    expect([state.accounts.size, slots.runs]).toEqual([5, 5]);
  });

  test("of two passwords for one new account exactly one wins, and goes on winning", async () => {
    const { enter } = await house();
    const secrets = [password, "quite another long password"];
    const results = await Promise.all(secrets.flatMap((secret) => [enter(ada, secret), enter(ada, secret)]));
    expect(results.map((result) => result.ok)).toEqual([true, true, false, false]);
    expect((await Promise.all(secrets.map((secret) => enter(ada, secret)))).map((r) => r.ok)).toEqual([
      true,
      false,
    ]);
  });

  test("an account that another process makes meanwhile is not overwritten", async () => {
    const first = await house();
    const second = await house({ path: first.path });
    first.slots.before = async () => {
      first.slots.before = undefined;
      await second.enter(ada, "their long and random password");
    };
    expect(await first.enter(ada)).toEqual(bad);
    expect(await first.enter(ada, "their long and random password")).toEqual(good(ada));
  });
});

describe("an attempt for existing accounts only", () => {
  const attempt = { username: ada, password, peerAddress: "192.0.2.1", existingOnly: true };

  test("makes none, takes as long as a wrong password, and finds the one that another makes", async () => {
    const { enter, login, state, slots } = await house();
    expect(await login.login(attempt)).toEqual(bad);
    expect([state.accounts.size, slots.runs]).toEqual([0, 1]);
    await enter(ada);
    expect(await login.login(attempt)).toEqual(good(ada));
  });

  test("does not share its answer with one that may make the account", async () => {
    const { enter, login, state } = await house();
    const [existing, any] = await Promise.all([login.login(attempt), enter(ada)]);
    expect([existing, any]).toEqual([bad, good(ada)]);
    expect(state.accounts.size).toBe(1);
  });
});

describe("a known account", () => {
  test("costs no hash while its password is remembered, and one for a wrong password", async () => {
    const { enter, slots } = await house();
    await enter(ada);
    for (let i = 0; i < 20; i++) expect(await enter(ada)).toEqual(good(ada));
    expect(slots.runs).toBe(1);
    await enter(ada, "another long password, wrong");
    expect(slots.runs).toBe(2);
  });

  test("joins two equal checks, so that a client's two connections cost one hash", async () => {
    const first = await house();
    await first.enter(ada);
    await first.stop();
    const { enter, slots } = await house({ path: first.path });
    expect(await Promise.all([enter(ada), enter(ada)])).toEqual([good(ada), good(ada)]);
    expect(slots.runs).toBe(1);
  });

  test("is not let in with the old password once another is set, remembered or not", async () => {
    const { enter, operations } = await house();
    await enter(ada);
    const next = "the next long and random one";
    expect(await operations.setPassword(ada, next)).toEqual({ ok: true, password: next });
    expect(await enter(ada)).toEqual(bad);
    expect(await enter(ada, next)).toEqual(good(ada));
  });

  test("is not let in when it is blocked or removed while its hash is checked", async () => {
    const first = await house();
    await first.enter(ada);
    await first.stop();
    const { enter, operations, slots } = await house({ path: first.path });
    slots.before = () => operations.block(ada, "");
    expect(await enter(ada)).toEqual(bad);
    operations.unblock(ada);
    slots.before = () => void operations.prune(ada);
    expect(await enter(ada)).toEqual(bad);
  });

  test("with a short name or password from elsewhere still logs in", async () => {
    const { enter, state } = await house({ accounts: { registration: "closed" } });
    state.accounts.create("x@example.org" as Address, { hash: "{PLAIN}pw", loggedIn: false });
    expect(await enter("x@example.org", "pw")).toEqual(good("x@example.org"));
  });

  test("without a hash counts as absent, and may be created", async () => {
    const first = await house();
    first.db.$client.run(`INSERT INTO passwords VALUES ('${ada}', '', 1)`);
    await first.stop();
    const { enter } = await house({ path: first.path });
    expect(await enter(ada, "")).toEqual(bad);
    expect(await enter(ada)).toEqual(good(ada));
    expect(await enter(ada, "another long password, wrong")).toEqual(bad);
  });

  test("keeps the day of its last login", async () => {
    const { enter, state, clock } = await house();
    await enter(ada);
    const first = state.accounts.get(ada)?.lastLoginAtSec ?? 0;
    clock.advance(3 * 86_400_000);
    await enter(ada);
    const { lastLoginAtSec = 0, firstLoginAtSec } = state.accounts.get(ada) ?? {};
    expect([lastLoginAtSec - first, lastLoginAtSec % 86_400, firstLoginAtSec]).toEqual([259_200, 0, first]);
  });
});

describe("an imported hash", () => {
  const salt = Buffer.alloc(32, 3);
  const sha256 = createHash("sha256").update(salt).update(password).digest("base64");
  const imported = `sha256:${salt.toString("base64")}:${sha256}`;

  test("is replaced at the first login, which stays remembered", async () => {
    const { enter, state, login, slots, db } = await house();
    state.accounts.create(ada, { hash: imported, loggedIn: false });
    expect(await enter(ada, "another long password, wrong")).toEqual(bad);
    expect(state.accounts.get(ada)?.hash).toBe(imported);
    expect(await enter(ada)).toEqual(good(ada));
    await login.settled();
    const hash = state.accounts.get(ada)?.hash;
    expect(hash).toStartWith("$argon2id$");
    expect(db.$client.query("SELECT hash FROM passwords").values()).toEqual([[hash ?? ""]]);
    const runs = slots.runs;
    expect(await enter(ada)).toEqual(good(ada));
    expect(slots.runs).toBe(runs);
  });

  test("is not replaced by a login that a change of password overtakes", async () => {
    const { enter, state, login } = await house();
    state.accounts.create(ada, { hash: imported, loggedIn: false });
    expect(await enter(ada)).toEqual(good(ada));
    state.accounts.setHash(ada, "{PLAIN}changed meanwhile");
    await login.settled();
    expect(state.accounts.get(ada)?.hash).toBe("{PLAIN}changed meanwhile");
  });
});

describe("failed logins", () => {
  const wrong = "wrong password, long enough";

  test("put a peer off after the limit, but not its neighbours whose client reconnects", async () => {
    const { enter, clock, slots } = await house({ limits: { failed_logins_per_minute: 3 } });
    await enter(ada);
    for (let i = 0; i < 3; i++) expect(await enter(ada, wrong)).toEqual(bad);
    const runs = slots.runs;
    expect(await enter(ada, wrong)).toEqual(unavailable);
    expect(await enter("new-account@example.org")).toEqual(unavailable);
    expect(slots.runs).toBe(runs);
    expect(await enter(ada)).toEqual(good(ada));
    expect(await enter(ada, wrong, "192.0.2.2")).toEqual(bad);
    clock.advance(20_000);
    expect(await enter(ada, wrong)).toEqual(bad);
    expect(await enter(ada, wrong)).toEqual(unavailable);
  });

  test("count for a whole /64, and for names that can't exist", async () => {
    const { enter } = await house({ limits: { failed_logins_per_minute: 2 } });
    expect(await enter("nobody", wrong, "2001:db8::1")).toEqual(bad);
    expect(await enter("someone@example.com", wrong, "2001:db8::2")).toEqual(bad);
    expect(await enter(ada, wrong, "2001:db8::ffff:3")).toEqual(unavailable);
    expect(await enter(ada, wrong, "2001:db8:0:1::1")).toEqual(good(ada));
  });

  test("sent all at once are not all tried", async () => {
    const { enter } = await house({
      limits: { failed_logins_per_minute: 3 },
      slots: new CountingSlots(1),
    });
    await enter(ada);
    const guesses = await Promise.all(Array.from({ length: 30 }, (_, i) => enter(ada, `${wrong} ${i}`)));
    const tried = guesses.filter((guess) => !guess.ok && guess.why === "badCredentials").length;
    expect(tried).toBeGreaterThanOrEqual(3);
    expect(tried).toBeLessThanOrEqual(5);
  });

  const alike: [string, (parts: Awaited<ReturnType<typeof house>>) => unknown][] = [
    ["unknown", () => undefined],
    [
      "known",
      ({ enter, state }) => {
        state.settings.setFlag(settingKeys.registrationOpen, true);
        return enter(ada).then(() => state.settings.setFlag(settingKeys.registrationOpen, false));
      },
    ],
    ["blocked", ({ operations }) => operations.block(ada, "")],
    ["deleted", ({ operations }) => operations.delete(ada, "")],
  ];
  test.each(alike)("cost one hash for a name that is %s", async (_, prepare) => {
    const parts = await house({ accounts: { registration: "closed" } });
    await prepare(parts);
    const before = parts.slots.runs;
    expect(await parts.enter(ada, wrong)).toEqual(bad);
    expect(parts.slots.runs - before).toBe(1);
  });
});

describe("an account with a token", () => {
  const tokens = { accounts: { token_required: true } };

  test("is handed out, counted at its first login, and can't be had twice", async () => {
    const { registration, state, enter, path, stop } = await house(tokens);
    state.tokens.create("invitation", { maxUses: 1 });
    const made = await registration.createAccount({ token: " invitation " });
    if (!made.ok) throw new Error(made.why);
    expect(made.address).toMatch(/^[a-z0-9]{9}@example\.org$/);
    expect(state.accounts.get(made.address)?.firstLoginAtSec).toBe(NEVER_LOGGED_IN);
    expect(state.tokens.get("invitation")).toMatchObject({ usedCount: 0, pending: 1 });
    expect(await registration.createAccount({ token: "invitation" })).toEqual({
      ok: false,
      why: "tokenUsedUp",
    });
    const entries = await Promise.all([
      enter(made.address, made.password),
      enter(made.address, made.password),
    ]);
    expect(entries).toEqual([good(made.address), good(made.address)]);
    expect(state.tokens.get("invitation")).toMatchObject({ usedCount: 1, pending: 0 });
    await stop();
    const again = await house({ ...tokens, path });
    expect(await again.enter(made.address, made.password)).toEqual(good(made.address));
    expect(again.state.tokens.get("invitation")).toMatchObject({ usedCount: 1, pending: 0 });
  });

  test("is removed at its first login when the token is gone, and whoever listens is told", async () => {
    const { registration, state, enter, revocations } = await house(tokens);
    state.tokens.create("invitation", { maxUses: 5 });
    const made = await registration.createAccount({ token: "invitation" });
    if (!made.ok) throw new Error(made.why);
    const told: string[] = [];
    revocations.onRevoked((user, why) => told.push(`${user} ${why}`));
    state.tokens.remove("invitation");
    expect(await enter(made.address, made.password)).toEqual(bad);
    expect(told).toEqual([`${made.address} removed`]);
    expect(state.accounts.size).toBe(0);
  });

  test("is kept when its first login could not be written", async () => {
    const { registration, state, enter, db } = await house(tokens);
    state.tokens.create("invitation", { maxUses: 1 });
    const made = await registration.createAccount({ token: "invitation" });
    if (!made.ok) throw new Error(made.why);
    db.$client.run("ALTER TABLE quotas RENAME TO away");
    expect(await enter(made.address, made.password)).toEqual(unavailable);
    expect(state.tokens.get("invitation")).toMatchObject({ usedCount: 0, pending: 1 });
    db.$client.run("ALTER TABLE away RENAME TO quotas");
    expect(await enter(made.address, made.password)).toEqual(good(made.address));
    expect(db.$client.query("SELECT used_count FROM registration_tokens").values()).toEqual([[1]]);
  });
});

describe("createAccount()", () => {
  test("hands out accounts that log in, without a token where none is needed", async () => {
    const { registration, enter, state } = await house();
    const made = await Promise.all([1, 2, 3].map(() => registration.createAccount({ token: "old link" })));
    for (const account of made) {
      if (!account.ok) throw new Error(account.why);
      expect(state.accounts.get(account.address)?.usedToken).toBeUndefined();
      expect(await enter(account.address, account.password)).toEqual(good(account.address));
    }
    expect(state.accounts.size).toBe(3);
  });

  const refused: [string, Setup, { token?: string }, string][] = [
    ["closed", { accounts: { registration: "closed" } }, {}, "closed"],
    [
      "closed, with an unknown token",
      { accounts: { registration: "closed" } },
      { token: "x" },
      "tokenUnknown",
    ],
    ["without a token", { accounts: { token_required: true } }, {}, "tokenRequired"],
    ["with an empty token", { accounts: { token_required: true } }, { token: " " }, "tokenRequired"],
    ["with an unknown token", { accounts: { token_required: true } }, { token: "x" }, "tokenUnknown"],
    ["with an expired token", { accounts: { token_required: true } }, { token: "old" }, "tokenExpired"],
    ["with a token of no uses", { accounts: { token_required: true } }, { token: "none" }, "tokenUsedUp"],
    ["while too many hashes wait", { slots: new CountingSlots(1, 0) }, {}, "unavailable"],
  ];
  test.each(refused)("says no when registration is %s", async (_, setup, request, why) => {
    const { registration, state, slots, clock } = await house(setup);
    state.tokens.create("old", { maxUses: 1, expiresAtSec: clock.nowMs() / 1000 });
    state.tokens.create("none", { maxUses: 0 });
    const gate = Promise.withResolvers<void>();
    if (why === "unavailable") void slots.run(() => gate.promise);
    expect(await registration.createAccount(request)).toEqual({ ok: false, why: why as never });
    gate.resolve();
    expect(state.accounts.size).toBe(0);
  });

  test("an invitation is an exception to closed registration", async () => {
    const { registration, state } = await house({ accounts: { registration: "closed" } });
    state.tokens.create("invitation", { maxUses: 1 });
    expect(await registration.createAccount({ token: "invitation" })).toMatchObject({ ok: true });
    expect(await registration.createAccount({})).toEqual({ ok: false, why: "closed" });
  });

  test("never gives one use of a token to two at the same moment", async () => {
    const { registration, state } = await house({ accounts: { token_required: true } });
    state.tokens.create("invitation", { maxUses: 2 });
    const asked = await Promise.all(
      Array.from({ length: 5 }, () => registration.createAccount({ token: "invitation" })),
    );
    expect(asked.filter((made) => made.ok)).toHaveLength(2);
    expect(state.accounts.size).toBe(2);
  });

  test("gives the token's use back when the account could not be written", async () => {
    const { registration, state, db, log } = await house({ accounts: { token_required: true } });
    state.tokens.create("invitation", { maxUses: 1 });
    db.$client.run("ALTER TABLE passwords RENAME TO away");
    expect(await registration.createAccount({ token: "invitation" })).toEqual({
      ok: false,
      why: "unavailable",
    });
    expect(state.tokens.get("invitation")?.pending).toBe(0);
    expect(log.times("accountCreated")).toBe(0);
  });

  test("gives up, in the end, when every name is taken", async () => {
    const rules = { username_min_length: 1, username_max_length: 1 };
    const { registration, state } = await house({ accounts: rules });
    for (const name of "abcdefghijklmnopqrstuvwxyz0123456789") {
      state.blocklist.add(`${name}@example.org` as Address, "");
    }
    expect(await registration.createAccount()).toEqual({ ok: false, why: "unavailable" });
  });
});

describe("AccountOperations", () => {
  test("create accounts while registration is closed, with names as short as one character", async () => {
    const { operations, enter } = await house({ accounts: { registration: "closed" } });
    const made = await operations.create("x");
    if (!made.ok) throw new Error(made.why);
    expect(await enter("x@example.org", made.password)).toEqual(good("x@example.org"));
    expect(await operations.create("Adalovelace@Example.org", password)).toEqual({
      ok: true,
      address: ada,
      password,
    });
    expect(await enter(ada)).toEqual(good(ada));
  });

  const refused: [string, string, string | undefined, string][] = [
    ["of another domain", "ada@example.com", undefined, "badAddress"],
    ["that is reserved", "root", undefined, "reserved"],
    ["with a plus", "ada+x", undefined, "badCharacter"],
    ["with a short password", "ada", "short", "passwordTooShort"],
    ["that exists", "taken", undefined, "exists"],
    ["that is blocked", "blocked", undefined, "blocked"],
  ];
  test.each(refused)("create no account %s", async (_, username, secret, why) => {
    const { operations, state } = await house();
    await operations.create("taken");
    operations.block("blocked@example.org" as Address, "");
    expect(await operations.create(username, secret)).toEqual({ ok: false, why: why as never });
    expect(state.accounts.size).toBe(1);
  });

  test("create one account of two at the same moment", async () => {
    const { operations } = await house();
    const made = await Promise.all([operations.create("ada"), operations.create("ada")]);
    // Which of the two hashes is done first is chance.
    expect(made.filter((result) => result.ok)).toHaveLength(1);
    expect(made).toContainEqual({ ok: false, why: "exists" });
  });

  test("delete for good, until unblocked", async () => {
    const { operations, enter, state, path, stop } = await house();
    await enter(ada);
    expect(operations.delete(ada, "asked for it")).toBe(true);
    expect(operations.delete(ada, "again")).toBe(false);
    expect(await enter(ada)).toEqual(bad);
    expect(state.accounts.size).toBe(0);
    await stop();
    const again = await house({ path });
    expect(await again.enter(ada)).toEqual(bad);
    expect(again.operations.unblock(ada)).toBe(true);
    expect(await again.enter(ada, "a new and long password")).toEqual(good(ada));
  });

  test("lock out and let in again with the same password", async () => {
    const { operations, enter } = await house();
    await enter(ada);
    operations.block(ada, "");
    expect(await enter(ada)).toEqual(bad);
    expect([operations.unblock(ada), operations.unblock(ada)]).toEqual([true, false]);
    expect(await enter(ada)).toEqual(good(ada));
  });

  test("tell listeners what they took away, until those stop listening", async () => {
    const { operations, revocations, enter } = await house();
    await enter(ada);
    const told: string[] = [];
    const end = revocations.onRevoked((user, why) => told.push(`${user} ${why}`));
    await operations.setPassword(ada, "the next long and random one");
    expect(await operations.setPassword(ada, "short")).toEqual({ ok: false, why: "passwordTooShort" });
    operations.block(ada, "");
    operations.prune(ada);
    operations.prune(ada);
    operations.delete(ada, "");
    end();
    operations.block(ada, "");
    expect(told).toEqual(["passwordChanged", "blocked", "removed", "removed"].map((why) => `${ada} ${why}`));
    expect(await operations.setPassword(ada, password)).toEqual({ ok: false, why: "unknown" });
  });
});
