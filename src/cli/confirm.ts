/** Asks before what can't be undone. */
import { createInterface } from "node:readline/promises";
import type { Globals } from "./globals.ts";
import { CommandError } from "./output.ts";

/**
 * @param isSure `--yes` was given
 * @returns false when the operator said no
 * @throws {CommandError} where there is nobody to ask
 */
export async function confirm(globals: Globals, isSure: boolean, what: string): Promise<boolean> {
  if (isSure) return true;
  if (globals.json || !process.stdin.isTTY) throw new CommandError(`${what} Say --yes to do it.`);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${what} Go on? [y/N] `)).trim());
  } finally {
    lines.close();
  }
}
