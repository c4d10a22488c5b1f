/** A mail store in memory, for tests of the IMAP room: the semantics of the seam, nothing durable. */
import type { Address } from "../core/address.ts";
import { concat } from "../core/bytes.ts";
import type { ChangeHub } from "../core/changes.ts";
import { headerLength, selectFields } from "../mime/header.ts";
import {
  type AppendOptions,
  type Changes,
  type DeliveryTarget,
  Flag,
  type FlagChange,
  KEYWORD_SHIFT,
  KEYWORDS_MAX,
  type MailAccount,
  type Mailbox,
  type MailStore,
  type MessageInfo,
  prefetchFields,
  type SealedMessage,
  type Spool,
  StorageError,
  type StoredBody,
  type StoreFlagsResult,
  type Usage,
} from "../storage/store.ts";

export class FakeSealed implements SealedMessage {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  discarded = false;

  constructor(body: Uint8Array) {
    this.body = body;
    this.header = body.subarray(0, headerLength(body));
  }

  get bytes(): number {
    return this.body.length;
  }

  discard(): void {
    this.discarded = true;
  }
}

export class FakeMailbox implements Mailbox {
  readonly account: FakeAccount;
  readonly name: string;
  readonly uidValidity = 1000;
  uidNext = 1;
  highestModseq = 1;
  readonly messages: MessageInfo[] = [];
  readonly keywords: string[] = [];
  readonly bodies = new Map<number, Uint8Array>();
  readonly gone: { uid: number; modseq: number }[] = [];
  /** Set to make reading wait, or fail. */
  onRead: (() => Promise<void>) | undefined;
  opened = 0;
  openBodies = 0;

  constructor(account: FakeAccount, name: string) {
    this.account = account;
    this.name = name;
  }

  get unseenCount(): number {
    return this.messages.filter(({ flags }) => (flags & Flag.seen) === 0).length;
  }

  get deletedCount(): number {
    return this.messages.filter(({ flags }) => (flags & Flag.deleted) !== 0).length;
  }

  get totalBytes(): number {
    return this.messages.reduce((sum, { size }) => sum + size, 0);
  }

  /** Adds a message at once and tells. */
  add(text: string | Uint8Array, options: Partial<AppendOptions> = {}): MessageInfo {
    const body = typeof text === "string" ? Buffer.from(text, "latin1") : text;
    let flags = options.flags ?? 0;
    for (const name of options.keywords ?? []) flags |= this.keyword(name) ?? 0;
    const internalDateMs = options.internalDateMs ?? Date.UTC(2026, 1, 7, 21, 52, 25);
    const uid = this.uidNext++;
    const info: MessageInfo = { uid, size: body.length, internalDateMs, flags, modseq: ++this.highestModseq };
    this.bodies.set(uid, body);
    this.messages.push(info);
    this.account.hub.publish(this.account.user);
    return info;
  }

  keyword(name: string): number | undefined {
    let index = this.keywords.indexOf(name);
    if (index < 0) {
      if (this.keywords.length >= KEYWORDS_MAX) return undefined;
      index = this.keywords.push(name) - 1;
    }
    return 1 << (KEYWORD_SHIFT + index);
  }

  find(uid: number): MessageInfo | undefined {
    return this.messages[this.#indexOf(uid)];
  }

  changesSince(modseq: number): Changes {
    return {
      changed: this.messages.filter((info) => info.modseq > modseq),
      vanished: this.gone
        .filter((entry) => entry.modseq > modseq)
        .map(({ uid }) => uid)
        .sort((a, b) => a - b),
    };
  }

  async storeFlags(
    uids: readonly number[],
    how: FlagChange,
    flags: number,
    unchangedSince?: number,
  ): Promise<StoreFlagsResult> {
    await Promise.resolve();
    const result: StoreFlagsResult = { changed: [], modified: [] };
    for (const uid of uids) {
      const index = this.#indexOf(uid);
      const info = this.messages[index];
      if (info === undefined) continue;
      if (unchangedSince !== undefined && info.modseq > unchangedSince) {
        result.modified.push(uid);
        continue;
      }
      const next = how === "add" ? info.flags | flags : how === "remove" ? info.flags & ~flags : flags;
      if (next === info.flags) continue;
      const changed = { ...info, flags: next, modseq: ++this.highestModseq };
      this.messages[index] = changed;
      result.changed.push(changed);
    }
    if (result.changed.length > 0) this.account.hub.publish(this.account.user);
    return result;
  }

  async expunge(uids?: readonly number[]): Promise<number[]> {
    await Promise.resolve();
    const wanted = this.messages.filter(
      (info) => (info.flags & Flag.deleted) !== 0 && (uids === undefined || uids.includes(info.uid)),
    );
    return this.drop(wanted.map(({ uid }) => uid));
  }

  /** Removes messages at once, as another session would. */
  drop(uids: readonly number[]): number[] {
    if (uids.length === 0) return [];
    this.highestModseq++;
    for (const uid of uids) {
      this.messages.splice(this.#indexOf(uid), 1);
      this.bodies.delete(uid);
      this.gone.push({ uid, modseq: this.highestModseq });
    }
    this.account.hub.publish(this.account.user);
    return [...uids];
  }

  async append(message: SealedMessage, options: AppendOptions): Promise<MessageInfo> {
    await Promise.resolve();
    if (!(message instanceof FakeSealed)) throw new Error("not a message of this store");
    return this.add(message.body, options);
  }

  async copy(uids: readonly number[], target: Mailbox): Promise<{ from: number[]; to: number[] }> {
    await Promise.resolve();
    if (!(target instanceof FakeMailbox)) throw new Error("not a mailbox of this store");
    const from = uids.filter((uid) => this.find(uid) !== undefined);
    const to = from.map(
      (uid) => target.add(this.bodies.get(uid) ?? "", { flags: this.find(uid)?.flags ?? 0 }).uid,
    );
    return { from, to };
  }

  async move(uids: readonly number[], target: Mailbox): Promise<{ from: number[]; to: number[] }> {
    const pairs = await this.copy(uids, target);
    this.drop(pairs.from);
    return pairs;
  }

  prefetchHeader(uid: number): Uint8Array | undefined {
    const body = this.bodies.get(uid);
    return body && selectFields(body.subarray(0, headerLength(body)), prefetchFields);
  }

  async header(uid: number): Promise<Uint8Array | undefined> {
    await Promise.resolve();
    const body = this.bodies.get(uid);
    return body?.subarray(0, headerLength(body));
  }

  async body(uid: number): Promise<StoredBody | undefined> {
    await Promise.resolve();
    const bytes = this.bodies.get(uid);
    if (bytes === undefined) return undefined;
    this.openBodies++;
    return {
      size: bytes.length,
      read: async (offset, length) => {
        await this.onRead?.();
        return bytes.subarray(offset, offset + length);
      },
      close: async () => {
        this.openBodies--;
      },
    };
  }

  release(): void {
    this.opened--;
  }

  #indexOf(uid: number): number {
    return this.messages.findIndex((info) => info.uid === uid);
  }
}

export class FakeAccount implements MailAccount {
  readonly user: Address;
  readonly hub: ChangeHub;
  readonly boxes = new Map<string, FakeMailbox>();
  readonly subscribed = new Set<string>();

