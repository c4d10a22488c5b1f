/** `madmail migrate-pgp-config`: what a configuration of madmail 1 says about encryption, and what that means here. */
import { existsSync } from "node:fs";
import { defineCommand } from "citty";
import { programName } from "../config/program.ts";
import { readMaddyDirectives } from "../migrate/foreign-config.ts";
import { pgpDirectives } from "../migrate/pgp-directives.ts";
import type { Globals } from "./globals.ts";
import { told } from "./import.ts";
import { CommandError, report } from "./output.ts";

export function migratePgpConfigCommand(globals: Globals) {
  return defineCommand({
    meta: {
      name: "migrate-pgp-config",
      description:
        "Say what the encryption rules of a maddy.conf become; no file is changed, as there is nothing to set",
    },
    args: {
      file: {
        type: "positional",
        required: false,
        description: `Default: /etc/${programName}/${programName}.conf`,
      },
      dryRun: { type: "boolean", description: "Taken for scripts; there is nothing else" },
    },
    async run({ args }) {
      const file = args.file ?? `/etc/${programName}/${programName}.conf`;
      if (!existsSync(file)) throw new CommandError(`${file}: there is no such file`);
      const directives = await told(() => Promise.resolve(pgpDirectives(readMaddyDirectives(file))));
      const lines = directives.map(
        ({ line, name, args: values, meaning }) =>
          `${file}:${line}: ${[name, ...values].join(" ")}\n  ${meaning}`,
      );
      const text =
        lines.length > 0 ? lines.join("\n") : "nothing in it is about encryption: the gate is always on here";
      report(globals, "migrate-pgp-config", text, { file, directives });
    },
  });
}
