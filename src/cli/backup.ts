/** `madmail backup FILE` and `madmail restore FILE`. */
import { basename, resolve } from "node:path";
import { defineCommand } from "citty";
import { locateConfig } from "../config/locate.ts";
import { readConfig } from "../config/read.ts";
import { writeBackup } from "../migrate/backup.ts";
import { checkBackup, restoreBackup, type RestoreReport } from "../migrate/restore.ts";
import type { Globals } from "./globals.ts";
import { stateDirOf, told } from "./import.ts";
import { confirmed } from "./operate.ts";
import { report } from "./output.ts";
import { progressLine, sizeText } from "./progress.ts";

export function backupCommand(globals: Globals) {
  return defineCommand({
    meta: { name: "backup", description: "Write one archive of everything, while the relay goes on" },
    args: {
      file: {
        type: "positional",
        required: true,
        description: "A new file: NAME.tar, NAME.tar.gz or NAME.tar.zst",
      },
    },
    run: ({ args }) =>
      told(async () => {
        const line = progressLine(globals);
        const done = await writeBackup({
          stateDir: stateDirOf(globals),
          file: args.file,
          extra: configFiles(globals),
          onProgress: ({ files, bytes }) =>
            line.show(() => ({ done: files, what: `files, ${sizeText(bytes)}` })),
        });
        line.end();
        const text = `${done.file}: ${done.files} files, ${sizeText(done.bytes)}, as an archive ${sizeText(done.archiveBytes)}. It holds keys and mail: keep it as safe as the server.`;
        report(globals, "backup", text, done);
      }),
  });
}

export function restoreCommand(globals: Globals) {
  return defineCommand({
    meta: { name: "restore", description: "Check a backup and put it back; the relay must be stopped" },
    args: {
      file: { type: "positional", required: true, description: "An archive that `madmail backup` wrote" },
      "dry-run": { type: "boolean", default: false, description: "Only check the archive" },
      "exact-uids": {
        type: "boolean",
        default: false,
        description:
          "Do not leap over message numbers given out since: only for a relay that has not run since the backup",
      },
      yes: { type: "boolean", alias: "y", default: false, description: "Do not ask" },
    },
    run: ({ args }) =>
      told(async () => {
        const file = resolve(args.file);
        const line = progressLine(globals);
        const onProgress = ({ files, bytes }: { files: number; bytes: number }) =>
          line.show(() => ({ done: files, what: `files, ${sizeText(bytes)}` }));
        if (args["dry-run"]) {
          const checked = await checkBackup(file, onProgress);
          line.end();
          return report(
            globals,
            "restore",
            `${render(checked)}\nEverything is as it was written. Nothing was restored.`,
            {
              dryRun: true,
              ...checked,
            },
          );
        }
        const stateDir = stateDirOf(globals);
        const what = `put the backup in the place of ${stateDir}, and move aside what is there`;
        if (!(await confirmed(globals, "restore", what, args.yes))) return;
        const done = await restoreBackup({ file, stateDir, exactUids: args["exact-uids"], onProgress });
        line.end();
        const aside = done.movedAside === undefined ? "" : `\nWhat was there is now ${done.movedAside}.`;
        report(globals, "restore", `${render(done)}\nRestored to ${stateDir}.${aside}`, {
          dryRun: false,
          stateDir,
          ...done,
        });
      }),
  });
}

function render({ file, program, createdAtMs, files, bytes, accounts }: RestoreReport): string {
  const when = new Date(createdAtMs).toISOString().replace(/\.\d+Z$/, "Z");
  return `${file}: written ${when} by madmail ${program}: ${accounts} accounts, ${files} files, ${sizeText(bytes)}`;
}

/** The configuration, and a certificate that it names. */
function configFiles(globals: Globals): { name: string; file: string }[] {
  const file = globals.config ?? locateConfig();
  if (file === undefined) return [];
  const { tls } = readConfig(file, { stateDir: globals.stateDir });
  const pair = [tls.cert, tls.key].flatMap((path) => (path === undefined ? [] : [path]));
  return [
    { name: "madmail.toml", file },
    ...pair.map((path, index) => ({ name: `${index === 0 ? "cert" : "key"}-${basename(path)}`, file: path })),
  ];
}
