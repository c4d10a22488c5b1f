/** `upgrade` and `versions`: which version of the program is in use here. */
import { defineCommand } from "citty";
import { existingConfig } from "../app/install/install.ts";
import { thisMachine } from "../app/install/machine.ts";
import { placesOf } from "../app/install/places.ts";
import { fetchRelease } from "../app/upgrade/fetch.ts";
import { ReleaseKey } from "../app/upgrade/signature.ts";
import { type Incoming, Upgrade, versionOf } from "../app/upgrade/upgrade.ts";
import { systemClock } from "../core/clock.ts";
import { releaseKey, releaseUrl } from "../core/version.ts";
import type { Globals } from "./globals.ts";
import { nameOf, told } from "./installation.ts";
import { confirmed } from "./operate.ts";
import { CommandError, report, wholeNumber } from "./output.ts";
import { StepList } from "./step-list.ts";

const KEEP_DEFAULT = 3;

const here = {
  name: { type: "string", description: "What the program is called here; default: as it is called now" },
  root: { type: "string", description: "Below this directory instead of /" },
} as const;

interface Here {
  name?: string | undefined;
  root?: string | undefined;
}

export function upgradeCommand(globals: Globals) {
  return defineCommand({
    meta: {
      name: "upgrade",
      alias: "update",
      description: "Take a signed release into use; the version before comes back if it fails",
    },
    args: {
      from: {
        type: "positional",
        required: false,
        description: "Archive, executable or directory of a release, or its URL; default: where releases lie",
      },
      "allow-older": { type: "boolean", description: "Also take a version before the one in use" },
      "dry-run": { type: "boolean", description: "Fetch, check and try it, but change nothing" },
      ...here,
    },
    run: ({ args }) =>
      told(() =>
        changing(globals, args, async (upgrade) => {
          const from = args.from ?? releaseUrl;
          if (from === undefined) throw new CommandError("name a file, a directory or a URL of a release");
          const machine = thisMachine(args.root ?? "/");
          const executable = await fetchRelease(from, upgrade.workDir, new ReleaseKey(releaseKey));
          const version = await versionOf(machine, executable);
          const current = upgrade.tree.current() ?? "";
          if (Bun.semver.order(version, current) < 0 && args["allow-older"] !== true) {
            throw new CommandError(
              `${version} is older than ${current}, which is in use; --allow-older takes it`,
            );
          }
          await take(globals, "upgrade", upgrade, { executable, version }, args["dry-run"] === true);
        }),
      ),
  });
}

export function versionsCommand(globals: Globals) {
  const version = {
    type: "positional" as const,
    required: true as const,
    description: "As `versions list` shows it",
  };
  return defineCommand({
    meta: { name: "versions", description: "See, switch and remove installed versions" },
    subCommands: {
      list: defineCommand({
        meta: { name: "list", description: "All installed versions, newest first" },
        args: here,
        run: ({ args }) => list(globals, open(args)),
      }),
      current: defineCommand({
        meta: { name: "current", description: "The version in use" },
        args: here,
        run({ args }) {
          const current = open(args).tree.current();
          if (current === undefined) throw new CommandError("nothing is installed here");
          report(globals, "versions current", current, { version: current });
        },
      }),
      path: defineCommand({
        meta: { name: "path", description: "Where the executable of a version lies" },
        args: { version: { ...version, required: false }, ...here },
        run({ args }) {
          const { tree } = open(args);
          const wanted = args.version ?? tree.current();
          if (wanted === undefined || !tree.has(wanted))
            throw new CommandError(`there is no version ${wanted ?? ""}`);
          report(globals, "versions path", tree.executable(wanted), { path: tree.executable(wanted) });
        },
      }),
      use: defineCommand({
        meta: { name: "use", description: "Switch to an installed version, with the checks of an upgrade" },
        args: { version, ...here },
        run: ({ args }) => told(() => use(globals, args, args.version)),
      }),
      remove: defineCommand({
        meta: { name: "remove", description: "Remove a version that is not in use" },
        args: { version, yes: { type: "boolean", alias: "y", description: "Don't ask" }, ...here },
        run: ({ args }) => told(() => remove(globals, args, args.version, args.yes)),
      }),
      prune: defineCommand({
        meta: {
          name: "prune",
          description: "Remove old versions, but neither that in use nor the one before",
        },
        args: {
          keep: { type: "string", default: String(KEEP_DEFAULT), description: "How many stay altogether" },
          yes: { type: "boolean", alias: "y", description: "Don't ask" },
          ...here,
        },
        run: ({ args }) => told(() => prune(globals, args, wholeNumber("--keep", args.keep, 1), args.yes)),
      }),
      recover: recoverCommand(globals),
    },
  });
}

