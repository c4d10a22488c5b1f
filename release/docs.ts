/** Prints the generated pages. `--check` writes nothing and fails when a page is stale. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commands } from "../src/cli/main.ts";
import { commandReference } from "../src/cli/manual.ts";
import { commandTree } from "../src/cli/tree.ts";
import { configReference, sampleConfig, settingsReference } from "../src/config/document.ts";
import { differencesPage } from "../test/oracle/differences.ts";
import { rfcMap } from "./rfc-map.ts";

const root = join(import.meta.dir, "..");
const nowhere = { config: undefined, stateDir: undefined, json: false };
const pages: Record<string, () => string | Promise<string>> = {
  "docs/cli.md": async () => commandReference(await commandTree(commands(nowhere))),
  "docs/config.md": configReference,
  "docs/madmail.sample.toml": sampleConfig,
  "docs/settings.md": settingsReference,
  "docs/dovecot-differences.md": differencesPage,
  "docs/rfc-map.md": rfcMap,
};

const stale: string[] = [];
for (const [path, render] of Object.entries(pages)) {
  const file = join(root, path);
  const text = await render();
  if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
  stale.push(path);
  if (!process.argv.includes("--check")) writeFileSync(file, text);
}
if (stale.length > 0 && process.argv.includes("--check")) {
  console.error(`stale: ${stale.join(", ")}; run \`npm run docs\``);
  process.exit(1);
}
console.log(stale.length === 0 ? "documentation is up to date" : `wrote ${stale.join(", ")}`);
