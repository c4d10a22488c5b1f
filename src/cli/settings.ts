/** `madmail settings …`: every setting by its name. */
import { type CommandDef, defineCommand } from "citty";
import type { OutputOf } from "../operations/operations.ts";
import type { Globals } from "./globals.ts";
import { operate } from "./operate.ts";
import { report } from "./output.ts";

const NAME_WIDTH = 28;
const VALUE_WIDTH = 24;

export function settingsCommand(globals: Globals): CommandDef {
  const name = { type: "positional" as const, required: true as const, description: "Such as `turn_port`" };
  const expected = {
    type: "string" as const,
    description: "Change nothing unless this is the value now",
  };
  return defineCommand({
    meta: { name: "settings", description: "What was changed at run time, and what it beats" },
    default: "list",
    subCommands: {
      list: defineCommand({
        meta: { name: "list", description: "Every setting: value, source, when it counts" },
        args: {
          changed: { type: "boolean", description: "Only those that were set" },
          secrets: { type: "boolean", description: "Show secrets too" },
        },
        run: ({ args }) => list(globals, args.changed === true, args.secrets === true),
      }),
      get: defineCommand({
        meta: { name: "get", description: "One setting, secrets included" },
        args: { name },
        async run({ args }) {
          const row = await operate(globals, (caller) => caller.call("settings.get", { name: args.name }));
          report(globals, "settings get", settingText(row), row);
        },
      }),
      set: defineCommand({
        meta: { name: "set", description: "Change a setting" },
        args: { name, value: { type: "positional", required: true, description: "Its new value" }, expected },
        async run({ args }) {
          const input = { name: args.name, value: args.value, expected: args.expected };
          const row = await operate(globals, (caller) => caller.call("settings.set", input));
          report(globals, "settings set", changeText(row), row);
        },
      }),
      reset: defineCommand({
        meta: { name: "reset", description: "Leave a setting to the configuration file" },
        args: { name, expected },
        async run({ args }) {
          const input = { name: args.name, expected: args.expected };
          const row = await operate(globals, (caller) => caller.call("settings.reset", input));
          report(globals, "settings reset", changeText(row), row);
        },
      }),
    },
  });
}

async function list(globals: Globals, changed: boolean, secrets: boolean): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("settings.list", { changed, secrets }));
  const lines = data.settings.map((row) => {
    const marks = [row.effect === "live" ? "" : row.effect, row.pending ? "WAITS" : ""];
    const value = row.value ?? "(secret)";
    return `${row.name.padEnd(NAME_WIDTH)}${value.padEnd(VALUE_WIDTH)} ${row.source.padEnd(8)}${marks.join(" ")}`;
  });
  if (data.pending.length > 0) lines.push(`waiting for \`madmail reload\`: ${data.pending.join(", ")}`);
  report(globals, "settings list", lines.length > 0 ? lines.join("\n") : "nothing was set", data);
}

type Row = OutputOf<"settings.get">;

function settingText(row: Row): string {
  return [
    `${row.name}  ${row.value === "" ? "(nothing)" : row.value}`,
    `what      ${row.summary}`,
    `source    ${row.source}`,
    `expects   ${row.expects}`,
    `in file   ${row.path}`,
    `counts    ${counts[row.effect]}`,
    ...(row.pending ? [`waits; in force is ${row.inForce ?? ""}`] : []),
  ].join("\n");
}

const counts = { live: "at once", reload: "after `madmail reload`", restart: "after a restart" } as const;

/** What a change says: the value, and what is left to do. */
export function changeText(row: Row & { notices: string[] }): string {
  const value = row.secret ? "set" : row.value === "" ? "(nothing)" : row.value;
  return [
    `${row.name}: ${row.source === "setting" ? value : `${value} (${row.source})`}`,
    ...row.notices,
    ...(row.pending ? [`waits: takes effect ${counts[row.effect]}`] : []),
  ].join("\n");
}
