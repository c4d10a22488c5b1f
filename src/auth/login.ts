/**
 * Decides logins for all protocols, and creates accounts at their first login where policy allows.
 *
 * Invariants
 * - A client that logs in over IMAP and SMTP at the same moment gets one account: creation is one flight per address,
 *   and the database has the last word. Of two passwords at that moment, exactly one wins.
 * - An account is in the database before its login succeeds.
 * - From outside, unknown, blocked and known names with a wrong password are alike, in words and in time.
 * - A peer that fails too often is put off, except for logins that need no slow hash: people behind the same address
 *   whose client merely reconnects do not suffer.
 */
import type { Config } from "../config/config.ts";
import { type Address, localpartOf } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../log/events.ts";
import type { Account } from "../state/account-book.ts";
import type { HotState } from "../state/hot-state.ts";
import type { Authenticator, LoginAttempt, LoginFailure, LoginResult } from "./authenticator.ts";
import type { HashSlots } from "./hash-slots.ts";
import { decoyHash, hashPassword, isImportedHash, verifyPassword } from "./hashes.ts";
import { LoginThrottle } from "./login-throttle.ts";
import {
  isPossiblePassword,
  loginAddress,
  nameFault,
  passwordFault,
  type RandomBytes,
  systemRandom,
} from "./names.ts";
import type { Revocations } from "./revocations.ts";
import { VerifiedCache } from "./verified-cache.ts";

/** One unknown name in eight seems to have a short password, which takes longer: as some known ones do. */
const SHORT_DECOY_BELOW = 256 / 8;

export interface LoginOptions {
  state: HotState;
  config: () => Config;
  clock: Clock;
  log: Log;
  /** Shared with Registration and AccountOperations, so that the bound on hashes holds for all. */
  slots: HashSlots;
  revocations: Revocations;
  random?: RandomBytes;
}

type Outcome = "good" | LoginFailure;

/** One attempt on its way, with its name understood. */
interface Candidate {
  user: Address;
  password: string;
  peerAddress: string;
  existingOnly: boolean;
}

export class Login implements Authenticator {
  readonly #state: HotState;
  readonly #config: () => Config;
  readonly #log: Log;
  readonly #slots: HashSlots;
  readonly #revocations: Revocations;
  readonly #random: RandomBytes;
  readonly #verified: VerifiedCache;
  readonly #throttle: LoginThrottle;
  /** Slow checks under way, by who asks for whom with what. Each holds a place in `#slots`, or waits for one that does. */
  readonly #checking = new Map<string, Promise<Outcome>>();
  /** Accounts that are being made. Bounded as above. */
  readonly #creating = new Map<Address, Promise<Outcome>>();
  /** Imported hashes that are being replaced. Bounded as above. */
  readonly #upgrading = new Map<Address, Promise<void>>();

  constructor(options: LoginOptions) {
    this.#state = options.state;
    this.#config = options.config;
    this.#log = options.log;
    this.#slots = options.slots;
    this.#revocations = options.revocations;
    this.#random = options.random ?? systemRandom;
    this.#verified = new VerifiedCache(this.#random);
    const perMinute = () => options.config().limits.failed_logins_per_minute;
    this.#throttle = new LoginThrottle(options.clock, perMinute);
  }

  async login(attempt: LoginAttempt): Promise<LoginResult> {
    try {
      return await this.#decide(attempt);
    } catch (error) {
      this.#log.emit({ kind: "internalFault", where: "login", error });
      return { ok: false, why: "unavailable" };
    }
  }

