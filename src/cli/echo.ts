/** `madmail echo`: the account that answers whoever writes to it. */
import { type CommandDef, defineCommand } from "citty";
import { renderUnicodeCompact } from "uqr";
import type { OutputOf } from "../operations/operations.ts";
import type { Globals } from "./globals.ts";
import { operate } from "./operate.ts";
import { report } from "./output.ts";

type EchoStatus = OutputOf<"echo.status">;

export function echoCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: { name: "echo", description: "The account that answers whoever writes to it, to try a path with" },
    subCommands: {
      status: defineCommand({
        meta: { name: "status", description: "Whether it is on, and its invitation as link and QR code" },
        async run() {
          const status = await operate(globals, (caller) => caller.call("echo.status", {}));
          report(globals, "echo status", statusText(status), status);
        },
      }),
      enable: defineCommand({
        meta: { name: "enable", description: "Turn it on" },
        run: () => turn(globals, true),
      }),
      disable: defineCommand({
        meta: { name: "disable", description: "Turn it off; its account and invitation stay" },
        run: () => turn(globals, false),
      }),
    },
    default: "status",
  });
}

async function turn(globals: Globals, on: boolean): Promise<void> {
  await operate(globals, async (caller) => {
    const value = on ? "enabled" : "disabled";
    await caller.call("settings.set", { name: "echo_enabled", value });
    const status = await caller.call("echo.status", {});
    report(globals, on ? "echo enable" : "echo disable", statusText(status), status);
  });
}

function statusText({ enabled, running, address, link, answered, ignored, trouble }: EchoStatus): string {
  const state = enabled
    ? running
      ? "on"
      : "on as soon as the relay runs"
    : "off: `madmail echo enable` turns it on";
  const lines = [
    `echo         ${trouble === "" ? state : `silent: ${trouble}`}`,
    `address      ${address}`,
    ...(running ? [`answered     ${answered}, ${ignored} left alone`] : []),
  ];
  if (link === null) return lines.join("\n");
  const qr = running ? `\n${renderUnicodeCompact(link, { border: 2 })}\n` : "";
  return `${lines.join("\n")}\ninvitation   ${link}\n${qr}`;
}
