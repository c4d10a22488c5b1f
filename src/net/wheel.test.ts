import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { type CancelTimer, ManualClock } from "../core/clock.ts";
import { Wheel, WHEEL_SLOT_MS, type WheelEntry, wheelOf } from "./wheel.ts";

/** Records when it was reached before and at its deadline. */
class Entry implements WheelEntry {
  wheelSlot = 0;
  dueMs: number;
  readonly reachedMs: number[] = [];

  constructor(dueMs: number) {
    this.dueMs = dueMs;
  }

  deadlineReached(nowMs: number): number {
    if (nowMs < this.dueMs) return this.dueMs;
    this.reachedMs.push(nowMs);
    return 0;
  }
}

class CountingClock extends ManualClock {
  armed = 0;
  override after(delayMs: number, work: () => void): CancelTimer {
    this.armed++;
    return super.after(delayMs, work);
  }
}

describe("Wheel", () => {
  test("meets each deadline once, never early and at most two slots late", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 100_000 }), { maxLength: 30 }), (delays) => {
        const clock = new ManualClock(1234);
        const wheel = new Wheel(clock);
        const entries = delays.map((delay) => new Entry(1234 + delay));
        for (const entry of entries) wheel.add(entry, entry.dueMs);
        for (let i = 0; i < 210; i++) clock.advance(500);
        for (const entry of entries) {
          expect(entry.reachedMs.length).toBe(1);
          const lateMs = (entry.reachedMs[0] ?? 0) - entry.dueMs;
          expect(lateMs).toBeGreaterThanOrEqual(0);
          expect(lateMs).toBeLessThanOrEqual(2 * WHEEL_SLOT_MS);
        }
      }),
    );
  });

  test("a deadline can move in both directions, and be taken back", () => {
    const clock = new ManualClock(0);
    const wheel = new Wheel(clock);
    const [later, sooner, gone] = [new Entry(10_000), new Entry(100_000), new Entry(10_000)];
    for (const entry of [later, sooner, gone]) wheel.add(entry, entry.dueMs);
    later.dueMs = 50_000;
    sooner.dueMs = 20_000;
    wheel.add(sooner, sooner.dueMs);
    wheel.remove(gone);
    clock.advance(30_000);
    expect([later.reachedMs.length, sooner.reachedMs.length]).toEqual([0, 1]);
    clock.advance(30_000);
    expect([later.reachedMs.length, gone.reachedMs.length]).toEqual([1, 0]);
  });

  test("arms no timer without deadlines, and one for thousands", () => {
    const clock = new CountingClock(0);
    const wheel = wheelOf(clock);
    expect(wheelOf(clock)).toBe(wheel);
    for (let i = 0; i < 5000; i++) wheel.add(new Entry(3000), 3000);
    expect(clock.armed).toBe(1);
    clock.advance(10_000);
    const { armed } = clock;
    clock.advance(100_000);
    expect(clock.armed).toBe(armed);
  });
});
