/**
 * Structured MIME fields: Content-Type (RFC 2045 §5.1) and Content-Disposition (RFC 2183).
 * RFC 2231 parameters (`name*0*`) are kept under their raw names, as IMAP shows them; the gate takes none for a boundary.
 * Texts are wire text: one string unit per byte. Linear in the text.
 */
import { lowerAscii } from "../core/bytes.ts";
import { BOUNDARY_MAX_CHARS, PARAMS_MAX } from "./limits.ts";

export interface StructuredValue {
  /** Lower case: `multipart/encrypted`, `attachment`. */
  value: string;
  /** Lower-case names, first one wins. */
  params: ReadonlyMap<string, string>;
  /** False after anything the grammar does not have: stray text, a name twice, an unclosed quote. */
  wellFormed: boolean;
}

export interface ContentType {
  /** Lower case. */
  type: string;
  /** Lower case. */
  subtype: string;
  params: ReadonlyMap<string, string>;
  wellFormed: boolean;
}

/** @param text the unfolded field value. @returns undefined when it does not begin with `type/subtype` */
export function parseContentType(text: string): ContentType | undefined {
  const parsed = parseStructured(text);
  const match = /^([^/]+)\/([^/]+)$/.exec(parsed?.value ?? "");
  if (parsed === undefined || match?.[1] === undefined || match[2] === undefined) return undefined;
  return { type: match[1], subtype: match[2], params: parsed.params, wellFormed: parsed.wellFormed };
}

/** @returns undefined when there is no leading token */
export function parseStructured(text: string): StructuredValue | undefined {
  return new ValueReader(text).read();
}

/** RFC 2046 §5.1.1 `boundary`. @returns undefined when absent or not of that form */
export function boundaryOf(type: ContentType): string | undefined {
  const boundary = type.params.get("boundary");
  if (boundary === undefined || boundary.length > BOUNDARY_MAX_CHARS) return undefined;
  return /^[\w'()+,\-./:=? ]*[\w'()+,\-./:=?]$/.test(boundary) ? boundary : undefined;
}

class ValueReader {
  readonly #text: string;
  readonly #params = new Map<string, string>();
  #at = 0;
  #wellFormed = true;

  constructor(text: string) {
    this.#text = text;
  }

  read(): StructuredValue | undefined {
    this.#skipSpace();
    let value = this.#token();
    if (value === "") return undefined;
    if (this.#text[this.#at] === "/") {
      this.#at++;
      value = `${value}/${this.#token()}`;
    }
    for (;;) {
      this.#skipSpace();
      if (this.#at >= this.#text.length || this.#params.size >= PARAMS_MAX) break;
      if (this.#text[this.#at] !== ";") this.#toSemicolon();
      this.#at++;
      this.#skipSpace();
      if (this.#at < this.#text.length) this.#param();
    }
    return {
      value: lowerAscii(value),
      params: this.#params,
      wellFormed: this.#wellFormed && this.#at >= this.#text.length,
    };
  }

  #param(): void {
    const name = lowerAscii(this.#token());
    this.#skipSpace();
    if (name === "" || this.#text[this.#at] !== "=") {
      // An empty parameter (`a=b;;`, a last `;`) says nothing and is common.
      if (name !== "" || this.#text[this.#at] !== ";") this.#wellFormed = false;
      return;
    }
    this.#at++;
    this.#skipSpace();
    const quoted = this.#text[this.#at] === '"';
    const value = quoted ? this.#quoted() : this.#bareValue();
    if ((value === "" && !quoted) || this.#params.has(name)) this.#wellFormed = false;
    if (!this.#params.has(name)) this.#params.set(name, value);
  }

  /** Steps over what the grammar does not know. */
  #toSemicolon(): void {
    this.#wellFormed = false;
    const next = this.#text.indexOf(";", this.#at);
    this.#at = next < 0 ? this.#text.length : next;
  }

  #token(): string {
    const from = this.#at;
    while (this.#at < this.#text.length && isTokenUnit(this.#text.charCodeAt(this.#at))) this.#at++;
    return this.#text.slice(from, this.#at);
  }

  /** A token. Bytes beyond ASCII are none, but many programs write file names so. */
  #bareValue(): string {
    let value = this.#token();
    while (this.#text.charCodeAt(this.#at) > 127) {
      this.#wellFormed = false;
      const from = this.#at++;
      this.#token();
      value += this.#text.slice(from, this.#at);
    }
    return value;
  }

  #quoted(): string {
    const pieces: string[] = [];
    let from = ++this.#at;
    for (; this.#at < this.#text.length && this.#text[this.#at] !== '"'; this.#at++) {
      if (this.#text[this.#at] !== "\\") continue;
      pieces.push(this.#text.slice(from, this.#at));
      from = ++this.#at;
    }
    if (this.#at >= this.#text.length) this.#wellFormed = false;
    pieces.push(this.#text.slice(from, this.#at));
    this.#at++;
    return pieces.join("");
  }

  /** White space and comments (RFC 2045 §5.1 by way of RFC 822); an unclosed comment reaches to the end. */
  #skipSpace(): void {
    let depth = 0;
    for (; this.#at < this.#text.length; this.#at++) {
      const c = this.#text[this.#at];
      if (c === "(") depth++;
      else if (depth > 0 && c === ")") depth--;
      else if (depth > 0 && c === "\\") this.#at++;
      else if (depth === 0 && c !== " " && c !== "\t" && c !== "\r" && c !== "\n") return;
    }
    if (depth > 0) this.#wellFormed = false;
  }
}

/** RFC 2045 §5.1 `token`: visible ASCII without tspecials. */
const TOKEN_UNITS: readonly boolean[] = Array.from(
  { length: 127 },
  (_, unit) => unit > 32 && !'()<>@,;:\\"/[]?='.includes(String.fromCharCode(unit)),
);

function isTokenUnit(unit: number): boolean {
  return TOKEN_UNITS[unit] === true;
}
