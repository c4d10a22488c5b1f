/** Ages as madmail's settings and its command line write them. */

const AGE = /^(\d{1,9})([smhd]?)$/;
const UNIT_MS: Record<string, number> = { "": 1000, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `30d`, `720h`, `45m`, `90s`, or bare seconds. @returns undefined for anything else, and for nothing */
export function ageMs(text: string | undefined): number | undefined {
  const match = AGE.exec(text?.trim().toLowerCase() ?? "");
  if (match === null || Number(match[1]) === 0) return undefined;
  return Number(match[1]) * (UNIT_MS[match[2] ?? ""] ?? 1000);
}
