/** Commands that turn a service on and off: turn, iroh, push, webimap, websmtp, openrelay, webmail-cors, admin-web. */
import { type CommandDef, defineCommand } from "citty";
import type { Caller, InputOf, OutputOf } from "../operations/operations.ts";
import type { Globals } from "./globals.ts";
import { confirmed, operate } from "./operate.ts";
import { report } from "./output.ts";
import { changeText } from "./settings.ts";

type Service = InputOf<"services.set">["service"];
type Facts = OutputOf<"services.get">;

interface Switch {
  name: string;
  service: Service;
  description: string;
  /** Said before it is turned on. */
  danger?: string;
  words: readonly { word: string; state: "on" | "off" | "auto"; description: string }[];
  status(facts: Facts): { text: string; data: unknown };
}

const onOff = [
  { word: "on", state: "on", description: "Turn it on, now" },
  { word: "off", state: "off", description: "Turn it off, now" },
  { word: "enable", state: "on", description: "The same as `on`" },
  { word: "disable", state: "off", description: "The same as `off`" },
] as const;

const word = (enabled: boolean) => (enabled ? "on" : "off");

const turn: Switch = {
  name: "turn",
  service: "turn",
  description: "Calls: the TURN server. Turned off, calls under way may end by themselves",
  words: onOff,
  status: ({ turn: facts }) => ({
    text: [
      `TURN      ${word(facts.enabled)}`,
      `clients   ${facts.advertised ? "are told of it" : "are told nothing"}`,
      `calls     ${facts.allocations}${facts.ending > 0 ? `, ${facts.ending} ending` : ""}`,
      ...figureLines(facts.figures),
    ].join("\n"),
    data: facts,
  }),
};

const iroh: Switch = {
  name: "iroh",
  service: "iroh",
  description: "Relay for apps in chats. Turned off, it sends its clients away",
  words: onOff,
  status: ({ iroh: facts }) => ({
    text: [
      `iroh      ${word(facts.enabled)}`,
      `clients   ${facts.connections} connections, ${facts.endpoints} endpoints`,
      `told      ${facts.url ?? "nothing"}`,
      ...figureLines(facts.figures),
    ].join("\n"),
    data: facts,
  }),
};

const push: Switch = {
  name: "push",
  service: "push",
  description: "Push notifications",
  words: [
    ...onOff.slice(0, 2),
    { word: "auto", state: "auto", description: "On, but resting while the service fails" },
  ],
  status: ({ push: facts }) => ({
    text: [
      `push      ${facts.mode}${facts.resting ? ", resting: the service failed too often" : ""}`,
      `sent      ${facts.sent} since the start`,
      `waiting   ${facts.pending}`,
      `failures  ${facts.consecutiveFailures} in a row`,
    ].join("\n"),
    data: facts,
  }),
};

const webimap: Switch = {
  name: "webimap",
  service: "webimap",
  description: "Reading mail in the browser",
  words: onOff.slice(2),
  status: ({ webimap: facts }) => ({ text: `webimap ${word(facts.enabled)}`, data: facts }),
};

const websmtp: Switch = {
  name: "websmtp",
  service: "websmtp",
  description: "Sending mail in the browser",
  words: onOff.slice(2),
  status: ({ websmtp: facts }) => ({ text: `websmtp ${word(facts.enabled)}`, data: facts }),
};

const openrelay: Switch = {
  name: "openrelay",
  service: "openRelay",
  description: "Whether anybody may send mail to other servers through port 25",
  danger:
    "let anybody on the network send mail to other servers through this one, which is abused within hours on the Internet",
  words: onOff.slice(2),
  status: ({ openRelay: facts }) => ({
    text: `open relay ${facts.enabled ? "ON: anybody may send mail to other servers through port 25" : "off"}`,
    data: facts,
  }),
};

export const switches = { turn, iroh, push, webimap, websmtp, openrelay };

export function switchCommand(globals: Globals, which: Switch): CommandDef {
  const yes = { type: "boolean" as const, alias: "y", description: "Do not ask" };
  const subCommands = which.words.map(({ word: name, state, description }) => {
    const command: CommandDef = defineCommand({
      meta: { name, description },
      args: which.danger === undefined || state === "off" ? {} : { yes },
      run: ({ args }) => turnTo(globals, which, { name, state, isSure: args["yes"] === true }),
    });
    return [name, command] as const;
  });
  return defineCommand({
    meta: { name: which.name, description: which.description },
    default: "status",
    subCommands: {
      status: defineCommand({
        meta: { name: "status", description: "What it does now" },
        async run() {
          const facts = await operate(globals, (caller) => caller.call("services.get", {}));
          const { text, data } = which.status(facts);
          report(globals, `${which.name} status`, text, data);
        },
      }),
      ...Object.fromEntries(subCommands),
    },
  });
}

