/**
 * UID lists beside Maildirs: `dovecot-uidlist` (versions 1 and 3) and madmail's `chatmail-uidlist`, which has its form.
 *
 *   3 V<uidvalidity> N<uidnext> G<guid>        1 <uidvalidity> <uidnext>
 *   <uid> [S<size>] [W<size>] [T<secs>] :<base> <uid> <base>
 *
 * A base is a file name without `:2,<flags>`. Later lines beat earlier ones, as Dovecot appends.
 */

/** RFC 9051 §9: `nz-number`. */
const NUMBER_MAX = 0xffff_ffff;

export interface UidListEntry {
  uid: number;
  /** Seconds since 1970, in `chatmail-uidlist` only. */
  internalDateSec: number | undefined;
}

export interface UidList {
  uidValidity: number;
  uidNext: number;
  entries: ReadonlyMap<string, UidListEntry>;
}

/** @returns undefined for what is no UID list */
export function parseUidList(text: string): UidList | undefined {
  const lines = text.split("\n");
  const head = readHead(lines[0] ?? "");
  if (head === undefined) return undefined;
  const entries = new Map<string, UidListEntry>();
  let uidNext = head.uidNext;
  for (const line of lines.slice(1)) {
    const entry = head.version === 1 ? readOldLine(line) : readLine(line);
    if (entry === undefined) continue;
    entries.set(entry.base, { uid: entry.uid, internalDateSec: entry.internalDateSec });
    uidNext = Math.max(uidNext, entry.uid + 1);
  }
  return { uidValidity: head.uidValidity, uidNext, entries };
}

function readHead(line: string): { version: number; uidValidity: number; uidNext: number } | undefined {
  const words = line.trim().split(/\s+/);
  const [version, ...rest] = words;
  if (version !== "1" && version !== "3") return undefined;
  const tagged = (tag: string) => rest.find((word) => word.startsWith(tag))?.slice(1);
  const isOld = version === "1" && /^\d+$/.test(rest[0] ?? "");
  const uidValidity = number(isOld ? rest[0] : tagged("V"));
  const uidNext = number(isOld ? rest[1] : tagged("N"));
  if (uidValidity === undefined) return undefined;
  return { version: isOld ? 1 : 3, uidValidity, uidNext: uidNext ?? 1 };
}

interface Line extends UidListEntry {
  base: string;
}

function readLine(line: string): Line | undefined {
  const colon = line.indexOf(" :");
  if (colon < 0) return undefined;
  const words = line.slice(0, colon).split(/\s+/);
  const uid = number(words[0]);
  const base = line.slice(colon + 2);
  if (uid === undefined || base === "") return undefined;
  return { uid, base, internalDateSec: number(words.find((word) => /^T\d+$/.test(word))?.slice(1)) };
}

function readOldLine(line: string): Line | undefined {
  const space = line.indexOf(" ");
  const uid = number(line.slice(0, Math.max(space, 0)));
  const base = line.slice(space + 1);
  return uid === undefined || base === "" ? undefined : { uid, base, internalDateSec: undefined };
}

function number(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= 1 && value <= NUMBER_MAX ? value : undefined;
}
