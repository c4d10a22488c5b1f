import { type CommandDef, defineCommand } from "citty";
import { commit, version } from "../core/version.ts";
import type { Globals } from "./globals.ts";
import { report } from "./output.ts";

export function versionCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: { name: "version", description: "Show which version this is" },
    run() {
      report(globals, "version", `madmail ${version} (${commit})`, { version, commit, bun: Bun.version });
    },
  });
}
