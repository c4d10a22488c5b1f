import { type CommandDef, defineCommand } from "citty";
import { sampleConfig } from "../config/document.ts";
import { locateConfig } from "../config/locate.ts";
import { readConfig } from "../config/read.ts";
import type { Globals } from "./globals.ts";
import { CommandError, report } from "./output.ts";

export function configCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: {
      name: "config",
      description: "Check, show or convert a configuration file, or print a sample",
    },
    subCommands: {
      check: defineCommand({
        meta: { name: "check", description: "Say what is wrong with a configuration file" },
        args: {
          file: {
            type: "positional",
            required: false,
            description: "TOML file; default: the one `run` would read",
          },
        },
        run({ args }) {
          const file = args.file ?? existingConfig(globals);
          readConfig(file, { stateDir: globals.stateDir });
          report(globals, "config check", `${file}: ok`, { file });
        },
      }),
      show: defineCommand({
        meta: { name: "show", description: "Print the configuration in force, defaults filled in" },
        run() {
          const file = existingConfig(globals);
          const config = readConfig(file, { stateDir: globals.stateDir });
          report(globals, "config show", `# ${file}\n${JSON.stringify(config, null, 2)}`, { file, config });
        },
      }),
      convert: async () => (await import("./config-convert.ts")).configConvertCommand(globals),
      sample: defineCommand({
        meta: { name: "sample", description: "Print a complete, commented configuration file" },
        run() {
          const text = sampleConfig();
          report(globals, "config sample", text, { text });
        },
      }),
    },
  });
}

/** The configuration file to use. @throws {CommandError} when there is none */
export function existingConfig(globals: Globals): string {
  const file = globals.config ?? locateConfig();
  if (file === undefined) throw new CommandError("no configuration file found; name one with --config");
  return file;
}
