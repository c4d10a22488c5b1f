/**
 * Hands out accounts for `/new`: made-up name and password, no person asked for anything.
 * A token's use is reserved here and counted at the account's first login (state/token-book.ts).
 */
import type { Config } from "../config/config.ts";
import { type Address, parseAddress } from "../core/address.ts";
import type { Log } from "../log/events.ts";
import type { HotState } from "../state/hot-state.ts";
import type { TokenFault } from "../state/token-book.ts";
import type { HashSlots } from "./hash-slots.ts";
import { hashPassword } from "./hashes.ts";
import { generateName, generatePassword, nameFault, type RandomBytes, systemRandom } from "./names.ts";

/** With nine characters a name is hardly ever taken; with one, a relay may be full. */
const NAME_TRIES_MAX = 50;

export interface RegistrationOptions {
  state: HotState;
  config: () => Config;
  log: Log;
  slots: HashSlots;
  random?: RandomBytes;
}

export type RegistrationFault = "closed" | "tokenRequired" | TokenFault | "unavailable";

export type RegistrationResult =
  | { ok: true; address: Address; password: string }
  | { ok: false; why: RegistrationFault };

export class Registration {
  readonly #state: HotState;
  readonly #config: () => Config;
  readonly #log: Log;
  readonly #slots: HashSlots;
  readonly #random: RandomBytes;

  constructor({ state, config, log, slots, random = systemRandom }: RegistrationOptions) {
    this.#state = state;
    this.#config = config;
    this.#log = log;
    this.#slots = slots;
    this.#random = random;
  }

  /**
   * Makes an account. A token is looked at only where one is needed: where tokens are asked for, and where registration
   * is closed, since an invitation is the operator's exception to that. Never rejects.
   */
  async createAccount(request: { token?: string | undefined } = {}): Promise<RegistrationResult> {
    const { settings, tokens } = this.#state;
    const isInvitation = settings.tokenRequired || !settings.registrationOpen;
    const token = isInvitation ? request.token?.trim() : undefined;
    if (isInvitation && !token) {
      return { ok: false, why: settings.registrationOpen ? "tokenRequired" : "closed" };
    }
    const fault = token === undefined ? undefined : tokens.reserve(token);
    if (fault !== undefined) return { ok: false, why: fault };
    try {
      const made = await this.#make(token);
      if (made.ok) this.#log.emit({ kind: "accountCreated" });
      else if (token !== undefined) tokens.release(token);
      return made;
    } catch (error) {
      if (token !== undefined) tokens.release(token);
      this.#log.emit({ kind: "internalFault", where: "registration", error });
      return { ok: false, why: "unavailable" };
    }
  }

  async #make(usedToken: string | undefined): Promise<RegistrationResult> {
    const password = generatePassword(this.#random, this.#config().accounts);
    const hash = await this.#slots.run(() => hashPassword(password));
    if (hash === undefined) return { ok: false, why: "unavailable" };
    // Closed while the hash was made: the operator's word holds from that moment on.
    const { settings } = this.#state;
    if (usedToken === undefined && !settings.registrationOpen) return { ok: false, why: "closed" };
    for (let tries = 0; tries < NAME_TRIES_MAX; tries++) {
      const address = this.#freeName();
      if (
        address !== undefined &&
        this.#state.accounts.create(address, { hash, loggedIn: false, usedToken })
      ) {
        return { ok: true, address, password };
      }
    }
    return { ok: false, why: "unavailable" };
  }

  /** @returns undefined if the name that came up is taken, blocked or reserved */
  #freeName(): Address | undefined {
    const { accounts, domains } = this.#config();
    const localpart = generateName(this.#random, accounts);
    if (nameFault(localpart, accounts) !== undefined) return undefined;
    const address = parseAddress(`${localpart}@${domains[0]}`);
    if (address === undefined || this.#state.accounts.has(address)) return undefined;
    return this.#state.blocklist.has(address) ? undefined : address;
  }
}
