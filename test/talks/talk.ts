/**
 * Conversation files: what a client says and what a server must answer, readable by any postmaster.
 *
 *     # comment                  to the end of the line, whole lines only
 *     @ mode submissions         at the head: how to set the server up; further down: something happens outside
 *     C: EHLO [127.0.0.1]        the client sends a line, CRLF is added
 *     C| Subject: x\r\n\x00      the client sends these bytes; escapes \r \n \t \0 \\ \xNN
 *     S: 250-SIZE *              the server's next line; * stands for anything
 *     S~ 250-*                   any number of lines like this, none included
 *     S| + \r\n                  the server's next bytes, exactly; escapes as in C|
 *     E: close                   the server hangs up, nothing unread is left. `E: open`: it does neither
 *     T: +31s                    the clock moves: ms, s, m, h
 *     T: tls                     the TLS handshake that STARTTLS asked for is done
 *
 * In `S:` and `S~` a star that begins the line and is followed by a blank is IMAP's untagged mark and stands for
 * itself, as does `[*]` anywhere. Neighbouring `C` lines go out as one piece: that is pipelining.
 */
import { concat, fromUtf8, toLatin1 } from "../../src/core/bytes.ts";

/** One `@` line. */
export interface Directive {
  name: string;
  args: readonly string[];
}

export type Step =
  | { do: "say"; bytes: Uint8Array; line: number }
  | { do: "expectLine" | "expectLines"; pattern: string; line: number }
  | { do: "expectBytes"; bytes: Uint8Array; line: number }
  | { do: "expectEnd"; closed: boolean; line: number }
  | { do: "advance"; ms: number; line: number }
  | { do: "secure"; line: number }
  | { do: "event"; event: Directive; line: number };

export interface Talk {
  name: string;
  /** The `@` lines before the first step. */
  setup: readonly Directive[];
  steps: readonly Step[];
}

/** Stands for `[*]` while a pattern is split; wire text, read as Latin-1, cannot hold it. */
const LITERAL_STAR = "\uE000";
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads a conversation. @throws {Error} that names file and line when a line has no meaning. */
export function parseTalk(name: string, text: string): Talk {
  const setup: Directive[] = [];
  const steps: Step[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const line = index + 1;
    const step = parseLine(raw, line, `${name}:${line}`);
    if (step === undefined) continue;
    if (step.do === "event" && steps.length === 0) setup.push(step.event);
    else if (step.do === "say") joinSay(steps, step);
    else steps.push(step);
  }
  return { name, setup, steps };
}

/** True if the line fits the pattern of an `S:` line. */
export function matchesPattern(pattern: string, line: string): boolean {
  const untagged = pattern.startsWith("* ") ? 1 : 0;
  if (untagged === 1 && !line.startsWith("*")) return false;
  const parts = pattern.slice(untagged).replaceAll("[*]", LITERAL_STAR).split("*");
  return fits(
    parts.map((part) => part.replaceAll(LITERAL_STAR, "*")),
    line.slice(untagged),
  );
}

/** Undoes the escapes of `C|` and `S|`. @throws {Error} on an unknown escape. */
export function unescapeBytes(text: string): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const piece of text.split(/(\\x[0-9a-fA-F]{2}|\\.)/)) {
    if (piece === "") continue;
    pieces.push(piece.startsWith("\\") ? Uint8Array.of(unescapeOne(piece)) : fromUtf8(piece));
  }
  return concat(pieces);
}

function parseLine(raw: string, line: number, place: string): Step | undefined {
  if (raw.trim() === "" || raw.startsWith("#")) return undefined;
  const mark = raw.slice(0, 2);
  const rest = raw.slice(2).replace(/^ /, "");
  switch (mark) {
    case "C:":
      return { do: "say", bytes: fromUtf8(`${rest}\r\n`), line };
    case "C|":
      return { do: "say", bytes: unescapeBytes(rest), line };
    case "S:":
      return { do: "expectLine", pattern: rest, line };
    case "S~":
      return { do: "expectLines", pattern: rest, line };
    case "S|":
      return { do: "expectBytes", bytes: unescapeBytes(rest), line };
    case "E:":
      if (rest !== "close" && rest !== "open") break;
      return { do: "expectEnd", closed: rest === "close", line };
    case "T:":
      return rest === "tls" ? { do: "secure", line } : { do: "advance", ms: parseSpan(rest, place), line };
    case "@ ":
      return { do: "event", event: parseDirective(raw.slice(2)), line };
    default:
  }
  throw new Error(`${place}: no such kind of line: ${raw}`);
}

function parseSpan(text: string, place: string): number {
  const match = /^\+(\d+)(ms|s|m|h)$/.exec(text);
  const unitMs = UNIT_MS[match?.[2] ?? ""];
  if (match === null || unitMs === undefined) throw new Error(`${place}: not a time span: ${text}`);
  return Number(match[1]) * unitMs;
}

/** Words are parted by blanks; a word in double quotes may hold some. */
function parseDirective(text: string): Directive {
  const words = [...text.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? "");
  const [name = "", ...args] = words;
  return { name, args };
}

/** Neighbouring client lines become one piece. */
function joinSay(steps: Step[], step: Step & { do: "say" }): void {
  const last = steps.at(-1);
  if (last?.do === "say") last.bytes = concat([last.bytes, step.bytes]);
  else steps.push(step);
}

/** Text parts in order, anything between them, nothing before the first or after the last. */
function fits(parts: readonly string[], text: string): boolean {
  const first = parts[0] ?? "";
  const last = parts.at(-1) ?? "";
  if (parts.length === 1) return text === first;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length)
    return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= text.length - last.length;
}

function unescapeOne(escape: string): number {
  if (escape.length === 4) return Number.parseInt(escape.slice(2), 16);
  const known: Readonly<Record<string, number>> = { "\\r": 13, "\\n": 10, "\\t": 9, "\\0": 0, "\\\\": 92 };
  const byte = known[escape];
  if (byte === undefined) throw new Error(`no such escape: ${escape}`);
  return byte;
}

/** Shows bytes the way a talk would write them. */
export function showBytes(bytes: Uint8Array): string {
  return toLatin1(bytes).replace(/[\\\u0000-\u001f\u007f-\u00ff]/g, (char) => {
    const named: Readonly<Record<string, string>> = { "\r": "\\r", "\n": "\\n", "\t": "\\t", "\\": "\\\\" };
    return named[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
