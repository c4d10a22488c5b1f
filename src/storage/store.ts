/**
 * The seam of storage: mailbox semantics, nothing about files. Maildir implements it (maildir.ts);
 * an implementation over a database and an object store must pass the same conformance suite.
 *
 * Invariants
 * - `deliver` and `append` resolve only when the message is durable (as far as `storage.fsync` asks) and visible.
 * - Each mailbox announces messages strictly in UID order: a message becomes visible only after all lower UIDs
 *   are visible or given up.
 * - UIDs never go back while UIDVALIDITY stands, across crash and restart (RFC 9051 §2.3.1.1).
 * - Mod-sequences only grow, across restarts too (RFC 7162 §3.1).
 * - Every change publishes to the change hub, without a payload, after it is visible.
 */
import type { Address } from "../core/address.ts";
import type { MailKeeper } from "./keeper.ts";

/** Flags are a bit set: five system flags, then keywords by their place in `Mailbox.keywords`. */
export const Flag = { seen: 1, answered: 2, flagged: 4, deleted: 8, draft: 16 } as const;
/** Bit of the first keyword; `1 << (KEYWORD_SHIFT + index)`, index 0…25 (one Maildir letter each). */
export const KEYWORD_SHIFT = 5;
export const KEYWORDS_MAX = 26;

/** RFC 9051 §2.3: what the index knows of a message without reading it. Treat as immutable. */
export interface MessageInfo {
  readonly uid: number;
  /** RFC822.SIZE, bytes. */
  readonly size: number;
  readonly internalDateMs: number;
  readonly flags: number;
  readonly modseq: number;
}

export interface SpoolOptions {
  /** Bytes after which `write` throws `StorageError("tooBig")`. */
  maxBytes: number;
}

/** One incoming message, in memory up to 64 kB, then in a spool file. */
export interface Spool {
  readonly bytes: number;
  /** Adds a chunk, which is borrowed for the call. @throws {StorageError} full, failed or tooBig. */
  write(chunk: Uint8Array): void;
  /** Ends writing. `header` is the header block as stored (up to and with the blank line). */
  seal(header: Uint8Array): SealedMessage;
  /** Forgets everything; harmless when repeated or after delivery. */
  discard(): void;
}

/** A complete message, ready for any number of mailboxes. Discard it when delivery is done or given up. */
export interface SealedMessage {
  readonly bytes: number;
  readonly header: Uint8Array;
  discard(): void;
}

export interface DeliveryTarget {
  user: Address;
  /** UTF-8 name, hierarchy separator `/`; `INBOX` is the inbox. */
  mailbox: string;
}

/**
 * A message that leaves this relay, waiting outside of mailboxes. Each note is one entry of the outbox, `<id>.<place>`;
 * all share the body. Storage keeps notes without reading them.
 */
export interface Parcel {
  /** Never used before; letters, digits and hyphens, at most 64. */
  readonly id: string;
  /** At least one; no line ends in them. */
  readonly notes: readonly string[];
}

export interface OutboxEntry {
  id: string;
  note: string;
  /** Of the message. */
  bytes: number;
}

/** What was put there by `deliver` and not removed yet. */
export interface Outbox {
  /**
   * Visits every entry, those of one parcel in their order. What a crash left of a parcel that was never accepted is
   * skipped; `sweep` removes it, and must not be asked for while anything is delivered. @throws {StorageError}
   */
  load(visit: (entry: OutboxEntry) => void, options: { sweep: boolean }): Promise<void>;
  /** @returns undefined when there is no such entry @throws {StorageError} */
  note(id: string): Promise<string | undefined>;
  /** Replaces a note, durably, whole or not at all. @throws {StorageError} */
  setNote(id: string, note: string): Promise<void>;
  /** Opens the message for reading; close it. @returns undefined when there is no such entry @throws {StorageError} */
  body(id: string): Promise<StoredBody | undefined>;
  /** Removes one entry; the body goes with the last. What a power cut takes back comes again. @throws {StorageError} */
  remove(id: string): void;
}

/** How much mail an account has in all its mailboxes. */
export interface Usage {
  readonly bytes: number;
  readonly messages: number;
}

export interface MailStore {
  readonly outbox: Outbox;
  /** For maintenance. */
  readonly keeper: MailKeeper;
  spool(options: SpoolOptions): Spool;
  /**
   * Writes the body once and links it into every target, and into the outbox: all or nothing.
   * Targets that do not exist are created. @throws {StorageError}
   */
  deliver(message: SealedMessage, targets: readonly DeliveryTarget[], parcel?: Parcel): Promise<void>;
  /** Loads the account's index if needed. Creates the account's INBOX when absent. */
  account(user: Address): Promise<MailAccount>;
  /** Removes all mail of the account; nothing to do where there is none. @throws {StorageError} */
  remove(user: Address): Promise<void>;
  /** Whether the account has mailboxes: it was opened, or had mail, and was not removed since. */
  exists(user: Address): boolean;
  /** Every account that has mailboxes, in no order. @throws {StorageError} */
  users(): Promise<Address[]>;
  /**
   * What the account holds, without loading its index. Known at once in all but the first moments after a start; a
   * promise where it has to be counted. Of an account without mailboxes: nothing. @throws {StorageError}
   */
  usage(user: Address): Usage | Promise<Usage>;
  /** Settles running work, writes exact UIDNEXT marks, closes. */
  close(): Promise<void>;
}