  /** Resolves when no work goes on behind answered logins; for the stop, before the database closes. */
  async settled(): Promise<void> {
    while (this.#upgrading.size > 0) await Promise.all(this.#upgrading.values());
  }

  async #decide({
    username,
    password,
    peerAddress,
    existingOnly = false,
  }: LoginAttempt): Promise<LoginResult> {
    const user = loginAddress(username, this.#config().domains);
    if (user === undefined || !isPossiblePassword(password)) {
      // Names and passwords that no account can have: saying no quickly gives nothing away.
      this.#throttle.failed(peerAddress);
      return { ok: false, why: "badCredentials" };
    }
    const candidate = { user, password, peerAddress, existingOnly };
    const outcome = this.#isVerified(candidate) ? "good" : await this.#check(candidate);
    if (outcome === "good" && this.#admit(user)) return { ok: true, user };
    if (outcome === "unavailable") return { ok: false, why: "unavailable" };
    this.#throttle.failed(peerAddress);
    return { ok: false, why: "badCredentials" };
  }

  #isVerified({ user, password }: Candidate): boolean {
    const account = this.#usable(user);
    return account !== undefined && this.#verified.has(user, account.hash, password);
  }

  /** The account, unless it is blocked. */
  #usable(user: Address): Account | undefined {
    return this.#state.blocklist.has(user) ? undefined : this.#state.accounts.get(user);
  }

  /** Notes the login. @returns false if the account came with a token that has no use left: then it is gone */
  #admit(user: Address): boolean {
    if (this.#state.noteLogin(user)) return true;
    if (this.#state.removeAccount(user)) this.#revocations.announce(user, "removed");
    this.#verified.forget(user);
    return false;
  }

  /** Joins the same check if it is under way: a client's IMAP and SMTP connections cost one hash. */
  #check(candidate: Candidate): Promise<Outcome> {
    const { user, password, peerAddress, existingOnly } = candidate;
    if (this.#throttle.isOver(peerAddress)) return Promise.resolve("unavailable");
    const digest = this.#verified.digest(user, peerAddress, password).toString("latin1");
    // Who may make the account must not share the answer of who may not.
    const key = existingOnly ? `${digest} existing` : digest;
    return joinFlight(this.#checking, key, () => this.#checkSlowly(candidate));
  }

  async #checkSlowly(candidate: Candidate): Promise<Outcome> {
    const { user } = candidate;
    const account = this.#usable(user);
    if (account !== undefined) return this.#verify(candidate, account.hash);
    const running = this.#creating.get(user);
    if (running !== undefined) {
      const outcome = await running;
      const made = this.#usable(user);
      if (made === undefined) return outcome === "good" ? "badCredentials" : outcome;
      return this.#isVerified(candidate) ? "good" : this.#verify(candidate, made.hash);
    }
    if (!this.#mayCreate(candidate)) return this.#pretend(candidate);
    return joinFlight(this.#creating, user, () => this.#create(candidate));
  }

  #mayCreate({ user, password, existingOnly }: Candidate): boolean {
    const rules = this.#config().accounts;
    return (
      !existingOnly &&
      this.#state.settings.jitEnabled &&
      !this.#state.blocklist.has(user) &&
      nameFault(localpartOf(user), rules) === undefined &&
      passwordFault(password, rules) === undefined
    );
  }

  async #create(candidate: Candidate): Promise<Outcome> {
    const { user, password } = candidate;
    const hash = await this.#inSlot(candidate, () => hashPassword(password));
    if (hash === undefined) return "unavailable";
    // Much may have happened while the hash was made: registration closed, the name blocked or handed out.
    const existing = this.#usable(user);
    if (existing !== undefined) return this.#verify(candidate, existing.hash);
    if (!this.#mayCreate(candidate)) return "badCredentials";
    if (this.#state.accounts.create(user, { hash, loggedIn: true })) {
      this.#log.emit({ kind: "accountCreated" });
      this.#verified.add(user, hash, password);
      return "good";
    }
    const theirs = this.#usable(user);
    return theirs === undefined ? "unavailable" : this.#verify(candidate, theirs.hash);
  }

  async #verify(candidate: Candidate, hash: string): Promise<Outcome> {
    const { user, password } = candidate;
    const matches = await this.#inSlot(candidate, () => verifyPassword(hash, password));
    if (matches === undefined) return "unavailable";
    // The account may have been removed, blocked or given another password meanwhile.
    if (!matches || this.#usable(user)?.hash !== hash) return "badCredentials";
    this.#verified.add(user, hash, password);
    if (isImportedHash(hash)) this.#upgrade(user, hash, password);
    return "good";
  }

  /** Takes as long as a wrong password for a known name. */
  async #pretend(candidate: Candidate): Promise<Outcome> {
    const { user, password } = candidate;
    const [first = 0] = this.#verified.digest(user, "", "");
    const decoy = decoyHash(this.#random, first < SHORT_DECOY_BELOW ? "short" : "long");
    const done = await this.#inSlot(candidate, () => verifyPassword(decoy, password));
    return done === undefined ? "unavailable" : "badCredentials";
  }

  /**
   * Runs a slow hash when it is its turn. @returns undefined if the queue is full, or if the peer has failed too often
   * while it waited: a thousand guesses sent at once must not all be tried
   */
  async #inSlot<T>({ peerAddress }: Candidate, work: () => Promise<T>): Promise<T | undefined> {
    return await this.#slots.run(async () => (this.#throttle.isOver(peerAddress) ? undefined : await work()));
  }

  /** Replaces an imported hash behind the login that proved the password. A busy moment leaves it for another login. */
  #upgrade(user: Address, oldHash: string, password: string): void {
    const replace = async () => {
      try {
        const hash = await hashPassword(password);
        if (this.#usable(user)?.hash !== oldHash) return;
        this.#state.accounts.setHash(user, hash);
        this.#verified.add(user, hash, password);
      } catch (error) {
        this.#log.emit({ kind: "internalFault", where: "hash upgrade", error });
      }
    };
    void joinFlight(this.#upgrading, user, () => this.#slots.run(replace) ?? Promise.resolve());
  }
}

/** Runs `work` unless the same is under way, and hands its result to all who ask meanwhile. */
function joinFlight<K, T>(flights: Map<K, Promise<T>>, key: K, work: () => Promise<T>): Promise<T> {
  const running = flights.get(key);
  if (running !== undefined) return running;
  const flight = work().finally(() => flights.delete(key));
  flights.set(key, flight);
  return flight;
}
