/** `madmail endpoint-cache …` and `madmail exchanger …`: own routing, and relays that are asked for mail. */
import { type CommandDef, defineCommand } from "citty";
import type { Globals } from "./globals.ts";
import { operate } from "./operate.ts";
import { report, time, wholeNumber } from "./output.ts";

const KEY_WIDTH = 32;

export function endpointsCommand(globals: Globals, name: string): CommandDef {
  const key = {
    type: "positional" as const,
    required: true as const,
    description: "A mail domain or an IP address",
  };
  return defineCommand({
    meta: { name, description: "Where mail for a domain goes instead of what DNS says" },
    subCommands: {
      list: defineCommand({
        meta: { name: "list", description: "Every entry" },
        async run() {
          const data = await operate(globals, (caller) => caller.call("endpoints.list", {}));
          const lines = data.endpoints.map(
            ({ key: from, target, comment }) =>
              `${from.padEnd(KEY_WIDTH)} ${target}${comment === "" ? "" : `  # ${comment}`}`,
          );
          report(globals, `${name} list`, lines.length > 0 ? lines.join("\n") : "none", data);
        },
      }),
      get: defineCommand({
        meta: { name: "get", description: "One entry" },
        args: { key },
        async run({ args }) {
          const data = await operate(globals, (caller) => caller.call("endpoints.get", { key: args.key }));
          report(globals, `${name} get`, `${data.key} ${data.target}`, data);
        },
      }),
      set: defineCommand({
        meta: { name: "set", description: "Send mail for a domain elsewhere" },
        args: {
          key,
          target: { type: "positional", required: true, description: "A host, HOST:PORT or an http(s) URL" },
          comment: { type: "positional", required: false, description: "For those who come after you" },
        },
        async run({ args }) {
          const input = { key: args.key, target: args.target, comment: args.comment };
          const data = await operate(globals, (caller) => caller.call("endpoints.set", input));
          report(globals, `${name} set`, `${data.key} ${data.target}`, data);
        },
      }),
      remove: defineCommand({
        meta: { name: "remove", description: "Leave a domain to DNS again" },
        args: { key },
        async run({ args }) {
          const data = await operate(globals, (caller) => caller.call("endpoints.remove", { key: args.key }));
          report(globals, `${name} remove`, `${data.key}: as DNS says`, data);
        },
      }),
    },
  });
}

export function exchangerCommand(globals: Globals): CommandDef {
  const name = { type: "positional" as const, required: true as const, description: "Its name here" };
  const set = (enabled: boolean) => {
    const word = enabled ? "enable" : "disable";
    return defineCommand({
      meta: { name: word, description: enabled ? "Ask it again" : "Ask it no more, but keep the entry" },
      args: { name },
      async run({ args }) {
        const input = { name: args.name, enabled };
        const data = await operate(globals, (caller) => caller.call("exchangers.update", input));
        report(globals, `exchanger ${word}`, `${data.name}: ${word}d`, data);
      },
    });
  };
  return defineCommand({
    meta: { name: "exchanger", description: "Relays that hold mail for this one until it asks" },
    subCommands: {
      list: defineCommand({
        meta: { name: "list", description: "Every exchanger" },
        async run() {
          const data = await operate(globals, (caller) => caller.call("exchangers.list", {}));
          const lines = data.exchangers.map(
            (row) =>
              `${row.name.padEnd(KEY_WIDTH)} ${row.url}  every ${row.pollIntervalSec} s  ${row.enabled ? "on" : "off"}  last ${row.lastPollAtSec === 0 ? "never" : time(row.lastPollAtSec * 1000)}`,
          );
          report(globals, "exchanger list", lines.length > 0 ? lines.join("\n") : "none", data);
        },
      }),
      add: defineCommand({
        meta: { name: "add", description: "Ask a relay for mail from now on" },
        args: {
          name,
          url: { type: "positional", required: true, description: "http(s) URL" },
          interval: { type: "string", description: "Seconds between two polls; default 60" },
        },
        async run({ args }) {
          const pollIntervalSec =
            args.interval === undefined ? undefined : wholeNumber("--interval", args.interval, 1);
          const input = { name: args.name, url: args.url, pollIntervalSec };
          const data = await operate(globals, (caller) => caller.call("exchangers.add", input));
          report(globals, "exchanger add", `${data.name}: added`, data);
        },
      }),
      remove: defineCommand({
        meta: { name: "remove", description: "Forget it" },
        args: { name },
        async run({ args }) {
          const data = await operate(globals, (caller) =>
            caller.call("exchangers.remove", { name: args.name }),
          );
          report(globals, "exchanger remove", `${data.name}: removed`, data);
        },
      }),
      enable: set(true),
      disable: set(false),
    },
  });
}
