/**
 * One account: its mailboxes and their life. Changes to the set of mailboxes run one after another; deliveries,
 * flags and reads go on beside them.
 */
import * as fs from "node:fs";
import type { Address } from "../core/address.ts";
import { checkIndexed, emptyCheck } from "./check.ts";
import type { MaildirContext } from "./context.ts";
import type { Dated } from "./expiry.ts";
import { asStorageError } from "./faults.ts";
import { isMissing } from "./files.ts";
import type { CheckResult } from "./keeper.ts";
import { Keywords, readKeywords } from "./keywords.ts";
import { MaildirMailbox } from "./maildir-mailbox.ts";
import { readMark, type StoredMark, UidMarks } from "./marks.ts";
import { accountDirectoryName, folderDirectoryName, folderNameOf, normalMailboxName } from "./names.ts";
import { type Mailbox, type MailAccount, StorageError } from "./store.ts";
import { readSubscriptions, writeSubscriptions } from "./subscriptions.ts";

/** A message with the mailbox it lies in. */
export interface DatedMessage extends Dated {
  readonly mailbox: MaildirMailbox;
  readonly uid: number;
}

const INBOX = "INBOX";
/** Mailboxes of one account; also bounds what a client can make us hold. */
const MAILBOXES_MAX = 1000;

export class MaildirAccount implements MailAccount {
  readonly user: Address;
  readonly #context: MaildirContext;
  readonly #root: string;
  /** `mail/<user>/Maildir` */
  readonly #maildir: string;
  readonly #mailboxes = new Map<string, MaildirMailbox>();
  #subscriptions = new Set<string>();
  #lastValidity = 0;
  /** Tail of the queue of changes to the set of mailboxes. */
  #changing: Promise<unknown> = Promise.resolve();
  #creating = new Map<string, Promise<MaildirMailbox>>();
  #gone = false;

  /** @throws {StorageError} badName */
  constructor(context: MaildirContext, root: string, user: Address) {
    this.#context = context;
    this.user = user;
    this.#root = root;
    this.#maildir = `${root}/${accountDirectoryName(user)}/Maildir`;
  }

  /** Reads all mailboxes; makes the inbox when there is none. @throws errno errors */
  async load(): Promise<void> {
    const directories = await this.#listDirectories();
    if (directories === undefined) {
      await this.#found(INBOX, this.#maildir);
      return;
    }
    this.#lastValidity = readMark(this.#maildir)?.lastValidity ?? 0;
    this.#subscriptions = readSubscriptions(this.#maildir);
    if (directories.includes("cur") && directories.includes("new")) await this.#load(INBOX, this.#maildir);
    else await this.#found(INBOX, this.#maildir);
    for (const directory of directories) {
      const name = folderNameOf(directory);
      if (name === undefined || !fs.existsSync(`${this.#maildir}/${directory}/cur`)) continue;
      await this.#load(name, `${this.#maildir}/${directory}`);
    }
  }

