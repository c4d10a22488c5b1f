/** What `uninstall` removes. Mail, accounts and configuration go only when that was asked for. */
import * as fs from "node:fs";
import { at, type Machine, mustRun, userIds } from "./machine.ts";
import type { Places } from "./places.ts";
import type { Step } from "./steps.ts";

export function uninstallSteps(machine: Machine, places: Places, purge: boolean): Step[] {
  const { name, unit, recoverUnit, link, tree, configDir, stateDir } = places;
  const service = machine.hasSystemd && fs.existsSync(at(machine, unit)) ? [stopStep(machine, name)] : [];
  const reload: Step = {
    name: "systemd forgets the units",
    isDone: () => !machine.hasSystemd,
    apply: () => mustRun(machine, ["systemctl", "daemon-reload"]),
  };
  const data = purge
    ? [gone(machine, `${unit}.d`), gone(machine, configDir), gone(machine, stateDir), userGone(machine, name)]
    : [];
  return [
    ...service,
    gone(machine, unit),
    gone(machine, `${unit}.new`),
    gone(machine, recoverUnit),
    gone(machine, `${recoverUnit}.new`),
    reload,
    ...data,
    // The program goes last: until then it can be called again.
    gone(machine, tree),
    gone(machine, link),
  ];
}

/** Removing a service that still runs would leave it running without a name. */
function stopStep(machine: Machine, name: string): Step {
  return {
    name: `${name} stops, and starts no more with the machine`,
    async isDone() {
      const active = await machine.run(["systemctl", "is-active", name]);
      const enabled = await machine.run(["systemctl", "is-enabled", name]);
      return active.output.trim() === "inactive" && enabled.output.trim() !== "enabled";
    },
    apply: () => mustRun(machine, ["systemctl", "disable", "--now", name]),
  };
}

function gone(machine: Machine, path: string): Step {
  const real = at(machine, path);
  return {
    name: `${path} removed`,
    isDone: () => fs.lstatSync(real, { throwIfNoEntry: false }) === undefined,
    apply() {
      fs.rmSync(real, { recursive: true, force: true });
    },
  };
}

function userGone(machine: Machine, name: string): Step {
  return {
    name: `user ${name} removed`,
    isDone: () => userIds(machine, name) === undefined,
    async apply() {
      const within = machine.root === "/" ? [] : ["--root", machine.root];
      if (machine.has("userdel")) await mustRun(machine, ["userdel", ...within, name]);
      else await mustRun(machine, ["deluser", name]);
    },
  };
}
