/** `madmail blocklist …` and `madmail ban-list`: names that can't log in, register or receive. */
import { type CommandDef, defineCommand } from "citty";
import type { Globals } from "./globals.ts";
import { confirmed, operate } from "./operate.ts";
import { report } from "./output.ts";
import { plural, timeText, userArgument, yes } from "./shown.ts";

export function blocklistCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: { name: "blocklist", description: "Addresses that can't log in, register or receive" },
    subCommands: {
      list: defineCommand({
        meta: { name: "list", description: "Who is blocked, since when, and why" },
        run: () => list(globals, "blocklist list"),
      }),
      add: defineCommand({
        meta: { name: "add", description: "Lock an address out; its account and mail stay" },
        args: {
          user: userArgument,
          reason: { type: "positional", required: false, description: "Kept with the name" },
        },
        async run({ args: { user, reason } }) {
          const data = await operate(globals, (caller) => caller.call("blocklist.add", { user, reason }));
          report(globals, "blocklist add", `${data.address} is blocked; its sessions have ended`, data);
        },
      }),
      remove: defineCommand({
        meta: { name: "remove", description: "Let an address in again" },
        args: { user: userArgument },
        async run({ args: { user } }) {
          const data = await operate(globals, (caller) => caller.call("blocklist.remove", { user }));
          report(globals, "blocklist remove", `${data.address} is not blocked any more`, data);
        },
      }),
      clear: defineCommand({
        meta: { name: "clear", description: "Let everybody in again" },
        args: { yes },
        run: ({ args }) => clear(globals, args.yes),
      }),
    },
  });
}

export function banListCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: { name: "ban-list", description: "Who is blocked: short for `blocklist list`" },
    run: () => list(globals, "ban-list"),
  });
}

async function list(globals: Globals, command: string): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("blocklist.list", {}));
  const lines = data.blocked.map(({ user, reason, blockedAtSec }) =>
    `${user.padEnd(36)} ${timeText(blockedAtSec)}  ${reason}`.trimEnd(),
  );
  report(globals, command, lines.length > 0 ? lines.join("\n") : "nobody is blocked", data);
}

async function clear(globals: Globals, isSure: boolean | undefined): Promise<void> {
  await operate(globals, async (caller) => {
    const { total } = await caller.call("blocklist.list", {});
    const what = `let ${plural(total, "blocked name")} in again`;
    if (!(await confirmed(globals, "blocklist clear", what, isSure))) return;
    const data = await caller.call("blocklist.clear", {});
    report(globals, "blocklist clear", `${plural(data.removed, "name")} not blocked any more`, data);
  });
}
