/** `madmail manual`: the manual page, and the command reference of the documentation; both made from the commands. */
import { type CommandDef, defineCommand } from "citty";
import { version } from "../core/version.ts";
import { type CommandNode, commandTree, flatten, globalOptions, type OptionNode } from "./tree.ts";

export function manualCommand(root: () => CommandDef): CommandDef {
  return defineCommand({
    meta: { name: "manual", alias: "generate-man", description: "Print the manual page, for man(1)" },
    async run() {
      process.stdout.write(manualPage(await commandTree(root())));
    },
  });
}

/** In man(7) macros. */
function manualPage(root: CommandNode): string {
  const commands = withoutRoot(root).map(
    (node) =>
      `.TP\n.B ${roff(usage(node))}\n${roff(node.description)}\n${node.options.map(roffOption).join("")}`,
  );
  return `.TH MADMAIL 1 "" "madmail ${version}" "User Commands"
.SH NAME
madmail \\- a chatmail relay in one executable
.SH SYNOPSIS
.B madmail
[\\fIoptions\\fR] \\fIcommand\\fR
.SH DESCRIPTION
${roff(root.description)}.
Commands act on the relay that runs on the state directory, or on the state directory itself while none does.
.SH OPTIONS
${globalOptions.map((option) => `.TP\n.B ${roff(option.flags.join(", "))}\n${roff(option.description)}\n`).join("")}.SH COMMANDS
${commands.join("")}.SH EXIT STATUS
0 done, 1 failed or refused, 2 the configuration is wrong.
`;
}

/** docs/cli.md. */
export function commandReference(root: CommandNode): string {
  const rows = withoutRoot(root)
    .filter(({ children, words }) => children.length === 0 || words.includes(" "))
    .map((node) => {
      const options = node.options.map(({ flags, description }) => `\`${flags.join(", ")}\` ${description}`);
      const aliases = node.aliases.length > 0 ? ` (also ${node.aliases.join(", ")})` : "";
      const text = [`${node.description}${aliases}`, ...options].join("<br>");
      return `| \`${usage(node).replaceAll("|", "\\|")}\` | ${text.replaceAll("|", "\\|")} |`;
    });
  const globals = globalOptions.map(
    ({ flags, description }) => `| \`${flags.join(", ")}\` | ${description} |`,
  );
  return `# Commands

Generated from the commands themselves (\`npm run docs\`). A command acts on the relay that runs on the state directory,
at once; while none runs, on the state directory itself. Exit status: 0 done, 1 failed or refused, 2 wrong configuration.
With \`--json\` the answer is \`{"ok":true,"command":…,"data":…}\` on stdout, or \`{"ok":false,"error":…}\` on stderr.

| For all commands | |
|---|---|
${globals.join("\n")}

| Command | What it does |
|---|---|
${rows.join("\n")}
`;
}

function withoutRoot(root: CommandNode): CommandNode[] {
  return flatten(root).filter(({ words }) => words !== "");
}

function usage({ words, positionals, options, children }: CommandNode): string {
  const names = positionals.map(({ name, required }) =>
    required ? name.toUpperCase() : `[${name.toUpperCase()}]`,
  );
  const more = children.length > 0 ? [" COMMAND"] : [];
  const flags = options.length > 0 ? [" [OPTIONS]"] : [];
  return `madmail ${[words, ...names].join(" ")}${more.join("")}${flags.join("")}`;
}

function roffOption({ flags, description }: OptionNode): string {
  return `.br\n\\fB${roff(flags.join(", "))}\\fR ${roff(description)}\n`;
}

/** A leading dot or quote would be a macro; hyphens are minus signs to copy. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/gm, "\\&$1");
}
