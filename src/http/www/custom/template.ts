/**
 * Templates of an operator's own pages. One engine for both ways of writing that such pages have: Go's
 * (`{{.X}}`, `{{if not .X}} … {{else if eq .Language "fa"}} … {{end}}`, `{{.X | formatBytes}}`) and Jinja's (`{{ X }}`,
 * `{% if X == "fa" %} … {% elif %} … {% else %} … {% endif %}`). No loops, no includes: variables, filters, conditions.
 *
 * Invariants
 * - What a variable holds is escaped for where it stands: HTML, or a string or value inside `<script>`.
 * - A fault names file and line; nothing is rendered then.
 */
import { applyFilter, type Value, isFilter, isTrue, textOf } from "./values.ts";

/** Deeper conditions are a mistake. */
const DEPTH_MAX = 50;
const TAG = /\{\{-?\s*([\s\S]*?)\s*-?\}\}|\{%-?\s*([\s\S]*?)\s*-?%\}|\{#[\s\S]*?#\}/g;

export type Variables = Readonly<Record<string, Value>>;

/** A template that can't be used; file and line are in the message. */
export class TemplateError extends Error {
  readonly file: string;
  readonly line: number;
  constructor(file: string, line: number, what: string) {
    super(`${file}:${line}: ${what}`);
    this.file = file;
    this.line = line;
  }
}

type Expression =
  | { kind: "literal"; value: Value }
  | { kind: "variable"; name: string }
  | { kind: "filtered"; filter: string; of: Expression }
  | { kind: "not"; of: Expression }
  | { kind: "eq" | "ne" | "and" | "or"; left: Expression; right: Expression };

type Piece =
  | { kind: "text"; text: string }
  | { kind: "print"; expression: Expression; inScript: boolean; inString: boolean }
  | { kind: "if"; branches: { condition: Expression | undefined; pieces: Piece[] }[] };

export interface Template {
  readonly pieces: readonly Piece[];
}

/**
 * @param file as it is named in faults
 * @param known names of variables; another one is a fault, most likely a misspelling
 * @throws {TemplateError}
 */
export function parseTemplate(source: string, file: string, known: ReadonlySet<string>): Template {
  const root: Piece[] = [];
  const open: { line: number; piece: Piece & { kind: "if" }; pieces: Piece[] }[] = [];
  let pieces = root;
  let at = 0;
  for (const match of source.matchAll(TAG)) {
    const text = source.slice(at, match.index);
    if (text !== "") pieces.push({ kind: "text", text });
    at = match.index + match[0].length;
    const line = lineOf(source, match.index);
    const fail = (what: string): never => {
      throw new TemplateError(file, line, what);
    };
    const tag = match[1] ?? match[2];
    if (tag === undefined || tag.startsWith("/*")) continue;
    const [, word = "", rest = ""] = /^(else\s+if|elif|if|else|endif|end)\b\s*([\s\S]*)$/.exec(tag) ?? [];
    const read = (words: string) => parseExpression(words, known, fail);
    const last = open.at(-1);
    if (word === "if") {
      if (open.length >= DEPTH_MAX) fail("conditions are nested too deeply");
      const branch = { condition: read(rest), pieces: [] };
      const piece: Piece = { kind: "if", branches: [branch] };
      pieces.push(piece);
      open.push({ line, piece, pieces });
      pieces = branch.pieces;
    } else if (word === "end" || word === "endif") {
      if (last === undefined) return fail(`\`${tag}\` without an \`if\` before it`);
      pieces = last.pieces;
      open.pop();
    } else if (word !== "") {
      if (last === undefined) return fail(`\`${tag}\` without an \`if\` before it`);
      if (last.piece.branches.at(-1)?.condition === undefined) fail(`\`${tag}\` after an \`else\``);
      const branch = { condition: word === "else" && rest === "" ? undefined : read(rest), pieces: [] };
      last.piece.branches.push(branch);
      pieces = branch.pieces;
    } else if (match[2] !== undefined) {
      fail(`\`{% ${tag} %}\` is not supported: only if, elif, else and endif are`);
    } else {
      pieces.push({ kind: "print", expression: read(tag), ...placeIn(source, match.index) });
    }
  }
  const unclosed = open.at(-1);
  if (unclosed !== undefined) throw new TemplateError(file, unclosed.line, "`if` without its `end`");
  pieces.push({ kind: "text", text: source.slice(at) });
  return { pieces: root };
}

export function renderTemplate(template: Template, variables: Variables): string {
  return template.pieces.map((piece) => renderPiece(piece, variables)).join("");
}

function renderPiece(piece: Piece, variables: Variables): string {
  switch (piece.kind) {
    case "text":
      return piece.text;
    case "print": {
      const value = evaluate(piece.expression, variables);
      return piece.inScript ? forScript(value, piece.inString) : forHtml(value);
    }
    default: {
      const branch = piece.branches.find(
        ({ condition }) => condition === undefined || isTrue(evaluate(condition, variables)),
      );
      return branch === undefined ? "" : renderTemplate(branch, variables);
    }
  }
}

function evaluate(expression: Expression, variables: Variables): Value {
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "variable":
      return variables[expression.name] ?? "";
    case "filtered":
      return applyFilter(expression.filter, evaluate(expression.of, variables));
    case "not":
      return !isTrue(evaluate(expression.of, variables));
    case "and":
      return isTrue(evaluate(expression.left, variables)) && isTrue(evaluate(expression.right, variables));
    case "or":
      return isTrue(evaluate(expression.left, variables)) || isTrue(evaluate(expression.right, variables));
    case "eq":
      return isSame(expression, variables);
    default:
      return !isSame(expression, variables);
  }
}

