/**
 * Messages that wait to leave, in one directory. Of one parcel:
 *
 * - `<id>.body`: the message, a hard link of what the mailboxes got.
 * - `<id>.mail`: `1 B<bytes> N<notes>`, then one note a line. It makes the parcel: without a whole one, or with a body of
 *   another size, nothing was accepted.
 * - `<id>.<place>`: what has become of one note since: `+` and the new one, or `-` when the entry is done while others
 *   of its parcel wait.
 *
 * Invariants
 * - However many entries a parcel has, accepting it is two files and their syncs, side by side with the mailboxes'.
 * - The `.mail` file goes first when the last entry is done: a crash after that leaves only sweepings.
 */
import * as fs from "node:fs";
import { openBody } from "./bodies.ts";
import type { MaildirContext } from "./context.ts";
import { asStorageError } from "./faults.ts";
import { isMissing } from "./files.ts";
import { type Annex, syncFile } from "./landing.ts";
import { replaceFile, unlinkQuietly } from "./marks.ts";
import type { Outbox, OutboxEntry, Parcel, StoredBody } from "./store.ts";

/** Parcels read at once while loading. */
const LOADS_AT_ONCE = 32;
const FORM = /^1 B(\d{1,15}) N(\d{1,6})$/;
const ID = /^[A-Za-z0-9-]{1,64}$/;
const ENTRY = /^([A-Za-z0-9-]{1,64})\.(\d{1,6})$/;

/** What must be known to take a parcel apart without reading it. */
interface Standing {
  bytes: number;
  total: number;
  left: number;
  /** Some `<id>.<place>` was written. */
  touched: boolean;
}

export class FileOutbox implements Outbox {
  readonly directory: string;
  readonly #context: MaildirContext;
  readonly #parcels = new Map<string, Standing>();

  constructor(context: MaildirContext, directory: string) {
    this.#context = context;
    this.directory = directory;
  }

