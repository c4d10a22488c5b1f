/**
 * Whether the suites ran every command of the executable: each leaves its words in `test-artifacts/commands.log`
 * (test/support/relay.ts). Run it after all of them.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { takeGlobals } from "../src/cli/globals.ts";
import { commands } from "../src/cli/main.ts";
import { type CommandNode, commandTree, flatten } from "../src/cli/tree.ts";

const file = join(import.meta.dir, "..", "test-artifacts", "commands.log");
const root = await commandTree(commands({ config: undefined, stateDir: undefined, json: false }));

/** The deepest command that the words name, by name or alias. */
function commandOf(words: readonly string[]): CommandNode {
  let node = root;
  for (const word of words) {
    const next = node.children.find(
      (child) => child.words.split(" ").at(-1) === word || child.aliases.includes(word),
    );
    if (next === undefined) break;
    node = next;
  }
  return node;
}

/** Run in a root of their own, which leaves nothing behind: read off the suite. */
const elsewhere = readFileSync(join(import.meta.dir, "peers", "install.test.ts"), "utf8");
const ranElsewhere = (words: string) => {
  const spelt = words
    .split(" ")
    .map((word) => `"${word}"`)
    .join(",\\s*");
  return /^(install|uninstall|upgrade|versions \w+)$/.test(words) && new RegExp(spelt).test(elsewhere);
};

const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
const seen = new Set(lines.map((line) => commandOf(takeGlobals(JSON.parse(line) as string[]).rest).words));
const leaves = flatten(root).filter(({ children, words }) => children.length === 0 && words !== "");
// A group runs its default where no command is named.
const unseen = leaves
  .filter(({ words }) => !seen.has(words) && !ranElsewhere(words))
  .map(({ words }) => words);
console.log(`${leaves.length - unseen.length} of ${leaves.length} commands were run`);
if (unseen.length > 0) {
  console.log(`never run: ${unseen.join(", ")}`);
  process.exit(1);
}
