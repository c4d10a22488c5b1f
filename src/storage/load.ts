/**
 * Reads a Maildir directory into an index: by names alone, no file is opened.
 * Files of other programs are adopted: they get a UID and our form of name. After an unclean stop, files in new/
 * whose size is not their `S=` were never accepted, and go.
 */
import * as fs from "node:fs";
import type { MaildirContext } from "./context.ts";
import { isMissing } from "./files.ts";
import type { Arrival } from "./mailbox-index.ts";
import type { UidMarks } from "./marks.ts";
import { flagSuffix, flagsOfLetters, lettersOf, parseMessageName } from "./names.ts";

/** Names parsed before others get a turn (about two milliseconds). */
const CHUNK = 4096;
/** Files examined at once in the pool. */
const STATS_AT_ONCE = 16;

interface Foreign {
  path: string;
  name: string;
  inNew: boolean;
}

/** Reads all messages, in UID order. @throws errno errors */
export async function loadMessages(
  context: MaildirContext,
  directory: string,
  marks: UidMarks,
  keywordCount: number,
): Promise<Arrival[]> {
  const [inCur, inNew] = await Promise.all([listFiles(`${directory}/cur`), listFiles(`${directory}/new`)]);
  if (context.verifyNew()) await sweepTorn(context, `${directory}/new`, inNew, marks.uidValidity);
  const found: Arrival[] = [];
  const foreign: Foreign[] = [];
  const read = (name: string, part: string) => {
    const arrival = readName(context, directory, part, name, marks.uidValidity, keywordCount);
    if (arrival === undefined)
      foreign.push({ path: `${directory}/${part}/${name}`, name, inNew: part === "new" });
    else found.push(arrival);
  };
  for (const [names, part] of [
    [inCur, "cur"],
    [inNew, "new"],
  ] as const) {
    for (const [index, name] of names.entries()) {
      if (index % CHUNK === CHUNK - 1) await new Promise((resolve) => setImmediate(resolve));
      read(name, part);
    }
  }
  found.sort((a, b) => a.uid - b.uid);
  const messages = found.filter((arrival, index) => {
    if (arrival.uid !== found[index - 1]?.uid) return true;
    // Restored beside itself: the same UID twice would be two messages under one number.
    const part = arrival.inNew ? "new" : "cur";
    const name = arrival.inNew ? arrival.base : `${arrival.base}${flagSuffix(arrival.flags)}`;
    foreign.push({ path: `${directory}/${part}/${name}`, name, inNew: arrival.inNew });
    return false;
  });
  const last = messages.at(-1);
  const isAhead = last !== undefined && marks.passed(last.uid);
  foreign.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const file of foreign) {
    const adopted = await adopt(context, directory, file, marks, keywordCount);
    if (adopted !== undefined) messages.push(adopted);
  }
  // A crash left UIDs above the mark, or files were adopted: both are about to be announced.
  if (isAhead || foreign.length > 0) await marks.covered();
  return messages;
}

/**
 * Unlinks files that a crash cut short: their name promises more bytes than there are.
 * @param names file names in `directory`; those swept are taken out
 */
export async function sweepTorn(
  context: MaildirContext,
  directory: string,
  names: string[],
  uidValidity: number,
): Promise<void> {
  const torn = new Set<string>();
  for (let start = 0; start < names.length; start += STATS_AT_ONCE) {
    await Promise.all(
      names.slice(start, start + STATS_AT_ONCE).map(async (name) => {
        const parsed = parseMessageName(name, uidValidity);
        if (parsed === undefined) return;
        const stat = await statIfThere(`${directory}/${name}`);
        // Gone since it was listed: the other sweep of the same directory found it torn first.
        if (stat === undefined || stat.size !== parsed.size) torn.add(name);
      }),
    );
  }
  for (const name of torn) sweep(context, `${directory}/${name}`);
  if (torn.size > 0) names.splice(0, names.length, ...names.filter((name) => !torn.has(name)));
}

/** The sweep in the background and the load of an account may meet: one finds the file gone, and that is as well. */
function sweep(context: MaildirContext, path: string): void {
  try {
    context.files.unlink(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function listFiles(directory: string): Promise<string[]> {
  const names = await fs.promises.readdir(directory);
  return names.filter((name) => !name.startsWith("."));
}

/** An index entry from a name of ours, which is put into its one canonical form when it is not. */
function readName(
  context: MaildirContext,
  directory: string,
  part: string,
  name: string,
  uidValidity: number,
  keywordCount: number,
): Arrival | undefined {
  const parsed = parseMessageName(name, uidValidity);
  if (parsed === undefined) return undefined;
  const { base, uid, size, internalDateMs, letters } = parsed;
  const flags = flagsOfLetters(letters, keywordCount);
  const inNew = part === "new" && name === base;
  const canonical = inNew ? `new/${base}` : `cur/${base}${flagSuffix(flags)}`;
  // Other programs write `:2,` with letters in another order, or none: our paths follow from the flags alone.
  if (canonical !== `${part}/${name}`)
    context.files.rename(`${directory}/${part}/${name}`, `${directory}/${canonical}`);
  return { uid, size, internalDateMs, flags, base, inNew };
}

async function adopt(
  context: MaildirContext,
  directory: string,
  file: Foreign,
  marks: UidMarks,
  keywordCount: number,
): Promise<Arrival | undefined> {
  const stat = await statIfThere(file.path);
  if (stat === undefined || !stat.isFile()) return undefined;
  const uid = marks.draw();
  // Maildir names begin with the time of delivery; what does not, has the time of its last change.
  const seconds = /^(\d{9,11})\./.exec(file.name)?.[1];
  const internalDateMs = Math.floor(seconds === undefined ? stat.mtimeMs / 1000 : Number(seconds)) * 1000;
  const flags = flagsOfLetters(lettersOf(file.name), keywordCount);
  const base = context.names.base(marks.uidValidity, internalDateMs, stat.size, uid);
  const inNew = file.inNew && flags === 0;
  context.files.rename(
    file.path,
    `${directory}/${inNew ? `new/${base}` : `cur/${base}${flagSuffix(flags)}`}`,
  );
  return { uid, size: stat.size, internalDateMs, flags, base, inNew };
}

async function statIfThere(path: string): Promise<fs.Stats | undefined> {
  try {
    return await fs.promises.stat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
