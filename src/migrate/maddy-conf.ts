/**
 * Reads the configuration syntax of maddy and madmail: directives with arguments and nested blocks, `$(macros)`,
 * `(snippets)` with `import`, `{env:NAME}`, quotes, `\` at a line's end, `#` comments.
 */
import { SourceError } from "./source.ts";

const NESTING_MAX = 255;
/** Files that import each other, or snippets that do, must end. */
const IMPORTS_MAX = 64;
const NAME = /^[A-Za-z._-][\w.-]*$/;
const MACRO = /\$\(([^()\s]+)\)/;

export interface Directive {
  name: string;
  args: readonly string[];
  /** Undefined without a block. */
  block: readonly Directive[] | undefined;
  file: string;
  /** Where it begins, from 1. */
  line: number;
}

export interface MaddyConf {
  directives: readonly Directive[];
  macros: ReadonlyMap<string, readonly string[]>;
}

export interface ParseOptions {
  /** Text of a file that is imported; undefined when there is none. */
  readFile: (name: string, from: string) => string | undefined;
  env: Readonly<Record<string, string | undefined>>;
}

/** @throws {SourceError} naming file and line */
export function parseMaddyConf(text: string, file: string, options: ParseOptions): MaddyConf {
  const expander = new Expander(options);
  const directives = expander.expand(new Parser(text, file).parse(), true);
  return { directives, macros: expander.macros };
}

interface Token {
  text: string;
  line: number;
  /** In quotes: no brace, no macro name. */
  quoted: boolean;
}

/** Words of one line each; a line of its own ends where the source line does, `\` aside. */
function tokenLines(text: string, file: string): Token[][] {
  const lines: Token[][] = [];
  let current: Token[] = [];
  let line = 1;
  let at = 0;
  const endLine = () => {
    if (current.length > 0) lines.push(current);
    current = [];
  };
  while (at < text.length) {
    const char = text[at] ?? "";
    if (char === "\n") {
      endLine();
      line++;
      at++;
    } else if (char === "\\" && /^\\\r?\n/.test(text.slice(at, at + 3))) {
      at = text.indexOf("\n", at) + 1;
      line++;
    } else if (/\s/.test(char) || char === "\ufeff") at++;
    else if (char === "#") at = (text.indexOf("\n", at) + text.length + 1) % (text.length + 1);
    else {
      const word = char === '"' ? quotedWord(text, at) : plainWord(text, at);
      if (word === undefined) throw new SourceError(`${file}:${line}: a quote is not closed`);
      current.push({ text: word.text, line, quoted: char === '"' });
      line += text.slice(at, word.end).split("\n").length - 1;
      at = word.end;
    }
  }
  endLine();
  return lines;
}

function quotedWord(text: string, start: number): { text: string; end: number } | undefined {
  let word = "";
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at] ?? "";
    if (char === '"') return { text: word, end: at + 1 };
    if (char === "\\" && text[at + 1] === '"') at++;
    word += text[at];
  }
  return undefined;
}

function plainWord(text: string, start: number): { text: string; end: number } {
  let end = start;
  while (end < text.length && !/\s/.test(text[end] ?? "")) end++;
  return { text: text.slice(start, end), end };
}

class Parser {
  readonly #file: string;
  readonly #lines: Token[][];
  #next = 0;

  constructor(text: string, file: string) {
    this.#file = file;
    this.#lines = tokenLines(text, file);
  }

  parse(): Directive[] {
    const directives = this.#block(0);
    if (this.#next < this.#lines.length)
      this.#fail(this.#lines[this.#next]?.[0]?.line ?? 0, "`}` without `{`");
    return directives;
  }

  #block(depth: number): Directive[] {
    const directives: Directive[] = [];
    for (;;) {
      const [name, ...rest] = this.#lines[this.#next] ?? [];
      if (name === undefined || isBrace(name, "}")) return directives;
      this.#next++;
      if (depth > NESTING_MAX) this.#fail(name.line, "blocks nest too deep");
      const last = rest.at(-1);
      const opens = last !== undefined && isBrace(last, "{");
      const closed = opens ? undefined : this.#closedOnOneLine(rest);
      const args = (opens ? rest.slice(0, -1) : (closed?.args ?? rest)).map(({ text }) => text);
      const block = opens ? this.#inner(name.line, depth) : closed?.block;
      directives.push({ name: name.text, args, block, file: this.#file, line: name.line });
    }
  }

  #inner(line: number, depth: number): Directive[] {
    const block = this.#block(depth + 1);
    const closing = this.#lines[this.#next];
    if (closing === undefined) this.#fail(line, "the block is not closed");
    if (closing.length > 1) this.#fail(closing[0]?.line ?? line, "expected a new line after `}`");
    this.#next++;
    return block;
  }

  /** `name { }`: an empty block may stand on one line. */
  #closedOnOneLine(rest: Token[]): { args: Token[]; block: Directive[] } | undefined {
    const [open, close] = rest.slice(-2);
    if (open === undefined || close === undefined || !isBrace(open, "{") || !isBrace(close, "}"))
      return undefined;
    return { args: rest.slice(0, -2), block: [] };
  }

