/** Who is here with what may last: waiting requests and WebSockets, by account, so that they end when it must. */
import type { Address } from "../../core/address.ts";
import { WebmailError } from "./fault.ts";

/** Of one account. */
const GUESTS_PER_USER_MAX = 32;

/** Why somebody has to go, on each wire. */
export const farewells = {
  revoked: { status: 401, closeCode: 1008, text: "log in again" },
  turnedOff: { status: 404, closeCode: 1001, text: "not found" },
  stopping: { status: 503, closeCode: 1001, text: "shutting down" },
} as const satisfies Record<string, { status: number; closeCode: number; text: string }>;
export type Farewell = (typeof farewells)[keyof typeof farewells];

export interface Guest {
  /** Called at once by who shows the guest out. */
  dismiss(why: Farewell): void;
}

export class Guests {
  /** Entries go with their last guest. */
  readonly #byUser = new Map<Address, Set<Guest>>();

  /** @returns the function that says goodbye @throws {WebmailError} when the account has too many */
  enter(user: Address, guest: Guest): () => void {
    const guests = this.#byUser.get(user) ?? new Set();
    if (guests.size >= GUESTS_PER_USER_MAX)
      throw new WebmailError(429, "too many connections of this account");
    this.#byUser.set(user, guests.add(guest));
    return () => {
      guests.delete(guest);
      if (guests.size === 0 && this.#byUser.get(user) === guests) this.#byUser.delete(user);
    };
  }

  countOf(user: Address): number {
    return this.#byUser.get(user)?.size ?? 0;
  }

  /** Shows all of an account out. */
  dismiss(user: Address, why: Farewell): void {
    for (const guest of [...(this.#byUser.get(user) ?? [])]) guest.dismiss(why);
  }

  /** Shows everyone out. */
  dismissAll(why: Farewell): void {
    for (const user of [...this.#byUser.keys()]) this.dismiss(user, why);
  }
}
