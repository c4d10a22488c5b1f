/**
 * What an import has done, in `<state_dir>/import.journal`: one JSON object a line, synced before the next account is
 * begun. A torn last line (a power cut) is passed over: the account before it is then looked at again, which doubles nothing.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { parseJson } from "../core/json.ts";
import { SourceError, type SourceKind } from "./source.ts";

const FILE_NAME = "import.journal";

interface Head {
  version: 1;
  /** Marks the directories that this import made. */
  id: string;
  kind: SourceKind;
  source: string;
}

export class Journal {
  readonly id: string;
  readonly #fd: number;
  readonly #done: Set<string>;
  #finished: boolean;

  private constructor(fd: number, id: string, done: Set<string>, finished: boolean) {
    this.#fd = fd;
    this.id = id;
    this.#done = done;
    this.#finished = finished;
  }

  /** Goes on with the journal of the same source, or begins one. @throws {SourceError} when another import is half done */
  static open(stateDir: string, kind: SourceKind, source: string): Journal {
    const path = join(stateDir, FILE_NAME);
    const old = readJournal(path);
    if (old !== undefined && (old.head.kind !== kind || old.head.source !== source)) {
      if (!old.finished) {
        throw new SourceError(
          `${path}: the import from ${old.head.source} is not finished: finish it first, or remove this file to give it up`,
        );
      }
      fs.renameSync(path, `${path}.${old.head.id}`);
    }
    const going = old !== undefined && old.head.source === source && old.head.kind === kind ? old : undefined;
    // Nothing to go on with: what may lie there is a first line that a power cut tore.
    const fd = fs.openSync(path, going === undefined ? "w" : "a", 0o600);
    const journal = new Journal(
      fd,
      going?.head.id ?? newId(),
      going?.done ?? new Set(),
      going?.finished ?? false,
    );
    if (going === undefined) {
      const head: Head = { version: 1, id: journal.id, kind, source };
      journal.#append(head);
    } else if (!going.complete) fs.writeSync(fd, "\n");
    return journal;
  }

  /** Accounts that an earlier run has done. For a dry run. */
  static doneAccounts(stateDir: string, kind: SourceKind, source: string): ReadonlySet<string> {
    const old = readJournal(join(stateDir, FILE_NAME));
    return old !== undefined && old.head.kind === kind && old.head.source === source ? old.done : new Set();
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** @param step an address, or the name of a part that is no account, in brackets */
  has(step: string): boolean {
    return this.#done.has(step);
  }

  /** Durable when it returns. */
  add(step: string): void {
    this.#append({ done: step });
    this.#done.add(step);
  }

  finish(): void {
    if (!this.#finished) this.#append({ finished: true });
    this.#finished = true;
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  #append(line: object): void {
    fs.writeSync(this.#fd, `${JSON.stringify(line)}\n`);
    fs.fdatasyncSync(this.#fd);
  }
}

interface OldJournal {
  head: Head;
  done: Set<string>;
  finished: boolean;
  /** The last line ends. */
  complete: boolean;
}

/** @throws {SourceError} for a file that is no journal */
function readJournal(path: string): OldJournal | undefined {
  let text: string;
  try {
    text = fs.readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const [first = "", ...rest] = text.split("\n");
  const head = parseJson(first) as Partial<Head> | null | undefined;
  if (head?.version !== 1 || typeof head.id !== "string" || typeof head.source !== "string") {
    if (text === "" || !text.includes("\n")) return undefined;
    throw new SourceError(`${path}: not a journal that this version can read: move it away to begin anew`);
  }
  const lines = rest.map((line) => parseJson(line) as { done?: unknown; finished?: unknown } | undefined);
  return {
    head: head as Head,
    done: new Set(lines.flatMap((line) => (typeof line?.done === "string" ? [line.done] : []))),
    finished: lines.some((line) => line?.finished === true),
    complete: text.endsWith("\n"),
  };
}

function newId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex");
}
