/**
 * How much mail each account has, for lists of ten thousand of them: indexes need not be in memory for that. Figures of
 * accounts in memory are read from there; those of the others were noted when they left it, counted by listing their
 * directories, or come from the file that a clean stop wrote.
 *
 * Invariant: a note is right, because nothing changes an account but its object in memory. Another program that writes
 * into a Maildir shows when the account is loaded the next time.
 */
import * as fs from "node:fs";
import type { Address } from "../core/address.ts";
import type { MaildirContext } from "./context.ts";
import { asStorageError } from "./faults.ts";
import { isMissing } from "./files.ts";
import { replaceFile } from "./marks.ts";
import { accountDirectoryName } from "./names.ts";
import type { Slots } from "./slots.ts";
import type { Usage } from "./store.ts";

/** Beside the mark of a clean stop, and valid only with it. A line each: `<bytes> <messages> <address>`. */
const FILE_NAME = ".madmail-usage";
const LINE = /^(\d{1,16}) (\d{1,12}) (.+)$/;
/** Size as our names, and those of other Maildir programs, tell it. */
const SIZE = /,S=(\d{1,15})(?=[,:]|$)/;
const FOLDER = /^\.[^.]/;
const NOTHING: Usage = { bytes: 0, messages: 0 };

/** An account in memory. */
interface LoadedAccount {
  readonly user: Address;
  readonly usedBytes: number;
  readonly messageCount: number;
}

export interface UsagesParts {
  /** The directory of all accounts. */
  root: string;
  context: Pick<MaildirContext, "running" | "log">;
  /** Accounts are counted as many at once as they are loaded. */
  slots: Slots;
  loaded(user: Address): LoadedAccount | undefined;
  isLoading(user: Address): boolean;
}

export class Usages {
  readonly #parts: UsagesParts;
  readonly #notes = new Map<Address, Usage>();
  readonly #counting = new Map<Address, Promise<Usage>>();
  /** Whether the file, if there is any, says something else. */
  #changed = true;

  constructor(parts: UsagesParts) {
    this.#parts = parts;
  }

  /** Takes over what a clean stop wrote. @throws errno errors */
  load(): void {
    let text: string;
    try {
      text = fs.readFileSync(`${this.#parts.root}/${FILE_NAME}`, "utf8");
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    for (const line of text.split("\n")) {
      const [, bytes, messages, user] = LINE.exec(line) ?? [];
      if (user === undefined) continue;
      this.#notes.set(user as Address, { bytes: Number(bytes), messages: Number(messages) });
    }
    this.#changed = false;
  }

  /** Writes what the next start takes over, if it is not there already. @throws errno errors */
  async save(context: MaildirContext): Promise<void> {
    if (!this.#changed) return;
    let text = "";
    for (const [user, { bytes, messages }] of this.#notes) text += `${bytes} ${messages} ${user}\n`;
    await replaceFile(context, this.#parts.root, FILE_NAME, text);
  }

  /** See MailStore.usage. @throws {StorageError} (as a rejection) */
  of(user: Address): Usage | Promise<Usage> {
    const loaded = this.#parts.loaded(user);
    if (loaded !== undefined) return usageOf(loaded);
    const noted = this.#notes.get(user);
    if (noted !== undefined) return noted;
    const running = this.#counting.get(user);
    if (running !== undefined) return running;
    const counting = this.#parts.context.running
      .during(() => this.#count(user))
      .finally(() => this.#counting.delete(user));
    this.#counting.set(user, counting);
    return counting;
  }

  /** The account is about to leave memory, or was changed by somebody who holds it since. */
  note(account: LoadedAccount): void {
    this.#note(account.user, usageOf(account));
  }

  forget(user: Address): void {
    if (this.#notes.delete(user)) this.#changed = true;
  }

  #note(user: Address, usage: Usage): void {
    const old = this.#notes.get(user);
    if (old?.bytes === usage.bytes && old.messages === usage.messages) return;
    this.#notes.set(user, usage);
    this.#changed = true;
  }

  async #count(user: Address): Promise<Usage> {
    const { root, slots, context } = this.#parts;
    await slots.take();
    try {
      const directory = `${root}/${accountDirectoryName(user)}`;
      if (!fs.existsSync(directory)) return NOTHING;
      const counted = await countMail(`${directory}/Maildir`);
      // Loaded meanwhile, and perhaps gone again: then that is right, and what was counted may not be.
      const loaded = this.#parts.loaded(user);
      if (loaded !== undefined) return usageOf(loaded);
      const noted = this.#notes.get(user);
      if (noted !== undefined) return noted;
      if (!this.#parts.isLoading(user) && fs.existsSync(directory)) this.#note(user, counted);
      return counted;
    } catch (error) {
      throw asStorageError(error, "count mail", context.log);
    } finally {
      slots.give();
    }
  }
}

function usageOf({ usedBytes, messageCount }: LoadedAccount): Usage {
  return { bytes: usedBytes, messages: messageCount };
}

/** Counts by names; opens nothing. @throws errno errors, other than that the account is not there (any more) */
async function countMail(maildir: string): Promise<Usage> {
  const folders = (await names(maildir)).filter((name) => FOLDER.test(name));
  const directories = [maildir, ...folders.map((name) => `${maildir}/${name}`)].flatMap((folder) => [
    `${folder}/cur`,
    `${folder}/new`,
  ]);
  let bytes = 0;
  let messages = 0;
  for (const directory of directories) {
    for (const name of await names(directory)) {
      if (name.startsWith(".")) continue;
      const size = Number(SIZE.exec(name)?.[1] ?? (await sizeOf(`${directory}/${name}`)) ?? Number.NaN);
      if (Number.isNaN(size)) continue;
      bytes += size;
      messages++;
    }
  }
  return { bytes, messages };
}

async function names(directory: string): Promise<string[]> {
  try {
    return await fs.promises.readdir(directory);
  } catch (error) {
    if (isMissing(error) || (error as NodeJS.ErrnoException).code === "ENOTDIR") return [];
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