  #fail(line: number, what: string): never {
    throw new SourceError(`${this.#file}:${line}: ${what}`);
  }
}

function isBrace(token: Token, brace: "{" | "}"): boolean {
  return !token.quoted && token.text === brace;
}

class Expander {
  readonly macros = new Map<string, readonly string[]>();
  readonly #options: ParseOptions;
  readonly #snippets = new Map<string, readonly Directive[]>();
  #imports = 0;

  constructor(options: ParseOptions) {
    this.#options = options;
  }

  expand(directives: readonly Directive[], isTop: boolean): Directive[] {
    const out: Directive[] = [];
    for (const directive of directives) {
      const name = this.#environment(directive.name);
      const macro = /^\$\((.+)\)$/.exec(name)?.[1];
      const snippet = /^\((.+)\)$/.exec(name)?.[1];
      if (macro !== undefined) this.#define(directive, macro, isTop);
      else if (snippet !== undefined) this.#snippets.set(snippet, this.#snippet(directive, isTop));
      else if (name === "import") out.push(...this.#import(directive, isTop));
      else out.push(this.#directive(directive, name));
    }
    return out;
  }

  #directive(directive: Directive, name: string): Directive {
    if (!NAME.test(name)) fail(directive, `${name} cannot be the name of a directive`);
    const args = directive.args.flatMap((arg) => this.#argument(directive, arg));
    const block = directive.block === undefined ? undefined : this.expand(directive.block, false);
    return { ...directive, name, args, block };
  }

  #define(directive: Directive, macro: string, isTop: boolean): void {
    const [equals, ...values] = directive.args;
    if (!isTop) fail(directive, "macros can be set at the top level only");
    if (equals !== "=" || values.length === 0) fail(directive, "expected `$(name) = value`");
    this.macros.set(
      macro,
      values.flatMap((value) => this.#argument(directive, value)),
    );
  }

  #snippet(directive: Directive, isTop: boolean): readonly Directive[] {
    if (!isTop || directive.args.length > 0 || directive.block === undefined) {
      fail(directive, "expected `(name) { … }` at the top level");
    }
    return directive.block;
  }

  #import(directive: Directive, isTop: boolean): Directive[] {
    const name = directive.args.flatMap((arg) => this.#argument(directive, arg))[0];
    if (name === undefined) fail(directive, "expected the name of a snippet or file to import");
    if (++this.#imports > IMPORTS_MAX) fail(directive, "too many imports: do they import each other?");
    const snippet = this.#snippets.get(name);
    if (snippet !== undefined) return this.expand(snippet, isTop);
    const text = this.#options.readFile(name, directive.file);
    if (text === undefined) fail(directive, `there is no snippet and no file ${name} to import`);
    return this.expand(new Parser(text, name).parse(), isTop);
  }

  /** A macro alone gives all its values, inside of a longer text its one value. */
  #argument(directive: Directive, raw: string): string[] {
    const arg = this.#environment(raw);
    const whole = /^\$\(([^()\s]+)\)$/.exec(arg)?.[1];
    if (whole !== undefined) return [...(this.macros.get(whole) ?? [])];
    return [
      arg.replaceAll(new RegExp(MACRO, "g"), (_, name: string) => {
        const values = this.macros.get(name) ?? [];
        if (values.length > 1)
          fail(directive, `$(${name}) has several values: it cannot be part of a longer text`);
        return values[0] ?? "";
      }),
    ];
  }

  #environment(text: string): string {
    return text.replaceAll(/\{env:([^{}]+)\}/g, (_, name: string) => this.#options.env[name] ?? "");
  }
}

function fail({ file, line }: Directive, what: string): never {
  throw new SourceError(`${file}:${line}: ${what}`);
}
