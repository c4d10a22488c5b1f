/** File ports for tests: one that calls a hook before each call, one whose syncs end by hand. */
import { diskFiles, type Files } from "./files.ts";

/** An errno error, as a file call throws it. */
export function errno(code: string): Error {
  return Object.assign(new Error(`${code}: made by a test`), { code });
}

/** Calls `before` with the name of each call; what it throws is what the call throws. */
export function hookedFiles(before: (call: keyof Files, path: string) => void): Files {
  const guarded = (call: keyof Files, detail: number | string) => before(call, String(detail));
  return {
    create: (path) => (guarded("create", path), diskFiles.create(path)),
    write: (fd, bytes) => (guarded("write", fd), diskFiles.write(fd, bytes)),
    openDirectory: (path) => (guarded("openDirectory", path), diskFiles.openDirectory(path)),
    // Descriptors are closed whatever happens: a process that dies closes them too.
    close: (fd) => diskFiles.close(fd),
    rename: (from, to) => (guarded("rename", to), diskFiles.rename(from, to)),
    link: (from, to) => (guarded("link", to), diskFiles.link(from, to)),
    unlink: (path) => (guarded("unlink", path), diskFiles.unlink(path)),
    mkdir: (path) => (guarded("mkdir", path), diskFiles.mkdir(path)),
    syncData: async (fd) => (guarded("syncData", fd), await diskFiles.syncData(fd)),
    sync: async (fd) => (guarded("sync", fd), await diskFiles.sync(fd)),
  };
}

/** Counts calls; call `at` fails, and unless `only`, all later ones too: the machine stopped. */
export class Fuse {
  calls = 0;
  /** Name of the call that failed first. */
  failed: keyof Files | undefined;
  readonly files: Files;
  constructor(at: number, code: string, only: boolean) {
    this.files = hookedFiles((call) => {
      this.calls++;
      if (only ? this.calls !== at : this.calls < at) return;
      this.failed ??= call;
      throw errno(code);
    });
  }
}

/** Body syncs end only when the test says so, in the order it likes. */
export class HeldSyncs {
  readonly #held: { resolve: () => void; reject: (error: Error) => void }[] = [];
  /** Off until a test turns it on, so that making mailboxes is not held up. */
  holding = false;

  readonly files: Files = {
    ...diskFiles,
    syncData: (fd) => {
      if (!this.holding) return diskFiles.syncData(fd);
      return new Promise((resolve, reject) => this.#held.push({ resolve, reject }));
    },
  };

  get count(): number {
    return this.#held.length;
  }

  end(index: number): void {
    this.#held[index]?.resolve();
  }

  fail(index: number, code: string): void {
    this.#held[index]?.reject(errno(code));
  }
}
