/**
 * Which files of a state directory belong into a backup, while the relay goes on: flags rename message files and
 * clients move and delete them. What is gone when its turn comes is looked for once more under its new name.
 */
import * as fs from "node:fs";
import { join } from "node:path";

/** Rebuilt at the start, or only meaningful while the process lives; the database comes as a snapshot of its own. */
const LEFT_OUT =
  /^(spool|backup-config|control\.sock|madmail\.lock|madmail\.db(-wal|-shm|-journal)?|mail\/\.[^/]*|.*\.(part|new|tmp))(\/|$)/;
/** A message that is renamed faster than it can be listed is looked for so often. */
const LOOKS_MAX = 5;

export interface WalkedFile {
  /** Below the state directory. */
  path: string;
  /** Absolute; the caller opens it, and answers whether it was there. */
  file: string;
}

/** @param take writes a file into the archive; false when it is not there any more */
export type Take = (file: WalkedFile) => Promise<boolean>;

/** Walks all there is; mail account by account. */
export async function walkState(stateDir: string, take: Take): Promise<void> {
  await walkPlain(stateDir, "", take);
  for (const account of await namesIn(join(stateDir, "mail"))) {
    if (!account.startsWith(".")) await walkAccount(stateDir, `mail/${account}`, take);
  }
}

/** All that is not mail. */
async function walkPlain(stateDir: string, below: string, take: Take): Promise<void> {
  for (const name of await namesIn(join(stateDir, below))) {
    const path = below === "" ? name : `${below}/${name}`;
    if (path === "mail" || LEFT_OUT.test(path)) continue;
    const stat = statOf(join(stateDir, path));
    if (stat?.isDirectory() === true) await walkPlain(stateDir, path, take);
    else if (stat?.isFile() === true) await take({ path, file: join(stateDir, path) });
  }
}

/**
 * The inbox first. In the end all mailboxes are listed again: a message that a client moved from a mailbox not yet
 * read to one already read would be in neither.
 */
async function walkAccount(stateDir: string, account: string, take: Take): Promise<void> {
  const maildir = `${account}/Maildir`;
  const taken: Taken = { bases: new Set(), byInode: new Map() };
  for (let look = 0; look < 2; look++) {
    await walkMessages(stateDir, maildir, taken, take);
    for (const name of await namesIn(join(stateDir, maildir))) {
      if (name === "cur" || name === "new" || name === "tmp" || name.startsWith("..")) continue;
      const path = `${maildir}/${name}`;
      const stat = statOf(join(stateDir, path));
      if (stat?.isDirectory() === true) await walkMailbox(stateDir, path, look, taken, take);
      else if (look === 0 && stat?.isFile() === true) await take({ path, file: join(stateDir, path) });
    }
  }
}

async function walkMailbox(
  stateDir: string,
  path: string,
  look: number,
  taken: Taken,
  take: Take,
): Promise<void> {
  await walkMessages(stateDir, path, taken, take);
  if (look > 0) return;
  for (const name of await namesIn(join(stateDir, path))) {
    if (name === "cur" || name === "new" || name === "tmp") continue;
    const file = join(stateDir, path, name);
    if (statOf(file)?.isFile() === true) await take({ path: `${path}/${name}`, file });
  }
}

/** Messages of one account that the archive has. */
interface Taken {
  /** `<mailbox>/<base>`. */
  bases: Set<string>;
  /** A moved message keeps its inode, a copied one shares it. */
  byInode: Map<number, TakenFrom>;
}

/** Where a message was when the archive took it. */
interface TakenFrom {
  mailbox: string;
  base: string;
  path: string;
}

/** Each message once, by the part of its name that stays. */
async function walkMessages(stateDir: string, mailbox: string, taken: Taken, take: Take): Promise<void> {
  for (let look = 0; look < LOOKS_MAX; look++) {
    let isMissing = false;
    // new/ first: files go from there to cur/, never back.
    for (const part of ["new", "cur"]) {
      for (const name of await namesIn(join(stateDir, mailbox, part))) {
        const base = name.split(":2,", 1)[0] ?? name;
        if (taken.bases.has(`${mailbox}/${base}`)) continue;
        const path = `${mailbox}/${part}/${name}`;
        const inode = statOf(join(stateDir, path))?.ino;
        if (inode !== undefined && (await wasMoved(stateDir, taken.byInode.get(inode)))) {
          taken.bases.add(`${mailbox}/${base}`);
        } else if (await take({ path, file: join(stateDir, path) })) {
          taken.bases.add(`${mailbox}/${base}`);
          if (inode !== undefined) taken.byInode.set(inode, { mailbox, base, path });
        } else {
          isMissing = true;
        }
      }
    }
    if (!isMissing) return;
  }
}

/** Whether a message that the archive has is where it was no more: then this is the same one, not a copy. */
async function wasMoved(stateDir: string, earlier: TakenFrom | undefined): Promise<boolean> {
  if (earlier === undefined) return false;
  // Most of those that are seen again are copies of one that lies still: no mailbox is listed for them.
  if (statOf(join(stateDir, earlier.path)) !== undefined) return false;
  for (const part of ["cur", "new"]) {
    const names = await namesIn(join(stateDir, earlier.mailbox, part));
    if (names.some((name) => name.split(":2,", 1)[0] === earlier.base)) return false;
  }
  return true;
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return (await fs.promises.readdir(path)).sort();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}

/** Links are not followed: what they lead to is not state. */
function statOf(path: string): fs.Stats | undefined {
  return fs.lstatSync(path, { throwIfNoEntry: false });
}
