/**
 * The platforms a release is for, and the Bun runtimes they need. A runtime comes from the package registry as npm is
 * set up, and is used only if its hash is the one in package-lock.json.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";
import lock from "../package-lock.json";
import { platformName } from "../src/app/upgrade/platform.ts";

export interface Target {
  /** As it stands in file names: `linux-x64-musl`. */
  name: string;
  /** What Bun calls it. */
  bun: string;
  /** The npm package of its runtime. */
  runtime: string;
  executable: "madmail" | "madmail.exe";
  /** What a machine must have. */
  needs: string;
}

const GLIBC = "glibc 2.17 or newer";
const MUSL = "musl and libstdc++ (Alpine: apk add libstdc++)";

export const targets: readonly Target[] = [
  target("linux-x64", "linux-x64", GLIBC),
  target("linux-arm64", "linux-aarch64", GLIBC),
  target("linux-x64-musl", "linux-x64-musl", MUSL),
  target("linux-arm64-musl", "linux-aarch64-musl", MUSL),
  target("darwin-x64", "darwin-x64", "macOS 13 or newer"),
  target("darwin-arm64", "darwin-aarch64", "macOS 13 or newer"),
  target("windows-x64", "windows-x64", "Windows 10 or newer"),
];

function target(name: string, runtime: string, needs: string): Target {
  const executable = name.startsWith("windows") ? "madmail.exe" : "madmail";
  return { name, bun: `bun-${name}`, runtime: `@oven/bun-${runtime}`, executable, needs };
}

/** The target that this machine is. */
export function ownTarget(): Target | undefined {
  const name = platformName();
  return targets.find((each) => each.name === name);
}

/**
 * The Bun executable of a target, fetched once into `cacheDir`.
 * @throws {Error} when it can't be had, or is not what the lock file says
 */
export async function runtimeOf({ runtime, executable }: Target, cacheDir: string): Promise<string> {
  const locked = (lock.packages as Record<string, { version?: string; integrity?: string }>)[
    `node_modules/${runtime}`
  ];
  if (locked?.version === undefined || locked.integrity === undefined) {
    throw new Error(`${runtime}: package-lock.json has no hash for it`);
  }
  const kept = join(cacheDir, `${runtime.replace("/", "-")}-${locked.version}`);
  const binary = join(kept, "package", "bin", executable === "madmail" ? "bun" : "bun.exe");
  if (existsSync(binary)) return binary;
  mkdirSync(cacheDir, { recursive: true });
  const dir = mkdtempSync(join(tmpdir(), "madmail-runtime-"));
  try {
    const packed = await $`npm pack --silent ${runtime}@${locked.version}`.cwd(dir).quiet().nothrow();
    const file = join(dir, packed.stdout.toString().trim().split("\n").at(-1) ?? "");
    if (packed.exitCode !== 0) throw new Error(`${runtime}: npm pack failed: ${packed.stderr.toString()}`);
    const hash = `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`;
    if (hash !== locked.integrity) throw new Error(`${runtime}: is not what package-lock.json says`);
    await $`tar -xzf ${file}`.cwd(dir).quiet();
    rmSync(file);
    rmSync(kept, { recursive: true, force: true });
    await $`cp -r ${dir} ${kept}.new`.quiet();
    renameSync(`${kept}.new`, kept);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return binary;
}
