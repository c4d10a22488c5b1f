/**
 * UIDVALIDITY and the UIDNEXT mark of one mailbox, in the file `madmail-uid`: `1 V<uidvalidity> N<uidnext> L<last>`.
 *
 * Invariant: no UID at or above the durable mark is announced. UIDs are drawn at once; the mark moves in blocks,
 * beside the syncs of the message, and the delivery waits for both (RFC 9051 §2.3.1.1).
 */
import { readFileSync } from "node:fs";
import type { MaildirContext } from "./context.ts";
import { isMissing } from "./files.ts";

/** UIDs reserved at once: one more state write per so many messages; a crash skips at most so many. */
const BLOCK = 256;
/** The next block is reserved in the background when fewer UIDs are left. */
const AHEAD = 64;
const FILE_NAME = "madmail-uid";
const FORM = /^1 V(\d{1,10}) N(\d{1,10}) L(\d{1,10})\n$/;

export interface StoredMark {
  uidValidity: number;
  uidNext: number;
  /** Highest UIDVALIDITY of mailboxes of this account that are gone. Kept in the inbox's file only. */
  lastValidity: number;
}

/** @returns undefined when there is no readable mark: then UIDs of old can't be trusted */
export function readMark(directory: string): StoredMark | undefined {
  try {
    const match = FORM.exec(readFileSync(`${directory}/${FILE_NAME}`, "latin1"));
    if (match === null) return undefined;
    return { uidValidity: Number(match[1]), uidNext: Number(match[2]), lastValidity: Number(match[3]) };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export class UidMarks {
  readonly #context: MaildirContext;
  readonly uidValidity: number;
  #lastValidity: number;
  #next: number;
  #durable: number;
  #writing: Promise<void> | undefined;
  /** The mailbox's directory; the owner changes it on rename. */
  directory: string;

  /** @param durable true when `mark` is what the disk holds */
  constructor(context: MaildirContext, directory: string, mark: StoredMark, durable: boolean) {
    this.#context = context;
    this.directory = directory;
    this.uidValidity = mark.uidValidity;
    this.#lastValidity = mark.lastValidity;
    this.#next = mark.uidNext;
    this.#durable = durable ? mark.uidNext : 0;
  }

  /** The UID that the next draw gives. */
  get next(): number {
    return this.#next;
  }

  get lastValidity(): number {
    return this.#lastValidity;
  }

  /** Found on disk while loading: never draw it again. @returns true when the durable mark must move first */
  passed(uid: number): boolean {
    if (uid < this.#next) return false;
    this.#next = uid + 1;
    return true;
  }

  draw(): number {
    return this.#next++;
  }

  /** @returns undefined when every drawn UID is below the durable mark, else a promise of that */
  covered(): Promise<void> | undefined {
    if (this.#next <= this.#durable) {
      // A failure here is no one's yet: whoever needs the block tries again and gets the error.
      if (this.#durable - this.#next < AHEAD) this.#advance().catch(() => undefined);
      return undefined;
    }
    return this.#cover();
  }

  /** Writes the exact mark: at close, so that a restart skips nothing. */
  async settle(): Promise<void> {
    await this.quiet();
    if (this.#durable !== this.#next) await this.#write(this.#next);
  }

  /** Resolves when no write is under way; never rejects. */
  async quiet(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing.catch(() => undefined);
  }

  /** Writes the mark now: the UIDVALIDITY of a fresh mailbox must be durable before it is told. */
  async establish(): Promise<void> {
    await this.quiet();
    await this.#advance();
  }

  /** Remembers a UIDVALIDITY that must not come back in this account. */
  async retire(uidValidity: number): Promise<void> {
    this.#lastValidity = Math.max(this.#lastValidity, uidValidity);
    await this.establish();
  }

  async #cover(): Promise<void> {
    const needed = this.#next;
    while (this.#durable < needed) await this.#advance();
  }

  /** One write at a time; late comers share it and look again. */
  #advance(): Promise<void> {
    this.#writing ??= this.#write(this.#next + BLOCK).finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #write(mark: number): Promise<void> {
    const text = `1 V${this.uidValidity} N${mark} L${this.#lastValidity}\n`;
    await replaceFile(this.#context, this.directory, FILE_NAME, text);
    this.#durable = mark;
  }
}

/**
 * Replaces a small file atomically: the old or the new text, whatever happens. Synced unless `fsync` is `never`:
 * these files are rare and what they hold cannot be rebuilt.
 */
export async function replaceFile(
  context: Pick<MaildirContext, "files" | "directories" | "fsync" | "names" | "spoolDir">,
  directory: string,
  name: string,
  text: string,
): Promise<void> {
  const { files } = context;
  const scratch = `${context.spoolDir}/${context.names.scratch()}`;
  try {
    const fd = files.create(scratch);
    try {
      files.write(fd, Buffer.from(text));
      if (context.fsync !== "never") await files.syncData(fd);
    } finally {
      files.close(fd);
    }
    files.rename(scratch, `${directory}/${name}`);
  } catch (error) {
    unlinkQuietly(context, scratch);
    throw error;
  }
  if (context.fsync !== "never") await context.directories.sync(directory);
}

/** For tidying after a failure that is reported already; the next start sweeps what stays. */
export function unlinkQuietly(context: Pick<MaildirContext, "files">, path: string): void {
  try {
    context.files.unlink(path);
  } catch {
    // Nothing better to do than the sweep.
  }
}
