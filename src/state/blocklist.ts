/** Addresses that can't log in, register or receive, in RAM; written through. */
import type { Address } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { BlockRow, BlockRows } from "../db/blocklist.ts";

export class Blocklist {
  readonly #rows: BlockRows;
  readonly #clock: Clock;
  readonly #blocked = new Map<Address, BlockRow>();

  constructor(rows: BlockRows, clock: Clock) {
    this.#rows = rows;
    this.#clock = clock;
  }

  hydrate(): void {
    this.#blocked.clear();
    this.#rows.forEach((user, row) => this.#blocked.set(user, row));
  }

  has(user: Address): boolean {
    return this.#blocked.has(user);
  }

  get(user: Address): Readonly<BlockRow> | undefined {
    return this.#blocked.get(user);
  }

  get size(): number {
    return this.#blocked.size;
  }

  entries(): IterableIterator<[Address, Readonly<BlockRow>]> {
    return this.#blocked.entries();
  }

  add(user: Address, reason: string): void {
    const row = { reason, blockedAtSec: Math.floor(this.#clock.nowMs() / 1000) };
    this.#rows.put(user, row);
    this.#blocked.set(user, row);
  }

  /** @returns whether it was on the list */
  remove(user: Address): boolean {
    this.#rows.remove(user);
    return this.#blocked.delete(user);
  }
}
