/**
 * Rests while the notification service fails, so that a dead service costs nothing and a weak one is not beaten.
 * After a rest one attempt goes first; the next rest is twice as long.
 */

export const FAILURES_MAX = 5;
const REST_MIN_MS = 60_000;
const REST_MAX_MS = 3_600_000;

export class Breaker {
  #failures = 0;
  #restMs = 0;
  #restUntilMs = 0;

  /** Whether it waits for the service to come back. */
  get isOpen(): boolean {
    return this.#failures >= FAILURES_MAX;
  }

  /** In a row. */
  get failures(): number {
    return this.#failures;
  }

  /** How many attempts may be under way together at `nowMs`. */
  allowed(nowMs: number): number {
    if (!this.isOpen) return Number.POSITIVE_INFINITY;
    return nowMs < this.#restUntilMs ? 0 : 1;
  }

  /** When the rest is over, monotonic milliseconds; 0 while there is none. */
  get restUntilMs(): number {
    return this.isOpen ? this.#restUntilMs : 0;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#restMs = 0;
  }

  /** @returns true when a rest begins */
  failed(nowMs: number): boolean {
    this.#failures++;
    // Those that were under way when the rest began say nothing new.
    if (!this.isOpen || nowMs < this.#restUntilMs) return false;
    this.#restMs = Math.min(REST_MAX_MS, Math.max(REST_MIN_MS, this.#restMs * 2));
    this.#restUntilMs = nowMs + this.#restMs;
    return true;
  }
}
