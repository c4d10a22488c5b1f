/** Flags that every command knows. They may stand before or after the subcommand. */

export interface Globals {
  config: string | undefined;
  stateDir: string | undefined;
  json: boolean;
}

export class UsageError extends Error {}

const valued: Record<string, "config" | "stateDir"> = {
  "--config": "config",
  "--state-dir": "stateDir",
  // The name that operators of the Go version have in their fingers.
  "--libexec": "stateDir",
};

/** Takes the global flags out of `argv`. @throws {UsageError} for a flag without its value */
export function takeGlobals(argv: readonly string[]): { globals: Globals; rest: string[] } {
  const globals: Globals = { config: undefined, stateDir: undefined, json: false };
  const rest: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    if (word === "--") {
      rest.push(...argv.slice(i));
      break;
    }
    const equals = word.indexOf("=");
    const name = equals === -1 ? word : word.slice(0, equals);
    const key = valued[name];
    if (key !== undefined) {
      const value = equals === -1 ? argv[++i] : word.slice(equals + 1);
      if (value === undefined || value === "") throw new UsageError(`${name} needs a value`);
      globals[key] = value;
    } else if (word === "--json") {
      globals.json = true;
    } else {
      rest.push(word);
    }
  }
  return { globals, rest };
}
