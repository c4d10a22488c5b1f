/**
 * Mail of accounts that are not in memory: read from file names alone, one listing a directory, no file opened.
 * Only names of other programs cost a stat each.
 */
import * as fs from "node:fs";
import type { Dated } from "./expiry.ts";
import { isMissing } from "./files.ts";
import type { Breathe } from "./keeper.ts";
import { folderNameOf } from "./names.ts";
import { Flag } from "./store.ts";

/** Names read between two breaths (under a millisecond). */
const NAMES_AT_ONCE = 512;

export interface RestingMessage extends Dated {
  /** `…/cur` or `…/new` */
  readonly directory: string;
  readonly name: string;
}

/** Names in a directory; none when it is not there. @throws errno errors */
export async function listNames(directory: string): Promise<string[]> {
  try {
    return await fs.promises.readdir(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Directories of the inbox and of all folders. @returns none when the account has no mail directory */
export async function mailboxDirectories(maildir: string): Promise<string[]> {
  const names = await listNames(maildir);
  const folders = names.filter((name) => folderNameOf(name) !== undefined);
  return [...(names.includes("cur") ? [maildir] : []), ...folders.map((name) => `${maildir}/${name}`)];
}

/** All messages of an account. @throws errno errors */
export async function listAtRest(maildir: string, breathe: Breathe): Promise<RestingMessage[]> {
  const messages: RestingMessage[] = [];
  for (const mailbox of await mailboxDirectories(maildir)) {
    for (const part of ["cur", "new"]) {
      const directory = `${mailbox}/${part}`;
      for (const [index, name] of (await listNames(directory)).entries()) {
        if (index % NAMES_AT_ONCE === NAMES_AT_ONCE - 1) await breathe();
        if (name.startsWith(".")) continue;
        const facts = factsOfName(name) ?? (await factsOfFile(`${directory}/${name}`, name));
        if (facts !== undefined) messages.push({ ...facts, directory, name });
      }
    }
  }
  return messages;
}

/** Time, size and \Seen as the name tells them. @returns undefined for a name that does not tell its size */
export function factsOfName(name: string): Dated | undefined {
  const at = name.indexOf(",S=");
  const seconds = Number.parseInt(name, 10);
  if (at < 0 || Number.isNaN(seconds)) return undefined;
  const size = Number.parseInt(name.slice(at + 3), 10);
  if (Number.isNaN(size)) return undefined;
  return { size, internalDateMs: seconds * 1000, flags: flagsOfName(name) };
}

async function factsOfFile(path: string, name: string): Promise<Dated | undefined> {
  try {
    const stat = await fs.promises.stat(path);
    if (!stat.isFile()) return undefined;
    return { size: stat.size, internalDateMs: stat.mtimeMs, flags: flagsOfName(name) };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function flagsOfName(name: string): number {
  const end = name.lastIndexOf(":2,");
  return end >= 0 && name.includes("S", end + 3) ? Flag.seen : 0;
}
