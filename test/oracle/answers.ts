/**
 * Answers of an IMAP server as a flat table: what was said, field by field, so that two servers can be compared.
 * What may freely differ is taken out here: human texts, the order of untagged responses, how a string is quoted,
 * the values of UIDVALIDITY and of mod-sequences. All else stands in the table.
 */
import type { ImapLine } from "../support/imap-client.ts";

/** Field name to value: `status`, `code`, `exists`, `removed`, `fetch 3 FLAGS`, `list Sent`, `search` … */
export type Answer = Map<string, string>;

/** Quoted strings and literals are `str`, so that `"NIL"` is not NIL. */
type Value = string | null | { str: string } | Value[];

/** APPENDs without a date are from the time of the test. */
const NOW_WITHIN_MS = 3_600_000;

/** What a session learns on its way, for later commands. */
export interface Learnt {
  uidValidity: string;
  /** The highest mod-sequence that was told. */
  modseq: bigint;
}

/** Reads all that came for one command. @param status undefined when the connection ended instead */
export function readAnswer(
  lines: readonly ImapLine[],
  status: string | undefined,
  text: string,
  learnt: Learnt,
): Answer {
  const answer: Answer = new Map([["status", status ?? "hung up"]]);
  const reader = new AnswerReader(answer, learnt);
  for (const line of lines) reader.untagged(line);
  reader.finish();
  const code = /^\[([^\]]*)\]/.exec(text)?.[1];
  if (code !== undefined) answer.set("code", reader.code(code));
  return answer;
}

class AnswerReader {
  readonly #answer: Answer;
  readonly #learnt: Learnt;
  /** Message numbers as they were before the command, of those that were expunged. */
  readonly #removed: number[] = [];

  constructor(answer: Answer, learnt: Learnt) {
    this.#answer = answer;
    this.#learnt = learnt;
  }

  untagged(line: ImapLine): void {
    const text = line.text.replace(/^\* /, "");
    const numbered = /^(\d+) ([A-Z]+) ?/.exec(text);
    if (numbered !== null) return this.#numbered(Number(numbered[1]), numbered[2] ?? "", line, text);
    const word = /^[A-Za-z]+/.exec(text)?.[0].toUpperCase() ?? text;
    const rest = new ValueReader(text.slice(word.length), line.literals);
    switch (word) {
      case "OK":
      case "NO":
      case "BAD":
      case "BYE":
      case "PREAUTH":
        return this.#condition(word, text.slice(word.length + 1));
      case "FLAGS":
        return this.#set("flags", show(sorted(rest.value())));
      case "LIST":
      case "LSUB":
        return this.#mailboxLine(word.toLowerCase(), rest.all());
      case "STATUS":
        return this.#status(rest.all());
      case "SEARCH":
        return this.#search(rest.all());
      case "ESEARCH":
        return this.#extendedSearch(rest.all());
      case "VANISHED":
        return this.#vanished(rest.all());
      case "METADATA":
        return this.#metadata(rest.all());
      case "ENABLED":
        return this.#set("enabled", show(sorted(rest.all())));
      case "CAPABILITY":
      case "ID":
        return;
      default:
        this.#set(word.toLowerCase(), rest.all().map(show).join(" "));
    }
  }

  finish(): void {
    if (this.#removed.length > 0) this.#answer.set("removed", this.#removed.sort((a, b) => a - b).join(","));
  }

  /** A response code in brackets. */
  code(code: string): string {
    const [name = "", ...args] = code.split(" ");
    switch (name.toUpperCase()) {
      case "UIDVALIDITY":
        this.#learnt.uidValidity = args[0] ?? "";
        return "UIDVALIDITY V";
      case "HIGHESTMODSEQ":
        this.#learn(args[0]);
        return "HIGHESTMODSEQ M";
      case "APPENDUID":
      case "COPYUID":
        return [name, "V", ...args.slice(1).map((set) => expandSet(set))].join(" ");
      case "MODIFIED":
        return `MODIFIED ${expandSet(args[0] ?? "")}`;
      default:
        return code;
    }
  }

  #set(field: string, value: string): void {
    this.#answer.set(field, value);
  }