export interface MailAccount {
  readonly user: Address;
  /** All bytes in all mailboxes, as RFC822.SIZE counts them. Live. */
  readonly usedBytes: number;
  /** All messages in all mailboxes. Live. */
  readonly messageCount: number;
  /** Names of existing mailboxes, INBOX first, then sorted. */
  mailboxes(): readonly string[];
  subscriptions(): ReadonlySet<string>;
  setSubscribed(name: string, subscribed: boolean): Promise<void>;
  /** @throws {StorageError} nonexistent */
  open(name: string): Promise<Mailbox>;
  /** @throws {StorageError} exists, badName */
  create(name: string): Promise<void>;
  /** @throws {StorageError} nonexistent, badName (INBOX) */
  delete(name: string): Promise<void>;
  /** Moves the mailbox and its inferiors; of INBOX, its messages (RFC 9051 §6.3.6). */
  rename(from: string, to: string): Promise<void>;
  /** Deletes the oldest mail delivered before `olderThanMs` until `bytes` are freed. @returns bytes freed */
  expireOldest(bytes: number, olderThanMs: number): Promise<number>;
}

export interface Changes {
  /** New or with changed flags since the mod-sequence, in UID order. */
  changed: MessageInfo[];
  /** UIDs gone since, ascending. */
  vanished: number[];
}

export type FlagChange = "add" | "remove" | "replace";

export interface StoreFlagsResult {
  changed: MessageInfo[];
  /** UIDs refused by UNCHANGEDSINCE (RFC 7162 §3.1.3). */
  modified: number[];
}

export interface AppendOptions {
  flags: number;
  /** Keyword names for flags beyond the system ones; created if there is room. */
  keywords: readonly string[];
  internalDateMs?: number;
}

export interface Mailbox {
  readonly name: string;
  readonly uidValidity: number;
  /** RFC 9051 §2.3.1.1: above every UID that is visible, and every one that was. */
  readonly uidNext: number;
  readonly highestModseq: number;
  /** Visible messages in UID order. A new array is never made for a delivery: do not keep it across a turn. */
  readonly messages: readonly MessageInfo[];
  /** Live totals, kept incrementally. */
  readonly unseenCount: number;
  readonly deletedCount: number;
  readonly totalBytes: number;
  readonly keywords: readonly string[];
  /** Bit mask of a keyword, made when absent. @returns undefined when all places are taken */
  keyword(name: string): number | undefined;

  /** The message with this UID, by binary search. */
  find(uid: number): MessageInfo | undefined;
  changesSince(modseq: number): Changes;
  /** Durable only as far as a rename is; UIDs that are gone are passed over. */
  storeFlags(
    uids: readonly number[],
    how: FlagChange,
    flags: number,
    unchangedSince?: number,
  ): Promise<StoreFlagsResult>;
  /** Deletes those of `uids` (or all messages) that carry \Deleted; quota is released at once. @returns UIDs expunged */
  expunge(uids?: readonly number[]): Promise<number[]>;
  append(message: SealedMessage, options: AppendOptions): Promise<MessageInfo>;
  /** Hard links, flags kept, all or nothing. @returns source and new UIDs, pairwise */
  copy(uids: readonly number[], target: Mailbox): Promise<{ from: number[]; to: number[] }>;
  /** As `copy`, and the source goes in the same step. */
  move(uids: readonly number[], target: Mailbox): Promise<{ from: number[]; to: number[] }>;

  /**
   * The raw header lines of `prefetchFields`, in message order, each with its CRLF, without the blank line.
   * At once when cached. @returns undefined when the message is gone
   */
  prefetchHeader(uid: number): Uint8Array | Promise<Uint8Array | undefined> | undefined;
  /** The header block with its blank line. */
  header(uid: number): Promise<Uint8Array | undefined>;
  /** Opens the message for reading; close it. */
  body(uid: number): Promise<StoredBody | undefined>;
  /** Ends this holder's use; the index may leave memory once nobody holds it. */
  release(): void;
}

/** An open message. Survives expunge by others. */
export interface StoredBody {
  readonly size: number;
  /** At most `length` bytes from `offset`; callers ask for at most BODY_SLICE_MAX_BYTES. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** What Delta Chat prefetches of every message, lower case. */
export const prefetchFields: ReadonlySet<string> = new Set([
  "message-id",
  "date",
  "x-microsoft-original-message-id",
  "from",
  "content-type",
  "secure-join",
  "chat-version",
  "chat-is-post-message",
  "autocrypt-setup-message",
  "in-reply-to",
  "references",
  "auto-submitted",
]);

export type StorageFault = "full" | "failed" | "tooBig" | "nonexistent" | "exists" | "badName";

export class StorageError extends Error {
  readonly fault: StorageFault;
  constructor(fault: StorageFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}
