/**
 * Address lists (RFC 5322 §3.4): names, quoted strings, comments, groups, routes. Linear in the text.
 * Texts are wire text: one string unit per byte; encoded-words and UTF-8 stay as they stand.
 */
import { ADDRESSES_MAX } from "./limits.ts";

/**
 * An address as IMAP names its pieces (RFC 9051 §7.5.2). A group is three kinds of entries:
 * its name (`mailbox` set, `host` undefined), its members, and an end mark (both undefined).
 */
export interface MailAddress {
  name: string | undefined;
  /** Source route of obsolete syntax (RFC 5322 §4.4): `@a,@b`. */
  adl: string | undefined;
  mailbox: string | undefined;
  host: string | undefined;
}

export interface AddressList {
  addresses: MailAddress[];
  /** One text for each entry in order: `localpart@domain`, or what is no address as it stands. No group names. */
  texts: string[];
}

/** Reads an address list. What is no address shows in `texts` only and never ends the reading. */
export function parseAddressList(text: string): AddressList {
  return new ListReader(text).read();
}

type Token =
  | { kind: "atom" | "quoted" | "literal"; text: string; spaceBefore: boolean }
  | { kind: "comment"; text: string; spaceBefore: boolean }
  | { kind: "special"; text: string; spaceBefore: boolean };

const SPECIALS = new Set(["<", ">", "@", ",", ";", ":"]);

class ListReader {
  readonly #text: string;
  readonly #list: AddressList = { addresses: [], texts: [] };
  #at = 0;
  #inGroup = false;

  constructor(text: string) {
    this.#text = text;
  }

  read(): AddressList {
    let tokens: Token[] = [];
    let start = 0;
    let inAngle = false;
    for (;;) {
      const before = this.#at;
      const token = this.#next();
      const mark = token?.kind === "special" ? token.text : "";
      if (mark === "<") inAngle = true;
      if (mark === ">") inAngle = false;
      if (token === undefined || (!inAngle && (mark === "," || mark === ";"))) {
        this.#take(tokens, this.#text.slice(start, before));
        tokens = [];
        start = this.#at;
        if (mark === ";" || token === undefined) this.#endGroup();
        if (token === undefined || this.#full()) return this.#list;
      } else if (mark === ":" && !inAngle && !this.#inGroup) {
        const name = phrase(tokens);
        this.#list.addresses.push({ name: undefined, adl: undefined, mailbox: name ?? "", host: undefined });
        this.#inGroup = true;
        tokens = [];
        start = this.#at;
      } else {
        tokens.push(token);
      }
    }
  }

  #full(): boolean {
    return this.#list.addresses.length >= ADDRESSES_MAX || this.#list.texts.length >= ADDRESSES_MAX;
  }

  #endGroup(): void {
    if (!this.#inGroup) return;
    this.#inGroup = false;
    this.#list.addresses.push({ name: undefined, adl: undefined, mailbox: undefined, host: undefined });
  }

