/**
 * As much of systemctl as an installation uses, for a root without systemd: it reads the real unit and really starts the
 * relay as the unit's user. A service counts as active once it has printed `ready`.
 */
import { chmodSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const STATE = "/run/stand-in";
const STOP_MAX_MS = 15_000;
const READY_MAX_MS = 15_000;

interface UnitState {
  pid: number;
  enabled: boolean;
  /** Whether somebody wants it to run. */
  wanted: boolean;
}

/** Puts it where `systemctl` is looked for first, and makes the root look as if systemd had started it. */
export function installSystemctl(): void {
  mkdirSync("/run/systemd/system", { recursive: true });
  mkdirSync(STATE, { recursive: true });
  const file = "/usr/local/sbin/systemctl";
  writeFileSync(file, `#!/bin/sh\nexec ${process.execPath} ${import.meta.path} "$@"\n`);
  chmodSync(file, 0o755);
}

async function main(argv: readonly string[]): Promise<void> {
  const [verb = "", ...rest] = argv.filter((word) => !word.startsWith("--"));
  const name = rest.at(-1) ?? "";
  const state = read(name);
  switch (verb) {
    case "daemon-reload":
    case "reset-failed":
      return;
    case "enable":
      return write(name, { ...state, enabled: true });
    case "disable":
      await stop(name);
      return write(name, { ...read(name), enabled: false });
    case "is-enabled":
      return console.log(state.enabled ? "enabled" : "disabled");
    case "is-active":
      return console.log(activity(name));
    case "show":
      return console.log(
        `ActiveState=${activity(name)}\nMainPID=${state.pid}\nNRestarts=0\nLoadState=loaded\nNeedDaemonReload=no`,
      );
    case "stop":
      return stop(name);
    case "restart":
      await stop(name);
      return start(name);
    case "start":
      return isAlive(state.pid) ? undefined : start(name);
    default:
      console.error(`no such verb: ${verb}`);
      process.exitCode = 1;
  }
}

async function start(name: string): Promise<void> {
  const unit = readFileSync(`/etc/systemd/system/${name}.service`, "utf8");
  const value = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(unit)?.[1] ?? "";
  const user = value("User");
  const log = join(STATE, `${name}.log`);
  rmSync(log, { force: true });
  const output = openSync(log, "a");
  const become = ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups"];
  const ports = ["--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"];
  const bounds = ["--bounding-set=-all,+net_bind_service", "--no-new-privs"];
  const child = Bun.spawn([...become, ...ports, ...bounds, ...value("ExecStart").split(" ")], {
    stdin: "ignore",
    stdout: output,
    stderr: output,
    cwd: value("WorkingDirectory"),
    detached: true,
    env: { UV_THREADPOOL_SIZE: "16", PATH: "/usr/bin:/bin" },
  });
  child.unref();
  write(name, { ...read(name), pid: child.pid, wanted: true });
  for (let ms = 0; ms < READY_MAX_MS && activity(name) === "activating"; ms += 50) await Bun.sleep(50);
}

async function stop(name: string): Promise<void> {
  const { pid } = read(name);
  if (isAlive(pid)) process.kill(pid, "SIGTERM");
  for (let ms = 0; ms < STOP_MAX_MS && isAlive(pid); ms += 50) await Bun.sleep(50);
  write(name, { ...read(name), wanted: false });
}

function activity(name: string): string {
  const { pid, wanted } = read(name);
  if (!wanted) return "inactive";
  if (!isAlive(pid)) return "failed";
  return readFileSync(join(STATE, `${name}.log`), "utf8").includes("ready") ? "active" : "activating";
}

/** A process that has ended may still be listed, as Z, until its parent looks. */
function isAlive(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  return pid > 0 && existsSync(file) && !/^\d+ \(.*\) [ZX]/.test(readFileSync(file, "utf8"));
}

function read(name: string): UnitState {
  const file = join(STATE, `${name}.json`);
  if (!existsSync(file)) return { pid: 0, enabled: false, wanted: false };
  return JSON.parse(readFileSync(file, "utf8")) as UnitState;
}

function write(name: string, state: UnitState): void {
  writeFileSync(join(STATE, `${name}.json`), JSON.stringify(state));
}

if (import.meta.main) await main(process.argv.slice(2));
