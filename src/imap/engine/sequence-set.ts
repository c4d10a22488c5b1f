/** Sequence sets (RFC 9051 §9 `sequence-set`): parsed once, resolved against UIDs or positions, and printed short. */
import { SET_RANGES_MAX } from "./limits.ts";

/** `*`: the highest number in use. */
const STAR = Number.POSITIVE_INFINITY;

export type SequenceSet = readonly { readonly from: number; readonly to: number }[];

/** `$`: what the last SEARCH with SAVE found (RFC 9051 §6.4.4.1). Known by identity; it has no ranges of its own. */
export const SAVED: SequenceSet = [];

/** Parses `1:3,7,*` or `$`. @returns undefined on bad syntax, zero, numbers above 2^32-1, or too many ranges */
export function parseSequenceSet(text: string): SequenceSet | undefined {
  if (text === "$") return SAVED;
  const pieces = text.split(",");
  if (pieces.length > SET_RANGES_MAX) return undefined;
  const ranges: { from: number; to: number }[] = [];
  for (const piece of pieces) {
    const [first = "", second = first, ...rest] = piece.split(":");
    const a = parseNumber(first);
    const b = parseNumber(second);
    if (a === undefined || b === undefined || rest.length > 0) return undefined;
    ranges.push({ from: Math.min(a, b), to: Math.max(a, b) });
  }
  return ranges;
}

/**
 * Replaces `*` by `highest`, sorts and merges. `n:*` with `n` above `highest` means `highest` (RFC 9051 §9);
 * plain numbers above it mean nothing and fall out.
 */
export function resolveSet(set: SequenceSet, highest: number): { from: number; to: number }[] {
  if (highest === 0) return [];
  const resolved = set
    .map(({ from, to }) => {
      const a = from === STAR ? highest : from;
      const b = to === STAR ? highest : to;
      return { from: Math.min(a, b), to: Math.min(Math.max(a, b), highest) };
    })
    .filter(({ from, to }) => from <= to)
    .sort((a, b) => a.from - b.from);
  const merged: { from: number; to: number }[] = [];
  for (const range of resolved) {
    const last = merged.at(-1);
    if (last !== undefined && range.from <= last.to + 1) last.to = Math.max(last.to, range.to);
    else merged.push(range);
  }
  return merged;
}

/** Prints ascending numbers as `1:3,7`; "" for none. */
export function formatSet(numbers: readonly number[]): string {
  let text = "";
  for (let i = 0; i < numbers.length; ) {
    const first = numbers[i] ?? 0;
    let last = first;
    while (numbers[++i] === last + 1) last++;
    text += `${text === "" ? "" : ","}${first === last ? first : `${first}:${last}`}`;
  }
  return text;
}

/** True if `number` is in the resolved ranges. */
export function inRanges(ranges: readonly { from: number; to: number }[], number: number): boolean {
  return ranges.some(({ from, to }) => number >= from && number <= to);
}

function parseNumber(text: string): number | undefined {
  if (text === "*") return STAR;
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= 1 && value <= 0xffff_ffff ? value : undefined;
}
