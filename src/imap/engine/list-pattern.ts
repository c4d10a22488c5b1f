/** Mailbox patterns of LIST and LSUB: `*` is anything, `%` anything within a level (RFC 9051 §6.3.9.1). */
import { SEPARATOR } from "./mailbox-name.ts";

/**
 * True if `name` fits `pattern`. All places of the pattern that may be reached are followed side by side, so the time
 * is at most the product of both lengths, whatever the wildcards; a pattern with more letters than the name costs one
 * look at each.
 */
export function matchesListPattern(pattern: string, name: string): boolean {
  const wanted = pattern.replace(/[*%]*\*[*%]*/g, "*").replace(/%+/g, "%");
  if (wanted === "*") return true;
  if (!/[*%]/.test(wanted)) return wanted === name;
  if (wanted.replace(/[*%]/g, "").length > name.length) return false;
  let reached = new Uint8Array(wanted.length + 1);
  let next = new Uint8Array(wanted.length + 1);
  reach(reached, wanted, 0);
  for (let i = 0; i < name.length; i++) {
    const letter = name[i];
    next.fill(0);
    for (let at = reached.indexOf(1); at >= 0; at = reached.indexOf(1, at + 1)) {
      const here = wanted[at];
      if (here === "*" || (here === "%" && letter !== SEPARATOR)) reach(next, wanted, at);
      else if (here === letter && here !== "%") reach(next, wanted, at + 1);
    }
    [reached, next] = [next, reached];
  }
  return reached[wanted.length] === 1;
}

/** Marks a place, and the one behind it if it is a wildcard, which may stand for nothing. */
function reach(reached: Uint8Array, pattern: string, at: number): void {
  reached[at] = 1;
  if (pattern[at] === "*" || pattern[at] === "%") reached[at + 1] = 1;
}

/** INBOX has no case, as a whole name or as the first level; patterns are made upper-case there. */
export function canonicalPattern(pattern: string): string {
  return pattern.replace(/^inbox(?=$|[/*%])/i, "INBOX");
}
