/**
 * One mailbox: its index, its files, and what clients do to it.
 * Renames and unlinks are single synchronous calls with the index changed in the same turn, so both always agree.
 */
import type { Address } from "../core/address.ts";
import type { MaildirContext } from "./context.ts";
import { asStorageError } from "./faults.ts";
import type { Keywords } from "./keywords.ts";
import { loadMessages } from "./load.ts";
import { type Landing, land, landMessage, withinTime } from "./landing.ts";
import { MailboxFiles } from "./mailbox-files.ts";
import { type Arrival, type IndexedMessage, MailboxIndex } from "./mailbox-index.ts";
import type { UidMarks } from "./marks.ts";
import { MessageReader, type Places } from "./message-reader.ts";
import { flagsOfLetters, lettersOf } from "./names.ts";
import { SpooledMessage } from "./spool.ts";
import {
  type AppendOptions,
  type Changes,
  Flag,
  type FlagChange,
  KEYWORD_SHIFT,
  type Mailbox,
  type MessageInfo,
  type SealedMessage,
  StorageError,
  type StoredBody,
  type StoreFlagsResult,
} from "./store.ts";

/** Messages renamed, unlinked or linked before others get a turn (about a millisecond). */
const CHUNK = 64;

export class MaildirMailbox implements Mailbox, Places {
  name: string;
  readonly index: MailboxIndex;
  readonly marks: UidMarks;
  readonly files: MailboxFiles;
  readonly #context: MaildirContext;
  readonly #user: Address;
  readonly #keywords: Keywords;
  readonly #reader: MessageReader;
  #idle: (() => void)[] = [];
  #holders = 0;
  #gone = false;

  constructor(
    context: MaildirContext,
    user: Address,
    name: string,
    directory: string,
    marks: UidMarks,
    keywords: Keywords,
  ) {
    this.#context = context;
    this.#user = user;
    this.name = name;
    this.files = new MailboxFiles(context.files, directory);
    this.marks = marks;
    this.#keywords = keywords;
    this.index = new MailboxIndex(context.nextModseq);
    this.#reader = new MessageReader(context, this.index, this);
  }

  get uidValidity(): number {
    return this.marks.uidValidity;
  }

  /** A UID that is drawn but not visible yet must not be below: a client would never ask for it. */
  get uidNext(): number {
    return this.index.lowestPending ?? this.marks.next;
  }

  get highestModseq(): number {
    return this.index.highestModseq;
  }

  get messages(): readonly MessageInfo[] {
    return this.index.messages;
  }

  get unseenCount(): number {
    return this.index.unseenCount;
  }

  get deletedCount(): number {
    return this.index.deletedCount;
  }

  get totalBytes(): number {
    return this.index.totalBytes;
  }

  get keywords(): readonly string[] {
    return this.#keywords.names;
  }

  keyword(name: string): number | undefined {
    return this.#keywords.mask(name);
  }

  find(uid: number): MessageInfo | undefined {
    return this.index.find(uid);
  }

  changesSince(modseq: number): Changes {
    return this.index.changesSince(modseq, this.uidNext);
  }

