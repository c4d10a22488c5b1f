/**
 * The files of one mailbox. A file's path follows from its index entry alone: `new/<base>`, or
 * `cur/<base>:2,<letters of the flags>`. Neither renames nor unlinks are synced: a crash may undo a flag or an
 * expunge of the last seconds, never an accepted message.
 */
import * as fs from "node:fs";
import { isMissing, type Files } from "./files.ts";
import { flagSuffix } from "./names.ts";

/** Files above are unlinked in the pool: freeing their blocks takes milliseconds. */
const UNLINK_INLINE_MAX_BYTES = 256 * 1024;

/** What a path follows from. */
export interface Located {
  readonly inNew: boolean;
  readonly base: string;
  readonly flags: number;
}

export class MailboxFiles {
  readonly #files: Files;
  /** Changes when the mailbox is renamed. */
  directory: string;

  constructor(files: Files, directory: string) {
    this.#files = files;
    this.directory = directory;
  }

  directoryOf(message: { readonly inNew: boolean }): string {
    return `${this.directory}/${message.inNew ? "new" : "cur"}`;
  }

  pathOf(message: Located): string {
    if (message.inNew) return `${this.directory}/new/${message.base}`;
    return `${this.directory}/cur/${message.base}${flagSuffix(message.flags)}`;
  }

  /** Writes new flags into the name. @returns false when the file is not at its place */
  rename(message: Located, flags: number): boolean {
    const target = this.pathOf({ inNew: false, base: message.base, flags });
    try {
      this.#files.rename(this.pathOf(message), target);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  /** @returns false for what takes longer: large files, and those that are not at their place */
  unlinkNow(message: Located & { readonly size: number }): boolean {
    if (message.size > UNLINK_INLINE_MAX_BYTES) return false;
    try {
      this.#files.unlink(this.pathOf(message));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  /** Unlinks a file wherever `listed` found it. */
  async unlinkListed(message: Located, listed: ReadonlyMap<string, readonly string[]>): Promise<void> {
    for (const path of listed.get(message.base) ?? []) await unlinkInPool(path);
  }

  /** Paths of all message files by the part of their names that stays. */
  async list(): Promise<Map<string, string[]>> {
    const paths = new Map<string, string[]>();
    for (const part of ["cur", "new"]) {
      for (const name of await fs.promises.readdir(`${this.directory}/${part}`)) {
        const base = name.split(":2,", 1)[0] ?? name;
        paths.set(base, [...(paths.get(base) ?? []), `${this.directory}/${part}/${name}`]);
      }
    }
    return paths;
  }

  /** Brings a file that another program renamed under our form of its name. */
  adopt(path: string, base: string, flags: number): void {
    const target = this.pathOf({ inNew: false, base, flags });
    if (path !== target) this.#files.rename(path, target);
  }
}

function unlinkInPool(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.unlink(path, (error) => (error && !isMissing(error) ? reject(error) : resolve()));
  });
}
