/**
 * Open connections that wait for another use, by the peer they lead to.
 * Invariants: what is kept is bounded in number and time; an entry is either here or with its user, never both, and
 * is closed exactly once by the pool or not at all.
 */
import type { CancelTimer, Clock } from "../core/clock.ts";

export interface IdlePoolOptions<T> {
  readonly clock: Clock;
  /** Time without use after which an entry is closed. */
  readonly idleMaxMs: number;
  readonly perKeyMax: number;
  readonly max: number;
  /** Whether the peer left it alone while it waited. */
  readonly isUsable: (entry: T) => boolean;
  readonly close: (entry: T) => void;
}

interface Kept<T> {
  readonly key: string;
  readonly entry: T;
  readonly cancel: CancelTimer;
}

export class IdlePool<T> {
  readonly #options: IdlePoolOptions<T>;
  /** Holds a list only while there is something in it. */
  readonly #kept = new Map<string, Kept<T>[]>();
  /** All of them, the longest idle first. */
  readonly #byAge = new Set<Kept<T>>();
  #isStopped = false;

  constructor(options: IdlePoolOptions<T>) {
    this.#options = options;
  }

  /** Entries that wait. */
  get size(): number {
    return this.#byAge.size;
  }

  /** The entry used last, if one is usable. It is the caller's now. */
  take(key: string): T | undefined {
    const list = this.#kept.get(key) ?? [];
    let found: T | undefined;
    for (let last = list.pop(); last !== undefined; last = found === undefined ? list.pop() : undefined) {
      last.cancel();
      this.#byAge.delete(last);
      if (this.#options.isUsable(last.entry)) found = last.entry;
      else this.#options.close(last.entry);
    }
    if (list.length === 0) this.#kept.delete(key);
    return found;
  }

  /** Keeps an entry, or closes it where its peer has enough; where there are enough in all, the longest idle goes. */
  keep(key: string, entry: T): void {
    const { clock, idleMaxMs, perKeyMax, max, isUsable, close } = this.#options;
    const list = this.#kept.get(key) ?? [];
    if (this.#isStopped || max === 0 || list.length >= perKeyMax || !isUsable(entry)) {
      close(entry);
      return;
    }
    const kept: Kept<T> = { key, entry, cancel: clock.after(idleMaxMs, () => this.#leave(kept)) };
    list.push(kept);
    this.#kept.set(key, list);
    this.#byAge.add(kept);
    const [oldest] = this.#byAge;
    if (this.#byAge.size > max && oldest !== undefined) this.#leave(oldest);
  }

  /** Closes all, and keeps none from now on. */
  stop(): void {
    this.#isStopped = true;
    for (const kept of [...this.#byAge]) this.#leave(kept);
  }

  #leave(kept: Kept<T>): void {
    kept.cancel();
    this.#byAge.delete(kept);
    const left = (this.#kept.get(kept.key) ?? []).filter((other) => other !== kept);
    if (left.length === 0) this.#kept.delete(kept.key);
    else this.#kept.set(kept.key, left);
    this.#options.close(kept.entry);
  }
}
