/** One call of `bun build --compile`: program, migrations and panel in one executable. Same input, same bytes. */
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { $ } from "bun";
import packageJson from "../package.json";
import { buildPanel } from "./panel.ts";

const root = join(import.meta.dir, "..");

// Bytecode more than halves the start; it needs the ESM format named. Names are kept for stack traces.
const flags = ["--compile", "--minify", "--keep-names", "--bytecode", "--format=esm"];
// The service obeys its own configuration only, not files that lie in its working directory.
const sealed = ["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];

export interface CompileOptions {
  outfile: string;
  /** Another platform, in Bun's words, and the Bun executable for it; default: this one. */
  target?: { name: string; runtime: string } | undefined;
  /** The key that upgrades must be signed with: 32 bytes, base64. Without it the program refuses to upgrade itself. */
  releaseKey?: string | undefined;
  /** Where releases lie; `upgrade` looks there when nothing else is named. */
  releaseUrl?: string | undefined;
  /** Another version than package.json's: tests need an older and a newer program. */
  version?: string | undefined;
  /** Another entry point than the program's. */
  entry?: string | undefined;
}

/** @returns the exit code of the compiler, which has printed what is wrong */
export async function compile(options: CompileOptions): Promise<number> {
  const { outfile, target, releaseKey, releaseUrl } = options;
  const words: [string, string | undefined][] = [
    ["MADMAIL_VERSION", options.version ?? packageJson.version],
    ["MADMAIL_COMMIT", await commitOf()],
    ["MADMAIL_RELEASE_KEY", releaseKey],
    ["MADMAIL_RELEASE_URL", releaseUrl],
  ];
  const defines = words.flatMap(([name, value]) =>
    value === undefined ? [] : [`--define=${name}=${JSON.stringify(value)}`],
  );
  const cross =
    target === undefined ? [] : [`--target=${target.name}`, `--compile-executable-path=${target.runtime}`];
  mkdirSync(dirname(outfile), { recursive: true });
  const panel = await buildPanel();
  console.log(`panel: ${panel.gzipBytes} bytes of scripts gzipped`);
  rmSync(outfile, { force: true });
  const program = [...flags, ...sealed, ...defines, ...cross, "--asset", "drizzle", "--asset", "dist/panel"];
  const built = Bun.spawnSync(
    [process.execPath, "build", ...program, options.entry ?? "src/main.ts", "--outfile", outfile],
    { cwd: root, stdout: "inherit", stderr: "inherit" },
  );
  return built.exitCode;
}

/** The commit, where there is one: a source archive builds too. */
async function commitOf(): Promise<string> {
  const text = await $`git -C ${root} rev-parse --short=12 HEAD`.quiet().nothrow().text();
  return text.trim() || "unknown";
}