  async storeFlags(
    uids: readonly number[],
    how: FlagChange,
    flags: number,
    unchangedSince?: number,
  ): Promise<StoreFlagsResult> {
    return await this.#work("store flags", async () => {
      const result: StoreFlagsResult = { changed: [], modified: [] };
      const wanted = flags & this.#keywords.knownMask;
      const chosen = uids.length > 1 ? ascending(uids) : uids;
      for (let start = 0; start < chosen.length; start += CHUNK) {
        if (start > 0) await nextTurn();
        // One per turn: who looked in between must see the rest as later.
        const modseq = this.#context.nextModseq();
        const before = result.changed.length;
        const missing: number[] = [];
        for (const uid of chosen.slice(start, start + CHUNK)) {
          if (!this.#storeOne(uid, how, wanted, unchangedSince, modseq, result)) missing.push(uid);
        }
        if (result.changed.length > before) this.#publish();
        await this.#findAgain(missing, (uid) => {
          this.#storeOne(uid, how, wanted, unchangedSince, this.#context.nextModseq(), result);
        });
      }
      return result;
    });
  }

  async expunge(uids?: readonly number[]): Promise<number[]> {
    return await this.#work("expunge", async () => {
      if (this.index.deletedCount === 0) return [];
      const chosen = uids === undefined ? this.index.deletedUids() : ascending(uids);
      const marked = chosen.filter((uid) => ((this.index.find(uid)?.flags ?? 0) & Flag.deleted) !== 0);
      return await this.removeMessages(marked);
    });
  }

  async append(message: SealedMessage, options: AppendOptions): Promise<MessageInfo> {
    return await withinTime(this.#context, (attempt) =>
      this.#work("append", async () => {
        if (!(message instanceof SpooledMessage)) throw new Error("message of another store");
        const internalDateMs = options.internalDateMs ?? this.#context.clock.nowMs();
        const flags = (options.flags & ((1 << KEYWORD_SHIFT) - 1)) | this.#masksOf(options.keywords);
        const places = [{ mailbox: this, internalDateMs, flags }];
        const [entry] = await landMessage(this.#context, message, places, attempt);
        if (entry === undefined) throw new Error("nothing landed");
        return entry;
      }),
    );
  }

  async copy(uids: readonly number[], target: Mailbox): Promise<{ from: number[]; to: number[] }> {
    return await this.#work("copy", () => this.#copyTo(uids, ownMailbox(target)));
  }

  async move(uids: readonly number[], target: Mailbox): Promise<{ from: number[]; to: number[] }> {
    return await this.#work("move", async () => {
      const moved = await this.#copyTo(uids, ownMailbox(target));
      await this.removeMessages(moved.from);
      return moved;
    });
  }

  prefetchHeader(uid: number): Uint8Array | Promise<Uint8Array | undefined> | undefined {
    return this.#reader.prefetchHeader(uid);
  }

  header(uid: number): Promise<Uint8Array | undefined> {
    return this.#reader.header(uid);
  }

  body(uid: number): Promise<StoredBody | undefined> {
    return this.#reader.body(uid);
  }

  release(): void {
    if (this.#holders > 0) this.#holders--;
  }

  // For the account and for landings.

  hold(): void {
    this.#holders++;
  }

  /** Reads the directory. To be called once, before anybody has the mailbox. @throws errno errors */
  async load(): Promise<void> {
    this.index.load(
      await loadMessages(this.#context, this.files.directory, this.marks, this.keywords.length),
    );
  }

  /** True while somebody has it open or a delivery is under way. */
  get isHeld(): boolean {
    return this.#holders > 0 || this.index.lowestPending !== undefined;
  }

  get isGone(): boolean {
    return this.#gone;
  }

  /** Looks for a file that another program moved; drops the message when it is gone. */
  async findAgain(uid: number): Promise<void> {
    await this.#findAgain([uid], () => undefined);
  }

  /** Draws a UID; `welcome` or `giveUp` must follow. */
  draw(landing: Landing): Arrival {
    const { size, flags } = landing;
    const internalDateMs = Math.max(0, Math.floor(landing.internalDateMs / 1000) * 1000);
    const uid = this.marks.draw();
    this.index.expect(uid);
    const base = this.#context.names.base(this.uidValidity, internalDateMs, size, uid);
    return { uid, size, internalDateMs, flags, base, inNew: flags === 0 };
  }

  /** The mark's durability for all UIDs drawn so far; undefined when there is nothing to wait for. */
  covered(): Promise<void> | undefined {
    return this.marks.covered();
  }

  welcome(arrival: Arrival, header: Uint8Array | undefined): IndexedMessage | Promise<IndexedMessage> {
    if (header !== undefined) {
      this.#reader.remember(arrival.uid, header);
    }
    const entry = this.index.arrive(arrival);
    this.#settled();
    return entry;
  }

  giveUp(uid: number): void {
    this.index.giveUp(uid);
    this.#settled();
  }

  /** Resolves when nothing is being delivered here and no mark is being written. */
  async quiet(): Promise<void> {
    for (;;) {
      await this.marks.quiet();
      if (this.index.lowestPending === undefined) return;
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  /** Deletes messages whatever their flags. @param uids ascending @returns UIDs that went */
  async removeMessages(uids: readonly number[]): Promise<number[]> {
    const removed: number[] = [];
    for (let start = 0; start < uids.length; start += CHUNK) {
      if (start > 0) await nextTurn();
      const later = this.#removeNow(uids.slice(start, start + CHUNK), removed);
      if (later.length === 0) continue;
      const listed = await this.files.list();
      for (const message of later) {
        await this.files.unlinkListed(message, listed);
        this.#forget([message.uid]);
        removed.push(message.uid);
      }
    }
    return removed.sort((a, b) => a - b);
  }

  /** As `removeMessages`. @returns bytes freed */
  async expire(uids: readonly number[]): Promise<number> {
    const sizes = new Map(uids.map((uid) => [uid, this.index.find(uid)?.size ?? 0]));
    return await this.#work("expire", async () => {
      const removed = await this.removeMessages(uids);
      return removed.reduce((sum, uid) => sum + (sizes.get(uid) ?? 0), 0);
    });
  }

  /** The directory has a new place and the mailbox a new name. */
  moved(name: string, directory: string): void {
    this.name = name;
    this.files.directory = directory;
    this.marks.directory = directory;
    this.#keywords.directory = directory;
  }

  /** The mailbox was deleted: whoever still has it open finds it empty. */
  vanish(): void {
    this.#gone = true;
    this.#forget(this.index.messages.map((message) => message.uid));
  }

  // Helpers.

  /** Every operation: refused once the mailbox is gone, awaited by close, faults wrapped. */
  async #work<T>(doing: string, work: () => Promise<T>): Promise<T> {
    if (this.#gone) throw new StorageError("nonexistent", "mailbox was deleted");
    return await this.#context.running.during(async () => {
      try {
        return await work();
      } catch (error) {
        throw asStorageError(error, doing, this.#context.log);
      }
    });
  }

  /** @returns false when the file is not where the index says */
  #storeOne(
    uid: number,
    how: FlagChange,
    flags: number,
    unchangedSince: number | undefined,
    modseq: number,
    result: StoreFlagsResult,
  ): boolean {
    const old = this.index.find(uid);
    if (old === undefined) return true;
    if (unchangedSince !== undefined && old.modseq > unchangedSince) {
      result.modified.push(uid);
      return true;
    }
    const next = changedFlags(old.flags, how, flags);
    if (next === old.flags) return true;
    if (!this.files.rename(old, next)) return false;
    const message = this.index.replace(uid, next, modseq, old.base);
    if (message !== undefined) result.changed.push(message);
    return true;
  }

  async #copyTo(uids: readonly number[], target: MaildirMailbox): Promise<{ from: number[]; to: number[] }> {
    const sources = ascending(uids).flatMap((uid) => this.index.find(uid) ?? []);
    const landings = sources.map((source) => ({
      mailbox: target,
      size: source.size,
      internalDateMs: source.internalDateMs,
      flags: this.#flagsIn(target, source.flags),
      // Looked up when it happens: the flags, and so the path, may have changed since.
      place: (path: string) => {
        this.#context.files.link(this.files.pathOf(this.index.find(source.uid) ?? source), path);
      },
    }));
    const landed = await land(this.#context, landings, undefined);
    return { from: sources.map((source) => source.uid), to: landed.map((entry) => entry.uid) };
  }

  /** The same flags under the target's letters; keywords for which it has no room are lost. */
  #flagsIn(target: MaildirMailbox, flags: number): number {
    if (target === this) return flags;
    const keywords = this.keywords.filter((_, index) => flags & (1 << (KEYWORD_SHIFT + index)));
    return (flags & ((1 << KEYWORD_SHIFT) - 1)) | target.#masksOf(keywords);
  }

  #masksOf(keywords: readonly string[]): number {
    return keywords.reduce((mask, name) => mask | (this.#keywords.mask(name) ?? 0), 0);
  }

  /** Another program moved files: follows those that are still there, drops the others, then goes on. */
  async #findAgain(uids: readonly number[], goOn: (uid: number) => void): Promise<void> {
    if (uids.length === 0 || this.#gone) return;
    const names = await this.files.list();
    for (const uid of uids) {
      const message = this.index.find(uid);
      if (message === undefined) continue;
      const [path] = names.get(message.base) ?? [];
      if (path === undefined) this.#forget([uid]);
      else this.#follow(message, path);
      if (path !== undefined) goOn(uid);
    }
    this.#publish();
  }

  /** Takes over the flags that another program gave a file. */
  #follow(message: IndexedMessage, path: string): void {
    const flags = flagsOfLetters(lettersOf(path), this.keywords.length);
    this.files.adopt(path, message.base, flags);
    this.index.replace(message.uid, flags, this.#context.nextModseq(), message.base);
  }

  /** Unlinks what is small and in its place, adds it to `removed`. @returns what is left for later */
  #removeNow(uids: readonly number[], removed: number[]): IndexedMessage[] {
    const gone: number[] = [];
    const later: IndexedMessage[] = [];
    try {
      for (const uid of uids) {
        const message = this.index.find(uid);
        if (message === undefined) continue;
        if (this.files.unlinkNow(message)) gone.push(uid);
        else later.push(message);
      }
    } finally {
      this.#forget(gone);
      removed.push(...gone);
    }
    return later;
  }

  #forget(uids: readonly number[]): void {
    if (uids.length === 0) return;
    this.#reader.forget(uids);
    this.index.remove(uids);
    this.#publish();
  }

  #settled(): void {
    this.#publish();
    if (this.index.lowestPending === undefined) for (const wake of this.#idle.splice(0)) wake();
  }

  #publish(): void {
    this.#context.hub.publish(this.#user);
  }
}

function changedFlags(old: number, how: FlagChange, flags: number): number {
  if (how === "replace") return flags;
  return how === "add" ? old | flags : old & ~flags;
}

function ownMailbox(mailbox: Mailbox): MaildirMailbox {
  if (!(mailbox instanceof MaildirMailbox)) throw new Error("mailbox of another store");
  if (mailbox.isGone) throw new StorageError("nonexistent", "mailbox was deleted");
  return mailbox;
}

function ascending(uids: readonly number[]): number[] {
  return [...new Set(uids)].sort((a, b) => a - b);
}

/** Lets sockets and timers have their turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
