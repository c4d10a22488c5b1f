/** `uninstall`: program and service go; mail, accounts and configuration only with --purge. */
import { defineCommand } from "citty";
import { existingConfig } from "../app/install/install.ts";
import { type Machine, thisMachine } from "../app/install/machine.ts";
import { type Places, placesOf } from "../app/install/places.ts";
import { runSteps } from "../app/install/steps.ts";
import { uninstallSteps } from "../app/install/uninstall.ts";
import type { Globals } from "./globals.ts";
import { nameOf, told } from "./installation.ts";
import { confirmed } from "./operate.ts";
import { CommandError, report } from "./output.ts";
import { StepList } from "./step-list.ts";

export function uninstallCommand(globals: Globals) {
  return defineCommand({
    meta: {
      name: "uninstall",
      description: "Remove program and service; mail and accounts stay unless --purge",
    },
    args: {
      purge: { type: "boolean", description: "Remove mail, accounts, configuration and user too" },
      yes: { type: "boolean", alias: "y", description: "Don't ask" },
      "dry-run": { type: "boolean", description: "Show what would be removed, and remove nothing" },
      name: { type: "string", description: "What the program is called here; default: as it is called now" },
      root: { type: "string", description: "Below this directory instead of /" },
    },
    run: ({ args }) =>
      told(async () => {
        const machine = thisMachine(args.root ?? "/");
        const dryRun = args["dry-run"] === true;
        if (machine.root === "/" && !machine.isRoot && !dryRun) {
          throw new CommandError("uninstalling needs root: use sudo");
        }
        const places = placesOf(nameOf(args.name), stateDirOf(globals, machine, nameOf(args.name)));
        const purge = args.purge === true;
        const what = purge
          ? `remove ${places.name} with all mail and accounts in ${places.stateDir}, for good`
          : `remove ${places.name}; configuration, mail and accounts stay`;
        if (!dryRun && !(await confirmed(globals, "uninstall", what, args.yes))) return;
        const list = new StepList(globals);
        await runSteps(uninstallSteps(machine, places, purge), list.options(dryRun));
        report(globals, "uninstall", summary(places, purge, dryRun), { dryRun, purge, steps: list.steps });
      }),
  });
}

/** The state is where the configuration says, even if that is broken otherwise: then the standard place. */
function stateDirOf(globals: Globals, machine: Machine, name: string): string | undefined {
  if (globals.stateDir !== undefined) return globals.stateDir;
  try {
    return existingConfig(machine, placesOf(name))?.config.stateDir;
  } catch {
    return undefined;
  }
}

function summary({ name, configDir, stateDir }: Places, purge: boolean, dryRun: boolean): string {
  if (dryRun) return "Nothing was removed.";
  if (purge) return `${name} is gone, with all it had.`;
  return `${name} is gone. Left alone: ${configDir}, ${stateDir}, the user ${name}.`;
}
