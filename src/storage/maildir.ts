/**
 * `MailStore` over Maildir directories: `<root>/<address>/Maildir`.
 *
 * Invariants
 * - One object per account owns its UIDs. Accounts leave memory by being forgotten here; a weak reference finds the
 *   same object as long as anybody uses it, so there are never two owners.
 * - Spool and mail lie on one file system: a message gets its names by link and rename.
 */
import * as fs from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { type Address, parseAddress } from "../core/address.ts";
import type { ChangeHub } from "../core/changes.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../log/events.ts";
import { HEAD_BYTES } from "./bodies.ts";
import { takeCleanMark, writeCleanMark } from "./clean-mark.ts";
import type { MaildirContext } from "./context.ts";
import { asStorageError } from "./faults.ts";
import { diskFiles, type Files, isMissing } from "./files.ts";
import { HeaderCache } from "./header-cache.ts";
import { type Attempt, landMessage, withinTime } from "./landing.ts";
import { sweepTorn } from "./load.ts";
import { MaildirAccount } from "./maildir-account.ts";
import { MaildirKeeper } from "./maildir-keeper.ts";
import type { MaildirMailbox } from "./maildir-mailbox.ts";
import { readMark } from "./marks.ts";
import { accountDirectoryName, MessageNames, normalMailboxName } from "./names.ts";
import { FileOutbox } from "./outbox.ts";
import { QuickReads } from "./quick-reads.ts";
import { Running, Slots } from "./slots.ts";
import { FileSpool, SpooledMessage } from "./spool.ts";
import {
  type DeliveryTarget,
  type MailAccount,
  type MailStore,
  type Parcel,
  type SealedMessage,
  type Spool,
  type SpoolOptions,
  StorageError,
  type Usage,
} from "./store.ts";
import { DirectorySyncs, type FsyncMode } from "./syncs.ts";
import { Usages } from "./usages.ts";

export interface MaildirOptions {
  /** `<state>/mail` */
  root: string;
  /** On the same file system as `root`. */
  spoolDir: string;
  /** On the same file system as `root`. Default: `queue` beside `root`. */
  outboxDir?: string;
  fsync: FsyncMode;
  hub: ChangeHub;
  clock: Clock;
  log: Log;
  /** Name in message file names; the machine's by default. */
  host?: string;
  /** Accounts whose index stays in memory unused. Default 20,000. */
  residentAccountsMax?: number;
  /** Messages (about 200 B each) in indexes that stay in memory unused. Default 1,000,000. */
  residentMessagesMax?: number;
  /** Prefetched header lines of all accounts. Default 32 MiB. */
  headerCacheMaxBytes?: number;
  /** Deliveries between create and sync, each with a descriptor. Default 256. */
  deliveriesMax?: number;
  /** Large bodies held open by readers. Default 1024. */
  openBodiesMax?: number;
  /** For tests: a file system that fails, waits or crashes. */
  files?: Files;
}

const DEFAULTS = {
  residentAccountsMax: 20_000,
  residentMessagesMax: 1_000_000,
  headerCacheMaxBytes: 32 * 1024 * 1024,
  deliveriesMax: 256,
  openBodiesMax: 1024,
};
/** Accounts loaded at once: each lists directories in the pool. */
const LOADS_AT_ONCE = 32;
/** The messages in memory are counted after so many loads. */
const COUNT_EVERY_LOADS = 256;

