/**
 * Events with the labels that figures need, counted on their way to the log. Labels are words of the closed union of
 * events, so that there are as many counters as the program has words.
 */
import type { Event, Log } from "../log/events.ts";

/** Counters of one kind of event, beyond which labels are dropped: a guard, never reached. */
const LABELS_MAX = 500;

export interface Labelled {
  /** Values in the order of the names that the reader knows. */
  readonly labels: readonly string[];
  readonly count: number;
}

type Kind =
  | "messageAccepted"
  | "messageRefused"
  | "messageDropped"
  | "loginSucceeded"
  | "loginFailed"
  | "connectionRefused"
  | "messageSent"
  | "commandRefused";

export class Tally {
  readonly #counts = new Map<Kind, Map<string, number>>();
  #acceptedBytes = 0;

  /** A log that counts here and goes on to `log`. */
  over(log: Log): Log {
    return {
      emit: (event) => {
        this.#note(event);
        log.emit(event);
      },
      counts: () => log.counts(),
    };
  }

  of(kind: Kind): Labelled[] {
    return Array.from(this.#counts.get(kind) ?? [], ([key, count]) => ({ labels: key.split("|"), count }));
  }

  /** Of all labels, or of those whose first is `first`. */
  total(kind: Kind, first?: string): number {
    let sum = 0;
    for (const { labels, count } of this.of(kind))
      if (first === undefined || labels[0] === first) sum += count;
    return sum;
  }

  /** Size of all messages taken, bytes. */
  get acceptedBytes(): number {
    return this.#acceptedBytes;
  }

  #note(event: Event): void {
    switch (event.kind) {
      case "messageAccepted":
        this.#acceptedBytes += event.bytes;
        return this.#add(event.kind, event.via);
      case "messageRefused":
      case "messageDropped":
        return this.#add(event.kind, `${event.via}|${event.why}`);
      case "loginSucceeded":
        return this.#add(event.kind, event.proto);
      case "loginFailed":
      case "connectionRefused":
        return this.#add(event.kind, `${event.proto}|${event.why}`);
      case "commandRefused":
        return this.#add(event.kind, `${event.mode}|${event.command}|${event.why}`);
      case "messageSent":
        return this.#add(event.kind, event.route);
      default:
    }
  }

  #add(kind: Kind, key: string): void {
    let counts = this.#counts.get(kind);
    if (counts === undefined) {
      counts = new Map();
      this.#counts.set(kind, counts);
    }
    const known = counts.has(key) || counts.size < LABELS_MAX ? key : "other";
    counts.set(known, (counts.get(known) ?? 0) + 1);
  }
}
