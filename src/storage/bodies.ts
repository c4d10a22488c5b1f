/**
 * Reading stored messages: small reads at once while the disk is quick, all others in the pool, one hop per call.
 * Small bodies come whole and hold no descriptor; large ones hold one, of a bounded number.
 */
import * as fs from "node:fs";
import { HEADER_MAX_BYTES } from "../core/limits.ts";
import type { MaildirContext } from "./context.ts";
import { headerEnd } from "../mime/header.ts";
import type { Slots } from "./slots.ts";
import type { StoredBody } from "./store.ts";

/** Bodies up to this size are read whole when opened. */
const WHOLE_MAX_BYTES = 64 * 1024;
/** Most header blocks of Delta Chat end within this. */
export const HEAD_BYTES = 4096;
/** Headers that other programs stored may be larger than we accept; beyond this the block is cut. */
const HEAD_MAX_BYTES = 4 * HEADER_MAX_BYTES;

/**
 * The header block with its blank line; the whole file when there is none within 1 MiB.
 * @throws errno errors, ENOENT among them
 */
export async function readHeader(path: string, size: number): Promise<Uint8Array> {
  for (let limit = HEAD_BYTES; ; limit *= 8) {
    const head = await readStart(path, Math.min(limit, size));
    const length = headerEnd(head);
    if (length >= 0) return head.subarray(0, length);
    if (limit >= size || limit >= HEAD_MAX_BYTES) return head;
  }
}

/**
 * Opens a message; it stays readable when its file is unlinked.
 * @param path asked when the file is opened, which may be after a wait for a slot
 * @throws errno errors, ENOENT among them
 */
export async function openBody(
  path: () => string,
  size: number,
  { bodySlots: slots, quickReads }: MaildirContext,
): Promise<StoredBody> {
  if (size <= WHOLE_MAX_BYTES) {
    const bytes = quickReads.whole(path()) ?? (await fs.promises.readFile(path()));
    return {
      // What is there counts, not what the name says: another program may have changed the file.
      size: bytes.length,
      read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
      close: () => Promise.resolve(),
    };
  }
  await slots.take();
  try {
    return new OpenFile(await openFile(path()), slots);
  } catch (error) {
    slots.give();
    throw error;
  }
}

class OpenFile implements StoredBody {
  readonly size: number;
  readonly #fd: number;
  readonly #slots: Slots;
  #reads = 0;
  #closing = false;

  constructor(fd: number, slots: Slots) {
    this.#fd = fd;
    this.size = fs.fstatSync(fd).size;
    this.#slots = slots;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (this.#closing) throw new Error("read of a closed body");
    const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.size - offset)));
    let filled = 0;
    this.#reads++;
    try {
      while (filled < buffer.length) {
        const count = await readAt(this.#fd, buffer, filled, offset + filled);
        if (count === 0) break;
        filled += count;
      }
    } finally {
      this.#reads--;
      if (this.#closing) this.#end();
    }
    return buffer.subarray(0, filled);
  }

  close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#end();
    }
    return Promise.resolve();
  }

  /** The descriptor must not be closed (and given to another file) under a read that is in the pool. */
  #end(): void {
    if (this.#reads > 0) return;
    fs.closeSync(this.#fd);
    this.#slots.give();
  }
}

/** Bun reads the slice in one pool job, without a descriptor that could leak. */
function readStart(path: string, length: number): Promise<Uint8Array> {
  return Bun.file(path).slice(0, length).bytes();
}

function openFile(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(path, "r", (error, fd) => (error ? reject(error) : resolve(fd)));
  });
}

function readAt(fd: number, buffer: Buffer, at: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, buffer, at, buffer.length - at, position, (error, count) =>
      error ? reject(error) : resolve(count),
    );
  });
}
