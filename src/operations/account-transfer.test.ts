/** Accounts by the lot: out, in, away. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { verifyPassword } from "../auth/hashes.ts";
import type { Address } from "../core/address.ts";
import { faultOf, House } from "./accounts.test-help.ts";

const ada = "ada@relay.test" as Address;
let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.dispose());
const call: House["operator"]["call"] = (...args) => house.operator.call(...args);

test("what one relay exports another imports, passwords and all, and the second time nothing happens", async () => {
  await call("accounts.create", { user: "ada", password: "ada's password" });
  await call("accounts.createRandom", {});
  const { users } = await call("accounts.export", {});
  const other = await House.open();
  try {
    expect(await other.operator.call("accounts.import", { users })).toEqual({
      imported: 2,
      skipped: 0,
      errors: [],
    });
    expect(await verifyPassword(other.state.accounts.get(ada)?.hash ?? "", "ada's password")).toBe(true);
    expect(await other.operator.call("accounts.import", { users })).toEqual({
      imported: 0,
      skipped: 2,
      errors: [],
    });
    expect(await other.operator.call("accounts.export", {})).toEqual({ users });
  } finally {
    await other.dispose();
  }
});

test("an import takes all formats of hashes and passwords, and says of each other line why not", async () => {
  house.state.blocklist.add("eve@relay.test" as Address, "");
  const sha = "sha256:c2FsdHNhbHQ=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  const result = await call("accounts.import", {
    users: [
      { username: "a1", hash: sha },
      { username: "a2@two.test", hash: "$2b$10$abcdefghijklmnopqrstuv0123456789012345678901234567890" },
      { username: "a3", password: "a good password" },
      { username: "a4" },
      { username: "a5", password: "", hash: "" },
      { username: "eve", hash: sha },
      { username: "", hash: sha },
      { username: "b1", hash: "md5:nonsense" },
      { username: "b2", password: "short" },
      { username: "x@else.test", hash: sha },
    ],
  });
  expect(result).toMatchObject({ imported: 5, skipped: 5 });
  expect(result.errors.sort()).toEqual([
    "an entry without a username: expected an address at a domain of this relay",
    "b1: a hash in no format that is known here",
    "b2: the password is shorter than accounts.password_min_length",
    "eve: this name is blocked; unblock it first",
    "x@else.test: expected an address at a domain of this relay",
  ]);
  expect(house.state.accounts.get("a1@relay.test" as Address)?.hash).toBe(sha);
  expect(await faultOf(call("accounts.import", { users: [] }))).toStartWith("invalid");
});

test("delete-all takes and blocks everybody", async () => {
  house.account("ada");
  house.account("bob@two.test");
  await house.mail(ada);
  expect(await call("accounts.deleteAll", {})).toEqual({ deleted: 2 });
  expect([house.state.accounts.size, house.state.blocklist.size, await house.store.users()]).toEqual([
    0,
    2,
    [],
  ]);
  expect(house.revoked).toEqual([`removed ${ada}`, "removed bob@two.test"]);
});

test("prune takes accounts that were never used and are old enough, and frees their names", async () => {
  house.account("old", false);
  house.account("used");
  house.clock.advance(86_400_000);
  house.account("young", false);
  expect(await call("accounts.prune", { olderThan: "12h", dryRun: true })).toEqual({ accounts: 1 });
  expect(house.state.accounts.size).toBe(3);
  expect(await call("accounts.prune", { olderThan: "12h" })).toEqual({ accounts: 1 });
  expect([...house.state.accounts.entries()].map(([user]) => user)).toEqual([
    "used@relay.test",
    "young@relay.test",
  ] as Address[]);
  expect(house.state.blocklist.size).toBe(0);
});
