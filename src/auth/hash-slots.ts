/**
 * Bounds slow hashes: as many at once as cores, the rest in a queue with an end.
 * More at once would take memory (8 to 19 MiB each) and finish no sooner.
 */
import { availableParallelism } from "node:os";

/** Several seconds of work on a small machine; who comes later is told to try again. */
const WAITING_MAX = 1000;

export class HashSlots {
  readonly #atOnceMax: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(atOnceMax = availableParallelism(), waitingMax = WAITING_MAX) {
    this.#atOnceMax = Math.max(1, atOnceMax);
    this.#waitingMax = waitingMax;
  }

  get isFull(): boolean {
    return this.#running >= this.#atOnceMax && this.#waiting.length >= this.#waitingMax;
  }

  /** Runs `work` when it is its turn. @returns undefined, at once, when the queue is full */
  run<T>(work: () => Promise<T>): Promise<T> | undefined {
    return this.isFull ? undefined : this.#run(work);
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#atOnceMax) await new Promise<void>((turn) => this.#waiting.push(turn));
    else this.#running++;
    try {
      return await work();
    } finally {
      // The slot goes straight to the next in the queue, so `#running` stays as it is.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
