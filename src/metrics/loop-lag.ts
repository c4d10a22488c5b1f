/** How late the event loop is: a timer that should run every second, and when it did. */
import type { CancelTimer, Clock } from "../core/clock.ts";
import { Histogram } from "./histogram.ts";

const PERIOD_MS = 1000;

export class LoopLag {
  readonly histogram = new Histogram();
  readonly #clock: Clock;
  #cancel: CancelTimer | undefined;
  #lastMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The latest reading, ms. */
  get lastMs(): number {
    return this.#lastMs;
  }

  start(): void {
    const dueMs = this.#clock.monotonicMs() + PERIOD_MS;
    this.#cancel = this.#clock.after(PERIOD_MS, () => {
      this.#lastMs = Math.max(0, this.#clock.monotonicMs() - dueMs);
      this.histogram.note(this.#lastMs);
      this.start();
    });
  }

  stop(): void {
    this.#cancel?.();
  }
}
