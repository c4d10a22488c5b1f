/**
 * How often somebody may do something: the generic cell rate algorithm, one number per key. A key that has been
 * quiet long enough is indistinguishable from one never seen, so forgetting it is free; that bounds the memory.
 */
import type { Clock } from "../core/clock.ts";

/** Keys kept at most, about 100 bytes each. Beyond it the longest known go first, idle or not. */
const KEYS_MAX = 100_000;
/** Additions between two looks for idle keys: spreads the cost of a sweep over as many calls. */
const SWEEP_EVERY_MIN = 1024;

export interface RateOptions {
  /** Uses per minute in the long run; 0 is unlimited. */
  perMinute: number;
  /** Uses at once before the rate counts; at least 1. */
  burst: number;
  /** Keys remembered at most. */
  keysMax?: number;
}

export class RateLimiter {
  readonly #clock: Clock;
  readonly #keysMax: number;
  #intervalMs = 0;
  #toleranceMs = 0;
  /** Theoretical arrival time of the next use, monotonic milliseconds. */
  readonly #nextDueMs = new Map<string, number>();
  #untilSweep = SWEEP_EVERY_MIN;

  constructor(options: RateOptions, clock: Clock) {
    this.#clock = clock;
    this.#keysMax = options.keysMax ?? KEYS_MAX;
    this.change(options);
  }

  /** Keys in memory; for tests and metrics. */
  get size(): number {
    return this.#nextDueMs.size;
  }

  /** New limits, for instance after a reload. What was used so far still counts. */
  change(options: Pick<RateOptions, "perMinute" | "burst">): void {
    this.#intervalMs = options.perMinute === 0 ? 0 : 60_000 / options.perMinute;
    this.#toleranceMs = (options.burst - 1) * this.#intervalMs;
  }

  /** Whether one more use would be within the limit. Counts nothing. */
  allows(key: string): boolean {
    return this.waitMs(key) === 0;
  }

  /** Milliseconds until the next use is within the limit; 0 when it is now. */
  waitMs(key: string): number {
    if (this.#intervalMs === 0) return 0;
    const dueMs = this.#nextDueMs.get(key);
    if (dueMs === undefined) return 0;
    return Math.max(0, dueMs - this.#toleranceMs - this.#clock.monotonicMs());
  }

  /** Counts one use, within the limit or not: those who slip through side by side pay it back later. */
  count(key: string): void {
    if (this.#intervalMs === 0) return;
    const nowMs = this.#clock.monotonicMs();
    const dueMs = this.#nextDueMs.get(key);
    if (dueMs === undefined) this.#makeRoom(nowMs);
    this.#nextDueMs.set(key, Math.max(dueMs ?? nowMs, nowMs) + this.#intervalMs);
  }

  /** `allows` and, if so, `count`. */
  take(key: string): boolean {
    const allowed = this.allows(key);
    if (allowed) this.count(key);
    return allowed;
  }

  #makeRoom(nowMs: number): void {
    this.#untilSweep -= 1;
    if (this.#untilSweep <= 0) {
      for (const [key, dueMs] of this.#nextDueMs) if (dueMs <= nowMs) this.#nextDueMs.delete(key);
      this.#untilSweep = Math.max(SWEEP_EVERY_MIN, this.#nextDueMs.size);
    }
    while (this.#nextDueMs.size >= this.#keysMax) {
      const [oldest] = this.#nextDueMs.keys();
      if (oldest === undefined) return;
      this.#nextDueMs.delete(oldest);
    }
  }
}
