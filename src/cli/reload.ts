/** `madmail reload`: the running relay reads its configuration, settings, certificates and keys again. */
import { type CommandDef, defineCommand } from "citty";
import type { Globals } from "./globals.ts";
import { operate } from "./operate.ts";
import { report } from "./output.ts";

export function reloadCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: { name: "reload", description: "Let the running relay read its configuration again" },
    async run() {
      const data = await operate(globals, (caller) => caller.call("relay.reload", {}));
      report(globals, "reload", [...data.notices, "configuration read again"].join("\n"), data);
    },
  });
}
