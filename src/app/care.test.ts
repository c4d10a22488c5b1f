/** Maintenance over a real store and database. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AccountOperations } from "../auth/account-operations.ts";
import { HashSlots } from "../auth/hash-slots.ts";
import { Revocations } from "../auth/revocations.ts";
import { resolveConfig } from "../config/config.ts";
import { applySettings } from "../config/settings.ts";
import { configSchema } from "../config/schema.ts";
import type { Address } from "../core/address.ts";
import { LocalChangeHub } from "../core/changes.ts";
import { ManualClock } from "../core/clock.ts";
import { closeDatabase, type Db, openDatabase } from "../db/open.ts";
import { operatorOn } from "../operations/operations.test-help.ts";
import { HotState } from "../state/hot-state.ts";
import { MaildirStore } from "../storage/maildir.ts";
import type { MailStore } from "../storage/store.ts";
import { ageMs } from "../tasks/age.ts";
import { Care } from "./care.ts";

const DAY_MS = 86_400_000;
const log = { emit: () => {}, counts: () => new Map() };
const alice = "alice@relay.test" as Address;
const bob = "bob@relay.test" as Address;
const carol = "carol@relay.test" as Address;

let dir: string;
let clock: ManualClock;
let db: Db;
let state: HotState;
let store: MaildirStore;
let care: Care;
const connected = new Set<Address>();
let maintenance: Record<string, unknown> = {};

const config = () =>
  resolveConfig(configSchema.parse({ hostname: "relay.test", state_dir: dir, maintenance }), dir);

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "madmail-care-"));
  clock = new ManualClock();
  maintenance = {};
  connected.clear();
  db = openDatabase(join(dir, "madmail.db"));
  state = new HotState({ db, config, clock, log });
  await state.start();
  const hub = new LocalChangeHub();
  store = new MaildirStore({
    root: join(dir, "mail"),
    spoolDir: join(dir, "spool"),
    fsync: "never",
    hub,
    clock,
    log,
  });
  await store.start();
  const revocations = new Revocations();
  const accounts = new AccountOperations({ state, config, log, slots: new HashSlots(), revocations });
  care = new Care({ config, state, db, store, accounts, clock, log });
  care.isConnected = (user) => connected.has(user);
});

afterEach(async () => {
  await care.stop();
  await store.close();
  await state.stop();
  closeDatabase(db);
  rmSync(dir, { recursive: true, force: true });
});

async function send(to: MailStore, user: Address, bytes: number): Promise<void> {
  const spool = to.spool({ maxBytes: 10_000_000 });
  const header = Buffer.from("Subject: x\r\n\r\n");
  spool.write(header);
  spool.write(new Uint8Array(bytes - header.length).fill(120));
  const message = spool.seal(header);
  await to.deliver(message, [{ user, mailbox: "INBOX" }]);
  message.discard();
}

test("prune-old-messages: by age, and large mail once it was read", async () => {
  await send(store, alice, 1000);
  clock.advance(13 * DAY_MS);
  await send(store, alice, 300_000);
  await send(store, alice, 400_000);
  await send(store, bob, 500);
  const inbox = await (await store.account(alice)).open("INBOX");
  await inbox.storeFlags([2], "add", 1);
  clock.advance(8 * DAY_MS);
  const dry = await care.tasks.run("retention", { dryRun: true });
  expect(dry?.figures).toMatchObject({ accounts: 2, messages: 4, removedMessages: 2, removedBytes: 301_000 });
  expect(inbox.messages).toHaveLength(3);
  const run = await care.tasks.run("retention");
  expect(run?.figures).toMatchObject({ removedMessages: 2, removedBytes: 301_000 });
  expect(inbox.messages.map(({ uid }) => uid)).toEqual([3]);
  expect(care.census?.counted).toMatchObject({ accounts: 2, messages: 2, bytes: 400_500 });
});

test("a mailbox that is nearly full loses its oldest mail, never of the last day", async () => {
  state.accounts.create(alice, { hash: "x", loggedIn: true });
  state.accounts.setQuota(alice, 10_000);
  for (let i = 0; i < 4; i++) {
    await send(store, alice, 2000);
    clock.advance(i === 3 ? 1000 : DAY_MS);
  }
  const run = await care.tasks.run("prune-old-messages");
  expect(run?.figures).toMatchObject({ removedMessages: 1, removedBytes: 2000 });
  await send(store, alice, 2000);
  await send(store, alice, 2000);
  expect((await care.tasks.run("shrink-mailboxes"))?.figures.removedMessages).toBe(2);
  expect((await care.tasks.run("shrink-mailboxes"))?.figures.removedMessages).toBe(0);
});

test("purge-seen and prune-unread-older delete what their names say", async () => {
  await send(store, alice, 100);
  await send(store, alice, 100);
  const inbox = await (await store.account(alice)).open("INBOX");
  await inbox.storeFlags([1], "add", 1);
  expect((await care.tasks.run("purge-read"))?.figures.removedMessages).toBe(1);
  expect(inbox.messages.map(({ uid }) => uid)).toEqual([2]);
  expect((await care.tasks.run("prune-unread-older"))?.figures.findings).toHaveLength(1);
  clock.advance(DAY_MS);
  const run = await care.tasks.run("prune-unread-older", { retentionMs: DAY_MS / 2 });
  expect(run?.figures.removedMessages).toBe(1);
});

test("nobody is taken for gone before this relay has watched for as long", async () => {
  state.accounts.create(alice, { hash: "x", loggedIn: true });
  clock.advance(100 * DAY_MS);
  expect((await care.tasks.run("prune-dormant"))?.figures.removedAccounts).toBe(0);
  await care.start(() => false);
  clock.advance(1000);
  const byHand = await care.tasks.run("prune-dormant", { retentionMs: 90 * DAY_MS, dryRun: true });
  expect(byHand?.figures.removedAccounts).toBe(1);
  expect((await care.tasks.run("prune-dormant"))?.figures.removedAccounts).toBe(0);
  await care.stop();
});

test("operators run jobs and read what was counted", async () => {
  await send(store, alice, 1000);
  const parts = { config: config(), clock, db, state, store, tasks: care.tasks };
  const caller = operatorOn(parts);
  const run = await caller.call("tasks.run", { task: "retention", dryRun: true });
  expect(run).toMatchObject({ task: "prune-old-messages", outcome: "done", messages: 1, removedMessages: 0 });
  const { tasks } = await caller.call("tasks.list", {});
  expect(tasks.find(({ name }) => name === "prune-old-messages")?.last?.messages).toBe(1);
  expect(caller.call("tasks.run", { task: "nothing" })).rejects.toThrow("there is no such task");
  expect(caller.call("metrics.figures", {})).rejects.toThrow("does not run");
  expect(await caller.call("history.read", { range: "7d" })).toEqual({ stepSec: 1800, points: [] });
  const storage = await caller.call("storage.figures", {});
  expect(storage.databaseBytes).toBeGreaterThan(0);
  expect(storage.mail).toBeNull();
});

test("accounts that nobody uses go with their mail, and their names are free again", async () => {
  state.settings.set("__MAINTENANCE_SINCE__", "0");
  state.accounts.create(alice, { hash: "x", loggedIn: true });
  state.accounts.create(bob, { hash: "x", loggedIn: false });
  await send(store, alice, 100);
  clock.advance(31 * DAY_MS);
  state.accounts.create(carol, { hash: "x", loggedIn: false });
  expect((await care.tasks.run("prune-unused"))?.figures).toMatchObject({ accounts: 3, removedAccounts: 1 });
  expect(state.accounts.has(bob)).toBe(false);
  expect(state.blocklist.has(bob)).toBe(false);
  clock.advance(61 * DAY_MS);
  connected.add(alice);
  expect((await care.tasks.run("dormant-accounts"))?.figures.removedAccounts).toBe(0);
  connected.clear();
  expect((await care.tasks.run("dormant-accounts", { dryRun: true }))?.figures.removedAccounts).toBe(1);
  expect(state.accounts.has(alice)).toBe(true);
  expect((await care.tasks.run("dormant-accounts"))?.figures.removedAccounts).toBe(1);
  expect(state.accounts.has(alice)).toBe(false);
  expect(await store.keeper.users()).toEqual([]);
});

test("an age of 0 keeps accounts, and the schedule leaves them alone", async () => {
  maintenance = { dormant_accounts: "0s", unused_accounts: "0s", interval: "0s" };
  state.accounts.create(bob, { hash: "x", loggedIn: false });
  clock.advance(40 * DAY_MS);
  expect((await care.tasks.run("prune-unused"))?.figures).toMatchObject({ removedAccounts: 0 });
  const scheduled = care.tasks.list().filter(({ intervalMs }) => intervalMs > 0);
  expect(scheduled.map(({ name }) => name)).toEqual(["sweep-temp", "care-database"]);
});

test("check-storage names nobody and counts mail of no account", async () => {
  await send(store, bob, 100);
  const { figures } = (await care.tasks.run("check-storage")) ?? {};
  expect(figures?.findings).toEqual(["1 mail directories without an account"]);
});

test("care-database gives free pages back", async () => {
  db.$client.run("CREATE TABLE big (x)");
  db.$client.run(
    "INSERT INTO big SELECT randomblob(4000) FROM (SELECT 1 FROM sqlite_schema a, sqlite_schema b)",
  );
  db.$client.run("DELETE FROM big");
  const dry = await care.tasks.run("care-database", { dryRun: true });
  expect(dry?.figures.removedBytes).toBeGreaterThan(100_000);
  expect((await care.tasks.run("care-database"))?.figures.removedBytes).toBe(dry?.figures.removedBytes ?? 0);
});

test("settings made at run time win over the configuration", () => {
  const inForce = (...set: [key: string, value: string][]) =>
    applySettings(config(), (key) => new Map(set).get(key)).maintenance;
  expect(inForce().mail_retention).toBe(20 * DAY_MS);
  expect(inForce(["__MESSAGE_RETENTION__", "720h"]).mail_retention).toBe(30 * DAY_MS);
  const off = inForce(["__MESSAGE_RETENTION__", "1d"], ["__MESSAGE_RETENTION_ENABLED__", "false"]);
  expect(off.mail_retention).toBe(0);
  maintenance = { mail_retention: "0s" };
  expect(inForce(["__MESSAGE_RETENTION_ENABLED__", "true"]).mail_retention).toBe(30 * DAY_MS);
  expect(inForce(["__AUTO_PURGE_SEEN__", "true"]).purge_seen).toBe(true);
});

test("ages are read as madmail writes them", () => {
  expect(["30d", "720h", "45m", "90s", "90", " 1D "].map(ageMs)).toEqual([
    30 * DAY_MS,
    30 * DAY_MS,
    2_700_000,
    90_000,
    90_000,
    DAY_MS,
  ]);
  expect(["", "0d", "-1d", "1w", "x", undefined].map(ageMs)).toEqual(Array(6).fill(undefined));
});
