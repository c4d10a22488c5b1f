import { expect, test } from "bun:test";
import { ManualClock } from "../core/clock.ts";
import { RateLimiter } from "./rate.ts";

test("take() lets a burst through, then one per interval", () => {
  const clock = new ManualClock();
  const limiter = new RateLimiter({ perMinute: 60, burst: 10 }, clock);
  expect(Array.from({ length: 12 }, () => limiter.take("a")).filter(Boolean)).toHaveLength(10);
  expect(limiter.waitMs("a")).toBe(1000);
  clock.advance(999);
  expect(limiter.take("a")).toBe(false);
  clock.advance(1);
  expect(limiter.take("a")).toBe(true);
  expect(limiter.take("a")).toBe(false);
  clock.advance(60_000);
  expect(Array.from({ length: 12 }, () => limiter.take("a")).filter(Boolean)).toHaveLength(10);
});

test("keys do not touch each other", () => {
  const limiter = new RateLimiter({ perMinute: 1, burst: 1 }, new ManualClock());
  expect([limiter.take("a"), limiter.take("a"), limiter.take("b")]).toEqual([true, false, true]);
});

test("a rate of 0 is no limit and keeps nothing", () => {
  const limiter = new RateLimiter({ perMinute: 0, burst: 1 }, new ManualClock());
  expect(Array.from({ length: 100 }, () => limiter.take("a")).every(Boolean)).toBe(true);
  expect(limiter.size).toBe(0);
});

test("allows() counts nothing, count() counts even beyond the limit", () => {
  const clock = new ManualClock();
  const limiter = new RateLimiter({ perMinute: 60, burst: 1 }, clock);
  expect([limiter.allows("a"), limiter.allows("a")]).toEqual([true, true]);
  limiter.count("a");
  limiter.count("a");
  limiter.count("a");
  clock.advance(2999);
  expect(limiter.allows("a")).toBe(false);
  clock.advance(1);
  expect(limiter.allows("a")).toBe(true);
});

test("change() holds for what comes next", () => {
  const limiter = new RateLimiter({ perMinute: 60, burst: 1 }, new ManualClock());
  limiter.count("a");
  expect(limiter.allows("a")).toBe(false);
  limiter.change({ perMinute: 60, burst: 5 });
  expect(limiter.allows("a")).toBe(true);
});

test("memory is bounded, and idle keys leave first", () => {
  const clock = new ManualClock();
  const limiter = new RateLimiter({ perMinute: 60, burst: 1, keysMax: 1500 }, clock);
  for (let i = 0; i < 1023; i++) limiter.count(`idle${i}`);
  clock.advance(60_000);
  for (let i = 0; i < 1000; i++) limiter.count(`busy${i}`);
  expect(limiter.size).toBe(1000);
  for (let i = 0; i < 5000; i++) limiter.count(`more${i}`);
  expect(limiter.size).toBe(1500);
  expect(limiter.allows("more4999")).toBe(false);
});
