/**
 * Everything that waits, by id and by domain, and what is remembered of domains for which nothing waits.
 *
 * Invariant: a domain is in exactly one of the two maps of destinations, with mail or at rest; those at rest are bounded.
 */
import type { Domain } from "../../core/address.ts";
import { Destination, type Entry, type Standing } from "./destination.ts";
import type { Letter } from "./letter.ts";

/** Destinations without mail whose standing is remembered. */
const RESTING_MAX = 4096;

/** Which entries the operator means. */
export type Selection = { id: string } | { domain: Domain } | "all";

export interface EntryFacts {
  id: string;
  domain: Domain;
  bytes: number;
  queuedAtMs: number;
  tries: number;
  /** 0 is as soon as there is a place. */
  nextAttemptMs: number;
  state: "waiting" | "running";
}

export interface DestinationFacts {
  domain: Domain;
  messages: number;
  standing: Standing;
  /** A silent server is left alone until then; 0 for others. */
  retryAtMs: number;
}

export interface QueueStatus {
  messages: number;
  bytes: number;
  running: number;
  /** With mail waiting. */
  destinations: number;
  /** Of them, those that did not answer last time. */
  unreachable: number;
  oldestQueuedAtMs: number | undefined;
}

export class EntryIndex {
  readonly #entries = new Map<string, Entry>();
  readonly #destinations = new Map<Domain, Destination>();
  /** Longest at rest first. */
  readonly #resting = new Map<Domain, Destination>();
  #bytes = 0;

  get size(): number {
    return this.#entries.size;
  }

  get(id: string): Entry | undefined {
    return this.#entries.get(id);
  }

  /** One with mail. */
  destination(domain: Domain): Destination | undefined {
    return this.#destinations.get(domain);
  }

  enter(id: string, letter: Letter, bytes: number, nowMs: number): Destination {
    const { domain, queuedAtMs, tries, nextAttemptMs } = letter;
    let destination = this.#destinations.get(domain);
    if (destination === undefined) {
      destination = this.#resting.get(domain) ?? new Destination(domain);
      this.#resting.delete(domain);
      this.#destinations.set(domain, destination);
    }
    const counts = { bytes, queuedAtMs, tries, nextAttemptMs };
    const entry: Entry = { id, destination, ...counts, state: "waiting", dropped: false };
    this.#entries.set(id, entry);
    this.#bytes += bytes;
    destination.add(entry, nowMs);
    return destination;
  }

  /** The entry is gone. */
  leave(entry: Entry): void {
    if (!this.#entries.delete(entry.id)) return;
    this.#bytes -= entry.bytes;
    const { destination } = entry;
    if (destination.size > 0 || !this.#destinations.delete(destination.domain)) return;
    destination.dueMs = Infinity;
    this.#resting.set(destination.domain, destination);
    const [longest] = this.#resting.keys();
    if (this.#resting.size > RESTING_MAX && longest !== undefined) this.#resting.delete(longest);
  }

  select(selection: Selection): Entry[] {
    if (selection === "all") return [...this.#entries.values()];
    if ("domain" in selection) {
      return [...this.#entries.values()].filter(({ destination }) => destination.domain === selection.domain);
    }
    return [this.#entries.get(selection.id)].flatMap((entry) => entry ?? []);
  }

  /** @param limit at most so many, in order of arrival */
  list(limit: number, domain?: Domain): EntryFacts[] {
    const found: EntryFacts[] = [];
    for (const entry of this.#entries.values()) {
      if (found.length >= limit) break;
      if (domain === undefined || entry.destination.domain === domain) found.push(factsOf(entry));
    }
    return found;
  }

  destinations(): DestinationFacts[] {
    return Array.from(this.#destinations.values(), (each) => ({
      domain: each.domain,
      messages: each.size,
      standing: each.standing,
      retryAtMs: each.retryAtMs,
    }));
  }

  status(running: number): QueueStatus {
    let unreachable = 0;
    let oldest = Infinity;
    for (const { standing } of this.#destinations.values()) if (standing === "suspect") unreachable++;
    for (const { queuedAtMs } of this.#entries.values()) oldest = Math.min(oldest, queuedAtMs);
    return {
      messages: this.#entries.size,
      bytes: this.#bytes,
      running,
      destinations: this.#destinations.size,
      unreachable,
      oldestQueuedAtMs: oldest === Infinity ? undefined : oldest,
    };
  }
}

export function factsOf(entry: Entry): EntryFacts {
  const { id, destination, bytes, queuedAtMs, tries, state } = entry;
  const nextAttemptMs = Math.max(entry.nextAttemptMs, destination.retryAtMs);
  return { id, domain: destination.domain, bytes, queuedAtMs, tries, nextAttemptMs, state };
}
