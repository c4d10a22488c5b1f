/**
 * What `install` makes, step by step. Nothing that an operator may have changed is ever written over: a configuration
 * that is there stays, and so does an edited unit.
 */
import * as fs from "node:fs";
import type { Config } from "../../config/config.ts";
import type { Clock } from "../../core/clock.ts";
import { ensurePassword } from "../../shadowsocks/secret.ts";
import { loadSecret } from "../../turn/credentials.ts";
import { DkimKeys } from "../dkim-keys.ts";
import { give, linkTarget, linkWhole, writeWhole } from "./files.ts";
import { at, InstallError, type Machine, mustRun, userIds } from "./machine.ts";
import type { Places } from "./places.ts";
import type { Step } from "./steps.ts";
import { VersionTree } from "./tree.ts";
import { isUntouched, recoverUnit, serviceUnit } from "./unit.ts";

const PUBLIC_DIR = 0o755;
const PRIVATE_DIR = 0o700;
const UNIT_MODE = 0o644;
/** The operator's, readable for the service. */
const CONFIG_MODE = 0o640;

export interface ProgramFile {
  /** The executable to install; its signature, if any, lies beside it. */
  executable: string;
  version: string;
}

export interface PlanParts {
  machine: Machine;
  places: Places;
  program: ProgramFile;
  clock: Clock;
}

/** Only the program: versions, `current`, and the link where a shell finds it. */
export function programSteps({ machine, places, program }: PlanParts): Step[] {
  const tree = new VersionTree(machine, places);
  const { executable, version } = program;
  const link = at(machine, places.link);
  const target = `${places.current}/${places.name}`;
  return [
    {
      name: `program ${version} in ${places.versions}`,
      isDone: async () => tree.has(await tree.nameFor(executable, version)),
      apply: async () => tree.place(executable, await tree.nameFor(executable, version)),
    },
    {
      name: `${places.current} -> ${version}`,
      isDone: async () => tree.current() === (await tree.nameFor(executable, version)),
      apply: async () => tree.use(await tree.nameFor(executable, version)),
    },
    {
      name: `${places.link} -> ${target}`,
      isDone: () => linkTarget(link) === target,
      apply() {
        fs.mkdirSync(at(machine, "/usr/local/bin"), { recursive: true, mode: PUBLIC_DIR });
        linkWhole(link, target);
      },
    },
  ];
}

/** Everything: program, user, configuration, state, secrets, units. */
export function installSteps(
  parts: PlanParts,
  wanted: { config: Config; configText: string },
  manage: { units: boolean; start: boolean },
): Step[] {
  const { machine } = parts;
  return [
    ...programSteps(parts),
    userStep(parts),
    ...configSteps(parts, wanted.configText),
    ...stateSteps(parts, wanted.config),
    ...certificateSteps(parts, wanted.config),
    ...(manage.units ? unitSteps(parts) : []),
    ...(manage.units && machine.hasSystemd ? serviceSteps(parts, manage.start) : []),
  ];
}

function userStep({ machine, places }: PlanParts): Step {
  const { name, stateDir } = places;
  const shell = ["/usr/sbin/nologin", "/sbin/nologin"].find((path) => fs.existsSync(at(machine, path)));
  return {
    name: `user and group ${name}`,
    isDone: () => userIds(machine, name) !== undefined,
    async apply() {
      const within = machine.root === "/" ? [] : ["--root", machine.root];
      const noLogin = shell ?? "/bin/false";
      if (machine.has("useradd")) {
        const group = groupExists(machine, name) ? ["--gid", name] : ["--user-group"];
        await mustRun(machine, [
          "useradd",
          ...within,
          "--system",
          ...group,
          ...["--home-dir", stateDir, "--no-create-home", "--shell", noLogin, name],
        ]);
      } else if (machine.has("adduser") && machine.root === "/") {
        // As BusyBox has it.
        if (!groupExists(machine, name)) await mustRun(machine, ["addgroup", "-S", name]);
        await mustRun(machine, [
          "adduser",
          "-S",
          "-D",
          "-H",
          "-h",
          stateDir,
          "-s",
          noLogin,
          "-G",
          name,
          name,
        ]);
      } else {
        throw new InstallError(
          `there is neither useradd nor adduser: make a user and a group ${name} yourself`,
        );
      }
      if (userIds(machine, name) === undefined) throw new InstallError(`the user ${name} did not come to be`);
    },
  };
}

function groupExists(machine: Machine, name: string): boolean {
  const file = at(machine, "/etc/group");
  return (
    fs.existsSync(file) &&
    fs
      .readFileSync(file, "utf8")
      .split("\n")
      .some((line) => line.startsWith(`${name}:`))
  );
}

function configSteps({ machine, places }: PlanParts, configText: string): Step[] {
  const file = at(machine, places.configFile);
  return [
    directoryStep(machine, places.configDir, PUBLIC_DIR, () => undefined),
    {
      name: `configuration ${places.configFile}`,
      isDone: () => fs.existsSync(file),
      apply() {
        const ids = userIds(machine, places.name);
        const owner = ids === undefined || !machine.isRoot ? undefined : { uid: 0, gid: ids.gid };
        writeWhole(file, configText, { mode: CONFIG_MODE, owner });
      },
    },
  ];
}

