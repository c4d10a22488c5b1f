/**
 * What an operator does to accounts, once for all faces: command line, admin API, web.
 * Whatever takes an account's rights away is announced, so that open sessions end.
 */
import type { Config } from "../config/config.ts";
import { type Address, localpartOf } from "../core/address.ts";
import type { Log } from "../log/events.ts";
import type { HotState } from "../state/hot-state.ts";
import type { HashSlots } from "./hash-slots.ts";
import { hashPassword, isKnownHash } from "./hashes.ts";
import {
  generateName,
  generatePassword,
  loginAddress,
  type NameFault,
  nameFault,
  type PasswordFault,
  passwordFault,
  type RandomBytes,
  systemRandom,
} from "./names.ts";
import type { Revocations } from "./revocations.ts";

export interface AccountOperationsOptions {
  state: HotState;
  config: () => Config;
  log: Log;
  slots: HashSlots;
  revocations: Revocations;
  random?: RandomBytes;
}

export type CreateFault = "badAddress" | "exists" | "blocked" | "unavailable" | NameFault | PasswordFault;
export type CreateResult = { ok: true; address: Address; password: string } | { ok: false; why: CreateFault };

export type ImportFault = CreateFault | "badHash";
export type ImportResult = { ok: true } | { ok: false; why: ImportFault };

export type SetPasswordResult =
  | { ok: true; password: string }
  | { ok: false; why: "unknown" | "unavailable" | PasswordFault };

/** As long as operators' tools expect names that are made up for them. */
const RANDOM_NAME_LENGTH = 12;
const RANDOM_NAME_TRIES = 5;

export class AccountOperations {
  readonly #state: HotState;
  readonly #config: () => Config;
  readonly #log: Log;
  readonly #slots: HashSlots;
  readonly #revocations: Revocations;
  readonly #random: RandomBytes;

  constructor(options: AccountOperationsOptions) {
    this.#state = options.state;
    this.#config = options.config;
    this.#log = options.log;
    this.#slots = options.slots;
    this.#revocations = options.revocations;
    this.#random = options.random ?? systemRandom;
  }

  /**
   * Creates a named account, also while registration is closed. An operator's names may be as short as one character.
   * @param username whole address, or a local part of the first domain
   * @param password made up when absent
   * @throws what the database throws
   */
  async create(username: string, password?: string): Promise<CreateResult> {
    const { accounts: rules } = this.#config();
    const address = this.#address(username);
    if (address === undefined) return { ok: false, why: "badAddress" };
    const chosen = password ?? generatePassword(this.#random, rules);
    const fault = this.#nameFault(address) ?? passwordFault(chosen, rules);
    if (fault !== undefined) return { ok: false, why: fault };
    const taken = this.#taken(address);
    if (taken !== undefined) return { ok: false, why: taken };
    const hash = await this.#slots.run(() => hashPassword(chosen));
    if (hash === undefined) return { ok: false, why: "unavailable" };
    const takenMeanwhile = this.#taken(address);
    if (takenMeanwhile !== undefined) return { ok: false, why: takenMeanwhile };
    if (!this.#state.accounts.create(address, { hash, loggedIn: false })) return { ok: false, why: "exists" };
    this.#log.emit({ kind: "accountCreated" });
    return { ok: true, address, password: chosen };
  }

  /** Creates an account with a made-up name, also while registration is closed. @throws what the database throws */
  async createRandom(): Promise<CreateResult> {
    const { accounts: rules } = this.#config();
    const longer = {
      ...rules,
      username_min_length: Math.max(RANDOM_NAME_LENGTH, rules.username_min_length),
    };
    for (let tries = 1; ; tries++) {
      const made = await this.create(generateName(this.#random, longer));
      if (made.ok || tries === RANDOM_NAME_TRIES) return made;
      if (made.why !== "exists" && made.why !== "blocked" && made.why !== "reserved") return made;
    }
  }

  /**
   * Takes over an account of another server: its password, or a hash of it in a format that can be verified here.
   * With neither, the account has a password that nobody knows until one is set. @throws what the database throws
   */
  async import(username: string, secret: { password?: string; hash?: string }): Promise<ImportResult> {
    if (secret.hash === undefined) {
      const made = await this.create(username, secret.password);
      return made.ok ? { ok: true } : made;
    }
    const address = this.#address(username);
    if (address === undefined) return { ok: false, why: "badAddress" };
    const fault = this.#nameFault(address) ?? this.#taken(address);
    if (fault !== undefined) return { ok: false, why: fault };
    if (!isKnownHash(secret.hash)) return { ok: false, why: "badHash" };
    if (!this.#state.accounts.create(address, { hash: secret.hash, loggedIn: false })) {
      return { ok: false, why: "exists" };
    }
    this.#log.emit({ kind: "accountCreated" });
    return { ok: true };
  }

  /** Sets a password and ends the account's sessions. @throws what the database throws */
  async setPassword(user: Address, password: string): Promise<SetPasswordResult> {
    const fault = passwordFault(password, this.#config().accounts);
    if (fault !== undefined) return { ok: false, why: fault };
    if (!this.#state.accounts.has(user)) return { ok: false, why: "unknown" };
    const hash = await this.#slots.run(() => hashPassword(password));
    if (hash === undefined) return { ok: false, why: "unavailable" };
    if (!this.#state.accounts.setHash(user, hash)) return { ok: false, why: "unknown" };
    this.#revocations.announce(user, "passwordChanged");
    return { ok: true, password };
  }

  /** Sets a made-up password and ends the account's sessions. @throws what the database throws */
  resetPassword(user: Address): Promise<SetPasswordResult> {
    return this.setPassword(user, generatePassword(this.#random, this.#config().accounts));
  }

  /**
   * Removes an account for good: its name can't be taken again until it is unblocked. Its mail is for those who hear
   * the revocation to remove. @returns false if there was no account (the name is blocked all the same)
   */
  delete(user: Address, reason: string): boolean {
    // Blocked first: should the second step fail, nobody can use what is left.
    this.#state.blocklist.add(user, reason);
    const removed = this.#state.removeAccount(user);
    this.#revocations.announce(user, "removed");
    return removed;
  }

  /** Removes an account whose name may be taken again, as for one that nobody used. @returns false if there was none */
  prune(user: Address): boolean {
    if (!this.#state.removeAccount(user)) return false;
    this.#revocations.announce(user, "removed");
    return true;
  }

  /** As `prune`, or as `delete` where there is a reason to block the name; but the mail stays. */
  retire(user: Address, reason: string | undefined): boolean {
    if (reason !== undefined) this.#state.blocklist.add(user, reason);
    const removed = this.#state.removeAccount(user);
    this.#revocations.announce(user, "retired");
    return removed;
  }

  /** Locks an address out; its account and mail stay. */
  block(user: Address, reason: string): void {
    this.#state.blocklist.add(user, reason);
    this.#revocations.announce(user, "blocked");
  }

  /** @returns whether it was blocked */
  unblock(user: Address): boolean {
    return this.#state.blocklist.remove(user);
  }

  #address(username: string): Address | undefined {
    const { domains } = this.#config();
    return loginAddress(username.includes("@") ? username : `${username}@${domains[0]}`, domains);
  }

  /** An operator's names may be as short as one character. */
  #nameFault(address: Address): NameFault | undefined {
    return nameFault(localpartOf(address), { ...this.#config().accounts, username_min_length: 1 });
  }

  #taken(address: Address): "exists" | "blocked" | undefined {
    if (this.#state.blocklist.has(address)) return "blocked";
    return this.#state.accounts.has(address) ? "exists" : undefined;
  }
}
