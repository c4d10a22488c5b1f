/**
 * Keepalives of all idling sessions from one timer: a wheel of slots, one turn of which takes the interval.
 * Without idling sessions nothing runs.
 */
import type { CancelTimer, Clock } from "../core/clock.ts";

const SLOTS = 16;

export interface KeepaliveTarget {
  keepalive(): void;
}

export class KeepaliveWheel {
  readonly #clock: Clock;
  readonly #stepMs: number;
  readonly #slots: Set<KeepaliveTarget>[] = Array.from({ length: SLOTS }, () => new Set());
  readonly #slotOf = new Map<KeepaliveTarget, number>();
  #at = 0;
  #cancel: CancelTimer | undefined;

  /** @param intervalMs between two keepalives of one target; the first comes after 15/16 of it at the earliest */
  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock;
    this.#stepMs = Math.max(1, intervalMs / SLOTS);
  }

  add(target: KeepaliveTarget): void {
    this.remove(target);
    this.#slots[this.#at]?.add(target);
    this.#slotOf.set(target, this.#at);
    this.#cancel ??= this.#clock.after(this.#stepMs, () => this.#step());
  }

  remove(target: KeepaliveTarget): void {
    const slot = this.#slotOf.get(target);
    if (slot === undefined) return;
    this.#slotOf.delete(target);
    this.#slots[slot]?.delete(target);
    if (this.#slotOf.size > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #step(): void {
    this.#at = (this.#at + 1) % SLOTS;
    // Set before the visits: a visit that removes the last target stops it.
    this.#cancel = this.#clock.after(this.#stepMs, () => this.#step());
    for (const target of this.#slots[this.#at] ?? []) target.keepalive();
  }
}
