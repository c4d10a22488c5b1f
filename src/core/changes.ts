/**
 * The change hub: tells whoever watches an account that something changed. Notices carry nothing ("look again")
 * and are coalesced to one per turn and watcher. Subscribe before the first look, so that nothing falls between.
 */
import type { Address } from "../core/address.ts";

export interface ChangeHub {
  publish(user: Address): void;
  /** @returns the function that ends the subscription */
  subscribe(user: Address, look: () => void): () => void;
}

/** The hub of a single process. An account without watchers holds no memory. */
export class LocalChangeHub implements ChangeHub {
  readonly #watchers = new Map<Address, Set<() => void>>();
  #pending = new Set<() => void>();
  /** Being called now: who unsubscribes meanwhile is not called any more. */
  #looking = new Set<() => void>();

  publish(user: Address): void {
    const watchers = this.#watchers.get(user);
    if (watchers === undefined) return;
    if (this.#pending.size === 0) queueMicrotask(() => this.#flush());
    for (const look of watchers) this.#pending.add(look);
  }

  subscribe(user: Address, look: () => void): () => void {
    const watchers = this.#watchers.get(user) ?? new Set();
    watchers.add(look);
    this.#watchers.set(user, watchers);
    return () => {
      watchers.delete(look);
      this.#pending.delete(look);
      this.#looking.delete(look);
      if (watchers.size === 0 && this.#watchers.get(user) === watchers) this.#watchers.delete(user);
    };
  }

  #flush(): void {
    this.#looking = this.#pending;
    this.#pending = new Set();
    for (const look of this.#looking) look();
  }
}