function isSame({ left, right }: { left: Expression; right: Expression }, variables: Variables): boolean {
  return textOf(evaluate(left, variables)) === textOf(evaluate(right, variables));
}

type Fail = (what: string) => never;

/** Pipes first: `.X | upper | cleanDomain`. */
function parseExpression(text: string, known: ReadonlySet<string>, fail: Fail): Expression {
  const words = text.match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|==|!=|[|()]|[^\s|()=!"'`]+/g) ?? [];
  if (words.length === 0) fail("an empty expression");
  const take = () => words.shift();
  const whole = pipes();
  if (words.length > 0) fail(`\`${words[0]}\` is not understood in \`${text}\``);
  return whole;

  function pipes(): Expression {
    let left = joined();
    while (words[0] === "|") {
      take();
      const filter = take() ?? "";
      if (!isFilter(filter)) fail(`there is no filter \`${filter}\``);
      left = { kind: "filtered", filter, of: left };
    }
    return left;
  }

  function joined(): Expression {
    let left = compared();
    while (words[0] === "and" || words[0] === "or") {
      const kind = take() === "and" ? "and" : "or";
      left = { kind, left, right: compared() };
    }
    return left;
  }

  function compared(): Expression {
    const left = operand();
    if (words[0] !== "==" && words[0] !== "!=") return left;
    const kind = take() === "==" ? "eq" : "ne";
    return { kind, left, right: operand() };
  }

  function operand(): Expression {
    const word = take();
    if (word === undefined) return fail(`something is missing in \`${text}\``);
    if (word === "(") {
      const inner = pipes();
      if (take() !== ")") fail(`a \`)\` is missing in \`${text}\``);
      return inner;
    }
    if (word === "not") return { kind: "not", of: operand() };
    if (word === "eq" || word === "ne" || word === "and" || word === "or") {
      return { kind: word, left: operand(), right: operand() };
    }
    if (isFilter(word) && words.length > 0 && words[0] !== "|" && words[0] !== ")") {
      return { kind: "filtered", filter: word, of: operand() };
    }
    return atom(word);
  }

  function atom(word: string): Expression {
    if (/^["'`]/.test(word)) return { kind: "literal", value: word.slice(1, -1).replace(/\\(.)/g, "$1") };
    if (/^-?\d+(\.\d+)?$/.test(word)) return { kind: "literal", value: Number(word) };
    if (word === "true" || word === "false") return { kind: "literal", value: word === "true" };
    const name = word.replace(/^\$?\./, "");
    if (!/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)?$/.test(name)) return fail(`\`${word}\` is not understood`);
    if (!known.has(name)) return fail(`there is no variable \`${name}\``);
    return { kind: "variable", name };
  }
}

function lineOf(source: string, index: number): number {
  let line = 1;
  for (let at = source.indexOf("\n"); at !== -1 && at < index; at = source.indexOf("\n", at + 1)) line++;
  return line;
}

/** Whether a place is inside `<script>`, and there inside quotes: those that are open on its line. */
function placeIn(source: string, index: number): { inScript: boolean; inString: boolean } {
  const before = source.slice(0, index);
  const opened = before.toLowerCase().lastIndexOf("<script");
  const inScript =
    opened !== -1 &&
    before.indexOf(">", opened) !== -1 &&
    before.toLowerCase().indexOf("</script", opened) === -1;
  if (!inScript) return { inScript, inString: false };
  let quote = "";
  for (const [char] of before.slice(before.lastIndexOf("\n") + 1).matchAll(/\\.|["'`]/g)) {
    if (quote === "" && char.length === 1) quote = char;
    else if (char === quote) quote = "";
  }
  return { inScript, inString: quote !== "" };
}

function forHtml(value: Value): string {
  if (typeof value === "object") return value.markup;
  return textOf(value)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&#34;")
    .replaceAll("'", "&#39;");
}

/** Nothing that ends a string, a template or the element. */
function forScript(value: Value, inString: boolean): string {
  if (!inString && (typeof value === "number" || typeof value === "boolean")) return String(value);
  const escaped = textOf(value).replace(
    /[^A-Za-z0-9 .,:;@/_%?=#+~-]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return inString ? escaped : `"${escaped}"`;
}
