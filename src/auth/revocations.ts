/** Tells who holds sessions that an account may no longer have them. */
import type { Address } from "../core/address.ts";

/**
 * `removed`: the account is gone, its mail is to go too. `retired`: gone, its mail stays. `blocked`: locked out, the mail
 * stays. `passwordChanged`: log in again.
 */
export type RevokedWhy = "removed" | "retired" | "blocked" | "passwordChanged";

export type RevocationListener = (user: Address, why: RevokedWhy) => void;

export class Revocations {
  readonly #listeners = new Set<RevocationListener>();

  /** @param listener called at once, inside the change: must not throw @returns the function that ends it */
  onRevoked(listener: RevocationListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  announce(user: Address, why: RevokedWhy): void {
    for (const listener of this.#listeners) listener(user, why);
  }
}
