/**
 * How a message comes into mailboxes: names with fresh UIDs, links, then all syncs at once, then visible.
 *
 * Invariants
 * - All or nothing: whatever fails before the syncs end unlinks every name and gives the UIDs up.
 * - File and directory syncs run beside each other, never in series (spike: latency is syncs in series).
 * - A file gets its name in new/ or cur/ only when all its bytes are written.
 */
import type { MaildirContext } from "./context.ts";
import { asStorageError } from "./faults.ts";
import type { MaildirMailbox } from "./maildir-mailbox.ts";
import type { Arrival, IndexedMessage } from "./mailbox-index.ts";
import { unlinkQuietly } from "./marks.ts";
import type { SpooledMessage } from "./spool.ts";
import { StorageError } from "./store.ts";

/** Names made before others get a turn (about a millisecond). */
const CHUNK = 128;

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

/** A place outside of mailboxes for the same message, made, synced and undone with them. */
export interface Annex {
  /** @param placeBody makes the complete message appear at a path, synchronously */
  place(placeBody: (path: string) => void): void;
  /** Starts what must end before the message is durable there. */
  sync(): Promise<void>[];
  undo(): void;
  close(): void;
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
 * Lands a message in every place.
 * @returns the visible entries, in the order of `landings`
 * @throws {StorageError} after undoing everything
 */
export async function land(
  context: MaildirContext,
  landings: readonly Landing[],
  syncBody: SyncBody,
  annex?: { place(): void; sync(): Promise<void>[]; undo(): void },
): Promise<IndexedMessage[]> {
  const drawn: Drawn[] = [];
  try {
    annex?.place();
    for (const [index, landing] of landings.entries()) {
      if (index % CHUNK === CHUNK - 1) await new Promise((resolve) => setImmediate(resolve));
      const { mailbox } = landing;
      const arrival = mailbox.draw(landing);
      // What is not durable yet stays in new/ until it is: there, and only there, a crash's leftovers are swept.
      const first = syncBody === undefined ? arrival : { ...arrival, inNew: true };
      drawn.push({ mailbox, arrival, first });
      landing.place(mailbox.files.pathOf(first));
    }
    await syncAll(context, drawn, syncBody, annex?.sync());
    for (const { mailbox, arrival, first } of drawn) {
      if (first.inNew !== arrival.inNew) mailbox.files.rename(first, arrival.flags);
    }
    if (drawn.some(({ mailbox }) => mailbox.isGone)) {
      throw new StorageError("failed", "mailbox was deleted during delivery");
    }
  } catch (error) {
    annex?.undo();
    for (const { mailbox, arrival, first } of drawn) {
      unlinkQuietly(context, mailbox.files.pathOf(first));
      if (first.inNew !== arrival.inNew) unlinkQuietly(context, mailbox.files.pathOf(arrival));
      mailbox.giveUp(arrival.uid);
    }
    throw asStorageError(error, "deliver", context.log);
  }
  const entries: IndexedMessage[] = [];
  const welcomed = drawn.map(({ mailbox, arrival }, index) =>
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
  annex?: Annex,
): Promise<IndexedMessage[]> {
  await context.deliverySlots.take();
  try {
    const { body } = message;
    const source = body instanceof Uint8Array ? new ScratchFile(context, body) : body;
    /** The last name of a scratch file is a rename. */
    const placeAt = (path: string, isLast: boolean): void => {
      if (source instanceof ScratchFile && isLast) source.moveTo(path);
      else context.files.link(source.path, path);
    };
    const landings = places.map((place, index) => ({
      ...place,
      size: message.bytes,
      header: message.header,
      place: (path: string) => placeAt(path, index === places.length - 1),
    }));
    const outside = annex && {
      place: () => annex.place((path) => placeAt(path, places.length === 0)),
      sync: () => annex.sync(),
      undo: () => annex.undo(),
    };
    if (source instanceof ScratchFile) {
      try {
        source.fill();
        return await land(context, landings, () => syncFile(context, source.fd), outside);
      } catch (error) {
        throw asStorageError(error, "deliver", context.log);
      } finally {
        source.close();
      }
    }
    source.hold();
    try {
      return await land(context, landings, () => syncFile(context, source.fd), outside);
    } finally {
      source.unhold();
    }
  } finally {
    annex?.close();
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
export function syncFile(context: MaildirContext, fd: number): Promise<void> {
  return context.fsync === "optimized" ? context.files.sync(fd) : context.files.syncData(fd);
}

/** Waits for all, also when one fails: a descriptor must not be closed under a sync. */
async function syncAll(
  context: MaildirContext,
  drawn: readonly Drawn[],
  syncBody: SyncBody,
  waits: Promise<void>[] = [],
): Promise<void> {
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
