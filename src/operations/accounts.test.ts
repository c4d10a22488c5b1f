/** Accounts, blocklist, registration, tokens and quotas as operators have them, on real books and a real store. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { verifyPassword } from "../auth/hashes.ts";
import type { Address } from "../core/address.ts";
import { inboxOf, messageText } from "../storage/store.test-help.ts";
import { faultOf, House } from "./accounts.test-help.ts";

const size = messageText(1).length;
const ada = "ada@relay.test" as Address;
let house: House;

beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.dispose());

const call: House["operator"]["call"] = (...args) => house.operator.call(...args);

describe("accounts.create", () => {
  test("takes a local part, a password, and says neither more nor less than it must", async () => {
    const made = await call("accounts.create", { user: "Ada", password: "a password" });
    expect(made).toEqual({ address: ada, link: `dclogin:${ada}` });
    expect(await verifyPassword(house.state.accounts.get(ada)?.hash ?? "", "a password")).toBe(true);
    const other = await call("accounts.create", { user: "bob@two.test" });
    expect(other).toMatchObject({ address: "bob@two.test", password: expect.stringMatching(/^\w{24}$/) });
  });

  test.each([
    [{ user: "ada" }, "conflict: ada: this account exists already"],
    [{ user: "eve" }, "refused: eve: this name is blocked; unblock it first"],
    [{ user: "x@else.test" }, "invalid: x@else.test: expected an address at a domain of this relay"],
    [{ user: "a b" }, "invalid: a b: expected an address at a domain of this relay"],
    [{ user: "admin" }, "invalid: admin: this name is reserved for the operator of a mail server"],
    [
      { user: "new", password: "short" },
      "invalid: new: the password is shorter than accounts.password_min_length",
    ],
  ])("refuses %p", async (input, want) => {
    house.account("ada");
    house.state.blocklist.add("eve@relay.test" as Address, "");
    expect(await faultOf(call("accounts.create", input))).toBe(want);
    expect(house.state.accounts.size).toBe(1);
  });

  test("makes up a name of twelve and a password of twenty-four", async () => {
    const made = await call("accounts.createRandom", {});
    expect(made.address).toMatch(/^[a-z0-9]{12}@relay\.test$/);
    expect(made.password).toMatch(/^\w{24}$/);
    expect(house.state.accounts.has(made.address as Address)).toBe(true);
  });

  test("leaves an audit event without a name", async () => {
    await call("accounts.create", { user: "ada" });
    await faultOf(call("accounts.create", { user: "ada" }));
    const { events } = await call("audit.list", {});
    expect(events.map(({ operation, done }) => [operation, done])).toEqual([
      ["accounts.create", false],
      ["accounts.create", true],
    ]);
    expect(JSON.stringify([events, house.events])).not.toContain("ada");
  });
});

describe("accounts.list", () => {
  beforeEach(async () => {
    const bob = house.account("bob");
    house.account("ada@two.test", false);
    house.clock.advance(100 * 86_400_000);
    house.account("carol");
    await house.mail(bob);
    house.state.blocklist.add("carol@relay.test" as Address, "spam");
    house.state.accounts.setQuota(bob, 0);
  });
  const names = async (input: Parameters<typeof list>[0]) =>
    (await list(input)).accounts.map(({ user }) => user);
  const list = (input: {
    search?: string;
    filter?: "unused" | "blocked" | "dormant";
    limit?: number;
    offset?: number;
    descending?: boolean;
    sort?: "name" | "used" | "quota" | "created" | "lastLogin" | "firstLogin";
  }) => call("accounts.list", input);

  test("shows figures, and whose word the quota is", async () => {
    expect((await list({ search: "bob" })).accounts).toEqual([
      {
        user: "bob@relay.test",
        usedBytes: size,
        quotaBytes: 0,
        quotaSource: "user",
        createdAtSec: expect.any(Number),
        firstLoginAtSec: expect.any(Number),
        lastLoginAtSec: expect.any(Number),
        blocked: false,
      },
    ]);
  });

  test.each([
    [{}, ["ada@two.test", "bob@relay.test", "carol@relay.test"]],
    [{ descending: true }, ["carol@relay.test", "bob@relay.test", "ada@two.test"]],
    [{ search: "TWO" }, ["ada@two.test"]],
    [{ filter: "unused" as const }, ["ada@two.test"]],
    [{ filter: "blocked" as const }, ["carol@relay.test"]],
    [{ filter: "dormant" as const }, ["bob@relay.test"]],
    [{ sort: "used" as const, descending: true, limit: 1 }, ["bob@relay.test"]],
    [{ sort: "created" as const, offset: 2 }, ["carol@relay.test"]],
    [{ sort: "firstLogin" as const, limit: 1 }, ["ada@two.test"]],
    [{ sort: "quota" as const, limit: 1 }, ["bob@relay.test"]],
  ])("finds with %p", async (input, want) => {
    expect(await names(input)).toEqual(want);
    expect(await list(input)).toMatchObject({ total: 3 });
  });
});

describe("accounts.info and accounts.status", () => {
  test("tell of an account, its mail and its sessions", async () => {
    house.account("ada");
    await house.mail(ada, "INBOX");
    await house.mail(ada, "A/B");
    expect(await call("accounts.info", { user: "ada" })).toMatchObject({
      user: ada,
      exists: true,
      usedBytes: 2 * size,
      messageCount: 2,
      mailboxes: ["INBOX", "A/B"],
      quotaSource: "default",
      devices: 0,
      sessions: 2,
      blocked: false,
    });
    expect(await faultOf(call("accounts.info", { user: "bob" }))).toBe(
      "notFound: bob@relay.test: there is no such account",
    );
    expect(house.store.exists("bob@relay.test" as Address)).toBe(false);
  });

  test("a blocked name without an account has its reason", async () => {
    await call("blocklist.add", { user: "eve", reason: "spam" });
    expect(await call("accounts.info", { user: "eve" })).toMatchObject({
      exists: false,
      blocked: true,
      blockedReason: "spam",
    });
  });

  test("count accounts, unused ones, names that are blocked, and mailboxes", async () => {
    house.account("ada");
    house.account("new", false);
    await house.mail(ada);
    await call("blocklist.add", { user: "eve" });
    expect(await call("accounts.status", {})).toMatchObject({
      accounts: 2,
      unused: 1,
      blocked: 1,
      mailDirectories: 1,
      registrationOpen: true,
      tokenRequired: false,
      jit: true,
      domains: ["relay.test", "two.test"],
    });
  });
});

describe("taking away", () => {
  test("delete takes account, mail, sessions and name, and has done so when it answers", async () => {
    house.account("ada");
    await house.mail(ada);
    const inbox = await inboxOf(house.store, ada);
    expect(await call("accounts.delete", { user: "ada", reason: "left" })).toEqual({
      address: ada,
      deleted: true,
      blocked: true,
    });
    expect(inbox.messages).toEqual([]);
    expect([house.store.exists(ada), house.state.accounts.has(ada)]).toEqual([false, false]);
    expect(house.state.blocklist.get(ada)?.reason).toBe("left");
    expect(house.revoked).toEqual([`removed ${ada}`]);
    expect(await faultOf(call("accounts.delete", { user: "ada" }))).toStartWith("notFound");
  });

  test("with keepMail and without a block, the next one with that name finds the mail", async () => {
    house.account("ada");
    await house.mail(ada);
    await call("accounts.delete", { user: "ada", keepMail: true, block: false });
    expect([house.state.accounts.has(ada), house.state.blocklist.has(ada)]).toEqual([false, false]);
    expect(house.revoked).toEqual([`retired ${ada}`]);
    await call("accounts.create", { user: "ada" });
    expect(await call("accounts.info", { user: "ada" })).toMatchObject({ messageCount: 1 });
  });

  test("mail that an account left behind can be deleted, too", async () => {
    await house.mail(ada);
    expect(await call("accounts.delete", { user: "ada", block: false })).toMatchObject({ deleted: false });
    expect(house.store.exists(ada)).toBe(false);
  });

  test("ban works on names that nobody has, and unban lets them be taken", async () => {
    expect(await call("accounts.ban", { user: "eve" })).toEqual({
      address: "eve@relay.test",
      deleted: false,
      blocked: true,
    });
    expect(await faultOf(call("accounts.create", { user: "eve" }))).toStartWith("refused");
    await call("accounts.unban", { user: "eve" });
    await call("accounts.create", { user: "eve" });
    expect(await faultOf(call("accounts.unban", { user: "eve" }))).toBe(
      "notFound: eve@relay.test is not blocked",
    );
    expect(await faultOf(call("accounts.ban", { user: "eve@else.test" }))).toStartWith("invalid");
  });

  test("blocking ends sessions and deletes nothing", async () => {
    house.account("ada");
    await house.mail(ada);
    await call("blocklist.add", { user: "ada" });
    expect(house.revoked).toEqual([`blocked ${ada}`]);
    expect((await call("blocklist.list", {})).blocked).toMatchObject([
      { user: ada, reason: "manually blocked" },
    ]);
    expect(await call("accounts.info", { user: "ada" })).toMatchObject({ exists: true, messageCount: 1 });
    await call("blocklist.add", { user: "bob" });
    await call("blocklist.remove", { user: "ada" });
    expect(await call("blocklist.clear", {})).toEqual({ removed: 1 });
    expect(await call("blocklist.list", {})).toEqual({ total: 0, blocked: [] });
    expect(await faultOf(call("blocklist.remove", { user: "ada" }))).toStartWith("notFound");
  });

  test("a new password ends sessions", async () => {
    house.account("ada");
    const { password } = await call("accounts.setPassword", { user: "ada" });
    expect(await verifyPassword(house.state.accounts.get(ada)?.hash ?? "", password ?? "")).toBe(true);
    expect(house.revoked).toEqual([`passwordChanged ${ada}`]);
    expect(await call("accounts.setPassword", { user: "ada", password: "another one" })).not.toHaveProperty(
      "password",
    );
    expect(await faultOf(call("accounts.setPassword", { user: "bob" }))).toStartWith("notFound");
  });
});

describe("registration and tokens", () => {
  test("are changed one by one, and tokens stand in the way of accounts at login", async () => {
    const all = { open: true, jit: true, jitInForce: true, tokenRequired: false };
    expect(await call("registration.get", {})).toEqual(all);
    expect(await call("registration.set", { tokenRequired: true })).toEqual({
      ...all,
      jitInForce: false,
      tokenRequired: true,
    });
    expect(await call("registration.set", { open: false, tokenRequired: false, jit: false })).toEqual({
      open: false,
      jit: false,
      jitInForce: false,
      tokenRequired: false,
    });
  });

  test("a token is made, changed, used up, expired and taken away", async () => {
    const made = await call("tokens.create", { maxUses: 2, comment: "club", expiresIn: "7d" });
    expect(made).toMatchObject({ created: true, maxUses: 2, comment: "club", status: "active", pending: 0 });
    expect(made.token).toMatch(/^[a-z0-9]{24}$/);
    expect(made.expiresAtSec).toBe(made.createdAtSec + 7 * 86_400);
    const { token } = made;
    expect(await call("tokens.create", { token, maxUses: 1 })).toMatchObject({
      created: false,
      maxUses: 1,
      comment: "",
      expiresAtSec: null,
    });
    house.state.tokens.reserve(token);
    expect(await call("tokens.status", { token })).toMatchObject({ status: "exhausted", pending: 1 });
    const soon = Math.floor(house.clock.nowMs() / 1000) + 60;
    await call("tokens.create", { token, expiresAt: soon, expiresIn: "9d" });
    house.clock.advance(60_000);
    expect((await call("tokens.list", {})).tokens).toMatchObject([
      { token, status: "expired", expiresAtSec: soon },
    ]);
    expect(await call("tokens.remove", { token })).toEqual({ token, pending: 1 });
    expect(await faultOf(call("tokens.status", { token }))).toBe("notFound: there is no such token");
  });

  test.each([
    [{ maxUses: 0 }],
    [{ token: "a b" }],
    [{ expiresIn: "soon" }],
    [{ expiresIn: "-1h" }],
    [{ expiresAt: -1 }],
  ])("a token with %p is refused", async (input) => {
    expect(await faultOf(call("tokens.create", input))).toStartWith("invalid: ");
  });

  test.each([
    ["", null],
    ["0", null],
    ["90", 90],
    ["15m", 900],
    ["72h", 259_200],
  ])("a token that expires in %p has %p seconds", async (expiresIn, want) => {
    const { createdAtSec, expiresAtSec } = await call("tokens.create", { expiresIn });
    expect(expiresAtSec === null ? null : expiresAtSec - createdAtSec).toBe(want);
  });
});

describe("quotas", () => {
  test("of user, domain and default take effect at once, in that order, and can be taken back", async () => {
    house.account("ada");
    await house.mail(ada);
    const seen = async () => {
      const { quotaBytes, source, usedBytes } = await call("quota.get", { user: "ada" });
      expect([usedBytes, house.state.accounts.quotaBytes(ada)]).toEqual([size, quotaBytes]);
      return [quotaBytes, source];
    };
    expect(await seen()).toEqual([500 * 2 ** 20, "default"]);
    expect(await call("quota.setDefault", { bytes: 9000 })).toEqual({ defaultBytes: 9000 });
    expect(await seen()).toEqual([9000, "default"]);
    await call("quota.setDomain", { domain: "Relay.Test", bytes: 7000 });
    expect(await seen()).toEqual([7000, "domain"]);
    expect(await call("quota.set", { user: "ada", bytes: 0 })).toMatchObject({
      quotaBytes: 0,
      source: "user",
    });
    expect(await seen()).toEqual([0, "user"]);
    expect(await call("quota.domain", { domain: "relay.test" })).toEqual({
      domain: "relay.test",
      usedBytes: size,
      quotaBytes: 7000,
      isSet: true,
      users: [{ user: ada, usedBytes: size, quotaOverride: 0 }],
    });
    await call("quota.reset", { user: "ada" });
    expect(await seen()).toEqual([7000, "domain"]);
    expect(await call("quota.resetDomain", { domain: "relay.test" })).toMatchObject({
      quotaBytes: 9000,
      isSet: false,
    });
    await call("quota.resetDefault", {});
    expect(await seen()).toEqual([500 * 2 ** 20, "default"]);
    await call("quota.setDefault", { bytes: 0 });
    expect(await seen()).toEqual([0, "none"]);
  });

  test("are summed up over all accounts", async () => {
    house.account("ada");
    const bob = house.account("bob@two.test");
    for (const user of [ada, bob, bob]) await house.mail(user);
    await call("quota.setDomain", { domain: "two.test", bytes: 5 });
    expect(await call("quota.summary", {})).toEqual({
      totalBytes: 3 * size,
      accounts: 2,
      defaultBytes: 500 * 2 ** 20,
      domains: [{ domain: "two.test", quotaBytes: 5 }],
    });
    expect(await call("quota.domain", { domain: "nowhere.test" })).toMatchObject({ usedBytes: 0, users: [] });
  });

  test.each([[-1], [1.5], [2 ** 60], [Number.NaN]])("of %p bytes are refused", async (bytes) => {
    house.account("ada");
    for (const work of [
      call("quota.set", { user: "ada", bytes }),
      call("quota.setDomain", { domain: "relay.test", bytes }),
      call("quota.setDefault", { bytes }),
    ]) {
      expect(await faultOf(work)).toStartWith("invalid: ");
    }
    expect(house.state.accounts.quota(ada).source).toBe("default");
  });

  test("of nobody are refused", async () => {
    for (const work of [
      call("quota.get", { user: "bob" }),
      call("quota.set", { user: "bob", bytes: 1 }),
      call("quota.reset", { user: "bob" }),
    ]) {
      expect(await faultOf(work)).toBe("notFound: bob@relay.test: there is no such account");
    }
  });
});
