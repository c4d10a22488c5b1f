/** What FETCH can be asked for (RFC 9051 §6.4.5), parsed. */
import { lowerAscii } from "../../../core/bytes.ts";
import { prefetchFields } from "../../../storage/store.ts";
import type { Args } from "../args.ts";
import { formatAstring } from "../text.ts";

/** Items that the index answers, and the two that need the message. */
export type PlainItem =
  | "UID"
  | "FLAGS"
  | "INTERNALDATE"
  | "RFC822.SIZE"
  | "MODSEQ"
  | "ENVELOPE"
  | "BODYSTRUCTURE"
  | "BODY";

/** RFC 9051 §6.4.5.1: a place in the message. */
export interface SectionItem {
  kind: "section";
  /** How the response names it, with the partial's origin. */
  label: string;
  path: readonly number[];
  part: "all" | "header" | "text" | "mime" | "fields" | "fieldsNot";
  /** Lower case. */
  fields: ReadonlySet<string>;
  /** True when storage's prefetch cache answers it. */
  prefetch: boolean;
  peek: boolean;
  partial: { offset: number; length: number } | undefined;
}

export type FetchItem = { kind: "plain"; name: PlainItem } | SectionItem;

const MACROS: Readonly<Record<string, readonly PlainItem[]>> = {
  FAST: ["FLAGS", "INTERNALDATE", "RFC822.SIZE"],
  ALL: ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"],
  FULL: ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"],
};
const PLAIN: ReadonlySet<string> = new Set<PlainItem>([
  "UID",
  "FLAGS",
  "INTERNALDATE",
  "RFC822.SIZE",
  "MODSEQ",
  "ENVELOPE",
  "BODYSTRUCTURE",
]);
/** RFC 3501 §6.4.5: older names of sections. */
const OLD_SECTIONS: Readonly<Record<string, Pick<SectionItem, "part" | "peek">>> = {
  RFC822: { part: "all", peek: false },
  "RFC822.HEADER": { part: "header", peek: true },
  "RFC822.TEXT": { part: "text", peek: false },
};
const NO_FIELDS: ReadonlySet<string> = new Set();

/** A macro, one item, or a list of items. */
export function readFetchItems(args: Args): FetchItem[] {
  if (args.peek() === "(") return args.list(() => readItem(args, readName(args)));
  const name = readName(args);
  const macro = MACROS[name];
  return macro?.map((item) => ({ kind: "plain", name: item })) ?? [readItem(args, name)];
}

/** `BODY[` must not swallow the bracket, so names are read unit by unit up to it. */
function readName(args: Args): string {
  for (const name of ["BODY.PEEK[", "BODY["]) if (args.take(name)) return name;
  return args.word();
}

function readItem(args: Args, name: string): FetchItem {
  if (name.endsWith("[")) return readSection(args, name === "BODY.PEEK[");
  const old = OLD_SECTIONS[name];
  if (old !== undefined) return { ...section(name), ...old };
  if (name === "BODY" || PLAIN.has(name)) return { kind: "plain", name: name as PlainItem };
  args.fail("unknown fetch item");
  return { kind: "plain", name: "UID" };
}

function section(label: string): SectionItem {
  return {
    kind: "section",
    label,
    path: [],
    part: "all",
    fields: NO_FIELDS,
    prefetch: false,
    peek: true,
    partial: undefined,
  };
}

/** Behind `BODY[`: `1.2.HEADER.FIELDS (A B)]<0.100>`. */
function readSection(args: Args, peek: boolean): SectionItem {
  const item = { ...section(""), peek };
  let text = args.peek() === "]" ? "" : args.word();
  const path = /^\d+(?:\.\d+)*/.exec(text)?.[0] ?? "";
  item.path = path === "" ? [] : path.split(".").map(Number);
  if (item.path.includes(0) || item.path.length > 32) args.fail("bad part number");
  let label = path;
  text = path !== "" && text[path.length] === "." ? text.slice(path.length + 1) : text.slice(path.length);
  item.part = readPart(args, text, path !== "");
  if (text !== "") label += `${path === "" ? "" : "."}${text}`;
  if (item.part === "fields" || item.part === "fieldsNot") {
    args.space();
    const names = args.list(() => args.astring());
    if (args.ok && names.length === 0) args.fail("expected header fields");
    item.fields = new Set(names.map(lowerAscii));
    item.prefetch =
      item.part === "fields" && path === "" && [...item.fields].every((name) => prefetchFields.has(name));
    label += ` (${names.map(formatAstring).join(" ")})`;
  }
  args.expect("]");
  item.partial = readPartial(args);
  // RFC 9051 §7.5.2: the response tells only where the piece begins.
  item.label = `BODY[${label}]${item.partial === undefined ? "" : `<${item.partial.offset}>`}`;
  return item;
}

function readPart(args: Args, text: string, inPart: boolean): SectionItem["part"] {
  switch (text) {
    case "":
      return "all";
    case "HEADER":
      return "header";
    case "TEXT":
      return "text";
    case "HEADER.FIELDS":
      return "fields";
    case "HEADER.FIELDS.NOT":
      return "fieldsNot";
    case "MIME":
      if (inPart) return "mime";
      break;
    default:
  }
  args.fail("unknown section");
  return "all";
}

function readPartial(args: Args): SectionItem["partial"] {
  if (!args.take("<")) return undefined;
  const offset = args.number();
  args.expect(".");
  const length = args.number();
  if (length === 0) args.fail("empty partial");
  args.expect(">");
  return { offset, length };
}
