/** `madmail registration …`: who may have an account. */
import { type CommandDef, defineCommand } from "citty";
import type { InputOf, OutputOf } from "../operations/operations.ts";
import type { Globals } from "./globals.ts";
import { operate } from "./operate.ts";
import { report } from "./output.ts";

type Change = InputOf<"registration.set">;

export function registrationCommand(globals: Globals): CommandDef {
  const set = (word: string, description: string, change: Change) =>
    defineCommand({
      meta: { name: word, description },
      run: () => setRegistration(globals, `registration ${word}`, change),
    });
  return defineCommand({
    meta: { name: "registration", description: "Who may have an account" },
    subCommands: {
      status: defineCommand({
        meta: { name: "status", description: "Whether it is open, and how" },
        run: () => showRegistration(globals, "registration status"),
      }),
      open: set("open", "Let anybody have an account", { open: true }),
      close: set("close", "Let nobody have an account but by token or from the operator", { open: false }),
      jit: switchCommand(
        globals,
        "registration jit",
        "Accounts made at the first login of an unknown address",
        [{ jit: true }, { jit: false }],
      ),
      tokens: switchCommand(globals, "registration tokens", "Whether /new wants a registration token", [
        { tokenRequired: true },
        { tokenRequired: false },
      ]),
    },
    default: "status",
  });
}

/** `… enable`, `… disable`, `… status`. */
export function switchCommand(
  globals: Globals,
  command: string,
  description: string,
  [on, off]: readonly [on: Change, off: Change],
): CommandDef {
  return defineCommand({
    meta: { name: command.slice(command.lastIndexOf(" ") + 1), description },
    subCommands: {
      enable: defineCommand({
        meta: { name: "enable", alias: "on", description: "On, at once" },
        run: () => setRegistration(globals, `${command} enable`, on),
      }),
      disable: defineCommand({
        meta: { name: "disable", alias: "off", description: "Off, at once" },
        run: () => setRegistration(globals, `${command} disable`, off),
      }),
      status: defineCommand({
        meta: { name: "status", description: "On or off" },
        run: () => showRegistration(globals, `${command} status`),
      }),
    },
    default: "status",
  });
}

export async function showRegistration(globals: Globals, command: string): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("registration.get", {}));
  report(globals, command, registrationText(data), data);
}

export async function setRegistration(globals: Globals, command: string, change: Change): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("registration.set", change));
  report(globals, command, registrationText(data), data);
}

function registrationText({ open, jit, jitInForce, tokenRequired }: OutputOf<"registration.get">): string {
  const waits = jit && !jitInForce ? " (enabled, but not while registration is closed or wants tokens)" : "";
  return [
    `registration      ${open ? "open" : "closed"}`,
    `at first login    ${jitInForce ? "an unknown address becomes an account" : "nothing is made"}${waits}`,
    `token required    ${tokenRequired ? "yes" : "no"}`,
  ].join("\n");
}
