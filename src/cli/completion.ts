/** `madmail completion SHELL`: a script that completes commands and flags; made from the commands as they are. */
import { type CommandDef, defineCommand } from "citty";
import { CommandError } from "./output.ts";
import { type CommandNode, commandTree, flatten, globalOptions, type OptionNode } from "./tree.ts";

const shells = { bash, zsh, fish } as const;

export function completionCommand(root: () => CommandDef) {
  return defineCommand({
    meta: { name: "completion", description: "Print a completion script for bash, zsh or fish" },
    args: { shell: { type: "positional", required: true, description: "bash, zsh or fish" } },
    async run({ args }) {
      const shell = args.shell;
      if (shell !== "bash" && shell !== "zsh" && shell !== "fish") {
        throw new CommandError(`expected bash, zsh or fish, found ${shell}`);
      }
      process.stdout.write(shells[shell](await commandTree(root())));
    },
  });
}

/** For each command, what may come next. */
function nextWords(node: CommandNode): string[] {
  const names = node.children.flatMap((child) => [lastWord(child), ...child.aliases]);
  return [...names, ...[...node.options, ...globalOptions].flatMap(({ flags }) => flags)];
}

function bash(root: CommandNode): string {
  const cases = flatten(root).map((node) => `    "${node.words}") words="${nextWords(node).join(" ")}" ;;`);
  return `# bash completion for madmail
_madmail() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" path="" word words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "$word" in -*) continue ;; esac
    if _madmail_is_command "\${path:+$path }$word"; then path="\${path:+$path }$word"; fi
  done
  case "$path" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [ "\${#COMPREPLY[@]}" -eq 0 ]; then COMPREPLY=($(compgen -f -- "$cur")); fi
}
_madmail_is_command() {
  case "$1" in
    ${pathsOf(root)
      .map((words) => `"${words}"`)
      .join(" | ")}) return 0 ;;
  esac
  return 1
}
complete -F _madmail madmail
`;
}

function pathsOf(root: CommandNode): string[] {
  return flatten(root)
    .map(({ words }) => words)
    .filter((words) => words !== "");
}

function zsh(root: CommandNode): string {
  // zsh runs bash's completions, and says what they are.
  return `#compdef madmail\nautoload -U +X bashcompinit && bashcompinit\n${bash(root)}`;
}

function fish(root: CommandNode): string {
  const lines = ["# fish completion for madmail", "complete -c madmail -f"];
  for (const node of flatten(root)) {
    const at = node.words === "" ? "__fish_use_subcommand" : seen(node.words);
    for (const child of node.children) {
      lines.push(`complete -c madmail -n '${at}' -a '${lastWord(child)}' -d ${quoted(child.description)}`);
    }
    for (const option of node.options) lines.push(fishOption(option, seen(node.words)));
  }
  for (const option of globalOptions) lines.push(fishOption(option, "true"));
  return `${lines.join("\n")}\n`;
}

function fishOption({ flags, description, takesValue, choices }: OptionNode, condition: string): string {
  const names = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const value = takesValue ? " -r" : "";
  const list = choices.length > 0 ? ` -a '${choices.join(" ")}'` : "";
  return `complete -c madmail -n '${condition}' ${names.join(" ")}${value}${list} -d ${quoted(description)}`;
}

function seen(words: string): string {
  return words
    .split(" ")
    .map((word) => `__fish_seen_subcommand_from ${word}`)
    .join("; and ");
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function lastWord({ words }: CommandNode): string {
  return words.slice(words.lastIndexOf(" ") + 1);
}
