/**
 * How long deliveries take these days. Mail from outside to nobody is answered after as long as a delivery, so that
 * the clock does not tell which names have a mailbox here.
 */
import type { Clock } from "../core/clock.ts";

const REMEMBERED = 16;

export class DeliveryTime {
  readonly #clock: Clock;
  /** The last durations, ms; which of them is the oldest. */
  readonly #recentMs: number[] = [];
  #oldest = 0;
  #turn = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Does the work and remembers how long it took. Failures are not remembered. */
  async measure(work: () => Promise<void>): Promise<void> {
    const startedAtMs = this.#clock.monotonicMs();
    await work();
    this.#recentMs[this.#oldest] = this.#clock.monotonicMs() - startedAtMs;
    this.#oldest = (this.#oldest + 1) % REMEMBERED;
  }

  /** Takes as long as one of the last deliveries, each in its turn: a mean would stand out among them. */
  async pass(): Promise<void> {
    const ms = this.#recentMs[this.#turn++ % Math.max(1, this.#recentMs.length)] ?? 0;
    if (ms > 0) await new Promise<void>((resolve) => this.#clock.after(ms, resolve));
  }
}