async function turnTo(
  globals: Globals,
  which: Switch,
  { name, state, isSure }: { name: string; state: "on" | "off" | "auto"; isSure: boolean },
): Promise<void> {
  const command = `${which.name} ${name}`;
  await operate(globals, async (caller) => {
    const { danger } = which;
    if (danger !== undefined && state !== "off" && !(await confirmed(globals, command, danger, isSure)))
      return;
    const { notices } = await caller.call("services.set", { service: which.service, state });
    const { text, data } = which.status(await caller.call("services.get", {}));
    report(globals, command, [text, ...notices].join("\n"), { ...(data as object), notices });
  });
}

function figureLines(figures: Record<string, number>): string[] {
  const told = Object.entries(figures).filter(([, value]) => value > 0);
  return told.map(([name, value]) => `  ${name.padEnd(28)}${value}`);
}

/** `webmail-cors`: other sites whose pages may use mail in the browser. */
export function webmailCorsCommand(globals: Globals): CommandDef {
  const name = "webmail_cors_origins";
  const origin = {
    type: "positional" as const,
    required: true as const,
    description: "Such as https://app.example, or `*`",
  };
  const originsOf = async (caller: Caller) => {
    const { webmailCorsOrigins: origins } = await caller.call("services.get", {});
    return origins;
  };
  const store = async (caller: Caller, origins: readonly string[]) => {
    if (origins.length === 0) return caller.call("settings.reset", { name });
    return caller.call("settings.set", { name, value: origins.join(",") });
  };
  const changing = (verb: string, description: string, next: (now: string[], origin: string) => string[]) =>
    defineCommand({
      meta: { name: verb, description },
      args: { origin },
      run: ({ args }) =>
        operate(globals, async (caller) => {
          const row = await store(caller, next(await originsOf(caller), args.origin));
          report(globals, `webmail-cors ${verb}`, changeText(row), row);
        }),
    });
  return defineCommand({
    meta: { name: "webmail-cors", description: "Other sites whose pages may use mail in the browser" },
    subCommands: {
      status: defineCommand({
        meta: { name: "status", description: "Which" },
        async run() {
          const origins = await operate(globals, originsOf);
          report(globals, "webmail-cors status", origins.join("\n") || "none", { origins });
        },
      }),
      add: changing("add", "Let one in", (now, added) => [...now.filter((each) => each !== added), added]),
      remove: changing("remove", "Keep one out", (now, removed) => now.filter((each) => each !== removed)),
      reset: defineCommand({
        meta: { name: "reset", description: "Leave it to the configuration file" },
        async run() {
          const row = await operate(globals, (caller) => caller.call("settings.reset", { name }));
          report(globals, "webmail-cors reset", changeText(row), row);
        },
      }),
    },
  });
}

/** `admin-web`: the panel and where it is. */
export function adminWebCommand(globals: Globals): CommandDef {
  const panel: Switch = {
    name: "admin-web",
    service: "adminWeb",
    description: "The admin panel",
    words: onOff.slice(2),
    status: ({ adminWeb: facts }) => ({
      text: `admin panel ${word(facts.enabled)} at ${facts.path}`,
      data: facts,
    }),
  };
  const base = switchCommand(globals, panel);
  return defineCommand({
    ...base,
    subCommands: {
      ...(base.subCommands as Record<string, CommandDef>),
      path: defineCommand({
        meta: { name: "path", description: "Show or change where it is served; a change turns it on" },
        args: {
          path: { type: "positional", required: false, description: "Such as /admin" },
          reset: { type: "boolean", description: "Leave it to the configuration file" },
        },
        run: ({ args }) => adminWebPath(globals, args.path, args.reset === true),
      }),
    },
  });
}

async function adminWebPath(globals: Globals, path: string | undefined, reset: boolean): Promise<void> {
  const name = "admin_web_path";
  await operate(globals, async (caller) => {
    const row = reset
      ? await caller.call("settings.reset", { name })
      : path === undefined
        ? { ...(await caller.call("settings.get", { name })), notices: [] }
        : await caller.call("settings.set", { name, value: path });
    report(
      globals,
      "admin-web path",
      path === undefined && !reset ? (row.value ?? "") : changeText(row),
      row,
    );
  });
}
