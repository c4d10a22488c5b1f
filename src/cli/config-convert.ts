/** `madmail config convert FILE`: the configuration of a madmail (1 or 2) or maddy as `madmail.toml`. */
import { writeFileSync } from "node:fs";
import { defineCommand } from "citty";
import { readForeignConfig } from "../migrate/foreign-config.ts";
import { told } from "./import.ts";
import type { Globals } from "./globals.ts";
import { CommandError, report } from "./output.ts";

export function configConvertCommand(globals: Globals) {
  return defineCommand({
    meta: {
      name: "convert",
      description: "Turn a maddy.conf into madmail.toml, and list what has no counterpart",
    },
    args: {
      file: { type: "positional", required: true, description: "maddy.conf, madmail.conf or chatmail.toml" },
      out: { type: "string", alias: "o", description: "Write here (a new file) instead of printing" },
    },
    run: ({ args }) =>
      told(() => {
        const config = readForeignConfig(args.file);
        const text = config.text({ stateDir: undefined, tls: config.tls });
        const notTaken = config.notTaken.map(({ why, what }) => ({ what, why }));
        if (args.out !== undefined) writeNew(args.out, text);
        const lines = notTaken.map(({ what, why }) => `  ${what}\n      ${why}`);
        const notes = notTaken.length === 0 ? "" : `Without a counterpart:\n${lines.join("\n")}\n`;
        const said =
          args.out === undefined ? text : `${notes}${args.out}: written; \`madmail config check\` it.`;
        report(globals, "config convert", said, { text, notTaken, file: args.out ?? null });
        return Promise.resolve();
      }),
  });
}

function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: "wx", mode: 0o600 });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    const what = code === "EEXIST" ? "is there already; choose another name" : `cannot be written (${code})`;
    throw new CommandError(`${path}: ${what}`, { cause: error });
  }
}