/** What systemd calls when the relay does not start. */
function recoverCommand(globals: Globals) {
  return defineCommand({
    meta: {
      name: "recover",
      description: "Finish or undo an interrupted upgrade; systemd calls it",
      hidden: true,
    },
    args: here,
    run: ({ args }) =>
      told(() =>
        changing(globals, args, async (_upgrade, recovered) => {
          report(globals, "versions recover", recovered ?? "nothing was interrupted", {
            recovered: recovered ?? null,
          });
        }),
      ),
  });
}

function open(where: Here): Upgrade {
  const machine = thisMachine(where.root ?? "/");
  const name = nameOf(where.name);
  const standard = placesOf(name);
  const config = existingConfig(machine, standard)?.config;
  const places = placesOf(name, config?.stateDir);
  return new Upgrade({ machine, places, config, clock: systemClock, wait: (ms) => Bun.sleep(ms) });
}

/** Runs what changes versions, alone, after mending what was interrupted before. */
async function changing(
  globals: Globals,
  where: Here,
  work: (upgrade: Upgrade, recovered: string | undefined) => Promise<void>,
): Promise<void> {
  if (thisMachine(where.root ?? "/").root === "/" && process.getuid?.() !== 0) {
    throw new CommandError("changing versions needs root: use sudo");
  }
  // A terminal that goes away must not leave an upgrade half way.
  process.on("SIGHUP", () => {});
  const upgrade = open(where);
  const unlock = upgrade.lock();
  try {
    const recovered = await upgrade.recover();
    if (recovered !== undefined && !globals.json) process.stderr.write(`${recovered}\n`);
    await work(upgrade, recovered);
  } finally {
    upgrade.tidy();
    unlock();
  }
}

/** Takes the program that runs now into use, in the place of another version: who ran it trusts it. */
export async function takeOver(globals: Globals, where: Here, program: Incoming): Promise<void> {
  await changing(globals, where, (upgrade) => take(globals, "install", upgrade, program, false));
}

/** Tries a version on a copy of everything, then takes it into use. */
async function take(
  globals: Globals,
  command: string,
  upgrade: Upgrade,
  incoming: Incoming,
  dryRun: boolean,
): Promise<void> {
  const before = upgrade.tree.current();
  if ((await upgrade.tree.nameFor(incoming.executable, incoming.version)) === before) {
    report(globals, command, `${before} is in use already`, { from: before, to: before, changed: false });
    return;
  }
  await upgrade.preflight(incoming.executable);
  const list = new StepList(globals);
  list.add(`${incoming.version} can live with this installation`, "did", undefined);
  await upgrade.take(incoming, list.options(dryRun));
  const to = upgrade.tree.current();
  const pruned = dryRun ? [] : upgrade.tree.prune(KEEP_DEFAULT);
  const text = dryRun
    ? "Nothing was changed."
    : `${to} is in use; ${before} is kept to go back to: versions use ${before}`;
  report(globals, command, text, { from: before, to, changed: !dryRun, pruned, steps: list.steps });
}

async function use(globals: Globals, where: Here, version: string): Promise<void> {
  await changing(globals, where, async (upgrade) => {
    const { tree } = upgrade;
    if (!tree.has(version))
      throw new CommandError(`version ${version} is not installed: see \`versions list\``);
    const executable = tree.executable(version);
    // A build of one's own has no key, and signs nothing.
    if (releaseKey !== undefined)
      new ReleaseKey(releaseKey).check(executable, tree.signature(version), version);
    await take(globals, "versions use", upgrade, { executable, version }, false);
  });
}

async function remove(
  globals: Globals,
  where: Here,
  version: string,
  isSure: boolean | undefined,
): Promise<void> {
  if (!(await confirmed(globals, "versions remove", `remove version ${version}`, isSure))) return;
  await changing(globals, where, (upgrade) => {
    upgrade.tree.remove(version);
    report(globals, "versions remove", `${version} is removed`, { version });
    return Promise.resolve();
  });
}

async function prune(
  globals: Globals,
  where: Here,
  keep: number,
  isSure: boolean | undefined,
): Promise<void> {
  if (!(await confirmed(globals, "versions prune", `remove all but ${keep} versions`, isSure))) return;
  await changing(globals, where, (upgrade) => {
    const removed = upgrade.tree.prune(keep);
    report(globals, "versions prune", removed.length === 0 ? "nothing to remove" : removed.join("\n"), {
      removed,
    });
    return Promise.resolve();
  });
}

function list(globals: Globals, { tree }: Upgrade): void {
  const versions = tree.list();
  const lines = versions.map(({ version, bytes, isCurrent, isPrevious }) => {
    const mark = isCurrent ? "in use" : isPrevious ? "before" : "";
    return `${version.padEnd(24)}${mark.padEnd(8)}${(bytes / 2 ** 20).toFixed(0).padStart(5)} MiB`;
  });
  report(globals, "versions list", lines.join("\n") || "nothing is installed here", { versions });
}
