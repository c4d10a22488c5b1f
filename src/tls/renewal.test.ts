import { describe, expect, test } from "bun:test";
import { alarmAtMs, renewAtMs, retryDelayMs } from "./renewal.ts";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

describe("a certificate is renewed when two thirds of its life are over", () => {
  for (const [days, latestDaysLeft, earliestDaysLeft, alarmDaysLeft] of [
    [90, 30, 33.75, 18],
    [45, 15, 16.875, 9],
    [6, 2, 2.25, 1.2],
    [160 / 24, 160 / 72, 2.5, 160 / 120],
  ] as const) {
    test(`of ${days} days`, () => {
      const validity = { notBeforeMs: 0, notAfterMs: days * DAY_MS };
      const left = (ms: number) => (validity.notAfterMs - ms) / DAY_MS;
      expect(left(renewAtMs(validity, 0))).toBeCloseTo(latestDaysLeft, 5);
      expect(left(renewAtMs(validity, 1))).toBeCloseTo(earliestDaysLeft, 5);
      expect(left(alarmAtMs(validity))).toBeCloseTo(alarmDaysLeft, 5);
    });
  }
});

describe("the pause after a failure", () => {
  const minutes = (failures: number, facts: Parameters<typeof retryDelayMs>[1], chance = 0.5) =>
    retryDelayMs(failures, facts, chance) / MINUTE_MS;

  test("doubles up to six hours, a fifth more or less", () => {
    const own = [1, 2, 3, 4, 5, 6, 7, 100].map((failures) => minutes(failures, { why: "unreachable" }));
    expect(own).toEqual([10, 20, 40, 80, 160, 320, 360, 360]);
    expect(minutes(1, { why: "refused" }, 0)).toBe(8);
    expect(minutes(1, { why: "refused" }, 1)).toBe(12);
  });

  test("stays below five failed proofs an hour", () => {
    const starts = [0];
    for (let failures = 1; failures < 6; failures++) {
      starts.push((starts.at(-1) ?? 0) + retryDelayMs(failures, { why: "challengeFailed" }, 0));
    }
    expect(starts.filter((ms) => ms < HOUR_MS).length).toBeLessThan(5);
  });

  test("is never shorter than the authority asked", () => {
    for (const chance of [0, 0.5, 1]) {
      expect(
        retryDelayMs(1, { why: "rateLimited", retryAfterMs: 5 * HOUR_MS }, chance),
      ).toBeGreaterThanOrEqual(5 * HOUR_MS);
      expect(retryDelayMs(1, { why: "rateLimited" }, chance)).toBeGreaterThanOrEqual(HOUR_MS);
    }
  });

  test("believes no authority for longer than a week or so", () => {
    expect(retryDelayMs(1, { why: "rateLimited", retryAfterMs: 1e12 }, 1)).toBeLessThan(9 * DAY_MS);
  });
});
