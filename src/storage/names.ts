/**
 * Names on disk: account directories, Maildir++ folders, message files.
 *
 * - `mail/<address>/Maildir`, one directory per account.
 * - Folder `A/B` is the directory `.A.B`; each part is modified UTF-7 (RFC 3501 §5.1.3), `.` and `\` inside a
 *   part are escaped as `\2e` and `\5c` (the form of Dovecot's listescape).
 * - A message is `<secs>.V<uidvalidity>R<run>Q<n>.<host>,S=<bytes>,U=<uid>`, and `:2,<flags>` in cur/. The
 *   UIDVALIDITY in the unique part tells a file of this mailbox from one that another program moved here.
 */
import type { Address } from "../core/address.ts";
import { Flag, KEYWORD_SHIFT, KEYWORDS_MAX, StorageError } from "./store.ts";

/** File names on the usual file systems. */
const NAME_MAX_BYTES = 255;
/** RFC 9051 §9: `nz-number`. */
const UID_MAX = 0xffff_ffff;

export interface ParsedName {
  /** Name without `:2,<flags>`. */
  base: string;
  internalDateMs: number;
  size: number;
  uid: number;
  letters: string;
}

const OURS = /^(\d{1,11})\.V(\d{1,10})R[^,:/]*,S=(\d{1,15}),U=(\d{1,10})$/;
const LETTERS = ":2,";
/** Maildir's letters for the system flags, in the order they must stand (ASCII). */
const SYSTEM_LETTERS: readonly (readonly [letter: string, flag: number])[] = [
  ["D", Flag.draft],
  ["F", Flag.flagged],
  ["R", Flag.answered],
  ["S", Flag.seen],
  ["T", Flag.deleted],
];
const LETTER_A = 97;

/** @throws {StorageError} badName when the address cannot be a directory name */
export function accountDirectoryName(user: Address): string {
  if (!isPlainName(user) || user.startsWith(".")) throw badName("address cannot name a directory");
  return user;
}

/** `INBOX` in any case is the inbox. @throws {StorageError} badName */
export function normalMailboxName(name: string): string {
  if (name.length === 5 && name.toUpperCase() === "INBOX") return "INBOX";
  folderDirectoryName(name);
  return name;
}

/** Directory of a folder inside `Maildir/`: `A/B` → `.A.B`. @throws {StorageError} badName */
export function folderDirectoryName(name: string): string {
  const parts = name.split("/");
  if (parts.includes("")) throw badName("empty part in a mailbox name");
  // biome-ignore format: one line
  if (!name.isWellFormed() || /[\u0000-\u001f\u007f]/.test(name)) throw badName("control character in a mailbox name");
  const directory = `.${parts.map(encodePart).join(".")}`;
  if (!isPlainName(directory)) throw badName("mailbox name too long");
  return directory;
}

/** Inverse of `folderDirectoryName`; undefined for directories that are no folder of ours. */
export function folderNameOf(directory: string): string | undefined {
  if (!directory.startsWith(".") || directory.length < 2) return undefined;
  const parts = directory.slice(1).split(".").map(decodePart);
  if (parts.includes("") || parts.includes(undefined)) return undefined;
  const name = parts.join("/");
  return name.toUpperCase() === "INBOX" ? undefined : name;
}

/** Reads a file name written by us for the mailbox with this UIDVALIDITY; undefined for anybody else's. */
export function parseMessageName(name: string, uidValidity: number): ParsedName | undefined {
  const end = name.indexOf(LETTERS);
  const base = end < 0 ? name : name.slice(0, end);
  const match = OURS.exec(base);
  if (match === null || Number(match[2]) !== uidValidity) return undefined;
  const uid = Number(match[4]);
  if (uid < 1 || uid > UID_MAX) return undefined;
  const letters = end < 0 ? "" : name.slice(end + LETTERS.length);
  return { base, internalDateMs: Number(match[1]) * 1000, size: Number(match[3]), uid, letters };
}

/** Flag letters of a foreign file name. */
export function lettersOf(name: string): string {
  const end = name.indexOf(LETTERS);
  return end < 0 ? "" : name.slice(end + LETTERS.length);
}

/** Flag bits of letters; keyword letters beyond `keywordCount` name nothing and are dropped. */
export function flagsOfLetters(letters: string, keywordCount: number): number {
  let flags = 0;
  for (const [letter, flag] of SYSTEM_LETTERS) if (letters.includes(letter)) flags |= flag;
  for (let i = 0; i < letters.length; i++) {
    const index = letters.charCodeAt(i) - LETTER_A;
    if (index >= 0 && index < Math.min(keywordCount, KEYWORDS_MAX)) flags |= 1 << (KEYWORD_SHIFT + index);
  }
  return flags;
}

/** The `:2,` suffix of a file in cur/. */
export function flagSuffix(flags: number): string {
  let suffix = LETTERS;
  for (const [letter, flag] of SYSTEM_LETTERS) if (flags & flag) suffix += letter;
  for (let index = 0; flags >> (KEYWORD_SHIFT + index) !== 0; index++) {
    if (flags & (1 << (KEYWORD_SHIFT + index))) suffix += String.fromCharCode(LETTER_A + index);
  }
  return suffix;
}

/** Makes message file names that nobody else makes: a random part per run, then a counter. */
export class MessageNames {
  readonly #run: string;
  readonly #host: string;
  #count = 0;

  /** @param run unique for this run of the process, letters and digits */
  constructor(run: string, host: string) {
    this.#run = run;
    this.#host = host.replace(/[^A-Za-z0-9.-]/g, "_").slice(0, 64) || "localhost";
  }

  base(uidValidity: number, internalDateMs: number, size: number, uid: number): string {
    const seconds = Math.max(0, Math.floor(internalDateMs / 1000));
    return `${seconds}.V${uidValidity}R${this.#run}Q${++this.#count}.${this.#host},S=${size},U=${uid}`;
  }

  /** A name for a file that is not a message (yet). */
  scratch(): string {
    return `${this.#run}.${++this.#count}`;
  }
}

function encodePart(part: string): string {
  return part.replace(/[^\u0020-\u007e]+|[&.\\]/g, (run) => {
    if (run === "&") return "&-";
    if (run === ".") return "\\2e";
    if (run === "\\") return "\\5c";
    const units = Buffer.from(run, "utf16le").swap16();
    return `&${units.toString("base64").replace(/=+$/, "").replaceAll("/", ",")}-`;
  });
}

function decodePart(part: string): string | undefined {
  if (!/^[\u0020-\u007e]*$/.test(part)) return undefined;
  const text = part.replace(/&([A-Za-z0-9+,]*)-|\\(2e|5c)/g, (_, base64?: string, escape?: string) => {
    if (escape !== undefined) return escape === "2e" ? "." : "\\";
    if (base64 === undefined || base64 === "") return "&";
    const units = Buffer.from(base64.replaceAll(",", "/"), "base64");
    return units
      .subarray(0, units.length & ~1)
      .swap16()
      .toString("utf16le");
  });
  // What does not come back the same was not encoded by these rules: another program's folder, left alone.
  return text.isWellFormed() && encodePart(text) === part ? text : undefined;
}

function isPlainName(name: string): boolean {
  return (
    name !== "" && !name.includes("/") && !name.includes("\0") && Buffer.byteLength(name) <= NAME_MAX_BYTES
  );
}

function badName(why: string): StorageError {
  return new StorageError("badName", why);
}
