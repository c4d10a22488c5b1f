/**
 * Messages as FETCH reads them: small ones in memory, fetched ahead of their turn; large ones slice by slice.
 * At most `AHEAD` small bodies and one large one are held per session.
 */
import type { Mailbox, StoredBody } from "../../../storage/store.ts";

const AHEAD = 8;
/** A body up to this size is read in one piece. */
const SMALL_MAX_BYTES = 32 * 1024;

export interface Source {
  readonly size: number;
  /** Borrowed; at most `length` bytes, fewer only at the end. */
  read(offset: number, length: number): Uint8Array | Promise<Uint8Array>;
  close(): Promise<void> | undefined;
}

/** Hands out the bodies of `uids` in order, reading ahead. */
export class Sources {
  readonly #mailbox: Mailbox;
  readonly #uids: readonly number[];
  #loading: Promise<Source | undefined>[] = [];
  #next = 0;

  constructor(mailbox: Mailbox, uids: readonly number[]) {
    this.#mailbox = mailbox;
    this.#uids = uids;
  }

  /** The body of the next message; undefined when it is gone. */
  async take(): Promise<Source | undefined> {
    this.#readAhead();
    const first = this.#loading.shift();
    const source = await first;
    return source;
  }

  /** Closes what was read ahead and is not wanted any more. */
  async close(): Promise<void> {
    const loading = this.#loading;
    this.#loading = [];
    for (const source of await Promise.allSettled(loading)) {
      if (source.status === "fulfilled") await source.value?.close();
    }
  }

  #readAhead(): void {
    while (this.#loading.length < AHEAD && this.#next < this.#uids.length) {
      const uid = this.#uids[this.#next] ?? 0;
      const small = (this.#mailbox.find(uid)?.size ?? 0) <= SMALL_MAX_BYTES;
      // A large body waits for its turn, and nothing behind it overtakes.
      if (!small && this.#loading.length > 0) return;
      this.#next++;
      const loading = this.#load(uid);
      // Its fault is met in `take`; until then it must not count as unhandled.
      loading.catch(() => undefined);
      this.#loading.push(loading);
      if (!small) return;
    }
  }

  async #load(uid: number): Promise<Source | undefined> {
    const body = await this.#mailbox.body(uid);
    if (body === undefined || body.size > SMALL_MAX_BYTES) return body;
    return inMemory(body);
  }
}

async function inMemory(body: StoredBody): Promise<Source> {
  try {
    const bytes = await body.read(0, body.size);
    return {
      size: bytes.length,
      read: (offset, length) => bytes.subarray(offset, offset + length),
      close: () => undefined,
    };
  } finally {
    await body.close();
  }
}