  async load(visit: (entry: OutboxEntry) => void, { sweep }: { sweep: boolean }): Promise<void> {
    try {
      const names = (await fs.promises.readdir(this.directory)).sort();
      const touched = new Set<string>();
      for (const name of names) {
        const parcel = ENTRY.exec(name)?.[1];
        if (parcel !== undefined) touched.add(parcel);
      }
      const ids = names.flatMap((name) => (name.endsWith(".mail") ? [name.slice(0, -5)] : []));
      const whole = new Set<string>();
      for (let at = 0; at < ids.length; at += LOADS_AT_ONCE) {
        const batch = ids.slice(at, at + LOADS_AT_ONCE);
        const found = await Promise.all(batch.map((id) => this.#read(id, touched.has(id))));
        for (const [index, parcel] of found.entries()) {
          const id = batch[index];
          if (id === undefined || parcel === undefined) continue;
          whole.add(id);
          if (!this.#parcels.has(id)) this.#parcels.set(id, parcel.standing);
          for (const entry of parcel.entries) visit(entry);
        }
      }
      if (sweep) this.#sweep(names, whole);
    } catch (error) {
      throw asStorageError(error, "read the queue", this.#context.log);
    }
  }

  async note(id: string): Promise<string | undefined> {
    const [parcel, place] = split(id);
    const standing = this.#parcels.get(parcel);
    if (standing === undefined) return undefined;
    try {
      const changed = standing.touched ? await readText(`${this.directory}/${id}`) : undefined;
      if (changed?.startsWith("-") === true) return undefined;
      if (isWholeNote(changed)) return changed.slice(1, -1);
      return lineAt((await readText(this.#path(parcel, "mail"))) ?? "", place + 1);
    } catch (error) {
      throw asStorageError(error, "read a queued message", this.#context.log);
    }
  }

  async setNote(id: string, note: string): Promise<void> {
    const standing = this.#parcels.get(split(id)[0]);
    if (standing === undefined) return;
    standing.touched = true;
    try {
      await replaceFile(this.#context, this.directory, id, `+${note}\n`);
    } catch (error) {
      throw asStorageError(error, "write the queue", this.#context.log);
    }
  }

  async body(id: string): Promise<StoredBody | undefined> {
    const [parcel] = split(id);
    const standing = this.#parcels.get(parcel);
    if (standing === undefined) return undefined;
    try {
      return await openBody(() => this.#path(parcel, "body"), standing.bytes, this.#context);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw asStorageError(error, "read a queued message", this.#context.log);
    }
  }

  remove(id: string): void {
    const [parcel] = split(id);
    const standing = this.#parcels.get(parcel);
    if (standing === undefined) return;
    const { files } = this.#context;
    try {
      if (standing.left > 1) {
        this.#markDone(id);
        standing.touched = true;
        standing.left--;
        return;
      }
      this.#parcels.delete(parcel);
      files.unlink(this.#path(parcel, "mail"));
      files.unlink(this.#path(parcel, "body"));
      for (let place = 0; standing.touched && place < standing.total; place++) {
        unlinkQuietly(this.#context, `${this.directory}/${parcel}.${place}`);
      }
    } catch (error) {
      throw asStorageError(error, "write the queue", this.#context.log);
    }
  }

  /** The way of one parcel into the directory, beside its message's way into mailboxes. */
  arrival(parcel: Parcel, bytes: number): Annex {
    const { files, directories, fsync } = this.#context;
    if (!ID.test(parcel.id) || parcel.notes.length === 0 || this.#parcels.has(parcel.id)) {
      throw new Error("a parcel needs an id of its own and a note");
    }
    const text = `1 B${bytes} N${parcel.notes.length}\n${parcel.notes.join("\n")}\n`;
    const [mail, body] = [this.#path(parcel.id, "mail"), this.#path(parcel.id, "body")];
    const total = parcel.notes.length;
    let fd = -1;
    return {
      place: (placeBody) => {
        placeBody(body);
        fd = files.create(mail);
        files.write(fd, Buffer.from(text));
        this.#parcels.set(parcel.id, { bytes, total, left: total, touched: false });
      },
      sync: () => {
        const waits = fsync === "never" ? [] : [syncFile(this.#context, fd)];
        if (fsync === "always") waits.push(directories.sync(this.directory));
        return waits;
      },
      undo: () => {
        this.#parcels.delete(parcel.id);
        unlinkQuietly(this.#context, mail);
        unlinkQuietly(this.#context, body);
      },
      close: () => {
        if (fd >= 0) files.close(fd);
      },
    };
  }

  /** Not synced: at worst a message goes out twice after a power cut, as it does when an unlink is lost. */
  #markDone(id: string): void {
    const { files, names, spoolDir } = this.#context;
    const scratch = `${spoolDir}/${names.scratch()}`;
    const fd = files.create(scratch);
    try {
      files.write(fd, Buffer.from("-\n"));
    } finally {
      files.close(fd);
    }
    files.rename(scratch, `${this.directory}/${id}`);
  }

  /** @returns undefined for what never was accepted, or is done */
  async #read(
    id: string,
    touched: boolean,
  ): Promise<{ standing: Standing; entries: OutboxEntry[] } | undefined> {
    const text = await readText(this.#path(id, "mail"));
    const size = await sizeOf(this.#path(id, "body"));
    const lines = text?.split("\n") ?? [];
    const match = FORM.exec(lines[0] ?? "");
    const bytes = Number(match?.[1]);
    const total = Number(match?.[2]);
    if (match === null || lines.length !== total + 2 || lines.at(-1) !== "" || size !== bytes)
      return undefined;
    const entries: OutboxEntry[] = [];
    for (const [place, note] of lines.slice(1, -1).entries()) {
      const entryId = `${id}.${place}`;
      const changed = touched ? await readText(`${this.directory}/${entryId}`) : undefined;
      if (changed?.startsWith("-") === true) continue;
      entries.push({ id: entryId, note: isWholeNote(changed) ? changed.slice(1, -1) : note, bytes });
    }
    if (entries.length === 0) return undefined;
    return { standing: { bytes, total, left: entries.length, touched }, entries };
  }

  /** Unlinks what belongs to no whole parcel. Names that are not ours stay. */
  #sweep(names: readonly string[], whole: ReadonlySet<string>): void {
    for (const name of names) {
      const dot = name.indexOf(".");
      const ours = /^[A-Za-z0-9-]{1,64}\.(body|mail|\d{1,6})$/.test(name);
      if (ours && !whole.has(name.slice(0, dot))) unlinkQuietly(this.#context, `${this.directory}/${name}`);
    }
  }

  #path(parcel: string, part: "mail" | "body"): string {
    return `${this.directory}/${parcel}.${part}`;
  }
}

function split(id: string): [parcel: string, place: number] {
  const match = ENTRY.exec(id);
  return [match?.[1] ?? "", Number(match?.[2] ?? 0)];
}

/** A torn one, which a power cut may leave, does not count: the note before it does. */
function isWholeNote(text: string | undefined): text is string {
  return text !== undefined && text.startsWith("+") && text.endsWith("\n");
}

/** The line of that number, without splitting the others off. */
function lineAt(text: string, line: number): string | undefined {
  let from = 0;
  for (let n = 0; n < line; n++) {
    from = text.indexOf("\n", from) + 1;
    if (from === 0) return undefined;
  }
  const to = text.indexOf("\n", from);
  return to < 0 ? undefined : text.slice(from, to);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await fs.promises.readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await fs.promises.stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