  get usedBytes(): number {
    let bytes = 0;
    for (const mailbox of this.#mailboxes.values()) bytes += mailbox.totalBytes;
    return bytes;
  }

  get messageCount(): number {
    let count = 0;
    for (const mailbox of this.#mailboxes.values()) count += mailbox.messages.length;
    return count;
  }

  /** True while a mailbox is open or being delivered to. */
  get isHeld(): boolean {
    for (const mailbox of this.#mailboxes.values()) if (mailbox.isHeld) return true;
    return false;
  }

  mailboxes(): readonly string[] {
    const names = [...this.#mailboxes.keys()].filter((name) => name !== INBOX).sort();
    return this.#mailboxes.has(INBOX) ? [INBOX, ...names] : names;
  }

  subscriptions(): ReadonlySet<string> {
    return this.#subscriptions;
  }

  async setSubscribed(name: string, subscribed: boolean): Promise<void> {
    const normal = normalMailboxName(name);
    await this.#change("subscribe", async () => {
      if (this.#subscriptions.has(normal) === subscribed) return;
      const next = new Set(this.#subscriptions);
      if (subscribed) next.add(normal);
      else next.delete(normal);
      if (next.size > MAILBOXES_MAX) throw new StorageError("full", "too many subscriptions");
      await writeSubscriptions(this.#context, this.#maildir, next);
      this.#subscriptions = next;
    });
  }

  open(name: string): Promise<Mailbox> {
    try {
      const mailbox = this.#existing(name);
      mailbox.hold();
      return Promise.resolve(mailbox);
    } catch (error) {
      return Promise.reject(asStorageError(error, "open mailbox", this.#context.log));
    }
  }

  async create(name: string): Promise<void> {
    const normal = normalMailboxName(name);
    if (this.#mailboxes.has(normal)) throw new StorageError("exists", "mailbox exists");
    await this.#change("create mailbox", async () => {
      if (this.#mailboxes.has(normal)) throw new StorageError("exists", "mailbox exists");
      await this.#foundFolder(normal);
    });
  }

  async delete(name: string): Promise<void> {
    const normal = normalMailboxName(name);
    if (normal === INBOX) throw new StorageError("badName", "the inbox cannot be deleted");
    await this.#change("delete mailbox", async () => {
      const mailbox = this.#existing(normal);
      await mailbox.quiet();
      await this.#retire(mailbox.uidValidity);
      await mailbox.quiet();
      const doomed = `${this.#maildir}/..${this.#context.names.scratch()}`;
      this.#context.files.rename(mailbox.files.directory, doomed);
      this.#mailboxes.delete(normal);
      mailbox.vanish();
      await fs.promises.rm(doomed, { recursive: true, force: true });
      await this.#syncMaildir();
    });
  }

  async rename(from: string, to: string): Promise<void> {
    const [source, target] = [normalMailboxName(from), normalMailboxName(to)];
    await this.#change("rename mailbox", async () => {
      const mailbox = this.#existing(source);
      if (this.#mailboxes.has(target)) throw new StorageError("exists", "mailbox exists");
      if (source === INBOX) {
        const folder = await this.#foundFolder(target);
        await mailbox.move(
          mailbox.messages.map((message) => message.uid),
          folder,
        );
        return;
      }
      if (target.startsWith(`${source}/`)) throw new StorageError("badName", "a mailbox into itself");
      const moves = [...this.#mailboxes.values()]
        .filter(({ name }) => name === source || name.startsWith(`${source}/`))
        .map((moving) => ({ moving, name: `${target}${moving.name.slice(source.length)}` }));
      const taken = moves.some(({ name }) => this.#mailboxes.has(name));
      if (taken) throw new StorageError("exists", "an inferior mailbox exists");
      for (const { moving, name } of moves) {
        const directory = `${this.#maildir}/${folderDirectoryName(name)}`;
        await moving.quiet();
        this.#context.files.rename(moving.files.directory, directory);
        this.#mailboxes.delete(moving.name);
        moving.moved(name, directory);
        this.#mailboxes.set(name, moving);
      }
      await this.#syncMaildir();
    });
  }

  async expireOldest(bytes: number, olderThanMs: number): Promise<number> {
    const old = this.datedMessages()
      .filter((message) => message.internalDateMs < olderThanMs)
      .sort((a, b) => a.internalDateMs - b.internalDateMs);
    let chosenBytes = 0;
    const doomed = old.slice(
      0,
      old.findIndex((message) => (chosenBytes += message.size) >= bytes) + 1 || old.length,
    );
    return await this.#context.running.during(async () => {
      const removed = await this.removeDated(bytes > 0 ? doomed : []);
      return removed.reduce((sum, { size }) => sum + size, 0);
    });
  }

  // For the keeper.

  /** Every visible message. */
  datedMessages(): DatedMessage[] {
    return [...this.#mailboxes.values()].flatMap((mailbox) =>
      mailbox.messages.map(({ uid, size, internalDateMs, flags }) => ({
        mailbox,
        uid,
        size,
        internalDateMs,
        flags,
      })),
    );
  }

  /** Deletes messages whatever their flags. @returns those that were still there */
  async removeDated(messages: readonly DatedMessage[]): Promise<DatedMessage[]> {
    const removed: DatedMessage[] = [];
    for (const [mailbox, doomed] of Map.groupBy(messages, (message) => message.mailbox)) {
      if (mailbox.isGone) continue;
      const there = doomed.filter(({ uid }) => mailbox.find(uid) !== undefined);
      await mailbox.expire(there.map(({ uid }) => uid).sort((a, b) => a - b));
      removed.push(...there);
    }
    return removed;
  }

  /** Compares the index with the files. @param repair drops what has no file; new files wait for the next load */
  async check(repair: boolean): Promise<CheckResult> {
    const result = emptyCheck();
    for (const mailbox of this.#mailboxes.values()) await checkIndexed(mailbox, repair, result);
    return result;
  }

  // For the store.

  /** The mailbox for a delivery, made when absent. A promise only when something has to be made. */
  target(name: string): MaildirMailbox | Promise<MaildirMailbox> {
    const normal = normalMailboxName(name);
    const known = this.#mailboxes.get(normal);
    if (known !== undefined) return known;
    const creating = this.#creating.get(normal);
    if (creating !== undefined) return creating;
    const founding = this.#change("create mailbox", async () => {
      return this.#mailboxes.get(normal) ?? (await this.#foundFolder(normal));
    }).finally(() => this.#creating.delete(normal));
    this.#creating.set(normal, founding);
    return founding;
  }

  /** Takes the account off the disk at once; whoever still holds it finds it empty. */
  async remove(): Promise<void> {
    this.#gone = true;
    const doomed = `${this.#root}/.removed/${this.#context.names.scratch()}`;
    try {
      this.#context.files.mkdir(`${this.#root}/.removed`);
      this.#context.files.rename(`${this.#root}/${accountDirectoryName(this.user)}`, doomed);
    } catch (error) {
      if (!isMissing(error)) throw asStorageError(error, "remove account", this.#context.log);
    }
    for (const mailbox of this.#mailboxes.values()) {
      this.#context.raiseUidValidityFloor(mailbox.uidValidity);
      mailbox.vanish();
    }
    this.#context.raiseUidValidityFloor(this.#lastValidity);
    this.#mailboxes.clear();
    await fs.promises.rm(doomed, { recursive: true, force: true });
  }

  /** Exact UIDNEXT marks, for a restart that skips nothing. */
  async settle(): Promise<void> {
    await this.#changing;
    if (this.#gone) return;
    await Promise.all([...this.#mailboxes.values()].map((mailbox) => mailbox.marks.settle()));
  }

  // Helpers.

  #existing(name: string): MaildirMailbox {
    const mailbox = this.#mailboxes.get(normalMailboxName(name));
    if (mailbox === undefined) throw new StorageError("nonexistent", "no such mailbox");
    return mailbox;
  }

  async #change<T>(doing: string, work: () => Promise<T>): Promise<T> {
    const { running, log } = this.#context;
    return await running.during(async () => {
      const turn = this.#changing.then(async () => {
        if (this.#gone) throw new StorageError("nonexistent", "account was removed");
        return await work();
      });
      this.#changing = turn.catch(() => undefined);
      try {
        return await turn;
      } catch (error) {
        throw asStorageError(error, doing, log);
      }
    });
  }

  async #listDirectories(): Promise<string[] | undefined> {
    try {
      const entries = await fs.promises.readdir(this.#maildir, { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async #load(name: string, directory: string): Promise<void> {
    this.#context.files.mkdir(`${directory}/new`);
    this.#context.files.mkdir(`${directory}/tmp`);
    const stored = readMark(directory);
    const mark: StoredMark = stored ?? {
      uidValidity: this.#freshValidity(),
      uidNext: 1,
      lastValidity: this.#lastValidity,
    };
    const mailbox = this.#assemble(name, directory, mark, stored !== undefined);
    if (stored === undefined) await mailbox.marks.establish();
    await mailbox.load();
    this.#mailboxes.set(name, mailbox);
  }

  async #foundFolder(name: string): Promise<MaildirMailbox> {
    if (this.#mailboxes.size >= MAILBOXES_MAX) throw new StorageError("full", "too many mailboxes");
    const mailbox = await this.#found(name, `${this.#maildir}/${folderDirectoryName(name)}`);
    this.#context.hub.publish(this.user);
    return mailbox;
  }

  /** Makes a mailbox on disk, durable with its UIDVALIDITY before anybody hears of it. */
  async #found(name: string, directory: string): Promise<MaildirMailbox> {
    const { files, directories, fsync } = this.#context;
    for (const part of ["tmp", "new", "cur"]) files.mkdir(`${directory}/${part}`);
    const mark = { uidValidity: this.#freshValidity(), uidNext: 1, lastValidity: this.#lastValidity };
    const mailbox = this.#assemble(name, directory, mark, false);
    const waits = [mailbox.marks.establish()];
    if (name === INBOX) {
      const account = `${this.#root}/${accountDirectoryName(this.user)}`;
      if (fsync !== "never") waits.push(directories.sync(account), directories.sync(this.#root));
    } else {
      // Maildir++: tells delivery agents that this is a folder.
      files.close(files.create(`${directory}/maildirfolder`));
    }
    if (fsync !== "never") waits.push(directories.sync(this.#maildir));
    for (const outcome of await Promise.allSettled(waits)) {
      if (outcome.status === "rejected") throw outcome.reason;
    }
    this.#mailboxes.set(name, mailbox);
    return mailbox;
  }

  #assemble(name: string, directory: string, mark: StoredMark, durable: boolean): MaildirMailbox {
    const marks = new UidMarks(this.#context, directory, mark, durable);
    const keywords = new Keywords(this.#context, directory, readKeywords(directory));
    return new MaildirMailbox(this.#context, this.user, name, directory, marks, keywords);
  }

  /** Above every UIDVALIDITY that this account has or had. */
  #freshValidity(): number {
    let last = this.#lastValidity;
    for (const mailbox of this.#mailboxes.values()) last = Math.max(last, mailbox.uidValidity);
    const fresh = Math.max(this.#context.uidValidityFloor(), last + 1);
    this.#lastValidity = Math.max(this.#lastValidity, fresh);
    return fresh;
  }

  /** Writes down, in the inbox's file, that this UIDVALIDITY was used: the mailbox that bears it goes. */
  async #retire(uidValidity: number): Promise<void> {
    this.#lastValidity = Math.max(this.#lastValidity, uidValidity);
    await this.#mailboxes.get(INBOX)?.marks.retire(this.#lastValidity);
  }

  async #syncMaildir(): Promise<void> {
    if (this.#context.fsync !== "never") await this.#context.directories.sync(this.#maildir);
  }
}
