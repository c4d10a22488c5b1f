/** Books, a Maildir store and an operator over them, in a directory of their own. */
import { join } from "node:path";
import { Revocations } from "../auth/revocations.ts";
import { type Config, resolveConfig } from "../config/config.ts";
import { configSchema } from "../config/schema.ts";
import type { Address } from "../core/address.ts";
import type { ManualClock } from "../core/clock.ts";
import { closeDatabase, type Db, openDatabase } from "../db/open.ts";
import type { Event, Log } from "../log/events.ts";
import { HotState } from "../state/hot-state.ts";
import type { MaildirStore } from "../storage/maildir.ts";
import { MaildirFixture } from "../storage/maildir.test-help.ts";
import { deliverTo, messageText } from "../storage/store.test-help.ts";
import type { LiveRelay } from "./context.ts";
import type { Caller } from "./operations.ts";
import { operatorOn } from "./operations.test-help.ts";

export class House {
  readonly fixture: MaildirFixture;
  readonly clock: ManualClock;
  readonly db: Db;
  readonly state: HotState;
  readonly store: MaildirStore;
  readonly config: Config;
  readonly events: Event[] = [];
  /** Who was told to go, and why. */
  readonly revoked: string[] = [];
  /** Whose phones were woken. */
  readonly woken: Address[] = [];
  readonly operator: Caller;

  static async open(live = true, accounts: Record<string, unknown> = {}): Promise<House> {
    const fixture = await MaildirFixture.make();
    return new House(fixture, await fixture.open({ fsync: "never" }), live, accounts);
  }

  private constructor(
    fixture: MaildirFixture,
    store: MaildirStore,
    isLive: boolean,
    accounts: Record<string, unknown>,
  ) {
    this.fixture = fixture;
    this.clock = fixture.clock;
    this.store = store;
    const parsed = configSchema.parse({
      domains: ["relay.test", "two.test"],
      state_dir: fixture.directory,
      accounts,
    });
    this.config = resolveConfig(parsed);
    this.db = openDatabase(join(fixture.directory, "madmail.db"));
    const log: Log = { emit: (event) => void this.events.push(event), counts: () => new Map() };
    this.state = new HotState({ db: this.db, config: () => this.config, clock: this.clock, log });
    this.state.hydrate();
    const revocations = new Revocations();
    revocations.onRevoked((user, why) => void this.revoked.push(`${why} ${user}`));
    const live: Partial<LiveRelay> = {
      sessionsOf: () => 2,
      delivered: (users) => void this.woken.push(...users),
    };
    const { clock, db, state, config } = this;
    const parts = { clock, db, state, store, config, revocations, log };
    this.operator = operatorOn(isLive ? { ...parts, live } : parts);
  }

  /** An account, as if it had just logged in for the first time. */
  account(name: string, loggedIn = true): Address {
    const user = (name.includes("@") ? name : `${name}@relay.test`) as Address;
    this.state.accounts.create(user, { hash: "sha256:x:y", loggedIn });
    return user;
  }

  async mail(user: Address, mailbox = "INBOX", n = 1): Promise<void> {
    await deliverTo(this.store, messageText(n), { user, mailbox });
  }

  async dispose(): Promise<void> {
    await this.state.stop();
    closeDatabase(this.db);
    await this.fixture.dispose();
  }
}

/** What an operation was not done for: `fault: message`. */
export async function faultOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    const { fault = "thrown", message } = error as { fault?: string; message: string };
    return `${fault}: ${message}`;
  }
  return "done";
}
