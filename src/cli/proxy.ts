/** `madmail proxy …`: the Shadowsocks way around a network that blocks this relay. */
import { randomBytes } from "node:crypto";
import { type CommandDef, defineCommand } from "citty";
import { renderUnicodeCompact } from "uqr";
import { methods } from "../shadowsocks/engine/methods.ts";
import type { Caller, OutputOf } from "../operations/operations.ts";
import type { Globals } from "./globals.ts";
import { operate } from "./operate.ts";
import { CommandError, report } from "./output.ts";
import { changeText } from "./settings.ts";

const PASSWORD_BYTES = 16;

type Facts = OutputOf<"services.get">["shadowsocks"];

export function proxyCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: {
      name: "proxy",
      description: "Show and change the Shadowsocks proxy, and the link that leads clients through it",
    },
    subCommands: {
      status: defineCommand({
        meta: { name: "status", description: "Whether it is on, its cipher, its link as a QR code" },
        async run() {
          const facts = await operate(globals, factsOf);
          report(globals, "proxy status", statusText(facts), facts);
        },
      }),
      link: defineCommand({
        meta: { name: "link", description: "Print the ss:// link alone" },
        async run() {
          const { link } = await operate(globals, factsOf);
          if (link === null) throw new CommandError(noLink);
          report(globals, "proxy link", link, { link });
        },
      }),
      profiles: defineCommand({
        meta: { name: "profiles", description: "Link, SIP008 document and Xray outbound, for other clients" },
        async run() {
          const data = await operate(globals, (caller) => caller.call("proxy.profiles", {}));
          report(globals, "proxy profiles", JSON.stringify(data, null, 2), data);
        },
      }),
      enable: turnCommand(globals, "enable", "on"),
      disable: turnCommand(globals, "disable", "off"),
      cipher: defineCommand({
        meta: {
          name: "cipher",
          description: "Show or change the cipher; a change counts after `madmail reload`",
        },
        args: {
          cipher: {
            type: "positional",
            required: false,
            description: `One of ${Object.keys(methods).join(", ")}`,
          },
          reset: { type: "boolean", description: "Leave it to the configuration file" },
        },
        run: ({ args }) => changeValue(globals, "cipher", args.cipher, args.reset === true),
      }),
      password: defineCommand({
        meta: {
          name: "password",
          description: "Show or change the password; a change counts after `madmail reload`",
        },
        args: {
          password: { type: "positional", required: false, description: "Shared by all clients" },
          random: { type: "boolean", description: "Make one up that suits the cipher" },
          reset: { type: "boolean", description: "Leave it to the configuration file" },
        },
        run: ({ args }) => changePassword(globals, args.password, args),
      }),
    },
    default: "status",
  });
}

const noLink = "there is no link yet: `madmail proxy enable` makes the password";

async function factsOf(caller: Caller): Promise<Facts> {
  return (await caller.call("services.get", {})).shadowsocks;
}

function statusText({ enabled, cipher, link, connections }: Facts): string {
  const state = enabled ? `on, ${connections} connections` : "off: `madmail proxy enable` turns it on";
  const lines = [`Shadowsocks  ${state}`, `cipher       ${cipher}`];
  if (link === null) return [...lines, noLink].join("\n");
  const qr = enabled ? `\n${renderUnicodeCompact(link, { border: 2 })}\n` : "";
  return `${lines.join("\n")}\nlink         ${link}\n${qr}`;
}

function turnCommand(globals: Globals, name: "enable" | "disable", state: "on" | "off"): CommandDef {
  return defineCommand({
    meta: { name, description: state === "on" ? "Turn it on, now" : "Turn it off, now; tunnels end" },
    run: () =>
      operate(globals, async (caller) => {
        const { notices } = await caller.call("services.set", { service: "shadowsocks", state });
        const facts = await factsOf(caller);
        report(globals, `proxy ${name}`, [statusText(facts), ...notices].join("\n"), { ...facts, notices });
      }),
  });
}

async function changePassword(
  globals: Globals,
  given: string | undefined,
  { random, reset }: { random?: boolean | undefined; reset?: boolean | undefined },
): Promise<void> {
  if (random !== true) return changeValue(globals, "password", given, reset === true);
  const cipher = await operate(globals, (caller) => caller.call("settings.get", { name: "ss_cipher" }));
  const method = Object.entries(methods).find(([name]) => name === cipher.value)?.[1];
  const bytes = method?.family === "sip022" ? method.keyBytes : PASSWORD_BYTES;
  const made = randomBytes(bytes).toString(method?.family === "sip022" ? "base64" : "base64url");
  return changeValue(globals, "password", made, false);
}

async function changeValue(
  globals: Globals,
  word: "cipher" | "password",
  value: string | undefined,
  reset: boolean,
): Promise<void> {
  const name = `ss_${word}`;
  await operate(globals, async (caller) => {
    if (value === undefined && !reset) {
      const row = await caller.call("settings.get", { name });
      const shown = row.value === "" ? "made by this relay: see `madmail proxy link`" : (row.value ?? "");
      report(globals, `proxy ${word}`, shown, row);
      return;
    }
    const row = reset
      ? await caller.call("settings.reset", { name })
      : await caller.call("settings.set", { name, value: value ?? "" });
    report(globals, `proxy ${word}`, changeText(row), row);
  });
}