  constructor(user: Address, hub: ChangeHub) {
    this.user = user;
    this.hub = hub;
    this.boxes.set("INBOX", new FakeMailbox(this, "INBOX"));
  }

  get usedBytes(): number {
    return [...this.boxes.values()].reduce((sum, box) => sum + box.totalBytes, 0);
  }

  get messageCount(): number {
    return [...this.boxes.values()].reduce((sum, box) => sum + box.messages.length, 0);
  }

  /** A mailbox that must be there. */
  box(name: string): FakeMailbox {
    const box = this.boxes.get(name);
    if (box === undefined) throw new StorageError("nonexistent", name);
    return box;
  }

  mailboxes(): readonly string[] {
    return ["INBOX", ...[...this.boxes.keys()].filter((name) => name !== "INBOX").sort()];
  }

  subscriptions(): ReadonlySet<string> {
    return this.subscribed;
  }

  async setSubscribed(name: string, subscribed: boolean): Promise<void> {
    if (subscribed) this.subscribed.add(name);
    else this.subscribed.delete(name);
  }

  async open(name: string): Promise<Mailbox> {
    const box = this.box(name);
    box.opened++;
    return box;
  }

  async create(name: string): Promise<void> {
    if (this.boxes.has(name)) throw new StorageError("exists", name);
    if (name.startsWith(".")) throw new StorageError("badName", name);
    this.boxes.set(name, new FakeMailbox(this, name));
  }

  async delete(name: string): Promise<void> {
    this.box(name);
    this.boxes.delete(name);
  }

  async rename(from: string, to: string): Promise<void> {
    const box = this.box(from);
    if (this.boxes.has(to)) throw new StorageError("exists", to);
    const renamed = new FakeMailbox(this, to);
    for (const info of box.messages) renamed.add(box.bodies.get(info.uid) ?? "", { flags: info.flags });
    this.boxes.set(to, renamed);
    if (from === "INBOX") box.drop(box.messages.map(({ uid }) => uid));
    else this.boxes.delete(from);
  }

  async expireOldest(): Promise<number> {
    return 0;
  }
}

export class FakeStore implements Omit<MailStore, "outbox" | "keeper"> {
  readonly accounts = new Map<Address, FakeAccount>();
  readonly hub: ChangeHub;
  /** Set to make opening accounts fail. */
  fault: Error | undefined;

  constructor(hub: ChangeHub) {
    this.hub = hub;
  }

  /** The account, at once. */
  of(user: Address): FakeAccount {
    const account = this.accounts.get(user) ?? new FakeAccount(user, this.hub);
    this.accounts.set(user, account);
    return account;
  }

  spool(): Spool {
    const chunks: Uint8Array[] = [];
    return {
      get bytes() {
        return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      },
      write: (chunk) => void chunks.push(new Uint8Array(chunk)),
      seal: () => new FakeSealed(concat(chunks)),
      discard: () => void chunks.splice(0),
    };
  }

  async deliver(message: SealedMessage, targets: readonly DeliveryTarget[]): Promise<void> {
    if (!(message instanceof FakeSealed)) throw new Error("not a message of this store");
    for (const { user, mailbox } of targets) this.of(user).box(mailbox).add(message.body);
  }

  exists(user: Address): boolean {
    return this.accounts.has(user);
  }

  async users(): Promise<Address[]> {
    return [...this.accounts.keys()];
  }

  usage(user: Address): Usage {
    const { usedBytes = 0, messageCount = 0 } = this.accounts.get(user) ?? {};
    return { bytes: usedBytes, messages: messageCount };
  }

  async account(user: Address): Promise<MailAccount> {
    await Promise.resolve();
    if (this.fault !== undefined) throw this.fault;
    return this.of(user);
  }

  async remove(user: Address): Promise<void> {
    this.accounts.delete(user);
  }

  async close(): Promise<void> {}
}
