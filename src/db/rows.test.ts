import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Address } from "../core/address.ts";
import { type AccountRow, AccountRows } from "./accounts.ts";
import { BlockRows } from "./blocklist.ts";
import { MessageStatRows } from "./message-stats.ts";
import { openDatabase } from "./open.ts";
import { GLOBAL_QUOTA_USER, NEVER_LOGGED_IN } from "./schema.ts";
import { TokenRows } from "./tokens.ts";

const ada = "ada@example.org" as Address;
const row = (changes: Partial<AccountRow> = {}): AccountRow => ({
  hash: "hash",
  createdAtSec: 1000,
  firstLoginAtSec: NEVER_LOGGED_IN,
  lastLoginAtSec: 0,
  quotaBytes: 0,
  usedToken: undefined,
  ...changes,
});
const root = mkdtempSync(join(tmpdir(), "madmail-rows-"));
afterAll(() => rmSync(root, { recursive: true }));
const fresh = () => openDatabase(join(root, `${crypto.randomUUID()}.db`));

describe("AccountRows", () => {
  test("gives back what was inserted, token and all", () => {
    const rows = new AccountRows(fresh());
    const given = row({ quotaBytes: 5, usedToken: "t" });
    expect(rows.insert(ada, given)).toBe(true);
    expect(rows.get(ada)).toEqual(given);
  });

  test("never overwrites an account", () => {
    const rows = new AccountRows(fresh());
    rows.insert(ada, row({ quotaBytes: 7 }));
    expect(rows.insert(ada, row({ hash: "other" }))).toBe(false);
    expect(rows.get(ada)).toEqual(row({ quotaBytes: 7 }));
  });

  test("takes an empty hash for no account, which may be created anew", () => {
    const rows = new AccountRows(fresh());
    rows.insert(ada, row({ hash: "" }));
    expect(rows.get(ada)).toBeUndefined();
    const seen: Address[] = [];
    rows.forEach((user) => seen.push(user));
    expect(seen).toEqual([]);
    expect(rows.insert(ada, row({ hash: "new" }))).toBe(true);
    expect(rows.get(ada)?.hash).toBe("new");
  });

  test("reads an imported password without a quota row as never logged in", () => {
    const db = fresh();
    db.$client.run("INSERT INTO passwords VALUES ('ada@example.org', 'h', 5)");
    expect(new AccountRows(db).get(ada)).toEqual(row({ hash: "h", createdAtSec: 5 }));
  });

  test("keeps quota and logins apart", () => {
    const rows = new AccountRows(fresh());
    rows.insert(ada, row());
    rows.setLogins(ada, 86_400, 172_800);
    rows.setQuota(ada, 99);
    expect(rows.get(ada)).toEqual(row({ firstLoginAtSec: 86_400, lastLoginAtSec: 172_800, quotaBytes: 99 }));
  });

  test("forgets an account with its quota, so that a new one starts afresh", () => {
    const rows = new AccountRows(fresh());
    rows.insert(ada, row({ quotaBytes: 7 }));
    rows.remove(ada);
    expect(rows.get(ada)).toBeUndefined();
    rows.insert(ada, row());
    expect(rows.get(ada)?.quotaBytes).toBe(0);
  });

  test("keeps the server's default quota under its own name", () => {
    const rows = new AccountRows(fresh());
    expect(rows.globalQuotaBytes()).toBe(0);
    rows.setQuota(GLOBAL_QUOTA_USER, 12);
    rows.setQuota(GLOBAL_QUOTA_USER, 13);
    expect(rows.globalQuotaBytes()).toBe(13);
  });
});

describe("TokenRows", () => {
  const token = { maxUses: 2, usedCount: 0, comment: "", expiresAtSec: undefined, createdAtSec: 1 };

  test("counts uses up to the limit and not beyond", () => {
    const rows = new TokenRows(fresh());
    rows.insert("t", token);
    expect([rows.consume("t"), rows.consume("t"), rows.consume("t"), rows.consume("none")]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  test("adds a name once", () => {
    const rows = new TokenRows(fresh());
    expect([rows.insert("t", token), rows.insert("t", { ...token, maxUses: 9 })]).toEqual([true, false]);
    const seen: number[] = [];
    rows.forEach((_, { maxUses }) => seen.push(maxUses));
    expect(seen).toEqual([2]);
  });
});

test("BlockRows keep the last reason and forget what is unblocked", () => {
  const rows = new BlockRows(fresh());
  rows.put(ada, { reason: "first", blockedAtSec: 1 });
  rows.put(ada, { reason: "second", blockedAtSec: 2 });
  const seen: string[] = [];
  rows.forEach((user, { reason, blockedAtSec }) => seen.push(`${user} ${reason} ${blockedAtSec}`));
  expect(seen).toEqual(["ada@example.org second 2"]);
  rows.remove(ada);
  rows.forEach(() => seen.push("more"));
  expect(seen).toHaveLength(1);
});

test("MessageStatRows add up", () => {
  const rows = new MessageStatRows(fresh());
  rows.add("sent_messages", 2);
  rows.add("sent_messages", 3);
  const seen: [string, number][] = [];
  rows.forEach((name, count) => seen.push([name, count]));
  expect(seen).toEqual([["sent_messages", 5]]);
});
