import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Address } from "../core/address.ts";
import { ManualClock } from "../core/clock.ts";
import { DeviceTokens } from "./device-tokens.ts";
import { closeDatabase, type Db, openDatabase } from "./open.ts";

const DAY_MS = 86_400_000;
const alice = "alice@r.test" as Address;
const bob = "bob@r.test" as Address;
const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).toReversed()) step();
});

function fresh(): { tokens: DeviceTokens; clock: ManualClock; db: Db } {
  const dir = mkdtempSync(join(tmpdir(), "madmail-tokens-"));
  undo.push(() => rmSync(dir, { recursive: true }));
  const db = openDatabase(join(dir, "t.db"));
  undo.push(() => closeDatabase(db));
  const clock = new ManualClock();
  return { tokens: new DeviceTokens(db, clock), clock, db };
}

test("each device adds its token, once, to its user only", () => {
  const { tokens } = fresh();
  expect(tokens.add(alice, "1111")).toBe(true);
  tokens.add(alice, "2222");
  tokens.add(alice, "1111 ");
  tokens.add(bob, "3333");
  expect(tokens.of(alice)).toEqual(["1111", "2222"]);
  tokens.removeAll(alice);
  expect(tokens.of(alice)).toEqual([]);
  expect(tokens.of(bob)).toEqual(["3333"]);
});

test("a token that no device names for 90 days is gone", () => {
  const { tokens, clock } = fresh();
  tokens.add(alice, "old");
  clock.advance(60 * DAY_MS);
  tokens.add(alice, "new");
  clock.advance(31 * DAY_MS);
  expect(tokens.of(alice)).toEqual(["new"]);
  tokens.expire();
  expect(tokens.of(alice)).toEqual(["new"]);
});

test("what can't be a token is refused, and the number of devices is bounded", () => {
  const { tokens, clock } = fresh();
  for (const bad of ["", "  ", "a b", "ü", "x".repeat(8193)]) expect(tokens.add(alice, bad)).toBe(false);
  for (let i = 0; i < 20; i++) {
    clock.advance(DAY_MS);
    tokens.add(alice, `t${i}`);
  }
  expect(tokens.of(alice)).toHaveLength(16);
  expect(tokens.of(alice)).not.toContain("t0");
  expect(tokens.of(alice)).toContain("t19");
});
