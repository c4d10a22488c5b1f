/** An operator for tests: operations on given books, with as much of a running relay as the test brings. */
import { AccountOperations } from "../auth/account-operations.ts";
import { HashSlots } from "../auth/hash-slots.ts";
import { Revocations } from "../auth/revocations.ts";
import type { Config } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { HistoryRows } from "../db/history.ts";
import type { Db } from "../db/open.ts";
import type { Log } from "../log/events.ts";
import { History } from "../metrics/history.ts";
import type { HotState } from "../state/hot-state.ts";
import type { MailStore } from "../storage/store.ts";
import { Tasks } from "../tasks/scheduler.ts";
import type { LiveRelay } from "./context.ts";
import type { Scope } from "./operation.ts";
import { type Caller, Operations } from "./operations.ts";

export interface OperatorParts {
  /** In force; a function where it changes. */
  config: Config | (() => Config);
  /** Where that is another. */
  fileConfig?: () => Config;
  clock: Clock;
  db: Db;
  state: HotState;
  store: MailStore;
  live?: Partial<LiveRelay>;
  revocations?: Revocations;
  log?: Log;
  tasks?: Tasks;
  /** What the operator may do; everything when absent. */
  scope?: Scope;
}

const silent: Log = { emit: () => undefined, counts: () => new Map() };

export function operatorOn(parts: OperatorParts): Caller {
  const { clock, db, state, store, live, revocations = new Revocations(), log = silent } = parts;
  const config = () => (typeof parts.config === "function" ? parts.config() : parts.config);
  const { fileConfig = config } = parts;
  const accounts = new AccountOperations({ state, config, log, slots: new HashSlots(), revocations });
  const accountLink = ({ address }: { address: string }) => `dclogin:${address}`;
  const tasks = parts.tasks ?? new Tasks({ jobs: [], clock, log });
  const history = new History(new HistoryRows(db), clock);
  const care = { tasks, history, census: () => undefined };
  const context = {
    config,
    fileConfig,
    clock,
    log,
    db,
    state,
    store,
    accounts,
    accountLink,
    inviteLink: (token: string) => `https://relay.test/inv/${token}`,
    survey: { zone: () => Promise.resolve([]), takenPorts: () => [] },
    ...care,
  };
  // A test brings what the operations that it calls ask for.
  return new Operations({ ...context, live: live as LiveRelay | undefined }).as("cli", parts.scope);
}