  #numbered(number: number, word: string, line: ImapLine, text: string): void {
    const original = this.#original(number);
    if (word === "EXISTS") return this.#set("exists", String(number));
    if (word === "RECENT") return this.#set("recent", String(number));
    if (word === "EXPUNGE") return void this.#removed.push(original);
    if (word !== "FETCH") return this.#set(`${word} ${number}`, text);
    const reader = new ValueReader(text.slice(text.indexOf("(")), line.literals);
    for (const [name, value] of reader.fetchItems()) {
      this.#set(`fetch ${original} ${name}`, this.#item(name, value));
    }
  }

  #item(name: string, value: Value): string {
    if (name === "FLAGS") return show(sorted(value));
    if (name === "INTERNALDATE") return instant(textOf(value));
    if (name === "BODY" || name === "BODYSTRUCTURE") return show(caselessBody(value));
    if (name !== "MODSEQ") return show(value);
    this.#learn(Array.isArray(value) ? textOf(value[0] ?? null) : "");
    return "M";
  }

  /** The number that a message had before this command's expunges. */
  #original(number: number): number {
    let original = number;
    for (const gone of this.#removed.toSorted((a, b) => a - b)) if (gone <= original) original++;
    return original;
  }

  #condition(word: string, text: string): void {
    const code = /^\[([^\]]*)\]/.exec(text)?.[1];
    if (code === undefined) return;
    const [name = "", ...rest] = this.code(code).split(" ");
    const list = /^\((.*)\)$/.exec(rest.join(" "))?.[1];
    const value = list === undefined ? rest.join(" ") : list.split(" ").sort().join(" ");
    this.#set(`${word === "OK" ? "told" : word} ${name}`, value);
  }

  #mailboxLine(kind: string, [attributes = null, separator = null, name = null, ...more]: Value[]): void {
    const mailbox = nameOf(name);
    this.#set(`${kind} ${mailbox}`, show(sorted(attributes)));
    if (separator !== null) this.#set(`${kind} separator`, textOf(separator));
    if (more.length > 0) this.#set(`${kind}-info ${mailbox}`, more.map(bare).join(" "));
  }

  #status([name = null, items = null]: Value[]): void {
    for (const [item, value] of pairs(items)) {
      const shown = item === "UIDVALIDITY" ? "V" : item === "HIGHESTMODSEQ" ? "M" : show(value);
      this.#set(`status ${nameOf(name)} ${item}`, shown);
    }
  }

  #search(values: Value[]): void {
    const numbers = values.filter((value) => typeof value === "string").map(Number);
    this.#set("search", numbers.sort((a, b) => a - b).join(","));
    if (values.some((value) => Array.isArray(value))) this.#set("search MODSEQ", "M");
  }

  #extendedSearch(values: Value[]): void {
    const rest = values.filter((value) => !Array.isArray(value));
    if (rest[0] === "UID") rest.shift();
    // Without a match there may be nothing behind the tag.
    this.#set("esearch", "");
    for (const [item, value] of pairs(rest)) {
      const shown = item === "ALL" ? expandSet(textOf(value)) : item === "MODSEQ" ? "M" : show(value);
      this.#set(`esearch ${item}`, shown);
    }
  }

  #vanished(values: Value[]): void {
    const set = expandSet(textOf(values.at(-1) ?? null));
    const field = values.length > 1 ? "vanished earlier" : "vanished";
    const before = this.#answer.get(field);
    this.#set(field, before === undefined ? set : `${before},${set}`);
  }

  #metadata([mailbox = null, entries = null]: Value[]): void {
    for (const [entry, value] of pairs(entries))
      this.#set(`metadata ${textOf(mailbox)} ${entry}`, show(value));
  }

  #learn(modseq: string | undefined): void {
    const value = BigInt(modseq === undefined || !/^\d+$/.test(modseq) ? 0 : modseq);
    if (value > this.#learnt.modseq) this.#learnt.modseq = value;
  }
}

/** Reads RFC 9051 values of one line: atoms, strings, literals, lists. */
class ValueReader {
  readonly #text: string;
  readonly #literals: Buffer[];
  #at = 0;

  constructor(text: string, literals: readonly Buffer[]) {
    this.#text = text;
    this.#literals = [...literals];
  }

