/**
 * What everything stands on: the locked state directory, database, hot state, mail store, accounts. The relay builds on
 * it, and so do commands on a stopped relay, so that both work on the same things in the same way.
 */
import { join } from "node:path";
import { AccountOperations } from "../auth/account-operations.ts";
import { HashSlots } from "../auth/hash-slots.ts";
import { Revocations } from "../auth/revocations.ts";
import type { Config } from "../config/config.ts";
import { type ChangeHub, LocalChangeHub } from "../core/changes.ts";
import type { Clock } from "../core/clock.ts";
import { DeviceTokens } from "../db/device-tokens.ts";
import { HistoryRows } from "../db/history.ts";
import { lockStateDirectory } from "../db/lock.ts";
import { closeDatabase, type Db, openDatabase } from "../db/open.ts";
import type { Log } from "../log/events.ts";
import { History } from "../metrics/history.ts";
import { newTrafficBook, type TrafficBook } from "../net/traffic.ts";
import { HotState } from "../state/hot-state.ts";
import { MaildirStore } from "../storage/maildir.ts";
import { Care } from "./care.ts";
import { makeStateDir } from "./relay-facts.ts";
import type { Supervisor } from "./supervisor.ts";
import type { Tasks } from "../tasks/scheduler.ts";

export interface GroundParts {
  config: () => Config;
  clock: Clock;
  log: Log;
  supervisor: Supervisor;
}

export interface Ground {
  config: () => Config;
  clock: Clock;
  log: Log;
  db: Db;
  state: HotState;
  hub: ChangeHub;
  store: MaildirStore;
  /** Bytes since the start. */
  traffic: TrafficBook;
  slots: HashSlots;
  revocations: Revocations;
  accounts: AccountOperations;
  /** Of users' devices, for push notifications. */
  deviceTokens: DeviceTokens;
  /** Maintenance; the running relay starts its schedule. */
  care: Care;
  tasks: Tasks;
  census: () => Care["census"];
  history: History;
}

/**
 * Opens the state directory for this process alone; the supervisor closes it.
 * @throws {StartError | DatabaseError | StorageError} with a message for the operator
 */
export async function openGround({ config, clock, log, supervisor }: GroundParts): Promise<Ground> {
  const { stateDir, storage } = config();
  makeStateDir(stateDir);
  supervisor.onStop(lockStateDirectory(stateDir));
  const db = openDatabase(join(stateDir, "madmail.db"));
  supervisor.onStop(() => closeDatabase(db));
  const state = new HotState({ db, config, clock, log });
  await state.start();
  supervisor.onStop(() => state.stop());
  const hub = new LocalChangeHub();
  const store = new MaildirStore({
    root: join(stateDir, "mail"),
    spoolDir: join(stateDir, "spool"),
    fsync: storage.fsync,
    hub,
    clock,
    log,
  });
  await store.start();
  supervisor.onStop(() => store.close());
  const slots = new HashSlots();
  const revocations = new Revocations();
  const accounts = new AccountOperations({ state, config, log, slots, revocations });
  const deviceTokens = new DeviceTokens(db, clock);
  const removals = new Set<Promise<void>>();
  // Mail of an account that is gone goes with it, and the stop waits for that.
  supervisor.onStop(() => Promise.all(removals).then(() => undefined));
  revocations.onRevoked((user, why) => {
    if (why === "removed" || why === "retired") deviceTokens.removeAll(user);
    if (why !== "removed") return;
    const removal: Promise<void> = store
      .remove(user)
      .catch((error: unknown) => log.emit({ kind: "internalFault", where: "account removal", error }))
      .finally(() => removals.delete(removal));
    removals.add(removal);
  });
  const care = new Care({ config, state, db, store, accounts, clock, log });
  const history = new History(new HistoryRows(db), clock);
  const books = {
    state,
    accounts,
    deviceTokens,
    care,
    tasks: care.tasks,
    census: () => care.census,
    history,
    traffic: newTrafficBook(),
  };
  return { config, clock, log, db, hub, store, slots, revocations, ...books };
}