  #take(tokens: readonly Token[], source: string): void {
    if (tokens.every((token) => token.kind === "comment")) return;
    const address = addressOf(tokens);
    this.#list.texts.push(address === undefined ? source.trim() : `${address.mailbox}@${address.host}`);
    if (address !== undefined) this.#list.addresses.push(address);
  }

  #next(): Token | undefined {
    const text = this.#text;
    const start = this.#at;
    while (this.#at < text.length && isSpace(text[this.#at])) this.#at++;
    const spaceBefore = this.#at > start;
    const first = text[this.#at];
    if (first === undefined) return undefined;
    if (first === '"') return { kind: "quoted", text: this.#quoted('"'), spaceBefore };
    if (first === "[") return { kind: "literal", text: `[${this.#quoted("]")}]`, spaceBefore };
    if (first === "(") return { kind: "comment", text: this.#comment(), spaceBefore };
    if (SPECIALS.has(first)) {
      this.#at++;
      return { kind: "special", text: first, spaceBefore };
    }
    const from = this.#at;
    do this.#at++;
    while (this.#at < text.length && !endsAtom(text[this.#at]));
    return { kind: "atom", text: text.slice(from, this.#at), spaceBefore };
  }

  /** A quoted string or literal; an unclosed one reaches to the end of the text. */
  #quoted(close: string): string {
    const pieces: string[] = [];
    let from = ++this.#at;
    for (; this.#at < this.#text.length && this.#text[this.#at] !== close; this.#at++) {
      if (this.#text[this.#at] !== "\\") continue;
      pieces.push(this.#text.slice(from, this.#at));
      from = ++this.#at;
    }
    pieces.push(this.#text.slice(from, this.#at));
    this.#at = Math.min(this.#at + 1, this.#text.length);
    return pieces.join("");
  }

  /** RFC 5322 §3.2.2: comments nest. Returns what is inside. */
  #comment(): string {
    const from = this.#at + 1;
    let depth = 0;
    for (; this.#at < this.#text.length; this.#at++) {
      const c = this.#text[this.#at];
      if (c === "\\") this.#at++;
      else if (c === "(") depth++;
      else if (c === ")" && --depth === 0) break;
    }
    const end = Math.min(this.#at, this.#text.length);
    this.#at = Math.min(this.#at + 1, this.#text.length);
    return this.#text.slice(from, end);
  }
}

/** `name <spec>`, `spec`, or `spec (name)`. @returns undefined when it is none of them */
function addressOf(tokens: readonly Token[]): MailAddress | undefined {
  const open = tokens.findIndex((token) => token.kind === "special" && token.text === "<");
  if (open < 0) {
    const comment = tokens.find((token) => token.kind === "comment");
    return specOf(
      tokens.filter((token) => token.kind !== "comment"),
      comment?.text,
      undefined,
    );
  }
  const close = tokens.findIndex((token) => token.kind === "special" && token.text === ">");
  const after = tokens.slice(close + 1);
  const before = tokens.slice(0, open);
  if (close < open || after.some((token) => token.kind !== "comment")) return undefined;
  if (before.some((token) => token.kind === "special" || token.kind === "literal")) return undefined;
  let inner = tokens.slice(open + 1, close).filter((token) => token.kind !== "comment");
  let adl: string | undefined;
  const colon = inner.findIndex((token) => token.kind === "special" && token.text === ":");
  if (colon >= 0) {
    adl = inner
      .slice(0, colon)
      .map((token) => token.text)
      .join("");
    if (!adl.startsWith("@")) return undefined;
    inner = inner.slice(colon + 1);
  }
  return specOf(inner, phrase(before), adl);
}

/** RFC 5322 §3.4.1 `addr-spec`: words, one `@`, a domain. */
function specOf(
  tokens: readonly Token[],
  name: string | undefined,
  adl: string | undefined,
): MailAddress | undefined {
  const at = tokens.findIndex((token) => token.kind === "special");
  if (at < 1 || tokens[at]?.text !== "@" || at === tokens.length - 1) return undefined;
  const local = tokens.slice(0, at);
  const domain = tokens.slice(at + 1);
  if (local.some((token) => token.kind === "literal") || !joins(local)) return undefined;
  if (domain.some((token) => token.kind === "special" || token.kind === "quoted")) return undefined;
  if (!joins(domain) || (domain.length > 1 && domain.some((token) => token.kind === "literal")))
    return undefined;
  const text = (part: readonly Token[]) => part.map((token) => token.text).join("");
  return { name, adl, mailbox: text(local), host: text(domain) };
}

/** RFC 5322 §4.4 allows white space around the dots of a spec; words without a dot between them are two things. */
function joins(tokens: readonly Token[]): boolean {
  return tokens.every((token, i) => {
    const before = tokens[i - 1];
    if (before === undefined) return true;
    return before.text.endsWith(".") || token.text.startsWith(".");
  });
}

/** A display name: words with single spaces where white space stood; a comment is not part of it. */
function phrase(tokens: readonly Token[]): string | undefined {
  const words = tokens.filter((token) => token.kind !== "comment");
  if (words.length === 0) return undefined;
  return words.map((token, i) => (i > 0 && token.spaceBefore ? ` ${token.text}` : token.text)).join("");
}

function isSpace(c: string | undefined): boolean {
  return c === " " || c === "\t" || c === "\r" || c === "\n";
}

function endsAtom(c: string | undefined): boolean {
  return c === undefined || isSpace(c) || c === '"' || c === "[" || c === "(" || SPECIALS.has(c);
}
