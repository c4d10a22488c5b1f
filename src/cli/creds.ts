/** `madmail creds …`: what scripts for the Go version call; each is short for another command. */
import { type CommandDef, defineCommand } from "citty";
import { create, remove, setPassword } from "./accounts.ts";
import type { Globals } from "./globals.ts";
import { operate } from "./operate.ts";
import { report } from "./output.ts";
import { setRegistration, showRegistration, switchCommand } from "./registration.ts";
import { passwordOption, secretOf, userArgument, yes } from "./shown.ts";

/** Of one page of the list. */
const LIST_MAX = 1_000_000;

export function credsCommand(globals: Globals): CommandDef {
  const user = userArgument;
  const password = { ...passwordOption, description: "The password, or - to read it from standard input" };
  return defineCommand({
    meta: { name: "creds", description: "Logins, by the commands of the Go version; see also `accounts`" },
    subCommands: {
      list: defineCommand({
        meta: { name: "list", description: "Addresses, one a line" },
        run: () => list(globals),
      }),
      create: defineCommand({
        meta: { name: "create", description: "Make an account; asks for the password" },
        args: { user, password },
        run: async ({ args }) =>
          create(globals, "creds create", args.user, await secretOf(args.password, true)),
      }),
      remove: defineCommand({
        meta: { name: "remove", description: "Take an account away with its mail, and block its name" },
        args: { user, yes },
        run: ({ args }) => remove(globals, "creds remove", args.user, args),
      }),
      password: defineCommand({
        meta: { name: "password", description: "Change a password; asks for it" },
        args: { user, password },
        run: async ({ args }) =>
          setPassword(globals, "creds password", args.user, await secretOf(args.password, true)),
      }),
      registration: registration(globals),
      jit: switchCommand(globals, "creds jit", "Accounts made at the first login of an unknown address", [
        { jit: true },
        { jit: false },
      ]),
      turn: turn(globals),
      logging: logging(globals),
    },
  });
}

function turn(globals: Globals): CommandDef {
  const set = (state: "on" | "off") =>
    defineCommand({
      meta: {
        name: state,
        description: state === "on" ? "Calls can be relayed" : "No call is relayed any more",
      },
      async run() {
        const data = await operate(globals, (caller) =>
          caller.call("services.set", { service: "turn", state }),
        );
        report(globals, `creds turn ${state}`, [`TURN is ${state}`, ...data.notices].join("\n"), data);
      },
    });
  return defineCommand({
    meta: { name: "turn", description: "The relay for calls" },
    subCommands: {
      on: set("on"),
      off: set("off"),
      status: defineCommand({
        meta: { name: "status", description: "On or off" },
        async run() {
          const { turn: facts } = await operate(globals, (caller) => caller.call("services.get", {}));
          report(globals, "creds turn status", `TURN is ${facts.enabled ? "on" : "off"}`, facts);
        },
      }),
    },
    default: "status",
  });
}

/** The level is the configuration's; this only silences it. */
function logging(globals: Globals): CommandDef {
  const set = (state: "on" | "off") =>
    defineCommand({
      meta: {
        name: state,
        description: state === "on" ? "Log as the configuration says" : "Log nothing, at once",
      },
      async run() {
        const data = await operate(globals, (caller) =>
          caller.call("settings.set", { name: "log_disabled", value: state === "off" }),
        );
        report(globals, `creds logging ${state}`, [`logging is ${state}`, ...data.notices].join("\n"), data);
      },
    });
  return defineCommand({
    meta: { name: "logging", description: "Whether anything is logged" },
    subCommands: {
      on: set("on"),
      off: set("off"),
      status: defineCommand({
        meta: { name: "status", description: "On or off" },
        async run() {
          const row = await operate(globals, (caller) =>
            caller.call("settings.get", { name: "log_disabled" }),
          );
          report(globals, "creds logging status", `logging is ${row.value === "true" ? "off" : "on"}`, row);
        },
      }),
    },
    default: "status",
  });
}

function registration(globals: Globals): CommandDef {
  return defineCommand({
    meta: { name: "registration", description: "Whether anybody can have an account" },
    subCommands: {
      open: defineCommand({
        meta: { name: "open", description: "Let anybody have an account" },
        run: () => setRegistration(globals, "creds registration open", { open: true }),
      }),
      close: defineCommand({
        meta: { name: "close", description: "Let nobody have one but by token or from the operator" },
        run: () => setRegistration(globals, "creds registration close", { open: false }),
      }),
      status: defineCommand({
        meta: { name: "status", description: "Whether it is open, and how" },
        run: () => showRegistration(globals, "creds registration status"),
      }),
    },
    default: "status",
  });
}

async function list(globals: Globals): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("accounts.list", { limit: LIST_MAX }));
  const users = data.accounts.map(({ user }) => user);
  report(globals, "creds list", users.join("\n"), { total: data.total, users });
}
