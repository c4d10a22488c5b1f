/** All commands as data, for completions, the manual page and the reference: what citty knows, resolved. */
import type { ArgDef, CommandDef } from "citty";
import { systemConfig } from "../config/locate.ts";

export interface CommandNode {
  /** `queue list`; the root is "". */
  words: string;
  description: string;
  aliases: readonly string[];
  positionals: readonly { name: string; description: string; required: boolean }[];
  options: readonly OptionNode[];
  children: readonly CommandNode[];
}

export interface OptionNode {
  /** With its dashes. */
  flags: readonly string[];
  description: string;
  /** False for switches. */
  takesValue: boolean;
  choices: readonly string[];
}

/** Flags that every command takes; globals.ts reads them. */
export const globalOptions: readonly OptionNode[] = [
  {
    flags: ["--config"],
    description: `Configuration; default: $MADMAIL_CONFIG, ${systemConfig()}, ./data/madmail.toml`,
    takesValue: true,
    choices: [],
  },
  {
    flags: ["--state-dir", "--libexec"],
    description: "Directory of all state; wins over the file",
    takesValue: true,
    choices: [],
  },
  { flags: ["--json"], description: "One JSON object instead of text", takesValue: false, choices: [] },
  { flags: ["--help", "-h"], description: "Tell what a command does", takesValue: false, choices: [] },
];

export async function commandTree(command: CommandDef, words = ""): Promise<CommandNode> {
  const meta = await resolved(command.meta);
  const args = Object.entries((await resolved(command.args)) ?? {});
  const children: CommandNode[] = [];
  for (const [name, child] of Object.entries((await resolved(command.subCommands)) ?? {})) {
    const def = await resolved(child);
    const childMeta = await resolved(def.meta);
    if (childMeta?.hidden !== true) children.push(await commandTree(def, `${words} ${name}`.trim()));
  }
  return {
    words,
    description: meta?.description ?? "",
    aliases: listed(meta?.alias),
    positionals: args
      .filter(([, arg]) => arg.type === "positional")
      .map(([name, arg]) => ({
        name,
        description: arg.description ?? "",
        required: arg.required !== false && arg.default === undefined,
      })),
    options: args.filter(([, arg]) => arg.type !== "positional").map(([name, arg]) => optionNode(name, arg)),
    children,
  };
}

/** The command and all below it, depth first. */
export function flatten(node: CommandNode): CommandNode[] {
  return [node, ...node.children.flatMap(flatten)];
}

export function optionNode(name: string, arg: ArgDef): OptionNode {
  const names = [kebab(name), ...listed("alias" in arg ? arg.alias : undefined)];
  return {
    flags: names.map((each) => (each.length === 1 ? `-${each}` : `--${each}`)),
    description: arg.description ?? "",
    takesValue: arg.type !== "boolean",
    choices: arg.type === "enum" ? (arg.options ?? []) : [],
  };
}

export function listed(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === "string" ? [value] : value;
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

export async function resolved<T>(value: T | Promise<T> | (() => T | Promise<T>)): Promise<T> {
  return typeof value === "function" ? await (value as () => T | Promise<T>)() : await value;
}
