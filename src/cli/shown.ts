/** How commands show accounts, sizes and days, and read sizes; and secrets that do not belong on the command line. */
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { renderUnicodeCompact } from "uqr";
import { size } from "../config/schema-fields.ts";
import { NEVER_LOGGED_IN } from "../db/schema.ts";
import { CommandError } from "./output.ts";

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** 1024-based, as sizes are typed. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit] ?? ""}`;
}

export function quotaText(bytes: number): string {
  return bytes === 0 ? "unlimited" : bytesText(bytes);
}

/** `512k`, `30M`, `1G`, `0`, `unlimited`. @throws {CommandError} */
export function quotaBytes(text: string): number {
  if (/^unlimited$/i.test(text.trim())) return 0;
  const parsed = size.safeParse(text.trim());
  if (parsed.success) return parsed.data;
  throw new CommandError(`expected a size such as 500M, 2G or unlimited, found ${text}`);
}

/** Days are all that is kept of logins. */
export function dayText(sec: number): string {
  return sec <= NEVER_LOGGED_IN ? "never" : new Date(sec * 1000).toISOString().slice(0, 10);
}

export function timeText(sec: number): string {
  return new Date(sec * 1000).toISOString().slice(0, 16).replace("T", " ");
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : noun.endsWith("x") ? "es" : "s"}`;
}

/** For a phone to scan; nothing where no terminal shows it. */
export function qrText(link: string): string {
  return process.stdout.isTTY ? `\n${renderUnicodeCompact(link, { border: 2 })}\n` : "";
}

export const yes = { type: "boolean", alias: "y", description: "Do not ask" } as const;
export const userArgument = {
  type: "positional",
  required: true,
  description: "An address, or the part before the @ in the first domain",
} as const;
export const passwordOption = {
  type: "string",
  alias: "p",
  description: "The password, or - to read it from standard input; made up when absent",
} as const;

/**
 * A secret from the command line, from a pipe where that says `-`, or typed blindly on a terminal.
 * @returns undefined where none is given and nobody is asked @throws {CommandError}
 */
export async function secretOf(given: string | undefined, ask: boolean): Promise<string | undefined> {
  if (given === "-") {
    const [line = ""] = (await Bun.stdin.text()).split(/\r?\n/);
    if (line === "") throw new CommandError("no password on standard input");
    return line;
  }
  if (given !== undefined || !ask) return given;
  if (!process.stdin.isTTY)
    throw new CommandError("say --password PASSWORD, or --password - to read it from a pipe");
  return await typed();
}

async function typed(): Promise<string> {
  process.stderr.write("Password: ");
  // The terminal echoes through this, and it says nothing.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input: process.stdin, output, terminal: true });
  try {
    const text = await prompt.question("");
    process.stderr.write("\n");
    if (text === "") throw new CommandError("no password was typed");
    return text;
  } finally {
    prompt.close();
  }
}
