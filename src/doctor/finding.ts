/** What a check says, in plain words for an operator. */

/** Something that is not as it should be. */
export interface Trouble {
  /** `fail`: mail, clients or safety suffer now. `warn`: they soon may. */
  readonly weight: "warn" | "fail";
  /** What is wrong; one sentence without its full stop. */
  readonly what: string;
  /** How to mend it. */
  readonly mend: string;
}

export type Finding =
  /** Looked at; `said` is what was seen when there is no trouble. */
  | { readonly said: string; readonly troubles: readonly Trouble[] }
  /** Not looked at, and why. */
  | { readonly skipped: string };

export function fail(what: string, mend: string): Trouble {
  return { weight: "fail", what, mend };
}

export function warn(what: string, mend: string): Trouble {
  return { weight: "warn", what, mend };
}

/** @param troubles those that are undefined did not happen */
export function found(said: string, ...troubles: readonly (Trouble | undefined)[]): Finding {
  return { said, troubles: troubles.filter((trouble) => trouble !== undefined) };
}

export const skipped = (why: string): Finding => ({ skipped: why });

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined || error.message.includes(code) ? error.message : `${code}: ${error.message}`;
}
