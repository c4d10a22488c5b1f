/**
 * Refuses options and words that a command does not know: a misspelt `--dry-run` must not be the real thing.
 * citty takes them silently.
 */
import type { CommandDef } from "citty";
import { UsageError } from "./globals.ts";
import { listed, optionNode, type OptionNode, resolved } from "./tree.ts";

/**
 * @param words without the global options
 * @throws {UsageError} for the first one that the command does not know (as a rejection)
 */
export async function checkWords(root: CommandDef, words: readonly string[]): Promise<void> {
  const { command, path, rest } = await findCommand(root, words);
  const args = Object.entries((await resolved(command.args)) ?? {});
  const options = args
    .filter(([, arg]) => arg.type !== "positional")
    .map(([name, arg]) => optionNode(name, arg));
  const placesLeft = args.filter(([, arg]) => arg.type === "positional").length;
  const extra = checkRest(rest, options, path);
  const known = (await resolved(command.subCommands)) ?? {};
  // A group tells of an unknown command itself.
  if (extra.length > placesLeft && Object.keys(known).length === 0) {
    throw new UsageError(`${path}: what is ${extra[placesLeft]}? (see \`madmail ${path} --help\`)`);
  }
}

/** @returns the words that are no options and no values of theirs @throws {UsageError} */
function checkRest(rest: readonly string[], options: readonly OptionNode[], path: string): string[] {
  const plain: string[] = [];
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i] ?? "";
    if (word === "--") return [...plain, ...rest.slice(i + 1)];
    if (!word.startsWith("-") || word === "-" || /^-\d/.test(word)) {
      plain.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const name = equals === -1 ? word : word.slice(0, equals);
    const spelt = kebab(name);
    const option =
      options.find(({ flags }) => flags.includes(spelt)) ??
      options.find(({ flags, takesValue }) => !takesValue && flags.includes(spelt.replace(/^--no-/, "--")));
    if (option === undefined) throw unknownOption(name, options, path);
    if (option.takesValue && equals === -1) i++;
  }
  return plain;
}

function unknownOption(name: string, options: readonly OptionNode[], path: string): UsageError {
  const known = options.flatMap(({ flags }) => flags).filter((flag) => flag.startsWith("--"));
  const hint = known.find((flag) =>
    flag.replaceAll("-", "").startsWith(name.replaceAll("-", "").slice(0, 4)),
  );
  const guess = hint === undefined ? "" : `; did you mean ${hint}?`;
  return new UsageError(`${path}: there is no option ${name}${guess} (see \`madmail ${path} --help\`)`);
}

interface FoundCommand {
  command: CommandDef;
  /** Its words. */
  path: string;
  rest: readonly string[];
}

async function findCommand(root: CommandDef, words: readonly string[]): Promise<FoundCommand> {
  let command = root;
  const path: string[] = [];
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at] ?? "";
    const next = word.startsWith("-") ? undefined : await subCommand(command, word);
    if (next === undefined) break;
    command = next;
    path.push(word);
  }
  const preset = await resolved(command.default);
  const chosen = preset === undefined ? undefined : await subCommand(command, preset);
  return { command: chosen ?? command, path: path.join(" "), rest: words.slice(at) };
}

/** By its name or, if there is none of that name, by an alias. */
async function subCommand(command: CommandDef, word: string): Promise<CommandDef | undefined> {
  const all = (await resolved(command.subCommands)) ?? {};
  if (Object.hasOwn(all, word)) return await resolved(all[word]);
  for (const candidate of Object.values(all)) {
    const found: CommandDef = await resolved(candidate);
    const meta = await resolved(found.meta);
    if (listed(meta?.alias).includes(word)) return found;
  }
  return undefined;
}

/** citty takes `--dryRun` for `--dry-run`. And `--no-x` turns a switch off, unless that is a switch's own name. */
function kebab(flag: string): string {
  return flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
