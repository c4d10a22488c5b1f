/** `madmail html-export`, `html-serve`, `html-migrate`: an operator's own pages in place of the built-in ones. */
import { access, mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { defineCommand } from "citty";
import { checkDirectory, type Finding } from "../http/www/custom/directory.ts";
import { starterFiles } from "../http/www/custom/starter.ts";
import { absentHere, variableNames } from "../http/www/custom/variables.ts";
import type { Globals } from "./globals.ts";
import { operate } from "./operate.ts";
import { CommandError, report } from "./output.ts";

const directory = (description: string) => ({
  type: "positional" as const,
  required: true as const,
  description,
});

export function htmlExportCommand(globals: Globals) {
  return defineCommand({
    meta: { name: "html-export", description: "Write a small site into a directory, to begin your own with" },
    args: { dir: directory("Where to; made if it is not there, files in it are never overwritten") },
    run: ({ args }) => exportPages(globals, resolve(args.dir)),
  });
}

export function htmlServeCommand(globals: Globals) {
  return defineCommand({
    meta: {
      name: "html-serve",
      description: "Show the pages of a directory, or `embedded` for the built-in ones",
    },
    args: { dir: directory("A directory, or `embedded`") },
    run: ({ args }) => servePages(globals, args.dir),
  });
}

export function htmlMigrateCommand(globals: Globals) {
  return defineCommand({
    meta: {
      name: "html-migrate",
      description: "Look through pages of an older version: what works as it is, what will not",
    },
    args: { dir: directory("The directory of the pages; nothing in it is changed") },
    run: ({ args }) => migratePages(globals, resolve(args.dir)),
  });
}

async function exportPages(globals: Globals, dir: string): Promise<void> {
  const files = Object.keys(starterFiles);
  for (const file of files) {
    const isThere = await access(join(dir, file)).then(
      () => true,
      () => false,
    );
    if (isThere) throw new CommandError(`${join(dir, file)} is there already; nothing was written`);
  }
  try {
    await mkdir(dir, { recursive: true });
    for (const [file, text] of Object.entries(starterFiles)) await writeFile(join(dir, file), text);
  } catch (error) {
    throw new CommandError(`${dir}: can't be written (${codeOf(error)})`, { cause: error });
  }
  const text = `wrote ${files.join(", ")} to ${dir}\nedit them, then: madmail html-serve ${dir}`;
  report(globals, "html-export", text, { dir, files });
}

async function servePages(globals: Globals, where: string): Promise<void> {
  if (where === "embedded") {
    await operate(globals, (caller) => caller.call("site.usePages", { dir: null }));
    return report(globals, "html-serve", "the built-in pages are shown", { dir: null });
  }
  const dir = resolve(where);
  const findings = await check(dir);
  const errors = findings.filter(({ level }) => level === "error");
  if (errors.length > 0) throw new CommandError(`nothing changed:\n${errors.map(lineOf).join("\n")}`);
  await operate(globals, (caller) => caller.call("site.usePages", { dir }));
  const lines = [`the pages of ${dir} are shown; an edit shows at once`, ...findings.map(lineOf)];
  report(globals, "html-serve", lines.join("\n"), { dir, findings });
}

async function migratePages(globals: Globals, dir: string): Promise<void> {
  const findings = await check(dir);
  const errors = findings.filter(({ level }) => level === "error").length;
  const verdict =
    errors > 0
      ? `${errors} to mend; built-in pages would be served in their place`
      : "all pages can be used as they are";
  report(globals, "html-migrate", [...findings.map(lineOf), verdict].join("\n"), { dir, findings });
  if (errors > 0) process.exitCode = 1;
}

async function check(dir: string): Promise<Finding[]> {
  try {
    return await checkDirectory(dir, variableNames, absentHere);
  } catch (error) {
    throw new CommandError(`${dir}: can't be read (${codeOf(error)})`, { cause: error });
  }
}

function lineOf({ file, line, level, what }: Finding): string {
  return `${level === "error" ? "error  " : "warning"}  ${file}:${line}: ${what}`;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "fault";
}
