/**
 * One incoming message: in memory up to 64 kB, so that what is refused touches no disk, then a spool file.
 * Writes are synchronous: they end in the page cache (measured cheaper than the pool).
 */
import { SPOOL_MEMORY_MAX_BYTES } from "../core/limits.ts";
import type { MaildirContext } from "./context.ts";
import { asStorageError } from "./faults.ts";
import { unlinkQuietly } from "./marks.ts";
import { type SealedMessage, type Spool, type SpoolOptions, StorageError } from "./store.ts";

/** First buffer of a message; it doubles up to the memory bound. */
const FIRST_BUFFER_BYTES = 16 * 1024;

export class FileSpool implements Spool {
  readonly #context: MaildirContext;
  readonly #maxBytes: number;
  #buffer: Buffer = Buffer.allocUnsafe(0);
  #buffered = 0;
  #bytes = 0;
  #file: SpoolFile | undefined;
  #state: "writing" | "sealed" | "discarded" = "writing";

  constructor(context: MaildirContext, options: SpoolOptions) {
    this.#context = context;
    this.#maxBytes = options.maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  write(chunk: Uint8Array): void {
    if (this.#state !== "writing") throw new Error("write to a spool that has ended");
    if (this.#bytes + chunk.length > this.#maxBytes) throw new StorageError("tooBig", "message too big");
    this.#bytes += chunk.length;
    if (this.#buffered + chunk.length > SPOOL_MEMORY_MAX_BYTES) {
      this.#flush();
      if (chunk.length >= SPOOL_MEMORY_MAX_BYTES) {
        this.#guard(() => this.#file?.write(chunk));
        return;
      }
    }
    this.#grow(this.#buffered + chunk.length);
    this.#buffer.set(chunk, this.#buffered);
    this.#buffered += chunk.length;
  }

  seal(header: Uint8Array): SealedMessage {
    if (this.#state !== "writing") throw new Error("a spool is sealed once");
    if (this.#file !== undefined) this.#flush();
    this.#state = "sealed";
    const body = this.#file ?? this.#buffer.subarray(0, this.#buffered);
    this.#buffer = Buffer.allocUnsafe(0);
    return new SpooledMessage(this.#bytes, header, body);
  }

  discard(): void {
    if (this.#state === "writing") this.#file?.discard();
    this.#state = "discarded";
    this.#buffer = Buffer.allocUnsafe(0);
  }

  /** Empties the buffer into the spool file, which it makes when there is none. */
  #flush(): void {
    this.#guard(() => {
      this.#file ??= new SpoolFile(this.#context);
      this.#file.write(this.#buffer.subarray(0, this.#buffered));
      this.#buffered = 0;
    });
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.discard();
      throw asStorageError(error, "spool", this.#context.log);
    }
  }

  #grow(needed: number): void {
    if (needed <= this.#buffer.length) return;
    const larger = Math.max(FIRST_BUFFER_BYTES, this.#buffer.length * 2, needed);
    const next = Buffer.allocUnsafe(Math.min(larger, SPOOL_MEMORY_MAX_BYTES));
    next.set(this.#buffer.subarray(0, this.#buffered));
    this.#buffer = next;
  }
}

/** A file in the spool directory, with the descriptor that its sync needs. */
class SpoolFile {
  readonly path: string;
  readonly fd: number;
  readonly #context: MaildirContext;
  #users = 0;
  #discarded = false;

  constructor(context: MaildirContext) {
    this.#context = context;
    this.path = `${context.spoolDir}/${context.names.scratch()}`;
    this.fd = context.files.create(this.path);
  }

  write(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#context.files.write(this.fd, bytes);
  }

  /** Keeps the file open while a sync is in the pool, even if it is discarded meanwhile. */
  hold(): void {
    this.#users++;
  }

  unhold(): void {
    this.#users--;
    if (this.#discarded && this.#users === 0) this.#end();
  }

  discard(): void {
    if (this.#discarded) return;
    this.#discarded = true;
    if (this.#users === 0) this.#end();
  }

  #end(): void {
    this.#context.files.close(this.fd);
    unlinkQuietly(this.#context, this.path);
  }
}

/** A complete message: in memory or in a spool file. */
export class SpooledMessage implements SealedMessage {
  readonly bytes: number;
  readonly header: Uint8Array;
  /** Undefined once discarded. */
  #body: Uint8Array | SpoolFile | undefined;

  constructor(bytes: number, header: Uint8Array, body: Uint8Array | SpoolFile) {
    this.bytes = bytes;
    this.header = header;
    this.#body = body;
  }

  /** @throws {Error} when the message was discarded (a caller's bug) */
  get body(): Uint8Array | SpoolFile {
    if (this.#body === undefined) throw new Error("a discarded message was delivered");
    return this.#body;
  }

  discard(): void {
    if (this.#body instanceof SpoolFile) this.#body.discard();
    this.#body = undefined;
  }
}
