/** Search keys (RFC 9051 §6.4.4, §9 `search-key`), parsed to a tree. */
import { lowerAscii } from "../../../core/bytes.ts";
import { Flag } from "../../../storage/store.ts";
import type { Args } from "../args.ts";
import { LIST_MAX_ITEMS, NESTING_MAX } from "../limits.ts";
import { readMessageSet } from "../message-set.ts";
import { SAVED, type SequenceSet } from "../sequence-set.ts";
import { parseDate, utf8Text } from "../text.ts";

export type SearchKey =
  | { key: "all" | "none" }
  /** What the last SEARCH with SAVE found (RFC 9051 §6.4.4.1). */
  | { key: "saved" }
  | { key: "and"; keys: readonly SearchKey[] }
  | { key: "or"; left: SearchKey; right: SearchKey }
  | { key: "not"; inner: SearchKey }
  | { key: "flags"; bits: number; set: boolean }
  | { key: "keyword"; name: string; set: boolean }
  | { key: "sequence" | "uid"; set: SequenceSet }
  | { key: "larger" | "smaller"; bytes: number }
  /** By arrival: in UTC, half-open, ms. */
  | { key: "arrived"; fromMs: number; toMs: number }
  /** By the Date field, its own time zone disregarded. */
  | { key: "sent"; fromMs: number; toMs: number }
  | { key: "modseq"; least: number }
  /** A field that holds the text; lower case. */
  | { key: "header"; field: string; text: string }
  | { key: "body" | "text"; text: string };

const DAY_MS = 86_400_000;
const FLAG_KEYS: Readonly<Record<string, { bits: number; set: boolean }>> = {
  ANSWERED: { bits: Flag.answered, set: true },
  DELETED: { bits: Flag.deleted, set: true },
  DRAFT: { bits: Flag.draft, set: true },
  FLAGGED: { bits: Flag.flagged, set: true },
  SEEN: { bits: Flag.seen, set: true },
  UNANSWERED: { bits: Flag.answered, set: false },
  UNDELETED: { bits: Flag.deleted, set: false },
  UNDRAFT: { bits: Flag.draft, set: false },
  UNFLAGGED: { bits: Flag.flagged, set: false },
  UNSEEN: { bits: Flag.seen, set: false },
};

/** Reads keys up to the end of the command; they must all hold. */
export function readSearchKeys(args: Args): SearchKey {
  const keys = [readKey(args, 0)];
  while (args.more() && args.ok) {
    if (keys.push(readKey(args, 0)) > LIST_MAX_ITEMS) args.fail("too many search keys");
  }
  return keys.length === 1 ? (keys[0] ?? { key: "all" }) : { key: "and", keys };
}

/** True if the tree has a MODSEQ key: the answer then tells mod-sequences (RFC 7162 §3.1.5). */
export function asksModseq(key: SearchKey): boolean {
  switch (key.key) {
    case "modseq":
      return true;
    case "and":
      return key.keys.some(asksModseq);
    case "or":
      return asksModseq(key.left) || asksModseq(key.right);
    case "not":
      return asksModseq(key.inner);
    default:
      return false;
  }
}

function readKey(args: Args, depth: number): SearchKey {
  if (depth > NESTING_MAX) args.fail("nested too deep");
  if (!args.ok) return { key: "none" };
  const here = args.peek();
  if (here === "(") {
    const keys = args.list(() => readKey(args, depth + 1));
    if (keys.length === 0) args.fail("expected search keys");
    return { key: "and", keys };
  }
  if (/[\d*$]/.test(here)) return readNumbers(args, "sequence");
  const name = args.word();
  const flag = FLAG_KEYS[name];
  return flag === undefined ? readNamed(args, name, depth) : { key: "flags", ...flag };
}

function readNamed(args: Args, name: string, depth: number): SearchKey {
  switch (name) {
    case "ALL":
    case "OLD":
      // RFC 9051 has no \Recent any more: no message is recent, all are old.
      return { key: "all" };
    case "RECENT":
    case "NEW":
      return { key: "none" };
    case "NOT":
      args.space();
      return { key: "not", inner: readKey(args, depth + 1) };
    case "OR": {
      args.space();
      const left = readKey(args, depth + 1);
      args.space();
      return { key: "or", left, right: readKey(args, depth + 1) };
    }
    case "UID":
      args.space();
      return readNumbers(args, "uid");
    case "KEYWORD":
    case "UNKEYWORD":
      args.space();
      return { key: "keyword", name: args.flag(), set: name === "KEYWORD" };
    case "LARGER":
    case "SMALLER":
      args.space();
      return { key: name === "LARGER" ? "larger" : "smaller", bytes: args.number(Number.MAX_SAFE_INTEGER) };
    case "MODSEQ":
      return readModseq(args);
    default:
      return readDated(args, name) ?? readTexted(args, name);
  }
}

function readNumbers(args: Args, key: "sequence" | "uid"): SearchKey {
  const set = readMessageSet(args);
  return set === SAVED ? { key: "saved" } : { key, set };
}

/** RFC 7162 §3.1.5: the entry name and type are let pass; all flags share one mod-sequence. */
function readModseq(args: Args): SearchKey {
  args.space();
  if (args.peek() === '"') {
    args.string();
    args.space();
    args.word();
    args.space();
  }
  return { key: "modseq", least: args.number(Number.MAX_SAFE_INTEGER) };
}

function readDated(args: Args, name: string): SearchKey | undefined {
  const match = /^(SENT)?(BEFORE|ON|SINCE)$/.exec(name);
  if (match === null) return undefined;
  args.space();
  const dayMs = parseDate(args.astring());
  if (dayMs === undefined) args.fail("bad date");
  const startMs = dayMs ?? 0;
  const key = match[1] === undefined ? "arrived" : "sent";
  if (match[2] === "BEFORE") return { key, fromMs: Number.NEGATIVE_INFINITY, toMs: startMs };
  return { key, fromMs: startMs, toMs: match[2] === "ON" ? startMs + DAY_MS : Number.POSITIVE_INFINITY };
}

function readTexted(args: Args, name: string): SearchKey {
  switch (name) {
    case "BCC":
    case "CC":
    case "FROM":
    case "SUBJECT":
    case "TO":
      return { key: "header", field: lowerAscii(name), text: readText(args) };
    case "HEADER": {
      args.space();
      const field = lowerAscii(args.astring());
      return { key: "header", field, text: readText(args) };
    }
    case "BODY":
      return { key: "body", text: readText(args) };
    case "TEXT":
      return { key: "text", text: readText(args) };
    default:
      args.fail("unknown search key");
      return { key: "none" };
  }
}

function readText(args: Args): string {
  args.space();
  return utf8Text(args.astring()).toLowerCase();
}