/** State and what a relay makes once in its life. Made here, so that the DNS records can be shown at once. */
function stateSteps({ machine, places, clock }: PlanParts, config: Config): Step[] {
  const stateDir = at(machine, places.stateDir);
  const inState = (name: string) => `${stateDir}/${name}`;
  const owner = () => (machine.isRoot ? userIds(machine, places.name) : undefined);
  const secret = (what: string, file: string, make: () => void): Step => ({
    name: `${what} ${places.stateDir}/${file}`,
    // Ownership belongs to it: a file that root made and did not hand over would stop the relay.
    isDone: () => fs.existsSync(inState(file)) && isOwned(inState(file), owner()?.uid),
    apply() {
      make();
      give(inState(file), owner());
    },
  });
  const { turn, shadowsocks } = config;
  const { cipher: method } = shadowsocks;
  const calls = secret("secret for calls", "turn-secret", () => loadSecret(inState("turn-secret")));
  const proxy = secret("Shadowsocks password", "shadowsocks.secret", () => {
    ensurePassword(stateDir, { method });
  });
  return [
    directoryStep(machine, places.stateDir, PRIVATE_DIR, owner),
    secret("DKIM keys in", "dkim/keys.json", () => DkimKeys.open(stateDir, clock)),
    ...(turn.enabled && turn.secret === undefined ? [calls] : []),
    ...(shadowsocks.enabled && shadowsocks.password === undefined ? [proxy] : []),
  ];
}

/** Certificates of others often lie where only root may look; better told now than by a relay that does not start. */
function certificateSteps({ machine, places }: PlanParts, { tls }: Config): Step[] {
  const files = tls.mode === "file" ? [tls.cert, tls.key].filter((path) => path !== undefined) : [];
  if (machine.root !== "/" || !machine.has("runuser")) return [];
  return files.map((file) => ({
    name: `user ${places.name} can read ${file}`,
    isDone: async () =>
      (await machine.run(["runuser", "-u", places.name, "--", "test", "-r", file])).code === 0,
    apply() {
      throw new InstallError(
        `the user ${places.name} can't read ${file}: give it to the group ${places.name}, directories above it too, or copy it on each renewal; then run this again`,
      );
    },
  }));
}

function directoryStep(
  machine: Machine,
  path: string,
  mode: number,
  owner: () => { uid: number; gid: number } | undefined,
): Step {
  const real = at(machine, path);
  return {
    name: `directory ${path}`,
    isDone: () => fs.existsSync(real) && isOwned(real, owner()?.uid),
    apply() {
      if (!fs.existsSync(real)) fs.mkdirSync(real, { recursive: true, mode });
      give(real, owner());
    },
  };
}

function isOwned(path: string, uid: number | undefined): boolean {
  return uid === undefined || fs.lstatSync(path).uid === uid;
}

function unitSteps({ machine, places }: PlanParts): Step[] {
  return [
    unitStep(machine, places.unit, serviceUnit(places)),
    unitStep(machine, places.recoverUnit, recoverUnit(places)),
  ];
}

function unitStep(machine: Machine, path: string, text: string): Step {
  const real = at(machine, path);
  const kept = () => (fs.existsSync(real) ? fs.readFileSync(real, "utf8") : undefined);
  const isEdited = () => {
    const found = kept();
    return found !== undefined && !isUntouched(found);
  };
  const proposal = `${real}.new`;
  return {
    name: `unit ${path}`,
    isDone: () =>
      isEdited() ? fs.existsSync(proposal) && fs.readFileSync(proposal, "utf8") === text : kept() === text,
    apply() {
      fs.mkdirSync(at(machine, path.slice(0, path.lastIndexOf("/"))), { recursive: true, mode: PUBLIC_DIR });
      const edited = isEdited();
      writeWhole(edited ? proposal : real, text, { mode: UNIT_MODE });
      return edited ? `you edited ${path}: it was kept, and ${path}.new shows what it would be` : undefined;
    },
  };
}

function serviceSteps({ machine, places }: PlanParts, start: boolean): Step[] {
  const { name } = places;
  const says = async (command: readonly [string, ...string[]]) => (await machine.run(command)).output.trim();
  const reload: Step = {
    name: "systemd reads its units",
    async isDone() {
      const shown = await says(["systemctl", "show", "--property=NeedDaemonReload,LoadState", name]);
      return shown.includes("LoadState=loaded") && shown.includes("NeedDaemonReload=no");
    },
    apply: () => mustRun(machine, ["systemctl", "daemon-reload"]),
  };
  const enable: Step = {
    name: `${name} starts with the machine`,
    isDone: async () => (await says(["systemctl", "is-enabled", name])) === "enabled",
    apply: () => mustRun(machine, ["systemctl", "enable", name]),
  };
  const run: Step = {
    name: `${name} runs`,
    isDone: async () => (await says(["systemctl", "is-active", name])) === "active",
    apply: () => mustRun(machine, ["systemctl", "start", name]),
  };
  return [reload, enable, ...(start ? [run] : [])];
}
