/** Builds dist/madmail: one executable with program, migrations and panel inside. Needs no network. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import packageJson from "../package.json";
import { buildPanel } from "./panel.ts";

const root = join(import.meta.dir, "..");
const outfile = join(root, "dist", process.platform === "win32" ? "madmail.exe" : "madmail");

/** The commit, where there is one: a source archive builds too. */
const commit =
  (await $`git -C ${root} rev-parse --short=12 HEAD`.quiet().nothrow().text()).trim() || "unknown";

// Bytecode more than halves the start; it needs the ESM format named. Names are kept for stack traces.
const flags = ["--compile", "--minify", "--keep-names", "--bytecode", "--format=esm"];
// The service obeys its own configuration only, not files that lie in its working directory.
const sealed = ["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];
const defines = [
  `--define=MADMAIL_VERSION=${JSON.stringify(packageJson.version)}`,
  `--define=MADMAIL_COMMIT=${JSON.stringify(commit)}`,
];

mkdirSync(join(root, "dist"), { recursive: true });
await buildPanel();
rmSync(outfile, { force: true });
const built = Bun.spawnSync(
  [
    process.execPath,
    "build",
    ...flags,
    ...sealed,
    ...defines,
    "--asset",
    "drizzle",
    "--asset",
    "dist/panel",
    "src/main.ts",
    "--outfile",
    outfile,
  ],
  { cwd: root, stdout: "inherit", stderr: "inherit" },
);
process.exitCode = built.exitCode;
