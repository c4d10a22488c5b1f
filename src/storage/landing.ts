/**
 * How a message comes into mailboxes: names with fresh UIDs, links, then all syncs at once, then visible.
 *
 * Invariants
 * - All or nothing: whatever fails before the syncs end unlinks every name and gives the UIDs up.
 * - File and directory syncs run beside each other, never in series (spike: latency is syncs in series).
 * - A file gets its name in new/ or cur/ only when all its bytes are written.
 * - A disk that does not answer makes nobody wait longer than `LANDING_MAX_MS` (`Attempt`).
 */
import type { MaildirContext } from "./context.ts";
import { asStorageError } from "./faults.ts";
import type { MaildirMailbox } from "./maildir-mailbox.ts";
import type { Arrival, IndexedMessage } from "./mailbox-index.ts";
import { unlinkQuietly } from "./marks.ts";
import type { SpooledMessage } from "./spool.ts";
import { StorageError } from "./store.ts";

/** Peers send a message again when they wait a minute for its reply: the disk gets this much of it, ms. */
export const LANDING_MAX_MS = 15_000;
/** Names made before others get a turn (about a millisecond). */
const CHUNK = 128;

const TOO_LONG = "the disk took too long";

/** One place for one message. */
export interface Landing {
  mailbox: MaildirMailbox;
  size: number;
  internalDateMs: number;
  flags: number;
  /** The header block when it is at hand, for the prefetch cache. */
  header?: Uint8Array;
  /** Makes the complete file appear at `path`, synchronously. */
  place(path: string): void;
}

/** Where the bodies' own sync is started; undefined when they are durable already (copies). */
export type SyncBody = (() => Promise<void>) | undefined;

interface Drawn {
  mailbox: MaildirMailbox;
  arrival: Arrival;
  /** Where the file is until it is durable. */
  first: Arrival;
}

/**
 * One try to land a message, which can be given up until the moment it becomes visible. Giving up takes its names away
 * at once, so that neither this process nor, after a crash, the next one ever shows what the sender was told to send
 * again; the syncs that hang go on over files without a name, and hold their descriptors and slot until they end.
 */
export class Attempt {
  readonly #context: MaildirContext;
  readonly #drawn: Drawn[] = [];
  #state: "open" | "givenUp" | "landed" = "open";

  constructor(context: MaildirContext) {
    this.#context = context;
  }

  get drawn(): readonly Drawn[] {
    return this.#drawn;
  }

  add(drawn: Drawn): void {
    this.#drawn.push(drawn);
  }