  all(): Value[] {
    const values: Value[] = [];
    while (this.#more()) values.push(this.value());
    return values;
  }

  value(): Value {
    this.#more();
    const first = this.#text[this.#at];
    if (first === "(") return this.#list();
    if (first === '"') return { str: this.#quoted() };
    const literal = /^~?\{(\d+)\}/.exec(this.#text.slice(this.#at))?.[0];
    if (literal !== undefined) {
      this.#at += literal.length;
      return { str: this.#literals.shift()?.toString("latin1") ?? "" };
    }
    const atom = /^[^ ()"]+/.exec(this.#text.slice(this.#at))?.[0] ?? "";
    if (atom === "") throw new Error(`no value at ${this.#at} of ${this.#text}`);
    this.#at += atom.length;
    return atom.toUpperCase() === "NIL" ? null : atom;
  }

  /** `(NAME value NAME[a (b c)]<0> value)`: names in one spelling. */
  fetchItems(): [name: string, value: Value][] {
    const items: [string, Value][] = [];
    this.#at++;
    while (this.#more() && this.#text[this.#at] !== ")") {
      const name = /^[A-Za-z0-9.]+(?:\[[^\]]*\])?(?:<\d+>)?/.exec(this.#text.slice(this.#at))?.[0] ?? "";
      if (name === "") throw new Error(`no item at ${this.#at} of ${this.#text}`);
      this.#at += name.length;
      items.push([name.toUpperCase().replaceAll('"', ""), this.value()]);
    }
    return items;
  }

  #more(): boolean {
    while (this.#text[this.#at] === " ") this.#at++;
    return this.#at < this.#text.length;
  }

  #list(): Value[] {
    const values: Value[] = [];
    this.#at++;
    while (this.#more() && this.#text[this.#at] !== ")") values.push(this.value());
    this.#at++;
    return values;
  }

  #quoted(): string {
    let text = "";
    for (this.#at++; this.#at < this.#text.length && this.#text[this.#at] !== '"'; this.#at++) {
      if (this.#text[this.#at] === "\\") this.#at++;
      text += this.#text[this.#at] ?? "";
    }
    this.#at++;
    return text;
  }
}

/** `1:3,7` as `1,2,3,7`. */
export function expandSet(set: string): string {
  return set
    .split(",")
    .flatMap((range) => {
      const [from = 0, to = from] = range.split(":").map(Number);
      return Array.from({ length: Math.abs(to - from) + 1 }, (_, i) => Math.min(from, to) + i);
    })
    .join(",");
}

function pairs(values: Value): [name: string, value: Value][] {
  const found: [string, Value][] = [];
  if (!Array.isArray(values)) return found;
  for (let i = 0; i + 1 < values.length; i += 2)
    found.push([textOf(values[i] ?? null), values[i + 1] ?? null]);
  return found;
}

/** A date-time as a point in time, or `now`. */
function instant(text: string): string {
  const ms = Date.parse(text.replace(/^ ?(\d+)-(\w+)-(\d+) (\S+) (\S+)$/, "$1 $2 $3 $4 $5"));
  if (Number.isNaN(ms)) return text;
  return Math.abs(Date.now() - ms) < NOW_WITHIN_MS ? "now" : new Date(ms).toISOString();
}

/** A body structure with those texts in lower case that have no case (RFC 2045 §5.1, RFC 2183 §2). */
function caselessBody(value: Value): Value {
  if (!Array.isArray(value)) return value;
  const partCount = value.findIndex((item) => !Array.isArray(item));
  if (partCount > 0) {
    const [subtype = null, params, ...more] = value.slice(partCount);
    const tail = params === undefined ? [] : [caselessParams(params), ...extension(more)];
    return [...value.slice(0, partCount).map(caselessBody), lower(subtype), ...tail];
  }
  const [
    type = null,
    subtype = null,
    params = null,
    id = null,
    description = null,
    encoding = null,
    ...more
  ] = value;
  const head = [lower(type), lower(subtype), caselessParams(params), id, description, lower(encoding)];
  const bytes = more.shift() ?? null;
  const isMessage = Array.isArray(more[0]) && Array.isArray(more[1]);
  const special = isMessage ? more.splice(0, 3) : textOf(lower(type)) === "text" ? more.splice(0, 1) : [];
  if (isMessage) special[1] = caselessBody(special[1] ?? null);
  const md5 = more.shift();
  return [...head, bytes, ...special, ...(md5 === undefined ? [] : [md5, ...extension(more)])];
}

/** Disposition, language, location. */
function extension([disposition, ...more]: Value[]): Value[] {
  if (disposition === undefined) return [];
  if (!Array.isArray(disposition)) return [disposition, ...more];
  const [name = null, params = null] = disposition;
  return [[lower(name), caselessParams(params)], ...more];
}

/** Names have no case, and parameters no order (RFC 2045 §5.1). */
function caselessParams(params: Value): Value {
  if (!Array.isArray(params)) return params;
  const named = params.flatMap((name, i) =>
    i % 2 === 0 ? [[lower(name), params[i + 1] ?? null] satisfies Value] : [],
  );
  return sorted(named);
}

function lower(value: Value): Value {
  if (value === null || Array.isArray(value)) return value;
  return typeof value === "string" ? value.toLowerCase() : { str: value.str.toLowerCase() };
}

/** INBOX in one spelling. */
function nameOf(value: Value): string {
  const name = textOf(value);
  return name.toUpperCase() === "INBOX" ? "INBOX" : name;
}

function textOf(value: Value): string {
  if (value === null) return "NIL";
  if (typeof value === "string") return value;
  return Array.isArray(value) ? show(value) : value.str;
}

/** Without the quotes that an astring may have or not. */
function bare(value: Value): string {
  return show(value).replaceAll('"', "");
}

function sorted(value: Value): Value {
  return Array.isArray(value) ? value.toSorted((a, b) => (show(a) < show(b) ? -1 : 1)) : value;
}

function show(value: Value): string {
  if (value === null) return "NIL";
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return `(${value.map(show).join(" ")})`;
  return JSON.stringify(value.str);
}
