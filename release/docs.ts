/** Prints the generated pages. `--check` writes nothing and fails when a page is stale. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configReference, sampleConfig } from "../src/config/document.ts";
import { differencesPage } from "../test/oracle/differences.ts";
import { rfcMap } from "./rfc-map.ts";

const root = join(import.meta.dir, "..");
const pages: Record<string, () => string> = {
  "docs/config.md": configReference,
  "docs/madmail.sample.toml": sampleConfig,
  "docs/dovecot-differences.md": differencesPage,
  "docs/rfc-map.md": rfcMap,
};

const stale: string[] = [];
for (const [path, render] of Object.entries(pages)) {
  const file = join(root, path);
  const text = render();
  if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
  stale.push(path);
  if (!process.argv.includes("--check")) writeFileSync(file, text);
}
if (stale.length > 0 && process.argv.includes("--check")) {
  console.error(`stale: ${stale.join(", ")}; run \`npm run docs\``);
  process.exit(1);
}
console.log(stale.length === 0 ? "documentation is up to date" : `wrote ${stale.join(", ")}`);
