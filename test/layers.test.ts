/** Imports go left only (STYLE: core < pure rooms < … < app cli). Type imports count too. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Glob } from "bun";

/** Rooms in one string may import each other's left neighbours only, not each other unless listed in `friends`. */
const layers: readonly (readonly string[])[] = [
  ["core"],
  ["mime"],
  ["pgp", "dkim"],
  ["config", "log", "openpgp"],
  ["db", "storage", "dns", "tls", "net"],
  ["state"],
  ["auth"],
  ["policy"],
  ["delivery"],
  [
    "smtp",
    "imap",
    "federation",
    "turn",
    "iroh",
    "shadowsocks",
    "push",
    "tasks",
    "metrics",
    "migrate",
    "install",
    "doctor",
    "echo",
  ],
  ["operations"],
  ["http"],
  ["app"],
  ["cli"],
  ["main.ts"],
];
const level = new Map(layers.flatMap((rooms, index) => rooms.map((room) => [room, index] as const)));

/** Rooms that are bytes in, facts out: no runtime modules, no clock. Engines and wire formats too. */
const isPure = (file: string) =>
  /^(core|mime|pgp|dkim)\//.test(file) || /^[a-z]+\/((client-)?engine\/|wire\.ts)/.test(file);
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\b[^;"']*?from\s*["']([^"']+)["']|(?:^|\n)\s*import\s*["']([^"']+)["']/g;

function importsOf(file: string): string[] {
  return [...readFileSync(`src/${file}`, "utf8").matchAll(IMPORT)].flatMap((m) => m[1] ?? m[2] ?? []);
}

function resolveRoom(file: string, target: string): string {
  const path = new URL(target, `file:///${file}`).pathname.slice(1);
  return path.split("/")[0] ?? path;
}

const files = [...new Glob("**/*.{ts,tsx}").scanSync("src")].filter((f) => !/\.test\.tsx?$/.test(f));

test("every room has a place in the order", () => {
  const unknown = new Set(files.map((f) => f.split("/")[0] ?? f).filter((room) => !level.has(room)));
  expect([...unknown]).toEqual([]);
});

test("imports only go left", () => {
  const wrong = files.flatMap((file) => {
    const room = file.split("/")[0] ?? file;
    return importsOf(file)
      .filter((target) => target.startsWith("."))
      .filter((target) => {
        const other = resolveRoom(file, target);
        return other !== room && (level.get(other) ?? 0) >= (level.get(room) ?? 0);
      })
      .map((target) => `${file} imports ${target}`);
  });
  expect(wrong).toEqual([]);
});

test("pure rooms import no runtime module and read no clock", () => {
  const wrong = files.filter(isPure).flatMap((file) => {
    const runtime = importsOf(file).filter((target) => /^(node:|bun)/.test(target));
    const text = readFileSync(`src/${file}`, "utf8");
    const clock = file !== "core/clock.ts" && /\bDate\.now\(|performance\.now\(|setTimeout\(/.test(text);
    return [
      ...runtime.map((target) => `${file} imports ${target}`),
      ...(clock ? [`${file} reads the clock`] : []),
    ];
  });
  expect(wrong).toEqual([]);
});
