/**
 * What commands print. Human text goes to stdout, faults to stderr. With --json: one object on stdout,
 * `{"ok":true,"command":…,"data":…}`, or `{"ok":false,"error":…}` on stderr with exit code 1.
 */
import { programName } from "../config/program.ts";
import type { Globals } from "./globals.ts";

/** A fault whose text is meant for the operator: no stack. */
export class CommandError extends Error {}

export function report(globals: Globals, command: string, text: string, data: unknown): void {
  const line = globals.json ? JSON.stringify({ ok: true, command, data }) : text;
  process.stdout.write(`${line.trimEnd()}\n`);
}

/** Prints a fault and sets the exit code. */
export function reportFault(json: boolean, message: string, exitCode = 1): void {
  process.stderr.write(
    json ? `${JSON.stringify({ ok: false, error: message })}\n` : `${programName}: ${message}\n`,
  );
  process.exitCode = exitCode;
}

/** A time as people and scripts read it: UTC, to the second. */
export function time(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** @throws {CommandError} on what is not a whole number of at least `min` */
export function wholeNumber(what: string, text: string, min: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= min) return value;
  throw new CommandError(`${what}: expected a whole number of at least ${min}, found ${text}`);
}
