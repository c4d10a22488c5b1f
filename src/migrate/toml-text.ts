/** A `madmail.toml` written piece by piece, with comments on what could not be said in it. */

type Value = string | number | boolean | readonly (string | number)[];

export class TomlText {
  readonly #head: string;
  readonly #tables = new Map<string, Map<string, Value>>();
  readonly #comments: string[] = [];

  constructor(head: string) {
    this.#head = head;
  }

  /** Undefined sets nothing. The last word wins. @param table `""` is the top level */
  set(table: string, key: string, value: Value | undefined): void {
    if (value === undefined) return;
    const entries = this.#tables.get(table) ?? new Map<string, Value>();
    entries.set(key, value);
    this.#tables.set(table, entries);
  }

  get(table: string, key: string): Value | undefined {
    return this.#tables.get(table)?.get(key);
  }

  remove(table: string, key: string): void {
    this.#tables.get(table)?.delete(key);
  }

  /** A line for the end of the file. */
  note(text: string): void {
    this.#comments.push(text);
  }

  toString(): string {
    const top = this.#tables.get("") ?? new Map<string, Value>();
    const named = [...this.#tables].filter(([name]) => name !== "");
    const body = [
      [comment(this.#head), ...lines(top)].join("\n"),
      ...named.map(([name, entries]) => [`[${name}]`, ...lines(entries)].join("\n")),
      ...(this.#comments.length === 0 ? [] : [this.#comments.map(comment).join("\n")]),
    ];
    return `${body.join("\n\n")}\n`;
  }
}

function lines(entries: ReadonlyMap<string, Value>): string[] {
  return [...entries].map(([key, value]) => `${key} = ${text(value)}`);
}

/** JSON's strings are TOML's basic strings, once DEL is escaped too. */
function text(value: Value): string {
  if (typeof value === "object") return `[${value.map(text).join(", ")}]`;
  return JSON.stringify(value).replaceAll("\u007f", "\\u007F");
}

/** No control character may stand in a comment, and no line may leave it. */
function comment(line: string): string {
  return `# ${line.replace(/[\u0000-\u001f\u007f]+/g, " ")}`.trimEnd();
}
