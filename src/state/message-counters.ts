/** Counters of the whole server that survive restarts; written behind. */
import type { MessageStatRows } from "../db/message-stats.ts";

export const messageCounters = ["sent_messages", "outbound_messages", "received_messages"] as const;
export type MessageCounter = (typeof messageCounters)[number];

export class MessageCounters {
  readonly #rows: MessageStatRows;
  readonly #totals = new Map<string, number>();
  /** What the database does not know yet; as many entries as there are counters. */
  readonly #unsaved = new Map<MessageCounter, number>();

  constructor(rows: MessageStatRows) {
    this.#rows = rows;
  }

  hydrate(): void {
    this.#totals.clear();
    this.#unsaved.clear();
    this.#rows.forEach((name, count) => this.#totals.set(name, count));
  }

  add(name: MessageCounter, count = 1): void {
    this.#totals.set(name, this.total(name) + count);
    this.#unsaved.set(name, (this.#unsaved.get(name) ?? 0) + count);
  }

  total(name: MessageCounter): number {
    return this.#totals.get(name) ?? 0;
  }

  /** Names that another version counted are among them. */
  entries(): IterableIterator<[string, number]> {
    return this.#totals.entries();
  }

  get hasUnsaved(): boolean {
    return this.#unsaved.size > 0;
  }

  /** Adds what is new to the database. Run it in a transaction, then call `saved`. */
  writeUnsaved(): void {
    for (const [name, count] of this.#unsaved) this.#rows.add(name, count);
  }

  saved(): void {
    this.#unsaved.clear();
  }
}
