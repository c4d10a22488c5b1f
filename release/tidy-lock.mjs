// Run after a dependency changed: `npm install`, then `node release/tidy-lock.mjs`.
// Packages name builds for platforms that a registry may not hold; npm then writes a lock file that `npm ci` refuses.
// Optional dependencies without an entry of their own are taken out of the entries that name them: they are builds of
// development tools for other platforms. Bun itself must stay complete, or `npm start` fails there.
import { readFileSync, writeFileSync } from "node:fs";

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
const known = new Set(Object.keys(lock.packages).map((path) => path.split("node_modules/").at(-1)));
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const name of Object.keys(entry.optionalDependencies ?? {})) {
    if (known.has(name)) continue;
    if (path === "node_modules/bun") throw new Error(`${name} is missing from the lock file: install again`);
    delete entry.optionalDependencies[name];
  }
}
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
