import { describe, expect, test } from "bun:test";
import type { Address } from "../core/address.ts";
import { systemRandom } from "./names.ts";
import { VerifiedCache } from "./verified-cache.ts";

const users = ["a", "b", "c", "d"].map((name) => `${name}@example.org` as Address);
const [a, b, c, d] = users as [Address, Address, Address, Address];

describe("VerifiedCache", () => {
  test("knows the user, the stored hash and the password together, nothing else", () => {
    const cache = new VerifiedCache(systemRandom);
    cache.add(a, "hash", "password");
    expect(cache.has(a, "hash", "password")).toBe(true);
    expect(cache.has(a, "hash", "Password")).toBe(false);
    expect(cache.has(a, "other hash", "password")).toBe(false);
    expect(cache.has(b, "hash", "password")).toBe(false);
    cache.forget(a);
    expect(cache.has(a, "hash", "password")).toBe(false);
  });

  test("keeps the last password that was proved", () => {
    const cache = new VerifiedCache(systemRandom);
    cache.add(a, "hash", "one");
    cache.add(a, "hash 2", "two");
    expect([cache.has(a, "hash", "one"), cache.has(a, "hash 2", "two"), cache.size]).toEqual([
      false,
      true,
      1,
    ]);
  });

  test("is bounded: who logged in longest ago leaves first", () => {
    const cache = new VerifiedCache(systemRandom, 3);
    for (const user of [a, b, c]) cache.add(user, "h", "p");
    cache.has(a, "h", "p");
    cache.add(c, "h", "p");
    cache.add(d, "h", "p");
    expect(cache.size).toBe(3);
    expect(users.map((user) => cache.has(user, "h", "p"))).toEqual([true, false, true, true]);
  });

  test("digests differ between two processes", () => {
    const digest = () => new VerifiedCache(systemRandom).digest(a, "h", "p").toString("hex");
    expect(digest()).not.toBe(digest());
  });
});
