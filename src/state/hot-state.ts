/**
 * Everything a request needs to decide, in RAM (no request awaits SQL for a decision): accounts, blocklist, settings,
 * tokens, counters. Filled in one pass at the start. What people change is written through; statistics are written
 * every 30 s and at the stop, in one transaction, and only when there are any.
 */
import type { Config } from "../config/config.ts";
import type { Address } from "../core/address.ts";
import type { CancelTimer, Clock } from "../core/clock.ts";
import type { Service } from "../core/service.ts";
import { AccountRows } from "../db/accounts.ts";
import { AuditRows } from "../db/audit.ts";
import { BlockRows } from "../db/blocklist.ts";
import { ContactRows } from "../db/contacts.ts";
import { DomainQuotaRows } from "../db/domain-quotas.ts";
import { OverrideRows } from "../db/endpoint-overrides.ts";
import { ExchangerRows } from "../db/exchangers.ts";
import { MessageStatRows } from "../db/message-stats.ts";
import { type Db, databaseError, inTransaction } from "../db/open.ts";
import { PeerListRows } from "../db/peer-lists.ts";
import { PeerStatRows } from "../db/peer-stats.ts";
import { NEVER_LOGGED_IN } from "../db/schema.ts";
import { SettingRows } from "../db/settings.ts";
import { TokenRows } from "../db/tokens.ts";
import type { Log } from "../log/events.ts";
import { AccountBook } from "./account-book.ts";
import { AuditList } from "./audit-list.ts";
import { Blocklist } from "./blocklist.ts";
import { ContactBook } from "./contact-book.ts";
import { EndpointOverrides } from "./endpoint-overrides.ts";
import { ExchangerBook } from "./exchanger-book.ts";
import { FederationBook } from "./federation-book.ts";
import { MessageCounters } from "./message-counters.ts";
import { PeerTracker } from "./peer-tracker.ts";
import { QuotaBook } from "./quota-book.ts";
import { Settings } from "./settings.ts";
import { TokenBook } from "./token-book.ts";

const FLUSH_INTERVAL_MS = 30_000;

export interface HotStateOptions {
  /** An open database; stays the caller's to close, after `stop`. */
  db: Db;
  /** The configuration of the moment. */
  config: () => Config;
  clock: Clock;
  log: Log;
}

export class HotState implements Service {
  readonly name = "state";
  readonly accounts: AccountBook;
  readonly quotas: QuotaBook;
  readonly blocklist: Blocklist;
  readonly settings: Settings;
  readonly tokens: TokenBook;
  readonly counters: MessageCounters;
  readonly federation: FederationBook;
  readonly overrides: EndpointOverrides;
  readonly exchangers: ExchangerBook;
  readonly peers: PeerTracker;
  readonly audit: AuditList;
  readonly contacts: ContactBook;
  readonly #db: Db;
  readonly #clock: Clock;
  readonly #log: Log;
  #cancelFlush: CancelTimer | undefined;

  constructor({ db, config, clock, log }: HotStateOptions) {
    this.#db = db;
    this.#clock = clock;
    this.#log = log;
    const accountRows = new AccountRows(db);
    const configuredQuota = () => config().accounts.default_quota;
    this.quotas = new QuotaBook(new DomainQuotaRows(db), accountRows, configuredQuota);
    this.accounts = new AccountBook(accountRows, clock, this.quotas);
    this.blocklist = new Blocklist(new BlockRows(db), clock);
    this.settings = new Settings(new SettingRows(db), config);
    this.tokens = new TokenBook(new TokenRows(db), clock);
    this.counters = new MessageCounters(new MessageStatRows(db));
    this.federation = new FederationBook({
      rules: new PeerListRows(db, "rules"),
      dismissed: new PeerListRows(db, "dismissed"),
      settings: this.settings,
      config,
      clock,
    });
    this.overrides = new EndpointOverrides(new OverrideRows(db), clock);
    this.exchangers = new ExchangerBook(new ExchangerRows(db), clock);
    this.peers = new PeerTracker(new PeerStatRows(db), clock);
    this.audit = new AuditList(new AuditRows(db), clock);
    this.contacts = new ContactBook(new ContactRows(db), clock);
  }

  /** Fills everything from the database. @throws {DatabaseError} with a message for the operator */
  async start(): Promise<void> {
    try {
      this.hydrate();
    } catch (error) {
      throw databaseError(error, this.#db.$client.filename);
    }
    this.#scheduleFlush();
  }

  /** Reads everything anew, after writing what was not written yet. For changes made by another process. */
  hydrate(): void {
    this.#write();
    this.accounts.hydrate();
    this.quotas.hydrate();
    this.blocklist.hydrate();
    this.hydrateFederation();
    this.tokens.hydrate(this.accounts);
    this.counters.hydrate();
    this.peers.hydrate();
  }

  /** Reads settings, rules, overrides and exchangers anew. */
  hydrateFederation(): void {
    this.settings.hydrate();
    this.federation.hydrate();
    this.overrides.hydrate();
    this.exchangers.hydrate();
  }

  /**
   * Notes a successful login. The first one of an account that was handed out is written at once, and counts its token.
   * @returns false if there is no such account (any more), or its token has no use left for it: then remove the account
   * @throws what the database throws; then nothing has changed
   */
  noteLogin(user: Address): boolean {
    const account = this.accounts.get(user);
    if (account === undefined) return false;
    if (account.firstLoginAtSec !== NEVER_LOGGED_IN) {
      this.accounts.noteLogin(user);
      return true;
    }
    const token = account.usedToken;
    const counted = inTransaction(this.#db, () => {
      if (token !== undefined && !this.tokens.writeUse(token)) return false;
      this.accounts.writeFirstLogin(user);
      return true;
    });
    if (!counted) return false;
    this.accounts.firstLoginWritten(user);
    if (token !== undefined) this.tokens.useWritten(token);
    return true;
  }

  /** Removes an account; a token use that it held is free again. @returns false if there was no such account */
  removeAccount(user: Address): boolean {
    const account = this.accounts.get(user);
    if (account === undefined) return false;
    const { usedToken, firstLoginAtSec } = account;
    this.accounts.remove(user);
    if (usedToken !== undefined && firstLoginAtSec === NEVER_LOGGED_IN) this.tokens.release(usedToken);
    return true;
  }

  /** Writes statistics now. A database in trouble is reported, and they stay for the next time. */
  flush(): void {
    try {
      this.#write();
    } catch (error) {
      this.#log.emit({ kind: "storageTrouble", what: "statistics could not be written to the database" });
      this.#log.emit({ kind: "internalFault", where: "state flush", error });
    }
  }

  async stop(): Promise<void> {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    this.flush();
  }

  #write(): void {
    const books = [this.accounts, this.counters, this.peers].filter((book) => book.hasUnsaved);
    if (books.length === 0) return;
    inTransaction(this.#db, () => {
      for (const book of books) book.writeUnsaved();
    });
    for (const book of books) book.saved();
  }

  #scheduleFlush(): void {
    this.#cancelFlush = this.#clock.after(FLUSH_INTERVAL_MS, () => {
      this.flush();
      this.#scheduleFlush();
    });
  }
}
