/** Flags on the wire and as the bit set of the storage seam (RFC 9051 §2.3.2). */
import { Flag, KEYWORD_SHIFT } from "../../storage/store.ts";

const SYSTEM: readonly (readonly [name: string, bit: number])[] = [
  ["\\Answered", Flag.answered],
  ["\\Flagged", Flag.flagged],
  ["\\Deleted", Flag.deleted],
  ["\\Seen", Flag.seen],
  ["\\Draft", Flag.draft],
];
const BY_LOWER_NAME = new Map(SYSTEM.map(([name, bit]) => [name.toLowerCase(), bit]));
export const SYSTEM_FLAGS = SYSTEM.map(([name]) => name).join(" ");
/** Strings for all 32 sets of system flags: FETCH FLAGS is hot. */
const SYSTEM_TEXTS: readonly string[] = Array.from({ length: 32 }, (_, set) =>
  SYSTEM.filter(([, bit]) => (set & bit) !== 0)
    .map(([name]) => name)
    .join(" "),
);

/** What a client wrote: system flags as bits, keywords by name. `\Recent` and unknown system flags are passed over. */
export interface FlagNames {
  bits: number;
  keywords: string[];
}

export function sortFlags(names: readonly string[]): FlagNames {
  const sorted: FlagNames = { bits: 0, keywords: [] };
  for (const name of names) {
    const bit = BY_LOWER_NAME.get(name.toLowerCase());
    if (bit !== undefined) sorted.bits |= bit;
    else if (!name.startsWith("\\") && !sorted.keywords.includes(name)) sorted.keywords.push(name);
  }
  return sorted;
}

/** The inside of a FLAGS list. */
export function formatFlags(flags: number, keywords: readonly string[]): string {
  const system = SYSTEM_TEXTS[flags & 31] ?? "";
  if (flags >>> KEYWORD_SHIFT === 0) return system;
  const named = keywords.filter((_, index) => (flags & (1 << (KEYWORD_SHIFT + index))) !== 0);
  return [...(system === "" ? [] : [system]), ...named].join(" ");
}
