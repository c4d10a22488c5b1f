/**
 * Who may start next, so that servers that answer never wait for those that don't.
 *
 * - `good` destinations go first and may use every slot.
 * - `unknown` ones leave an eighth free for them. When they fill all of theirs without an end, the oldest of their
 *   attempts is given up after a while: they may all be dead.
 * - `suspect` ones share a quarter.
 */
import type { Destination, Standing } from "./destination.ts";

/** Of the slots, kept free of destinations that never answered. */
const GOOD_SHARE = 1 / 8;
const SUSPECT_SHARE = 1 / 4;

export class StartOrder {
  readonly #lines: Record<Standing, Destination[]> = { good: [], unknown: [], suspect: [] };
  readonly #running: Record<Standing, number> = { good: 0, unknown: 0, suspect: 0 };
  #slots: number;

  constructor(slots: number) {
    this.#slots = slots;
  }

  get running(): number {
    return this.#running.good + this.#running.unknown + this.#running.suspect;
  }

  resize(slots: number): void {
    this.#slots = slots;
  }

  line(destination: Destination): void {
    if (destination.lined) return;
    destination.lined = true;
    this.#lines[destination.standing].push(destination);
  }

  /** Takes the next one out of its line. @returns undefined when none may start now */
  next(): Destination | undefined {
    this.#sortAnew();
    for (const standing of ["good", "unknown", "suspect"] as const) {
      const first = this.#free(standing) > 0 ? this.#lines[standing].shift() : undefined;
      if (first === undefined) continue;
      first.lined = false;
      return first;
    }
    return undefined;
  }

  /** How many destinations of unknown standing wait for slots that others of them hold. */
  get starving(): number {
    return this.#free("unknown") > 0 ? 0 : this.#lines.unknown.length;
  }

  started(standing: Standing): void {
    this.#running[standing]++;
  }

  ended(standing: Standing): void {
    this.#running[standing]--;
  }

  /** Puts those at the heads of the lines of which more is known by now where they belong. */
  #sortAnew(): void {
    for (const standing of ["good", "unknown", "suspect"] as const) {
      const line = this.#lines[standing];
      for (let first = line[0]; first !== undefined && first.standing !== standing; first = line[0]) {
        line.shift();
        this.#lines[first.standing].push(first);
      }
    }
  }

  #free(standing: Standing): number {
    const free = this.#slots - this.running;
    if (standing === "good") return free;
    const reserved = Math.min(this.#slots - 1, Math.ceil(this.#slots * GOOD_SHARE));
    const mixed = this.#slots - reserved - this.#running.unknown - this.#running.suspect;
    if (standing === "unknown") return Math.min(free, mixed);
    const share = Math.max(1, Math.floor(this.#slots * SUSPECT_SHARE));
    return Math.min(free, mixed, share - this.#running.suspect);
  }
}