export class MaildirStore implements MailStore {
  readonly outbox: FileOutbox;
  readonly keeper: MaildirKeeper;
  readonly #options: MaildirOptions & typeof DEFAULTS;
  readonly #context: MaildirContext;
  /** Accounts that stay in memory, least recently used first. */
  readonly #resident = new Map<Address, MaildirAccount>();
  /** Every account object that still lives. */
  readonly #alive = new Map<Address, WeakRef<MaildirAccount>>();
  readonly #loading = new Map<Address, Promise<MaildirAccount>>();
  readonly #collected = new FinalizationRegistry<Address>((user) => {
    if (this.#alive.get(user)?.deref() === undefined) this.#alive.delete(user);
  });
  readonly #loadSlots = new Slots(LOADS_AT_ONCE);
  readonly #usages: Usages;
  #loads = 0;
  #lastModseq = 0;
  #uidValidityFloor = 0;
  #verifyNew = true;
  #sweeping: Promise<void> = Promise.resolve();
  #closed = false;
  #closing: Promise<void> | undefined;

  constructor(options: MaildirOptions) {
    this.#options = { ...DEFAULTS, ...options };
    const files = options.files ?? diskFiles;
    const { clock, log, hub, fsync, spoolDir } = options;
    const run = Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) =>
      byte.toString(36).padStart(2, "0"),
    );
    this.#context = {
      spoolDir,
      fsync,
      files,
      hub: {
        publish: (user) => {
          this.#noteIfLeft(user);
          hub.publish(user);
        },
      },
      clock,
      log,
      directories: new DirectorySyncs(files),
      names: new MessageNames(run.join(""), options.host ?? hostname()),
      headers: new HeaderCache(this.#options.headerCacheMaxBytes),
      quickReads: new QuickReads(clock, HEAD_BYTES),
      running: new Running(),
      deliverySlots: new Slots(this.#options.deliveriesMax),
      bodySlots: new Slots(this.#options.openBodiesMax),
      nextModseq: () => {
        this.#lastModseq = Math.max(this.#lastModseq + 1, this.#options.clock.nowMs() * 1000);
        return this.#lastModseq;
      },
      uidValidityFloor: () => Math.max(Math.floor(clock.nowMs() / 1000), this.#uidValidityFloor + 1),
      raiseUidValidityFloor: (used) => {
        this.#uidValidityFloor = Math.max(this.#uidValidityFloor, used);
      },
      verifyNew: () => this.#verifyNew,
    };
    this.#usages = new Usages({
      root: options.root,
      context: this.#context,
      slots: this.#loadSlots,
      loaded: (user) => this.#alive.get(user)?.deref(),
      isLoading: (user) => this.#loading.has(user),
    });
    this.outbox = new FileOutbox(this.#context, options.outboxDir ?? join(dirname(options.root), "queue"));
    const peek = (user: Address) => this.#alive.get(user)?.deref() ?? this.#loading.get(user);
    this.keeper = new MaildirKeeper({ context: this.#context, root: options.root, peek });
  }

  /** Makes the directories and sweeps what a crash left. @throws {StorageError} with a text for the operator */
  async start(): Promise<void> {
    const { root, spoolDir } = this.#options;
    try {
      const directories = [root, spoolDir, this.outbox.directory];
      for (const directory of directories) this.#context.files.mkdir(directory);
      if (new Set(directories.map((directory) => fs.statSync(directory).dev)).size > 1) {
        const what = "the spool, the queue and the mail directory must be on one file system";
        throw new StorageError("failed", what);
      }
      for (const name of await fs.promises.readdir(spoolDir))
        this.#context.files.unlink(`${spoolDir}/${name}`);
      const mark = takeCleanMark(this.#context, root);
      this.#lastModseq = mark?.modseq ?? 0;
      this.#uidValidityFloor = mark?.uidValidityFloor ?? 0;
      this.#verifyNew = mark?.swept !== true;
      if (!this.#verifyNew) this.#usages.load();
    } catch (error) {
      throw asStorageError(error, "open the mail directory", this.#options.log);
    }
    this.#sweeping = this.#sweep();
  }

  spool(options: SpoolOptions): Spool {
    this.#refuseWhenClosed();
    return new FileSpool(this.#context, options);
  }

  async deliver(message: SealedMessage, targets: readonly DeliveryTarget[], parcel?: Parcel): Promise<void> {
    this.#refuseWhenClosed();
    if (!(message instanceof SpooledMessage)) throw new Error("message of another store");
    await withinTime(this.#context, (attempt) =>
      this.#context.running.during(() => this.#deliver(message, targets, attempt, parcel)),
    );
  }

  async #deliver(
    message: SpooledMessage,
    targets: readonly DeliveryTarget[],
    attempt: Attempt,
    parcel: Parcel | undefined,
  ): Promise<void> {
    // Refused before anything is made or awaited.
    const wanted = targets.map(({ user, mailbox }) => ({ user, mailbox: normalMailboxName(mailbox) }));
    const found = wanted.map((target) => this.#target(target));
    const mailboxes = await allOf(found).catch((error: unknown) => {
      // Removed while we waited for it: for the sender a fault that passes, not a target that is wrong.
      if (error instanceof StorageError && error.fault === "nonexistent") {
        throw new StorageError("failed", "account was removed during delivery", { cause: error });
      }
      throw error;
    });
    const internalDateMs = this.#context.clock.nowMs();
    const places = [...new Set(mailboxes)].map((mailbox) => ({ mailbox, internalDateMs, flags: 0 }));
    await landMessage(
      this.#context,
      message,
      places,
      attempt,
      parcel && this.outbox.arrival(parcel, message.bytes),
    );
  }

  async account(user: Address): Promise<MailAccount> {
    this.#refuseWhenClosed();
    return await this.#context.running.during(async () => await this.#account(user));
  }

  async remove(user: Address): Promise<void> {
    this.#refuseWhenClosed();
    await this.#context.running.during(async () => {
      const directory = `${this.#options.root}/${accountDirectoryName(user)}`;
      const isKnown = this.#loading.has(user) || this.#alive.get(user)?.deref() !== undefined;
      if (!isKnown && !fs.existsSync(directory)) return;
      const account = await this.#account(user);
      this.#resident.delete(user);
      this.#alive.delete(user);
      await account.remove();
      this.#usages.forget(user);
    });
  }

  exists(user: Address): boolean {
    if (this.#alive.get(user)?.deref() !== undefined) return true;
    return fs.existsSync(`${this.#options.root}/${accountDirectoryName(user)}/Maildir`);
  }

  async users(): Promise<Address[]> {
    try {
      const entries = await fs.promises.readdir(this.#options.root, { withFileTypes: true });
      // Also on a file system of its own, with its lost+found.
      return entries.flatMap((entry) => {
        const user = entry.isDirectory() ? parseAddress(entry.name) : undefined;
        return user === entry.name ? [user] : [];
      });
    } catch (error) {
      throw asStorageError(error, "list accounts", this.#options.log);
    }
  }

  usage(user: Address): Usage | Promise<Usage> {
    this.#refuseWhenClosed();
    return this.#usages.of(user);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Accounts whose index is kept in memory. */
  get residentAccounts(): number {
    return this.#resident.size;
  }

  /** Resolves when the background sweep of the start is over; never rejects. */
  swept(): Promise<void> {
    return this.#sweeping;
  }

  async #close(): Promise<void> {
    this.#closed = true;
    await this.#context.running.idle();
    await this.#sweeping;
    try {
      const accounts = new Set([...this.#alive.values()].flatMap((reference) => reference.deref() ?? []));
      await Promise.all([...accounts].map((account) => account.settle()));
      for (const account of accounts) this.#usages.note(account);
      await this.#usages.save(this.#context);
      // A stop before the sweep was over is orderly, but leaves the sweep to the next start.
      await writeCleanMark(this.#context, this.#options.root, {
        modseq: this.#lastModseq,
        uidValidityFloor: this.#uidValidityFloor,
        swept: !this.#verifyNew,
      });
    } catch (error) {
      throw asStorageError(error, "close the mail directory", this.#options.log);
    }
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new StorageError("failed", "storage is closed");
  }

  #target(target: DeliveryTarget): MaildirMailbox | Promise<MaildirMailbox> {
    const account = this.#account(target.user);
    if (account instanceof MaildirAccount) return account.target(target.mailbox);
    return account.then((loaded) => loaded.target(target.mailbox));
  }

  #account(user: Address): MaildirAccount | Promise<MaildirAccount> {
    const resident = this.#resident.get(user);
    if (resident !== undefined) {
      this.#resident.delete(user);
      this.#resident.set(user, resident);
      return resident;
    }
    const alive = this.#alive.get(user)?.deref();
    if (alive !== undefined) {
      this.#keep(user, alive);
      return alive;
    }
    const running = this.#loading.get(user);
    if (running !== undefined) return running;
    const loading = this.#load(user).finally(() => this.#loading.delete(user));
    this.#loading.set(user, loading);
    return loading;
  }

  async #load(user: Address): Promise<MaildirAccount> {
    const account = new MaildirAccount(this.#context, this.#options.root, user);
    await this.#loadSlots.take();
    try {
      await this.keeper.makeWay(user);
      await account.load();
    } catch (error) {
      throw asStorageError(error, "load account", this.#options.log);
    } finally {
      this.#loadSlots.give();
    }
    this.#alive.set(user, new WeakRef(account));
    this.#collected.register(account, user);
    this.#keep(user, account);
    return account;
  }

  #keep(user: Address, account: MaildirAccount): void {
    this.#resident.set(user, account);
    this.#evict(user);
  }

  /** Forgets the least recently used accounts that nobody holds, down to the bounds. */
  #evict(except: Address): void {
    const { residentAccountsMax, residentMessagesMax } = this.#options;
    // Counting all is for now and then: with many accounts it costs more than a load.
    this.#loads++;
    const count = this.#loads % COUNT_EVERY_LOADS === 0 || this.#resident.size < COUNT_EVERY_LOADS;
    if (!count && this.#resident.size <= residentAccountsMax) return;
    let messages = 0;
    if (count) for (const account of this.#resident.values()) messages += account.messageCount;
    for (const [user, account] of this.#resident) {
      if (this.#resident.size <= residentAccountsMax && messages <= residentMessagesMax) return;
      if (user === except || account.isHeld) continue;
      this.#resident.delete(user);
      this.#usages.note(account);
      messages -= account.messageCount;
    }
  }

  /** An account that left memory may still be held by somebody who changes it; one that stays is asked itself. */
  #noteIfLeft(user: Address): void {
    if (this.#resident.has(user)) return;
    const account = this.#alive.get(user)?.deref();
    if (account !== undefined) this.#usages.note(account);
  }

  /**
   * In the background: removed accounts, after an unclean stop torn files of accounts nobody asks for, and how much mail
   * each account has where that is not known.
   */
  async #sweep(): Promise<void> {
    const { root, log } = this.#options;
    try {
      for (const name of await readDirectory(`${root}/.removed`)) {
        await fs.promises.rm(`${root}/.removed/${name}`, { recursive: true, force: true });
      }
      const users = await this.users();
      for (const user of this.#verifyNew ? users : []) {
        if (this.#closed) return;
        await this.#sweepAccount(`${root}/${user}/Maildir`);
      }
      this.#verifyNew = false;
      for (const user of users) {
        if (this.#closed) return;
        await this.usage(user);
      }
    } catch (error) {
      // Accounts still verify when they load, and the next start sweeps again.
      asStorageError(error, "sweep after an unclean stop", log);
    }
  }

  async #sweepAccount(maildir: string): Promise<void> {
    for (const entry of await readDirectory(maildir)) {
      const folder = entry === "new" ? maildir : `${maildir}/${entry}`;
      if (entry !== "new" && !entry.startsWith(".")) continue;
      if (entry.startsWith("..")) {
        await fs.promises.rm(folder, { recursive: true, force: true });
        continue;
      }
      const mark = readMark(folder);
      if (mark === undefined) continue;
      await sweepTorn(this.#context, `${folder}/new`, await readDirectory(`${folder}/new`), mark.uidValidity);
    }
  }
}

/** Waits for all, then gives the first error: nothing may still be under way when the caller goes on. */
async function allOf<T>(values: readonly (T | Promise<T>)[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(values);
  return outcomes.map((outcome) => {
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  });
}

/** Names in a directory; none when it is not there (removed meanwhile). */
async function readDirectory(path: string): Promise<string[]> {
  try {
    return await fs.promises.readdir(path);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
