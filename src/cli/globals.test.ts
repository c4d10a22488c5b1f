import { describe, expect, test } from "bun:test";
import { takeGlobals, UsageError } from "./globals.ts";

const rows: readonly [
  name: string,
  argv: string[],
  rest: string[],
  config: string | undefined,
  json: boolean,
][] = [
  ["before the command", ["--config", "f", "run"], ["run"], "f", false],
  ["after the command", ["run", "--json", "--config=f"], ["run"], "f", true],
  ["in the middle", ["config", "--json", "check", "x"], ["config", "check", "x"], undefined, true],
  ["not behind a double dash", ["explain", "--", "--json"], ["explain", "--", "--json"], undefined, false],
  ["none at all", [], [], undefined, false],
];
describe("global flags are found", () => {
  for (const [name, argv, rest, config, json] of rows) {
    test(name, () => {
      const taken = takeGlobals(argv);
      expect(taken.rest).toEqual(rest);
      expect(taken.globals.config).toBe(config);
      expect(taken.globals.json).toBe(json);
    });
  }

  test("a flag without its value is an error", () => {
    expect(() => takeGlobals(["run", "--config"])).toThrow(UsageError);
    expect(() => takeGlobals(["--state-dir=", "run"])).toThrow("--state-dir needs a value");
  });
});
