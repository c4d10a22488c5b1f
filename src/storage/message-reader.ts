/** Reading the messages of one mailbox, and the prefetch cache in front of it. */
import { openBody, readHeader } from "./bodies.ts";
import type { MaildirContext } from "./context.ts";
import { asStorageError } from "./faults.ts";
import { isMissing } from "./files.ts";
import { headerEnd, selectFields } from "../mime/header.ts";
import type { MailboxFiles } from "./mailbox-files.ts";
import type { IndexedMessage, MailboxIndex } from "./mailbox-index.ts";
import { prefetchFields, type StoredBody } from "./store.ts";

/** Headers under way ahead of the one asked for: keeps the pool busy while a client prefetches in order. */
const READ_AHEAD = 32;
/** The window moves on when fewer are left ahead. */
const READ_AHEAD_LOW = 16;
/** A file that is renamed again and again while we look for it is given up after so many tries. */
const ATTEMPTS = 4;

/** Where the files are; the mailbox knows. */
export interface Places {
  readonly files: MailboxFiles;
  /** Looks for a file that another program moved; drops the message when it is gone. */
  findAgain(uid: number): Promise<void>;
}

export class MessageReader {
  readonly #context: MaildirContext;
  readonly #index: MailboxIndex;
  readonly #places: Places;
  readonly #serial: number;
  /** Up to here headers were read ahead; 0 when nobody reads in order. */
  #aheadUid = 0;
  /** Made when first needed: most mailboxes are never read from disk. */
  #reading: Map<number, Promise<Uint8Array | undefined>> | undefined;

  constructor(context: MaildirContext, index: MailboxIndex, places: Places) {
    this.#context = context;
    this.#index = index;
    this.#places = places;
    this.#serial = context.headers.nextSerial();
  }

  /** Fills the cache while the header is at hand. */
  remember(uid: number, header: Uint8Array): void {
    this.#context.headers.set(this.#serial, uid, selectFields(header, prefetchFields));
  }

  forget(uids: readonly number[]): void {
    for (const uid of uids) this.#context.headers.delete(this.#serial, uid);
  }

  prefetchHeader(uid: number): Uint8Array | Promise<Uint8Array | undefined> | undefined {
    const cached = this.#context.headers.get(this.#serial, uid);
    if (cached !== undefined) {
      if (uid < this.#aheadUid) this.#readAhead(this.#index.lowerBound(uid));
      return cached;
    }
    const place = this.#index.lowerBound(uid);
    const message = this.#index.messages[place];
    if (message?.uid !== uid) return undefined;
    const quick = this.#prefetchNow(message);
    if (quick !== undefined) return quick;
    const wanted = this.#prefetchOne(uid);
    this.#readAhead(place);
    return wanted;
  }

  header(uid: number): Promise<Uint8Array | undefined> {
    return this.#read(uid, (message) => readHeader(this.#places.files.pathOf(message), message.size));
  }

  body(uid: number): Promise<StoredBody | undefined> {
    return this.#read(uid, (message) =>
      openBody(
        () => this.#places.files.pathOf(this.#index.find(uid) ?? message),
        message.size,
        this.#context,
      ),
    );
  }

  /** @returns undefined when the pool has to do it: a slow disk, a long header, a file that is not in its place */
  #prefetchNow(message: IndexedMessage): Uint8Array | undefined {
    let head: Uint8Array | undefined;
    try {
      head = this.#context.quickReads.head(this.#places.files.pathOf(message));
    } catch {
      // The other way meets the same fault and deals with it.
      return undefined;
    }
    const length = head === undefined ? -1 : headerEnd(head);
    if (head === undefined || length < 0) return undefined;
    const lines = selectFields(head.subarray(0, length), prefetchFields);
    this.#context.headers.set(this.#serial, message.uid, lines);
    return lines;
  }

  /** Starts reading what follows `place`, if not enough of it is under way. */
  #readAhead(place: number): void {
    const { messages } = this.#index;
    const low = messages[Math.min(place + READ_AHEAD_LOW, messages.length - 1)];
    if (low === undefined || (messages[place]?.uid ?? 0) >= this.#aheadUid) this.#aheadUid = 0;
    if (low === undefined || low.uid <= this.#aheadUid) return;
    const end = Math.min(place + READ_AHEAD, messages.length - 1);
    for (let ahead = place + 1; ahead <= end; ahead++) {
      const next = messages[ahead];
      if (next === undefined || next.uid <= this.#aheadUid) continue;
      this.#aheadUid = next.uid;
      if (this.#context.headers.has(this.#serial, next.uid)) continue;
      // Whoever asks for it gets the error; read ahead alone it is nobody's.
      this.#prefetchOne(next.uid).catch(() => undefined);
    }
  }

  #prefetchOne(uid: number): Promise<Uint8Array | undefined> {
    this.#reading ??= new Map();
    const running = this.#reading.get(uid);
    if (running !== undefined) return running;
    const reading = this.#readPrefetch(uid);
    this.#reading.set(uid, reading);
    return reading;
  }

  async #readPrefetch(uid: number): Promise<Uint8Array | undefined> {
    try {
      const header = await this.header(uid);
      if (header === undefined) return undefined;
      const lines = selectFields(header, prefetchFields);
      if (this.#index.find(uid) !== undefined) this.#context.headers.set(this.#serial, uid, lines);
      return lines;
    } finally {
      this.#reading?.delete(uid);
    }
  }

  async #read<T>(uid: number, read: (message: IndexedMessage) => Promise<T>): Promise<T | undefined> {
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const message = this.#index.find(uid);
        if (message === undefined) return undefined;
        try {
          return await read(message);
        } catch (error) {
          if (!isMissing(error)) throw error;
        }
        // Unchanged here, so it was another program; else our own flags or expunge overtook the read.
        if (this.#index.find(uid) === message) await this.#places.findAgain(uid);
      }
      return undefined;
    } catch (error) {
      throw asStorageError(error, "read message", this.#context.log);
    }
  }
}
