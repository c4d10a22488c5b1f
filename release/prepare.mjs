// Makes a fresh checkout ready with Node and npm alone: installs the locked dependencies when they are absent or
// older than the lock file, and with --build also makes dist/madmail when a source is newer than it.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, "node_modules", ".madmail-lock");
const bun = join(root, "node_modules", "bun", "bin", "bun.exe");

const lock = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");
const installed = existsSync(stamp) ? readFileSync(stamp, "utf8") : "";
if (installed !== lock || !existsSync(bun)) {
  console.log("Installing the locked dependencies …");
  run(process.platform === "win32" ? "npm.cmd" : "npm", [
    "ci",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ]);
  // Where npm was told to skip install scripts, Bun's own step puts the executable into place.
  if (!runs(bun)) run(process.execPath, [join(root, "node_modules", "bun", "install.js")]);
  writeFileSync(stamp, lock);
}

if (process.argv.includes("--build")) {
  const binary = join(root, "dist", process.platform === "win32" ? "madmail.exe" : "madmail");
  const builtAt = existsSync(binary) ? statSync(binary).mtimeMs : 0;
  const sources = ["src", "web", "drizzle", "release", "package.json", "package-lock.json"];
  if (sources.some((path) => newest(join(root, path)) > builtAt)) {
    console.log("Building dist/madmail …");
    run(bun, [join(root, "release", "build.ts")]);
  }
}

function run(command, args) {
  execFileSync(command, args, { cwd: root, stdio: "inherit", env: { ...process.env, NODE_ENV: "" } });
}

function runs(command) {
  try {
    execFileSync(command, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function newest(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}
