/** Maintenance as part of the relay: what configuration and settings mean for it, and whom it talks to. */
import type { AccountOperations } from "../auth/account-operations.ts";
import type { Config } from "../config/config.ts";
import type { Address } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Db } from "../db/open.ts";
import type { Log } from "../log/events.ts";
import type { HotState } from "../state/hot-state.ts";
import type { Census } from "../storage/expiry.ts";
import type { MailStore } from "../storage/store.ts";
import { accountJobs } from "../tasks/account-jobs.ts";
import { type MailRules, mailJobs } from "../tasks/mail-jobs.ts";
import { Tasks } from "../tasks/scheduler.ts";
import { tidyJobs } from "../tasks/tidy-jobs.ts";

/** When the first relay started on this database, seconds since 1970. */
const WATCHED_SINCE = "__MAINTENANCE_SINCE__";

export interface CareParts {
  config: () => Config;
  state: HotState;
  db: Db;
  store: Pick<MailStore, "keeper" | "remove">;
  accounts: Pick<AccountOperations, "prune">;
  clock: Clock;
  log: Log;
}

export class Care {
  readonly tasks: Tasks;
  readonly #parts: Pick<CareParts, "state" | "clock">;
  #census: { counted: Census; atMs: number } | undefined;

  /** Has a connection now: the running relay knows. */
  isConnected: (user: Address) => boolean = () => false;

  constructor(parts: CareParts) {
    const { config, state, db, store, accounts, clock, log } = parts;
    this.#parts = parts;
    const { keeper } = store;
    this.tasks = new Tasks({
      clock,
      log,
      jobs: [
        ...mailJobs({
          keeper,
          rules: () => mailRules(config()),
          quotaBytes: (user) => state.accounts.quotaBytes(user),
          onCensus: (counted) => {
            this.#census = { counted, atMs: clock.nowMs() };
          },
          clock,
        }),
        ...accountJobs({
          rules: () => {
            const { unused_accounts, dormant_accounts, interval } = config().maintenance;
            return { unusedMs: unused_accounts, dormantMs: dormant_accounts, intervalMs: interval };
          },
          accounts: state.accounts,
          watchedSinceSec: () => Number(state.settings.get(WATCHED_SINCE) ?? clock.nowMs() / 1000),
          isConnected: (user) => this.isConnected(user),
          // Those who hear of the removal take the mail too; waiting for it keeps the pace.
          remove: async (user) => {
            if (accounts.prune(user)) await store.remove(user);
          },
          clock,
        }),
        ...tidyJobs({
          keeper,
          db,
          isAccount: (user) => state.accounts.has(user),
          checkIntervalMs: () => config().maintenance.check_interval,
          clock,
        }),
      ],
    });
  }

  /** What the last walk over all mail counted; undefined before the first one is over. */
  get census(): { counted: Census; atMs: number } | undefined {
    return this.#census;
  }

  async start(isConnected: (user: Address) => boolean): Promise<void> {
    this.isConnected = isConnected;
    const { settings } = this.#parts.state;
    const nowSec = Math.floor(this.#parts.clock.nowMs() / 1000);
    if (settings.get(WATCHED_SINCE) === undefined) settings.set(WATCHED_SINCE, String(nowSec));
    await this.tasks.start();
  }

  async stop(): Promise<void> {
    await this.tasks.stop();
  }

  reconfigure(): undefined {
    this.tasks.reconfigure();
  }
}

function mailRules({ maintenance }: Pick<Config, "maintenance">): MailRules {
  return {
    mailMs: maintenance.mail_retention,
    largeMs: maintenance.large_mail_retention,
    largeMinBytes: maintenance.large_mail_size,
    seenMs: maintenance.seen_retention,
    purgeSeen: maintenance.purge_seen,
    unseenMs: maintenance.unread_retention,
    shrinkAbovePercent: maintenance.shrink_above,
    shrinkToPercent: maintenance.shrink_to,
    intervalMs: maintenance.interval,
  };
}
