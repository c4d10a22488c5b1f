/** Mailbox patterns of LIST and LSUB: `*` is anything, `%` anything within a level (RFC 9051 §6.3.9.1). */
import { SEPARATOR } from "./mailbox-name.ts";

/** True if `name` fits `pattern`; linear in the worst case that matters: wildcards do not backtrack beyond the last `*`. */
export function matchesListPattern(pattern: string, name: string): boolean {
  let p = 0;
  let n = 0;
  // Where to go on from after a mismatch: behind the last `%`, and behind the last `*`.
  let percent = -1;
  let percentName = 0;
  let star = -1;
  let starName = 0;
  for (;;) {
    if (p < pattern.length && pattern[p] === "*") {
      star = ++p;
      starName = n;
      percent = -1;
    } else if (p < pattern.length && pattern[p] === "%") {
      percent = ++p;
      percentName = n;
    } else if (p < pattern.length && n < name.length && pattern[p] === name[n]) {
      p++;
      n++;
    } else if (p === pattern.length && n === name.length) {
      return true;
    } else if (percent >= 0 && percentName < name.length && name[percentName] !== SEPARATOR) {
      p = percent;
      n = ++percentName;
    } else if (star >= 0 && starName < name.length) {
      p = star;
      n = ++starName;
      percent = -1;
    } else {
      return false;
    }
  }
}

/** INBOX has no case, as a whole name or as the first level; patterns are made upper-case there. */
export function canonicalPattern(pattern: string): string {
  return pattern.replace(/^inbox(?=$|[/*%])/i, "INBOX");
}
