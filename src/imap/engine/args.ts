/**
 * Reads the arguments of one command (RFC 9051 §9). A fault sticks: after the first one every read gives a harmless
 * value and `fault` tells the client what was expected, so that grammars read straight down without checks between.
 * Text is Latin-1 as received; what is UTF-8 is decoded by whoever knows that it is.
 */
import { toLatin1 } from "../../core/bytes.ts";
import { LIST_MAX_ITEMS, NESTING_MAX } from "./limits.ts";
import type { CommandParts } from "./receiver.ts";

/** RFC 9051 §9 `ATOM-CHAR`, with `]` for astrings. Bytes above 127 pass: UTF-8 names unquoted, as clients send them. */
const ATOM = /[^\u0000-\u001f\u007f (){%*"\\\]]+/y;
const ASTRING = /[^\u0000-\u001f\u007f (){%*"\\]+/y;
const LIST_MAILBOX = /[^\u0000-\u001f\u007f (){"\\]+/y;
const NUMBER = /\d{1,20}/y;
const SEQUENCE = /[0-9:,*$]+/y;
const QUOTED = /"((?:[^"\\\r\n]|\\.)*)"/y;

export class Args {
  readonly #parts: CommandParts;
  #part = 0;
  #at = 0;
  #depth = 0;
  #fault: string | undefined;

  constructor(parts: CommandParts, at = 0) {
    this.#parts = parts;
    this.#at = at;
  }

  get fault(): string | undefined {
    return this.#fault;
  }

  get ok(): boolean {
    return this.#fault === undefined;
  }

  /** Notes the first fault only. */
  fail(what: string): void {
    this.#fault ??= what;
  }

  /** The next unit, "" at the end. */
  peek(): string {
    return this.ok ? (this.#text()[this.#at] ?? "") : "";
  }

  /** Takes `text` if it stands here, letters compared without case. */
  take(text: string): boolean {
    if (!this.stands(text)) return false;
    this.#at += text.length;
    return true;
  }

  /** As `take`, but leaves it. */
  stands(text: string): boolean {
    if (!this.ok) return false;
    const here = this.#text().substr(this.#at, text.length);
    return here === text || here.toUpperCase() === text.toUpperCase();
  }

  expect(text: string): void {
    if (!this.take(text)) this.fail(`expected ${text}`);
  }

  /** One blank; more are let pass. */
  space(): void {
    if (this.#blanks() === 0) this.fail("expected a blank");
  }

  /** A blank if something follows it. @returns false at the end of the command */
  more(): boolean {
    return this.#blanks() > 0 && this.ok && !this.atEnd();
  }

  atEnd(): boolean {
    return this.#part >= this.#parts.length - 1 && this.#at >= this.#text().length;
  }

  /** Nothing may follow but blanks. */
  end(): void {
    this.#blanks();
    if (!this.atEnd()) this.fail("expected the end of the command");
  }

  /** A word of letters, upper-cased: names of commands, items, keys. */
  word(): string {
    return this.atom().toUpperCase();
  }

  atom(): string {
    return this.#match(ATOM) ?? this.#missing("an atom");
  }

  /** RFC 9051 §9 `astring`: atom, quoted string or literal. */
  astring(): string {
    const here = this.peek();
    if (here === '"' || here === "{") return this.string();
    return this.#match(ASTRING) ?? this.#missing("a string");
  }

  /** `list-mailbox`: an astring in which wildcards may stand. */
  listMailbox(): string {
    const here = this.peek();
    if (here === '"' || here === "{") return this.string();
    return this.#match(LIST_MAILBOX) ?? this.#missing("a mailbox pattern");
  }

  string(): string {
    if (this.peek() === "{") return this.#literal();
    const quoted = this.#match(QUOTED);
    if (quoted === undefined) return this.#missing("a string");
    const inner = quoted.slice(1, -1);
    return inner.includes("\\") ? inner.replace(/\\(.)/g, "$1") : inner;
  }

  /** A string or NIL. */
  nstring(): string | undefined {
    const here = this.peek();
    if (here === '"' || here === "{") return this.string();
    if (this.take("NIL")) return undefined;
    this.fail("expected a string or NIL");
    return undefined;
  }

  /** @param max largest value, 2^32-1 unless told */
  number(max = 0xffff_ffff): number {
    const text = this.#match(NUMBER);
    const value = Number(text ?? "NaN");
    if (!(value <= max)) this.fail("expected a number");
    return value <= max ? value : 0;
  }

  /** The raw text of a sequence set. */
  sequence(): string {
    return this.#match(SEQUENCE) ?? this.#missing("a message set");
  }

  /** A flag as written: `\Seen`, `$Forwarded`. */
  flag(): string {
    const system = this.take("\\");
    if (system && this.take("*")) return "\\*";
    return (system ? "\\" : "") + this.atom();
  }

  /** `(item item …)`; an empty list and a blank before `)` are let pass. */
  list<T>(item: () => T): T[] {
    const items: T[] = [];
    this.expect("(");
    if (++this.#depth > NESTING_MAX) this.fail("nested too deep");
    this.#blanks();
    while (this.ok && !this.take(")")) {
      items.push(item());
      if (items.length > LIST_MAX_ITEMS) this.fail("too many items");
      if (this.#blanks() === 0 && this.peek() !== ")") this.fail("expected a blank or )");
    }
    this.#depth--;
    return items;
  }

  #literal(): string {
    const literal = this.#parts[this.#part + 1];
    const text = this.#text();
    if (!(literal instanceof Uint8Array) || !/^\{\d+\+?\}$/.test(text.slice(this.#at))) {
      return this.#missing("a literal");
    }
    this.#part += 2;
    this.#at = 0;
    return toLatin1(literal);
  }

  #match(pattern: RegExp): string | undefined {
    if (!this.ok) return undefined;
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text())?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #blanks(): number {
    if (!this.ok) return 0;
    const text = this.#text();
    const from = this.#at;
    while (text[this.#at] === " ") this.#at++;
    return this.#at - from;
  }

  #text(): string {
    const part = this.#parts[this.#part];
    return typeof part === "string" ? part : "";
  }

  #missing(what: string): string {
    this.fail(`expected ${what}`);
    return "";
  }
}
