/** `madmail message-size …` and `madmail language …`. */
import { type CommandDef, defineCommand } from "citty";
import { languages } from "../config/schema-web.ts";
import type { InputOf, OutputOf } from "../operations/operations.ts";
import type { Globals } from "./globals.ts";
import { operate } from "./operate.ts";
import { CommandError, report } from "./output.ts";

type Which = NonNullable<InputOf<"sizes.set">["which"]>;

export function messageSizeCommand(globals: Globals): CommandDef {
  const federation = {
    type: "boolean" as const,
    description: "Of messages that other servers bring by HTTP, instead of all",
  };
  const whichOf = (isFederation: boolean | undefined): Which =>
    isFederation === true ? "federation" : "message";
  return defineCommand({
    meta: { name: "message-size", description: "Largest message" },
    default: "status",
    subCommands: {
      status: defineCommand({
        meta: { name: "status", description: "In force now" },
        async run() {
          const data = await operate(globals, (caller) => caller.call("sizes.get", {}));
          report(globals, "message-size status", sizesText(data), data);
        },
      }),
      set: defineCommand({
        meta: { name: "set", description: "Change it, now" },
        args: { size: { type: "positional", required: true, description: "Such as 30M" }, federation },
        async run({ args }) {
          const input = { which: whichOf(args.federation), size: args.size };
          const data = await operate(globals, (caller) => caller.call("sizes.set", input));
          report(globals, "message-size set", sizesText(data), data);
        },
      }),
      reset: defineCommand({
        meta: { name: "reset", description: "Leave it to the configuration file" },
        args: { federation },
        async run({ args }) {
          const input = { which: whichOf(args.federation) };
          const data = await operate(globals, (caller) => caller.call("sizes.reset", input));
          report(globals, "message-size reset", sizesText(data), data);
        },
      }),
    },
  });
}

function sizesText({ message, federation }: OutputOf<"sizes.get">): string {
  return `messages ${message.effective} (file: ${message.config}), from other servers by HTTP ${federation.effective} (file: ${federation.config})`;
}

export function languageCommand(globals: Globals): CommandDef {
  const say = (word: string, data: OutputOf<"language.get">) =>
    report(globals, `language ${word}`, `${data.language} (${data.source})`, data);
  return defineCommand({
    meta: { name: "language", description: "Language of the site" },
    default: "status",
    subCommands: {
      status: defineCommand({
        meta: { name: "status", description: "Which" },
        async run() {
          say("status", await operate(globals, (caller) => caller.call("language.get", {})));
        },
      }),
      set: defineCommand({
        meta: { name: "set", description: "Change it, now" },
        args: {
          language: {
            type: "positional",
            required: true,
            description: "auto (what the visitor's browser asks for), en, fa, ru or es",
          },
        },
        async run({ args }) {
          const language = languages.find((each) => each === args.language.toLowerCase());
          if (language === undefined) {
            throw new CommandError(
              `language: expected one of ${languages.join(", ")}, found ${args.language}`,
            );
          }
          say("set", await operate(globals, (caller) => caller.call("language.set", { language })));
        },
      }),
      reset: defineCommand({
        meta: { name: "reset", description: "Leave it to the configuration file" },
        async run() {
          say("reset", await operate(globals, (caller) => caller.call("language.reset", {})));
        },
      }),
    },
  });
}
