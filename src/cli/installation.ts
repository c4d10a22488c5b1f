/** What the commands that change an installation share. */
import { InstallError } from "../app/install/machine.ts";
import { isProgramName, programName } from "../config/program.ts";
import { DatabaseError } from "../db/open.ts";
import { CommandError } from "./output.ts";

/** Faults of an installation are for the operator: no stack. */
export async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof InstallError || error instanceof DatabaseError) {
      throw new CommandError(error.message, { cause: error });
    }
    const code = (error as NodeJS.ErrnoException).code;
    if (error instanceof Error && /^(EACCES|EPERM|EROFS|ENOSPC|EDQUOT)$/.test(code ?? "")) {
      throw new CommandError(`${error.message}; run it again once that is mended`, { cause: error });
    }
    throw error;
  }
}

/** The name this is about, checked. @throws {CommandError} */
export function nameOf(given: string | boolean | undefined): string {
  if (given === undefined) return programName;
  if (typeof given === "string" && isProgramName(given)) return given;
  throw new CommandError(`--name: expected a-z, 0-9, - and _, beginning with a letter, found ${given}`);
}
