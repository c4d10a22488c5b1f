/** Reads `madmail.toml`. Every fault names the file, the key, what was expected and what was found. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse as parseToml, TomlError } from "smol-toml";
import { z } from "zod";
import { type Config, ConfigError, type ConfigOverrides, resolveConfig } from "./config.ts";
import { type ConfigFile, configSchema } from "./schema.ts";

/** @throws {ConfigError} with one line per fault, ready for the operator */
export function readConfig(path: string, overrides: ConfigOverrides = {}): Config {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new ConfigError(`${path}: cannot be read (${code})`, { cause: error });
  }
  return configFromText(text, path, overrides);
}

/** The same for text that was read from `path`. @throws {ConfigError} */
export function configFromText(text: string, path: string, overrides: ConfigOverrides = {}): Config {
  const { file, given } = parseConfig(text, path);
  try {
    return resolveConfig(file, dirname(resolve(path)), { ...overrides, given });
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(`${path}: ${error.message}`, { cause: error });
    throw error;
  }
}

function parseConfig(text: string, path: string): { file: ConfigFile; given: string[] } {
  let raw: unknown;
  try {
    raw = parseToml(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = error.message.split("\n")[0] ?? "";
    throw new ConfigError(`${path}:${error.line}:${error.column}: ${what}`, { cause: error });
  }
  const result = configSchema.safeParse(raw);
  if (result.success) return { file: result.data, given: keysOf(raw) };
  throw new ConfigError(result.error.issues.map((issue) => `${path}: ${describe(issue, raw)}`).join("\n"));
}

/** `["domains", "turn.listen"]` */
function keysOf(raw: unknown): string[] {
  const isTable = (value: unknown): value is object =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isTable(raw)) return [];
  return Object.entries(raw).flatMap(([key, value]) =>
    isTable(value) ? Object.keys(value).map((inner) => `${key}.${inner}`) : [key],
  );
}

function describe(issue: z.core.$ZodIssue, raw: unknown): string {
  const key = issue.path.map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(issue.path);
    const where = key === "" ? "" : `[${key}] `;
    const hints = issue.keys
      .map((k) => nearest(k, known))
      .map((hint) => (hint === undefined ? "" : `; did you mean ${hint}?`));
    return issue.keys
      .map((k, i) => `${where}${k}: expected a known key, found this one${hints[i] ?? ""}`)
      .join("; ");
  }
  return `${key}: expected ${expectation(issue)}, found ${show(valueAt(raw, issue.path))}`;
}

function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.expected === "int"
        ? "a whole number"
        : `${/^[aeiou]/.test(issue.expected) ? "an" : "a"} ${issue.expected}`;
    case "invalid_value":
      return `one of ${issue.values.map((v) => JSON.stringify(v)).join(", ")}`;
    case "too_small":
      return `at least ${issue.minimum}${issue.origin === "array" ? " entry" : ""}`;
    case "too_big":
      return `at most ${issue.maximum}`;
    case "invalid_union": {
      const inner = issue.errors.flat().find((i) => i.code === "invalid_format" || i.code === "custom");
      return inner === undefined ? "another type" : expectation(inner);
    }
    default:
      return issue.message;
  }
}

function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  let value = raw;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function keysAt(path: readonly PropertyKey[]): string[] {
  const shape: Record<string, unknown> = configSchema.shape;
  const [section] = path;
  if (section === undefined) return Object.keys(shape);
  const inner = shape[String(section)];
  const unwrapped = inner instanceof z.ZodPrefault ? inner.unwrap() : inner;
  return unwrapped instanceof z.ZodObject ? Object.keys(unwrapped.shape) : [];
}

/** The known key within two edits, for the operator who mistyped. */
function nearest(key: string, known: readonly string[]): string | undefined {
  const ranked = known.map((k) => [editDistance(key, k), k] as const).sort((a, b) => a[0] - b[0]);
  const [best] = ranked;
  return best !== undefined && best[0] <= 2 ? best[1] : undefined;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
