/** Reading the messages of one mailbox, and the prefetch cache in front of it. */
import { openBody, readHeader } from "./bodies.ts";
import type { MaildirContext } from "./context.ts";
import { asStorageError } from "./faults.ts";
import { isMissing } from "./files.ts";
import { selectFields } from "./header-lines.ts";
import type { IndexedMessage, MailboxIndex } from "./mailbox-index.ts";
import { prefetchFields, type StoredBody } from "./store.ts";

/** Headers read ahead of one that was asked for: keeps the pool busy while a client prefetches in order. */
const READ_AHEAD = 16;
/** A file that is renamed again and again while we look for it is given up after so many tries. */
const ATTEMPTS = 4;

/** Where the files are; the mailbox knows. */
export interface Places {
  pathOf(message: IndexedMessage): string;
  /** Looks for a file that another program moved; drops the message when it is gone. */
  findAgain(uid: number): Promise<void>;
}

export class MessageReader {
  readonly #context: MaildirContext;
  readonly #index: MailboxIndex;
  readonly #places: Places;
  readonly #serial: number;
  readonly #reading = new Map<number, Promise<Uint8Array | undefined>>();

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
    if (cached !== undefined) return cached;
    const place = this.#index.lowerBound(uid);
    if (this.#index.messages[place]?.uid !== uid) return undefined;
    const wanted = this.#prefetchOne(uid);
    const end = Math.min(place + READ_AHEAD, this.#index.messages.length);
    for (let ahead = place + 1; ahead < end && this.#reading.size < READ_AHEAD; ahead++) {
      const next = this.#index.messages[ahead];
      if (next === undefined || this.#context.headers.has(this.#serial, next.uid)) continue;
      // Whoever asks for it gets the error; read ahead alone it is nobody's.
      this.#prefetchOne(next.uid).catch(() => undefined);
    }
    return wanted;
  }

  async header(uid: number): Promise<Uint8Array | undefined> {
    return await this.#read(uid, (message) => readHeader(this.#places.pathOf(message), message.size));
  }

  async body(uid: number): Promise<StoredBody | undefined> {
    const { bodySlots } = this.#context;
    return await this.#read(uid, (message) =>
      openBody(() => this.#places.pathOf(this.#index.find(uid) ?? message), message.size, bodySlots),
    );
  }

  #prefetchOne(uid: number): Promise<Uint8Array | undefined> {
    const running = this.#reading.get(uid);
    if (running !== undefined) return running;
    const reading = this.#readPrefetch(uid).finally(() => this.#reading.delete(uid));
    this.#reading.set(uid, reading);
    return reading;
  }

  async #readPrefetch(uid: number): Promise<Uint8Array | undefined> {
    const header = await this.header(uid);
    if (header === undefined) return undefined;
    const lines = selectFields(header, prefetchFields);
    if (this.#index.find(uid) !== undefined) this.#context.headers.set(this.#serial, uid, lines);
    return lines;
  }

  async #read<T>(uid: number, read: (message: IndexedMessage) => Promise<T>): Promise<T | undefined> {
    return await this.#context.running.during(async () => {
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
    });
  }
}
