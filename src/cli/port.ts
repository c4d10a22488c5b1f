/** `madmail port …` and `madmail submission-access …`: where services listen, and who reaches them. */
import { type CommandDef, defineCommand } from "citty";
import { portServices } from "../operations/ports.ts";
import type { InputOf, OutputOf } from "../operations/operations.ts";
import type { Globals } from "./globals.ts";
import { operate } from "./operate.ts";
import { CommandError, report, wholeNumber } from "./output.ts";

type PortService = InputOf<"ports.set">["service"];
type Row = OutputOf<"ports.list">["ports"][number];

const NAME_WIDTH = 16;

export function portCommand(globals: Globals): CommandDef {
  const service = (name: string, key: PortService): [string, CommandDef] => [
    name,
    serviceCommand(globals, name, key),
  ];
  return defineCommand({
    meta: { name: "port", description: "Where services listen; a change counts after `madmail reload`" },
    subCommands: {
      status: defineCommand({
        meta: { name: "status", description: "Every service with its port" },
        async run() {
          const data = await operate(globals, (caller) => caller.call("ports.list", {}));
          report(globals, "port status", data.ports.map(rowText).join("\n"), data);
        },
      }),
      ...Object.fromEntries([...portServices.map((key) => service(key, key)), service("ss", "shadowsocks")]),
    },
  });
}

function serviceCommand(globals: Globals, name: string, service: PortService): CommandDef {
  const command = (word: string) => `port ${name} ${word}`;
  const say = (word: string, row: Row & { notices?: string[] }) =>
    report(globals, command(word), [rowText(row), ...(row.notices ?? [])].join("\n"), row);
  const access = (word: "local" | "public", description: string) =>
    defineCommand({
      meta: { name: word, description },
      async run() {
        say(word, await operate(globals, (caller) => caller.call("ports.access", { service, access: word })));
      },
    });
  const enable = (word: "enable" | "disable", description: string) =>
    defineCommand({
      meta: { name: word, description },
      async run() {
        if (service !== "http" && service !== "https") return;
        const input = { service, enabled: word === "enable" };
        say(word, await operate(globals, (caller) => caller.call("ports.enable", input)));
      },
    });
  return defineCommand({
    meta: { name, description: `Port of ${service}` },
    subCommands: {
      status: defineCommand({
        meta: { name: "status", description: "Where it listens" },
        async run() {
          const { ports } = await operate(globals, (caller) => caller.call("ports.list", {}));
          const row = ports.find((each) => each.service === service);
          if (row === undefined) throw new CommandError(`${service}: no such service`);
          say("status", row);
        },
      }),
      set: defineCommand({
        meta: { name: "set", description: "Listen on another port" },
        args: { port: { type: "positional", required: true, description: "1 to 65535" } },
        async run({ args }) {
          const port = wholeNumber("port", args.port, 1);
          say("set", await operate(globals, (caller) => caller.call("ports.set", { service, port })));
        },
      }),
      reset: defineCommand({
        meta: { name: "reset", description: "Leave it to the configuration file" },
        async run() {
          say("reset", await operate(globals, (caller) => caller.call("ports.reset", { service })));
        },
      }),
      local: access("local", "Only this machine reaches it"),
      public: access("public", "Everybody reaches it, as the configuration file says"),
      ...(service === "http" || service === "https"
        ? {
            enable: enable("enable", "Listen"),
            disable: enable("disable", "Do not listen"),
          }
        : {}),
    },
  });
}

function rowText(row: Row): string {
  const bound = row.bound.length === 0 ? "" : `  now ${row.bound.join(", ")}`;
  const waits = row.pending ? "  waits for `madmail reload`" : "";
  return `${row.service.padEnd(NAME_WIDTH)}${String(row.port ?? "off").padEnd(7)}${row.access.padEnd(8)}${row.source}${bound}${waits}`;
}

/** Ports 587 and 465 together. */
export function submissionAccessCommand(globals: Globals): CommandDef {
  const services = ["submission", "submission-tls"] as const;
  const access = (word: "local" | "public", description: string) =>
    defineCommand({
      meta: { name: word, description },
      async run() {
        const rows = await operate(globals, async (caller) => [
          await caller.call("ports.access", { service: services[0], access: word }),
          await caller.call("ports.access", { service: services[1], access: word }),
        ]);
        report(globals, `submission-access ${word}`, rows.map(rowText).join("\n"), { ports: rows });
      },
    });
  return defineCommand({
    meta: { name: "submission-access", description: "Who reaches both submission ports" },
    subCommands: {
      status: defineCommand({
        meta: { name: "status", description: "Who reaches them" },
        async run() {
          const { ports } = await operate(globals, (caller) => caller.call("ports.list", {}));
          const rows = ports.filter(({ service }) => services.some((each) => each === service));
          report(globals, "submission-access status", rows.map(rowText).join("\n"), { ports: rows });
        },
      }),
      local: access("local", "Only this machine: a proxy in front of it, for example"),
      public: access("public", "Everybody"),
    },
  });
}
