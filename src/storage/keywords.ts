/**
 * The keywords of one mailbox and their Maildir letters, in the file `dovecot-keywords` (`<index> <name>` lines),
 * which doveadm and mutt's helpers read too. Names are compared without ASCII case (RFC 9051 §2.3.2).
 */
import { readFileSync } from "node:fs";
import { lowerAscii } from "../core/bytes.ts";
import type { MaildirContext } from "./context.ts";
import { asStorageError } from "./faults.ts";
import { isMissing } from "./files.ts";
import { unlinkQuietly } from "./marks.ts";
import { KEYWORD_SHIFT, KEYWORDS_MAX } from "./store.ts";

const FILE_NAME = "dovecot-keywords";
/** Longer names are refused: nobody but an attacker sends them. */
const NAME_MAX_LENGTH = 128;
/** RFC 9051 §9: `flag-keyword` is an atom. */
const NAME = /^[^\s(){%*"\\\]\u0000-\u001f\u007f]+$/;

export class Keywords {
  readonly #context: MaildirContext;
  readonly names: string[];
  directory: string;

  constructor(context: MaildirContext, directory: string, names: string[]) {
    this.#context = context;
    this.directory = directory;
    this.names = names;
  }

  /** All flag bits that mean something here. */
  get knownMask(): number {
    return (1 << (KEYWORD_SHIFT + this.names.length)) - 1;
  }

  /**
   * Bit of a keyword, made and written down when new. Not synced, as flags are not.
   * @returns undefined when no letter is left or the name is no atom
   * @throws {StorageError} when the file cannot be written
   */
  mask(name: string): number | undefined {
    const wanted = lowerAscii(name);
    const index = this.names.findIndex((known) => lowerAscii(known) === wanted);
    if (index >= 0) return 1 << (KEYWORD_SHIFT + index);
    if (this.names.length >= KEYWORDS_MAX || name.length > NAME_MAX_LENGTH || !NAME.test(name))
      return undefined;
    this.#save([...this.names, name]);
    this.names.push(name);
    return 1 << (KEYWORD_SHIFT + this.names.length - 1);
  }

  #save(names: readonly string[]): void {
    const { files, spoolDir, log } = this.#context;
    const scratch = `${spoolDir}/${this.#context.names.scratch()}`;
    try {
      const fd = files.create(scratch);
      try {
        files.write(fd, Buffer.from(names.map((name, index) => `${index} ${name}\n`).join("")));
      } finally {
        files.close(fd);
      }
      files.rename(scratch, `${this.directory}/${FILE_NAME}`);
    } catch (error) {
      unlinkQuietly(this.#context, scratch);
      throw asStorageError(error, "write keywords", log);
    }
  }
}

/** Keyword names by letter. Gaps in the file end the list: letters behind a gap would change their meaning. */
export function readKeywords(directory: string): string[] {
  let text: string;
  try {
    text = readFileSync(`${directory}/${FILE_NAME}`, "utf8");
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  const byIndex = new Map<number, string>();
  for (const [, index, name] of text.matchAll(/^(\d{1,2}) (\S+)$/gm)) {
    if (index !== undefined && name !== undefined) byIndex.set(Number(index), name);
  }
  const names: string[] = [];
  for (let name = byIndex.get(0); name !== undefined && names.length < KEYWORDS_MAX; ) {
    names.push(name);
    name = byIndex.get(names.length);
  }
  return names;
}
