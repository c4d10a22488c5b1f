/**
 * Whether names, sizes and index of an account's mail fit together. Nothing is ever deleted here: a file whose name
 * tells a wrong size, or a number that another file has, loses its number and is taken in anew at the next load.
 */
import * as fs from "node:fs";
import { listNames, mailboxDirectories } from "./at-rest.ts";
import type { MaildirContext } from "./context.ts";
import { isMissing } from "./files.ts";
import type { CheckResult, KeeperOptions } from "./keeper.ts";
import { readMark } from "./marks.ts";
import { parseMessageName } from "./names.ts";

const NAMES_AT_ONCE = 64;

export interface CheckAtRestOptions extends KeeperOptions {
  repair: boolean;
  isInterrupted(): boolean;
}

export function emptyCheck(): CheckResult {
  return { missing: 0, unknown: 0, duplicate: 0, torn: 0, unmarked: 0, repaired: 0 };
}

/** An account without an index in memory. @throws errno errors */
export async function checkAtRest(
  context: Pick<MaildirContext, "files">,
  maildir: string,
  options: CheckAtRestOptions,
): Promise<CheckResult> {
  const result = emptyCheck();
  for (const mailbox of await mailboxDirectories(maildir)) {
    if (options.isInterrupted()) break;
    const mark = readMark(mailbox);
    if (mark === undefined) {
      result.unmarked++;
      continue;
    }
    const uids = new Set<number>();
    for (const part of ["cur", "new"]) {
      const directory = `${mailbox}/${part}`;
      for (const [index, name] of (await listNames(directory)).entries()) {
        if (index % NAMES_AT_ONCE === NAMES_AT_ONCE - 1) await options.breathe();
        if (options.isInterrupted()) return result;
        if (name.startsWith(".")) continue;
        const parsed = parseMessageName(name, mark.uidValidity);
        if (parsed === undefined) {
          result.unknown++;
          continue;
        }
        const size = await sizeOf(`${directory}/${name}`);
        if (size === undefined) continue;
        const isDouble = uids.has(parsed.uid);
        uids.add(parsed.uid);
        if (isDouble) result.duplicate++;
        else if (size !== parsed.size) result.torn++;
        else continue;
        if (!options.repair || options.isInterrupted()) continue;
        context.files.rename(`${directory}/${name}`, `${directory}/${unnumbered(name)}`);
        result.repaired++;
      }
    }
  }
  return result;
}

/** A mailbox in memory, as far as the check sees it. */
export interface Indexed {
  readonly uidValidity: number;
  readonly index: {
    readonly messages: readonly { readonly uid: number; readonly base: string }[];
    readonly lowestPending: number | undefined;
    find(uid: number): unknown;
  };
  readonly files: { list(): Promise<ReadonlyMap<string, readonly string[]>> };
  /** Looks for the file again, drops the message when it is gone. */
  findAgain(uid: number): Promise<void>;
}

/**
 * Adds what does not fit to `result`. Messages that come and go meanwhile are no concern of it.
 * @param repair drops messages without a file; files without a message wait for the next load
 */
export async function checkIndexed(mailbox: Indexed, repair: boolean, result: CheckResult): Promise<void> {
  const { index } = mailbox;
  const before = index.messages.map(({ uid, base }) => ({ uid, base }));
  const pendingBefore = index.lowestPending;
  const listed = await mailbox.files.list();
  for (const { uid, base } of before) {
    if (listed.has(base) || index.find(uid) === undefined) continue;
    result.missing++;
    if (!repair) continue;
    await mailbox.findAgain(uid);
    result.repaired++;
  }
  const known = new Set([...before, ...index.messages].map(({ base }) => base));
  const arriving = Math.min(pendingBefore ?? Infinity, index.lowestPending ?? Infinity);
  for (const base of listed.keys()) {
    if (known.has(base) || base.startsWith(".")) continue;
    const uid = parseMessageName(base, mailbox.uidValidity)?.uid ?? 0;
    if (uid < arriving) result.unknown++;
  }
}

/** The name without size and number, so that a load adopts the file as another program's. */
function unnumbered(name: string): string {
  return name.replace(/,S=\d+,U=\d+(?=:2,|$)/, "");
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await fs.promises.stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
