/** `madmail config …`: the file, and what is in force over it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CommandDef, defineCommand } from "citty";
import type { Config } from "../config/config.ts";
import { sampleConfig } from "../config/document.ts";
import { locateConfig } from "../config/locate.ts";
import { readConfig } from "../config/read.ts";
import type { Globals } from "./globals.ts";
import { operate } from "./operate.ts";
import { CommandError, report } from "./output.ts";

const PATH_WIDTH = 34;
const SECRET = "(secret)";

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
        meta: {
          name: "show",
          description: "Print what the file says, defaults filled in, and where settings say something else",
        },
        args: { secrets: { type: "boolean", description: "Show secrets too" } },
        run: ({ args }) => show(globals, args.secrets === true),
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

/** Every value with its source. Secrets stay out unless they are asked for. */
async function show(globals: Globals, secrets: boolean): Promise<void> {
  const file = existingConfig(globals);
  const config = readConfig(file, { stateDir: globals.stateDir });
  const set = existsSync(join(config.stateDir, "madmail.db"))
    ? await operate(globals, (caller) => caller.call("settings.list", { changed: true, secrets }))
    : { settings: [], pending: [] };
  const values = valuesOf(config).map(({ path, value }) => {
    const beaten = set.settings.filter((row) => row.path === path);
    const source = config.given.includes(path) ? ("file" as const) : ("default" as const);
    const shown = secretPaths.has(path) && value !== undefined && !secrets ? SECRET : value;
    return {
      path,
      value: shown,
      source: beaten.length > 0 ? ("setting" as const) : source,
      ...(beaten.length > 0
        ? { settings: beaten.map(({ name, value: now }) => ({ name, value: now })) }
        : {}),
    };
  });
  const lines = values.map(({ path, value, source, settings }) => {
    const over = settings?.map((each) => `${each.name} = ${each.value ?? SECRET}`).join(", ");
    return `${path.padEnd(PATH_WIDTH)}${JSON.stringify(value)}  # ${source}${over === undefined ? "" : `: ${over}`}`;
  });
  const hidden = secrets ? config : withoutSecrets(config);
  report(globals, "config show", [`# ${file}`, ...lines].join("\n"), { file, config: hidden, values });
}

const secretPaths: ReadonlySet<string> = new Set(["turn.secret", "shadowsocks.password", "admin.token"]);

function withoutSecrets(config: Config): Config {
  const { turn, shadowsocks, admin } = config;
  const hidden = (value: string | undefined) => (value === undefined ? undefined : SECRET);
  return {
    ...config,
    turn: { ...turn, secret: hidden(turn.secret) },
    shadowsocks: { ...shadowsocks, password: hidden(shadowsocks.password) },
    admin: { ...admin, token: hidden(admin.token) },
  };
}

/** `turn.listen` and its value, as the file would name them. */
function valuesOf(config: Config): { path: string; value: unknown }[] {
  const named: Record<string, string> = { stateDir: "state_dir", publicAddress: "public_address" };
  return Object.entries(config)
    .filter(([key]) => key !== "given")
    .flatMap(([key, value]) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        return [{ path: named[key] ?? key, value: value as unknown }];
      }
      return Object.entries(value).map(([inner, each]) => ({
        path: `${key}.${inner}`,
        value: each,
      }));
    });
}

/** The configuration file to use. @throws {CommandError} when there is none */
export function existingConfig(globals: Globals): string {
  const file = globals.config ?? locateConfig();
  if (file === undefined) throw new CommandError("no configuration file found; name one with --config");
  return file;
}
