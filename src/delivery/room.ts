/**
 * Room in mailboxes. Before a mailbox refuses mail, its oldest messages make way, but never any younger than a day:
 * somebody offline over night must not lose what a flood pushed out.
 *
 * Invariant: what is being delivered counts already, so that messages arriving side by side can't share one gap.
 */
import type { Address } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { AccountLookup } from "../policy/recipient.ts";
import type { MailStore } from "../storage/store.ts";

const EXPIRE_AFTER_MS = 24 * 60 * 60 * 1000;

export interface Reservation {
  fits: Address[];
  full: Address[];
  /** To be called once, when the delivery is done or given up. */
  release(): void;
}

export class MailboxRoom {
  readonly #store: Pick<MailStore, "account">;
  readonly #accounts: Pick<AccountLookup, "quotaBytes">;
  readonly #clock: Clock;
  /** Bytes under way to accounts with a limit. Entries leave with their reservation. */
  readonly #underWay = new Map<Address, number>();

  constructor(store: Pick<MailStore, "account">, accounts: Pick<AccountLookup, "quotaBytes">, clock: Clock) {
    this.#store = store;
    this.#accounts = accounts;
    this.#clock = clock;
  }

  /**
   * Finds or makes room for one message of `bytes` in each mailbox. Only accounts with a limit are loaded.
   * @throws {StorageError} when an account can't be loaded or expired
   */
  async reserve(users: readonly Address[], bytes: number): Promise<Reservation> {
    const limited = users.filter((user) => this.#accounts.quotaBytes(user) > 0);
    if (limited.length === 0) return { fits: [...users], full: [], release: () => {} };
    const full = new Set<Address>();
    const taken: Address[] = [];
    const release = () => {
      for (const user of taken.splice(0)) this.#add(user, -bytes);
    };
    // Settled, not raced: a reservation made after the first failure would never be given back.
    const results = await Promise.allSettled(
      limited.map(async (user) => {
        if (await this.#fits(user, bytes)) taken.push(user);
        else full.add(user);
      }),
    );
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) {
      release();
      throw failed.reason;
    }
    return { fits: users.filter((user) => !full.has(user)), full: [...full], release };
  }

  /** On true, `bytes` count as under way. */
  async #fits(user: Address, bytes: number): Promise<boolean> {
    const account = await this.#store.account(user);
    const missing = () => {
      const quota = this.#accounts.quotaBytes(user);
      return quota === 0 ? 0 : account.usedBytes + (this.#underWay.get(user) ?? 0) + bytes - quota;
    };
    if (missing() > 0 && bytes <= this.#accounts.quotaBytes(user)) {
      await account.expireOldest(missing(), this.#clock.nowMs() - EXPIRE_AFTER_MS);
    }
    // From here to the reservation nothing may be awaited.
    if (missing() > 0) return false;
    this.#add(user, bytes);
    return true;
  }

  #add(user: Address, bytes: number): void {
    const sum = (this.#underWay.get(user) ?? 0) + bytes;
    if (sum > 0) this.#underWay.set(user, sum);
    else this.#underWay.delete(user);
  }
}
