/**
 * Reads foreign Maildirs by names alone: Dovecot's (Maildir++ folders) and madmail 2's. Files that the UID list does not
 * know yet get the next UIDs in the order of their arrival, as their own server would have given them.
 */
import * as fs from "node:fs";
import { readKeywords } from "../storage/keywords.ts";
import { Flag } from "../storage/store.ts";
import { flagsOfLetters, folderNameOf, lettersOf, normalMailboxName } from "../storage/names.ts";
import type { LeftBehind, SourceMailbox, SourceMessage } from "./source.ts";
import { parseUidList, type UidList } from "./uidlist.ts";

export interface MaildirDialect {
  uidListName: "dovecot-uidlist" | "chatmail-uidlist";
  /** madmail 2 has no flag for it: what lies in cur/ was seen. */
  curIsSeen: boolean;
}

export const dovecotDialect: MaildirDialect = { uidListName: "dovecot-uidlist", curIsSeen: false };
export const madmailDialect: MaildirDialect = { uidListName: "chatmail-uidlist", curIsSeen: true };

interface FoundFile {
  name: string;
  base: string;
  path: string;
  inNew: boolean;
}

/** Names of folders below a Maildir++ directory, with their directories; the inbox first. */
export function listFolders(
  maildir: string,
  leave: (left: LeftBehind) => void,
): { name: string; directory: string }[] {
  const folders = [{ name: "INBOX", directory: maildir }];
  for (const entry of fs.readdirSync(maildir, { withFileTypes: true })) {
    if (!entry.isDirectory() || !entry.name.startsWith(".")) continue;
    const directory = `${maildir}/${entry.name}`;
    if (!fs.existsSync(`${directory}/cur`)) continue;
    const name = folderNameOf(entry.name) ?? plainName(entry.name);
    if (name === undefined) leave({ why: "a folder name that IMAP cannot show", what: directory });
    else folders.push({ name, directory });
  }
  return folders;
}

/** Dovecot without IMAP's encoding of names (`mailbox_list_utf8`): the directory is the name. */
function plainName(directory: string): string | undefined {
  try {
    const name = normalMailboxName(directory.slice(1).replaceAll(".", "/"));
    return name === "INBOX" ? undefined : name;
  } catch {
    return undefined;
  }
}

/** @param freshValidity for a mailbox that its server never opened */
export function readMailbox(
  { name, directory }: { name: string; directory: string },
  dialect: MaildirDialect,
  freshValidity: () => number,
  leave: (left: LeftBehind) => void,
): SourceMailbox {
  const list = readList(`${directory}/${dialect.uidListName}`, leave);
  const keywords = dialect.curIsSeen ? [] : readKeywords(directory);
  const files = [...listFiles(directory, "cur"), ...listFiles(directory, "new")];
  const known: SourceMessage[] = [];
  const fresh: (SourceMessage & { base: string })[] = [];
  const taken = new Set<number>();
  for (const file of files) {
    const stat = fs.statSync(file.path, { throwIfNoEntry: false });
    if (stat?.isFile() !== true) continue;
    const entry = list?.entries.get(file.base);
    const message = describe(file, stat, keywords.length, dialect, entry?.internalDateSec);
    // A copy under the same number can't be shown beside the first: it gets one of its own.
    if (entry === undefined || taken.has(entry.uid)) fresh.push({ ...message, base: file.base });
    else {
      taken.add(entry.uid);
      known.push({ ...message, uid: entry.uid });
    }
  }
  let uidNext = list?.uidNext ?? 1;
  fresh.sort((a, b) => a.internalDateMs - b.internalDateMs || (a.base < b.base ? -1 : 1));
  for (const { base: _, ...message } of fresh) known.push({ ...message, uid: uidNext++ });
  known.sort((a, b) => a.uid - b.uid);
  return { name, uidValidity: list?.uidValidity ?? freshValidity(), uidNext, keywords, messages: known };
}

function readList(path: string, leave: (left: LeftBehind) => void): UidList | undefined {
  let text: string;
  try {
    text = fs.readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const list = parseUidList(text);
  if (list === undefined)
    leave({ why: "a UID list that can't be read: its mailbox gets new UIDs", what: path });
  return list;
}

function listFiles(directory: string, part: "cur" | "new"): FoundFile[] {
  let names: string[];
  try {
    names = fs.readdirSync(`${directory}/${part}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  return names
    .filter((name) => !name.startsWith("."))
    .map((name) => ({
      name,
      base: name.split(":2,", 1)[0] ?? name,
      path: `${directory}/${part}/${name}`,
      inNew: part === "new",
    }));
}

function describe(
  file: FoundFile,
  stat: fs.Stats,
  keywordCount: number,
  dialect: MaildirDialect,
  listedSec: number | undefined,
): SourceMessage {
  const seen = dialect.curIsSeen && !file.inNew ? Flag.seen : 0;
  const flags = flagsOfLetters(lettersOf(file.name), keywordCount) | seen;
  const named = /,S=(\d{1,15})(?:,|$)/.exec(file.base)?.[1];
  return {
    uid: 0,
    // Dovecot keeps INTERNALDATE as the time of the file's last change.
    internalDateMs: (listedSec ?? Math.floor(stat.mtimeMs / 1000)) * 1000,
    flags,
    inNew: file.inNew && flags === 0,
    path: file.path,
    // Of a compressed file, its name tells the true size.
    size: named === undefined ? stat.size : Number(named),
    minSize: named === undefined ? undefined : Number(named),
  };
}
