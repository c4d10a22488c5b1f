/** A token bucket that lets a debt stand and tells how long to wait for it: what came was read already. */

/** Waits are at least so long, so that a saturated peer costs few wake-ups. */
const WAIT_MIN_MS = 100;
/** What may come at once: half a second's worth, and never less than the largest frame. */
const BURST_SECONDS = 0.5;
const BURST_MIN_BYTES = 128 * 1024;

export class Bucket {
  #bytesPerSecond: number;
  #level: number;
  #atMs: number;

  /** @param bytesPerSecond 0 is unlimited */
  constructor(bytesPerSecond: number, nowMs: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#level = this.#burst();
    this.#atMs = nowMs;
  }

  setRate(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
    this.#level = Math.min(this.#level, this.#burst());
  }

  /** Takes what came. @returns milliseconds to take no more, 0 for none */
  take(bytes: number, nowMs: number): number {
    if (this.#bytesPerSecond === 0) return 0;
    const earned = ((nowMs - this.#atMs) / 1000) * this.#bytesPerSecond;
    this.#level = Math.min(this.#burst(), this.#level + earned) - bytes;
    this.#atMs = nowMs;
    if (this.#level >= 0) return 0;
    return Math.max(WAIT_MIN_MS, (-this.#level / this.#bytesPerSecond) * 1000);
  }

  #burst(): number {
    return Math.max(BURST_MIN_BYTES, this.#bytesPerSecond * BURST_SECONDS);
  }
}
