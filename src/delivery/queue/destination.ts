/**
 * What waits for one domain, and what is known of that domain.
 *
 * Invariants
 * - An entry is in exactly one place: ready (in order of arrival), later (has a time of its own) or running.
 * - While the whole server does not answer, one attempt at a time probes it; the rest waits without timers or writes.
 */
import type { Domain } from "../../core/address.ts";
import { DueHeap } from "./due-heap.ts";

/** `good`: the last attempt got an answer. `suspect`: it got none. */
export type Standing = "good" | "unknown" | "suspect";

/** All that stays in memory of a queued message. */
export interface Entry {
  readonly id: string;
  readonly destination: Destination;
  readonly bytes: number;
  readonly queuedAtMs: number;
  tries: number;
  nextAttemptMs: number;
  state: "waiting" | "running";
  /** The operator took it out while it was running. */
  dropped: boolean;
}

export class Destination {
  readonly domain: Domain;
  standing: Standing = "unknown";
  running = 0;
  /** Attempts in a row that did not reach the server. */
  failures = 0;
  /** The server is left alone until then. */
  retryAtMs = 0;
  lastAttemptMs = 0;
  /** When the destination is in the queue's heap for; Infinity when it is not. */
  dueMs = Infinity;
  /** Stands in one of the lists of destinations that may start. */
  lined = false;
  #ready: Entry[] = [];
  /** Entries before this one are gone: shifting an array of thousands is not free. */
  #head = 0;
  readonly #later = new DueHeap<Entry>();
  #laterFirst = false;

  constructor(domain: Domain) {
    this.domain = domain;
  }

  /** Waiting and running. */
  get size(): number {
    return this.waiting + this.running;
  }

  get waiting(): number {
    return this.#ready.length - this.#head + this.#later.size;
  }

  /** To the end of the line, or to its time. */
  add(entry: Entry, nowMs: number): void {
    entry.state = "waiting";
    if (entry.nextAttemptMs > nowMs) this.#later.push(entry.nextAttemptMs, entry);
    else this.#ready.push(entry);
  }

  /** To the front: its turn was not its fault. */
  putBack(entry: Entry): void {
    entry.state = "waiting";
    if (this.#head > 0) this.#ready[--this.#head] = entry;
    else this.#ready.unshift(entry);
  }

  /** When something may start here; Infinity when nothing waits. */
  nextDueMs(): number {
    const first = this.#head < this.#ready.length ? 0 : this.#later.nextDueMs;
    return Math.max(first, this.retryAtMs);
  }

  /** The next to go; both kinds in turn, so that neither keeps the other waiting. */
  take(nowMs: number): Entry | undefined {
    this.#laterFirst = !this.#laterFirst;
    const entry = this.#laterFirst
      ? (this.#later.popDue(nowMs) ?? this.#shift())
      : (this.#shift() ?? this.#later.popDue(nowMs));
    if (entry === undefined) return undefined;
    entry.state = "running";
    return entry;
  }

  /** Everything that waits is due now. */
  wake(): void {
    this.retryAtMs = 0;
    for (
      let entry = this.#later.popDue(Infinity);
      entry !== undefined;
      entry = this.#later.popDue(Infinity)
    ) {
      entry.nextAttemptMs = 0;
      this.#ready.push(entry);
    }
  }

  /** Takes waiting entries out. @returns them */
  remove(unwanted: (entry: Entry) => boolean): Entry[] {
    const taken = this.#later.keep((entry) => !unwanted(entry));
    const ready = this.#ready.slice(this.#head);
    const kept = ready.filter((entry) => !unwanted(entry));
    if (kept.length === ready.length) return taken;
    this.#ready = kept;
    this.#head = 0;
    return [...taken, ...ready.filter(unwanted)];
  }

  #shift(): Entry | undefined {
    const entry = this.#ready[this.#head];
    if (entry === undefined) return undefined;
    this.#head++;
    if (this.#head * 2 > this.#ready.length) {
      this.#ready = this.#ready.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }
}
