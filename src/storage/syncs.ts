/**
 * Directory syncs shared by all who wait for the same directory (group commit): whoever comes while one runs
 * joins the next, because the running one may have begun before his entry was made.
 * A directory is opened per sync: 2 µs, cheaper than a cache of descriptors that must follow renames (measured).
 */
import type { Files } from "./files.ts";

/** `always`: file and directories. `optimized`: the file only. `never`: nothing. */
export type FsyncMode = "always" | "optimized" | "never";

interface Entry {
  running: Promise<void>;
  queued: Promise<void> | undefined;
}

export class DirectorySyncs {
  readonly #files: Files;
  readonly #entries = new Map<string, Entry>();

  constructor(files: Files) {
    this.#files = files;
  }

  /** Resolves once every entry made in the directory before this call is durable. */
  sync(path: string): Promise<void> {
    const entry = this.#entries.get(path);
    if (entry === undefined) {
      const fresh: Entry = { running: Promise.resolve(), queued: undefined };
      this.#entries.set(path, fresh);
      return this.#run(path, fresh);
    }
    entry.queued ??= entry.running.then(
      () => this.#run(path, entry),
      () => this.#run(path, entry),
    );
    return entry.queued;
  }

  #run(path: string, entry: Entry): Promise<void> {
    entry.queued = undefined;
    entry.running = this.#once(path).finally(() => {
      if (entry.queued === undefined) this.#entries.delete(path);
    });
    return entry.running;
  }

  async #once(path: string): Promise<void> {
    const fd = this.#files.openDirectory(path);
    try {
      await this.#files.sync(fd);
    } finally {
      this.#files.close(fd);
    }
  }
}
