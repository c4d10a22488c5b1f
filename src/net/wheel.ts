/**
 * Deadlines of thousands of connections on one coarse timer. A connection that gets input moves its deadline by
 * storing a number; the wheel looks again when the old deadline falls due. Nothing runs for an idle connection
 * but one look per period, and no timer is armed while there are no deadlines.
 */
import type { CancelTimer, Clock } from "../core/clock.ts";

/** Width of a slot. Deadlines are met up to two slots late, never early. */
export const WHEEL_SLOT_MS = 2000;

export interface WheelEntry {
  /** The slot under which the wheel holds this entry; 0 when it does not. Only the wheel writes it. */
  wheelSlot: number;
  /** The entry's slot has come. @returns the entry's next deadline in monotonic milliseconds, 0 for none */
  deadlineReached(nowMs: number): number;
}

const wheels = new WeakMap<Clock, Wheel>();

/** The wheel of a clock: all listeners share one timer. */
export function wheelOf(clock: Clock): Wheel {
  const known = wheels.get(clock);
  if (known !== undefined) return known;
  const wheel = new Wheel(clock);
  wheels.set(clock, wheel);
  return wheel;
}

export class Wheel {
  readonly #clock: Clock;
  readonly #slots = new Map<number, Set<WheelEntry>>();
  #cancel: CancelTimer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.monotonicMs();
  }

  /** Looks at `entry` at `deadlineMs` or sooner, if it is filed for sooner already. */
  add(entry: WheelEntry, deadlineMs: number): void {
    const slot = Math.ceil(deadlineMs / WHEEL_SLOT_MS) + 1;
    if (entry.wheelSlot !== 0 && entry.wheelSlot <= slot) return;
    this.remove(entry);
    entry.wheelSlot = slot;
    const entries = this.#slots.get(slot);
    if (entries === undefined) this.#slots.set(slot, new Set([entry]));
    else entries.add(entry);
    this.#arm();
  }

  /** Forgets `entry`. */
  remove(entry: WheelEntry): void {
    if (entry.wheelSlot !== 0) this.#slots.get(entry.wheelSlot)?.delete(entry);
    entry.wheelSlot = 0;
  }

  #arm(): void {
    if (this.#cancel !== undefined || this.#slots.size === 0) return;
    this.#cancel = this.#clock.after(WHEEL_SLOT_MS, () => this.#turn());
  }

  #turn(): void {
    this.#cancel = undefined;
    const nowMs = this.nowMs();
    const nowSlot = Math.floor(nowMs / WHEEL_SLOT_MS) + 1;
    const due = [...this.#slots.keys()].filter((slot) => slot <= nowSlot).sort((a, b) => a - b);
    for (const slot of due) {
      const entries = this.#slots.get(slot) ?? new Set();
      for (const entry of entries) {
        entries.delete(entry);
        entry.wheelSlot = 0;
        const nextMs = entry.deadlineReached(nowMs);
        if (nextMs > 0) this.add(entry, nextMs);
      }
      this.#slots.delete(slot);
    }
    this.#arm();
  }
}
