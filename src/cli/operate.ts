/** What commands that call operations share: the configuration, the way to the relay, progress, questions. */
import { createInterface } from "node:readline/promises";
import { withOperations } from "../app/operator.ts";
import { type Config, ConfigError } from "../config/config.ts";
import { locateConfig } from "../config/locate.ts";
import { readConfig } from "../config/read.ts";
import { OperationError, type Progress } from "../operations/operation.ts";
import type { Caller } from "../operations/operations.ts";
import type { Globals } from "./globals.ts";
import { CommandError, report } from "./output.ts";

const BAR_WIDTH = 30;

/** @throws {CommandError | ConfigError} */
export function configOf(globals: Globals): Config {
  const file = globals.config ?? locateConfig();
  if (file === undefined) {
    throw new ConfigError(
      "no configuration file found; name one with --config FILE, or make one with `madmail install`",
    );
  }
  return readConfig(file, { stateDir: globals.stateDir });
}

/** Runs `work` on the relay or, while it is stopped, on its state. @throws {CommandError | ConfigError} */
export async function operate<T>(globals: Globals, work: (caller: Caller) => Promise<T>): Promise<T> {
  const config = configOf(globals);
  try {
    return await withOperations(config, work);
  } catch (error) {
    if (error instanceof OperationError) throw new CommandError(error.message, { cause: error });
    throw error;
  }
}

/** Shows progress on a terminal, and nowhere else. */
export function progressBar(globals: Globals): (progress: Progress) => void {
  if (globals.json || !process.stderr.isTTY) return () => {};
  return ({ done, total, what }) => {
    const share = total === undefined || total === 0 ? 0 : Math.min(1, done / total);
    const filled = Math.round(share * BAR_WIDTH);
    const bar = total === undefined ? "" : `[${"#".repeat(filled)}${" ".repeat(BAR_WIDTH - filled)}] `;
    const figures = total === undefined ? String(done) : `${done}/${total}`;
    process.stderr.write(`\r\u001b[K${bar}${figures} ${what}${share >= 1 ? "\n" : ""}`);
  };
}

/**
 * Asks before destructive work, saying what it will do to how many.
 * @returns false if the operator said no; that has been reported then
 * @throws {CommandError} where nobody can be asked
 */
export async function confirmed(
  globals: Globals,
  command: string,
  what: string,
  isSure: boolean | undefined,
): Promise<boolean> {
  if (isSure === true) return true;
  if (globals.json || !process.stdin.isTTY || !process.stdout.isTTY) {
    throw new CommandError(`this would ${what}; say --yes to do it`);
  }
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await prompt.question(`This will ${what}. Go on? [y/N] `);
    if (/^y(es)?$/i.test(answer.trim())) return true;
    report(globals, command, "aborted", {});
    return false;
  } finally {
    prompt.close();
  }
}
