/**
 * How values are written in responses (RFC 9051 §4). Responses are Latin-1 strings, a unit per byte:
 * UTF-8 text goes through `utf8Bytes` first.
 */
import { fromUtf8, fromLatin1, toLatin1, toUtf8 } from "../../core/bytes.ts";

const QUOTABLE = /^[\u0001-\u0009\u000b\u000c\u000e-\u007f]*$/;
const QUOTED_MAX_BYTES = 1024;
const ASTRING = /^[^\u0000-\u0020\u007f-\uffff(){%*"\\]+$/;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** UTF-8 text as a byte string. */
export function utf8Bytes(text: string): string {
  return isAscii(text) ? text : toLatin1(fromUtf8(text));
}

/** A byte string as UTF-8 text; malformed bytes become U+FFFD. */
export function utf8Text(bytes: string): string {
  return isAscii(bytes) ? bytes : toUtf8(fromLatin1(bytes));
}

export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

/** A string: quoted where that is possible, a literal otherwise. */
export function formatString(bytes: string): string {
  if (bytes.length <= QUOTED_MAX_BYTES && QUOTABLE.test(bytes)) return quote(bytes);
  return `{${bytes.length}}\r\n${bytes}`;
}

export function formatNstring(bytes: string | undefined | null): string {
  return bytes === undefined || bytes === null ? "NIL" : formatString(bytes);
}

/** An atom where that is possible. */
export function formatAstring(bytes: string): string {
  return ASTRING.test(bytes) && bytes.toUpperCase() !== "NIL" ? bytes : formatString(bytes);
}

export function quote(bytes: string): string {
  return `"${bytes.includes('"') || bytes.includes("\\") ? bytes.replace(/["\\]/g, "\\$&") : bytes}"`;
}

/** RFC 9051 §9 `date-time`, in UTC: `"07-Feb-2026 21:52:25 +0000"`. */
export function formatInternalDate(ms: number): string {
  const date = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${two(date.getUTCDate())}-${MONTHS[date.getUTCMonth()] ?? "Jan"}-${date.getUTCFullYear()}`;
  return `"${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000"`;
}

/** Parses `date-time` without its quotes. @returns undefined when it is none */
export function parseInternalDate(text: string): number | undefined {
  const match = /^([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/.exec(text);
  if (match === null) return undefined;
  const [, day, month = "", year, hours, minutes, seconds, sign, zoneHours, zoneMinutes] = match;
  const dayMs = parseDate(`${Number(day)}-${month}-${year}`);
  if (dayMs === undefined || Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 60)
    return undefined;
  const offsetMs = (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60_000 * (sign === "-" ? -1 : 1);
  return dayMs + (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000 - offsetMs;
}

/** Parses RFC 9051 §9 `date-text` such as `7-Feb-2026`. @returns the start of that day in UTC, ms */
export function parseDate(text: string): number | undefined {
  const match = /^(\d{1,2})-([A-Za-z]{3})-(\d{4})$/.exec(text);
  if (match === null) return undefined;
  const [, day, name = "", year] = match;
  const month = MONTHS.findIndex((known) => known.toLowerCase() === name.toLowerCase());
  const ms = Date.UTC(Number(year), month, Number(day));
  const back = new Date(ms);
  return month >= 0 && back.getUTCMonth() === month && back.getUTCDate() === Number(day) ? ms : undefined;
}
