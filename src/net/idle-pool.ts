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

export class IdlePool<T> {
  readonly #options: IdlePoolOptions<T>;
  /** Holds a list only while there is something in it. */
  readonly #kept = new Map<string, { entry: T; cancel: CancelTimer }[]>();
  #count = 0;
  #isStopped = false;

  constructor(options: IdlePoolOptions<T>) {
    this.#options = options;
  }

  /** Entries that wait. */
  get size(): number {
    return this.#count;
  }

  /** The entry used last, if one is usable. It is the caller's now. */
  take(key: string): T | undefined {
    const list = this.#kept.get(key) ?? [];
    let found: T | undefined;
    for (let last = list.pop(); last !== undefined; last = found === undefined ? list.pop() : undefined) {
      last.cancel();
      this.#count--;
      if (this.#options.isUsable(last.entry)) found = last.entry;
      else this.#options.close(last.entry);
    }
    if (list.length === 0) this.#kept.delete(key);
    return found;
  }

  /** Keeps an entry, or closes it where there is no room for it. */
  keep(key: string, entry: T): void {
    const { clock, idleMaxMs, perKeyMax, max, isUsable, close } = this.#options;
    const list = this.#kept.get(key) ?? [];
    if (this.#isStopped || list.length >= perKeyMax || this.#count >= max || !isUsable(entry)) {
      close(entry);
      return;
    }
    list.push({ entry, cancel: clock.after(idleMaxMs, () => this.#expire(key, entry)) });
    this.#kept.set(key, list);
    this.#count++;
  }

  /** Closes all, and keeps none from now on. */
  stop(): void {
    this.#isStopped = true;
    for (const list of this.#kept.values()) {
      for (const { entry, cancel } of list) {
        cancel();
        this.#options.close(entry);
      }
    }
    this.#kept.clear();
    this.#count = 0;
  }

  #expire(key: string, entry: T): void {
    const left = (this.#kept.get(key) ?? []).filter((other) => other.entry !== entry);
    if (left.length === 0) this.#kept.delete(key);
    else this.#kept.set(key, left);
    this.#count--;
    this.#options.close(entry);
  }
}
