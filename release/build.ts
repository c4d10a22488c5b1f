/** Builds dist/madmail: one executable with program, migrations and web assets inside. Needs no network. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import packageJson from "../package.json";

const root = join(import.meta.dir, "..");
const outfile = join(root, "dist", process.platform === "win32" ? "madmail.exe" : "madmail");

/** The commit, where there is one: a source archive builds too. */
const commit =
  (await $`git -C ${root} rev-parse --short=12 HEAD`.quiet().nothrow().text()).trim() || "unknown";

mkdirSync(join(root, "dist"), { recursive: true });
rmSync(outfile, { force: true });
// No --sourcemap: it doubles start-up work; stack traces of internal faults keep function names.
await $`${process.execPath} build --compile --minify --keep-names --bytecode --format=esm
  --no-compile-autoload-dotenv --no-compile-autoload-bunfig
  --define MADMAIL_VERSION=${JSON.stringify(packageJson.version)}
  --define MADMAIL_COMMIT=${JSON.stringify(commit)}
  --asset drizzle src/main.ts --outfile ${outfile}`.cwd(root);