  /** @throws {StorageError} when it was given up meanwhile */
  check(): void {
    if (this.#state === "givenUp") throw new StorageError("failed", TOO_LONG);
  }

  /** From here on it can't be given up. */
  land(): void {
    this.check();
    this.#state = "landed";
  }

  /** Takes back all that was made. @returns false when that was done before, or is too late */
  giveUp(): boolean {
    if (this.#state !== "open") return false;
    this.#state = "givenUp";
    for (const { mailbox, arrival, first } of this.#drawn) {
      unlinkQuietly(this.#context, mailbox.files.pathOf(first));
      if (first.inNew !== arrival.inNew) unlinkQuietly(this.#context, mailbox.files.pathOf(arrival));
      mailbox.giveUp(arrival.uid);
    }
    return true;
  }
}

/**
 * Runs `work` and gives its attempt up when it takes longer than `LANDING_MAX_MS` without having landed.
 * @throws {StorageError} `failed` then, at once; `work` ends by itself later
 */
export function withinTime<T>(context: MaildirContext, work: (attempt: Attempt) => Promise<T>): Promise<T> {
  const attempt = new Attempt(context);
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const cancel = context.clock.after(LANDING_MAX_MS, () => {
    if (!attempt.giveUp()) return;
    context.log.emit({ kind: "storageTrouble", what: `deliver: no sync within ${LANDING_MAX_MS} ms` });
    reject(new StorageError("failed", TOO_LONG));
  });
  void work(attempt).then(resolve, reject).finally(cancel);
  return promise;
}

/**
 * Lands a message in every place.
 * @returns the visible entries, in the order of `landings`
 * @throws {StorageError} after undoing everything
 */
export async function land(
  context: MaildirContext,
  landings: readonly Landing[],
  syncBody: SyncBody,
  attempt = new Attempt(context),
): Promise<IndexedMessage[]> {
  try {
    for (const [index, landing] of landings.entries()) {
      if (index % CHUNK === CHUNK - 1) await new Promise((resolve) => setImmediate(resolve));
      attempt.check();
      const { mailbox } = landing;
      const arrival = mailbox.draw(landing);
      // What is not durable yet stays in new/ until it is: there, and only there, a crash's leftovers are swept.
      const first = syncBody === undefined ? arrival : { ...arrival, inNew: true };
      attempt.add({ mailbox, arrival, first });
      landing.place(mailbox.files.pathOf(first));
    }
    await syncAll(context, attempt.drawn, syncBody);
    attempt.check();
    for (const { mailbox, arrival, first } of attempt.drawn) {
      if (first.inNew !== arrival.inNew) mailbox.files.rename(first, arrival.flags);
    }
    if (attempt.drawn.some(({ mailbox }) => mailbox.isGone)) {
      throw new StorageError("failed", "mailbox was deleted during delivery");
    }
    attempt.land();
  } catch (error) {
    attempt.giveUp();
    throw asStorageError(error, "deliver", context.log);
  }
  const entries: IndexedMessage[] = [];
  const welcomed = attempt.drawn.map(({ mailbox, arrival }, index) =>
    mailbox.welcome(arrival, landings[index]?.header),
  );
  // All are let in before any is waited for: lower UIDs on their way may hold some back.
  for (const entry of welcomed) entries.push(entry instanceof Promise ? await entry : entry);
  return entries;
}

/** Lands a spooled message: its body is written once and linked. */
export async function landMessage(
  context: MaildirContext,
  message: SpooledMessage,
  places: readonly Omit<Landing, "place" | "size" | "header">[],
  attempt: Attempt,
): Promise<IndexedMessage[]> {
  await context.deliverySlots.take();
  try {
    attempt.check();
    const { body } = message;
    const source = body instanceof Uint8Array ? new ScratchFile(context, body) : body;
    const landings = places.map((place, index) => ({
      ...place,
      size: message.bytes,
      header: message.header,
      place(path: string): void {
        if (source instanceof ScratchFile && index === places.length - 1) source.moveTo(path);
        else context.files.link(source.path, path);
      },
    }));
    if (source instanceof ScratchFile) {
      try {
        source.fill();
        return await land(context, landings, () => syncFile(context, source.fd), attempt);
      } catch (error) {
        throw asStorageError(error, "deliver", context.log);
      } finally {
        source.close();
      }
    }
    source.hold();
    try {
      return await land(context, landings, () => syncFile(context, source.fd), attempt);
    } finally {
      source.unhold();
    }
  } finally {
    context.deliverySlots.give();
  }
}

/** A small message on its way from memory into its mailboxes. */
class ScratchFile {
  readonly path: string;
  readonly #context: MaildirContext;
  readonly #bytes: Uint8Array;
  #fd = -1;
  #moved = false;

  constructor(context: MaildirContext, bytes: Uint8Array) {
    this.#context = context;
    this.#bytes = bytes;
    this.path = `${context.spoolDir}/${context.names.scratch()}`;
  }

  get fd(): number {
    return this.#fd;
  }

  fill(): void {
    this.#fd = this.#context.files.create(this.path);
    this.#context.files.write(this.#fd, this.#bytes);
  }

  /** The last link is a rename: no unlink is left to do. */
  moveTo(path: string): void {
    this.#context.files.rename(this.path, path);
    this.#moved = true;
  }

  close(): void {
    if (this.#fd < 0) return;
    this.#context.files.close(this.#fd);
    if (!this.#moved) unlinkQuietly(this.#context, this.path);
  }
}

/** `optimized` is fsync, not fdatasync: on the usual file systems it makes the inode's names durable too. */
function syncFile(context: MaildirContext, fd: number): Promise<void> {
  return context.fsync === "optimized" ? context.files.sync(fd) : context.files.syncData(fd);
}

/** Waits for all, also when one fails: a descriptor must not be closed under a sync. */
async function syncAll(context: MaildirContext, drawn: readonly Drawn[], syncBody: SyncBody): Promise<void> {
  const waits: Promise<void>[] = [];
  if (context.fsync !== "never" && syncBody !== undefined) waits.push(syncBody());
  if (context.fsync === "always") {
    const directories = new Set(drawn.map(({ mailbox, first }) => mailbox.files.directoryOf(first)));
    for (const directory of directories) waits.push(context.directories.sync(directory));
  }
  for (const mailbox of new Set(drawn.map((entry) => entry.mailbox))) {
    const covered = mailbox.covered();
    if (covered !== undefined) waits.push(covered);
  }
  for (const outcome of await Promise.allSettled(waits)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}
