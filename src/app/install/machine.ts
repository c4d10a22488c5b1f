/** The machine that is changed: its file tree, its users and its service manager. Tests give another one. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What a program may take before it counts as stuck; stopping a busy relay takes ten seconds. */
const COMMAND_TIMEOUT_MS = 180_000;
const SYSTEMD_RUNS = "/run/systemd/system";

/** A machine that is not as it must be, or a step that failed; the message is for the operator. */
export class InstallError extends Error {}

export interface CommandResult {
  code: number;
  output: string;
}

export interface Machine {
  /** `/`, or the directory that stands for it: an image being built, a test. */
  readonly root: string;
  readonly isRoot: boolean;
  /** Whether services can be started and stopped here. */
  readonly hasSystemd: boolean;
  run(command: readonly [string, ...string[]]): Promise<CommandResult>;
  has(program: string): boolean;
}

export interface UserIds {
  uid: number;
  gid: number;
}

export function thisMachine(root = "/"): Machine {
  return {
    root,
    isRoot: process.getuid?.() === 0,
    hasSystemd: root === "/" && existsSync(SYSTEMD_RUNS) && Bun.which("systemctl") !== null,
    run,
    has: (program) => Bun.which(program) !== null,
  };
}

/** A path of the installed system as this process reaches it. */
export function at({ root }: Pick<Machine, "root">, path: string): string {
  return root === "/" ? path : join(root, path);
}

/** Runs a command and complains when it fails. @throws {InstallError} with what it printed */
export async function mustRun(machine: Machine, command: readonly [string, ...string[]]): Promise<void> {
  const { code, output } = await machine.run(command);
  if (code === 0) return;
  throw new InstallError(`\`${command.join(" ")}\` failed with ${code}: ${output.trim()}`);
}

/** User and group of that name, from the machine's own files; undefined when one of them is missing. */
export function userIds(machine: Machine, name: string): UserIds | undefined {
  const uid = idIn(at(machine, "/etc/passwd"), name);
  const gid = idIn(at(machine, "/etc/group"), name);
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

/** The third field of the line that begins with `name:`. */
function idIn(file: string, name: string): number | undefined {
  if (!existsSync(file)) return undefined;
  const line = readFileSync(file, "utf8")
    .split("\n")
    .find((each) => each.startsWith(`${name}:`));
  const id = line?.split(":")[2];
  return id === undefined ? undefined : Number(id);
}

async function run(command: readonly [string, ...string[]]): Promise<CommandResult> {
  try {
    const child = Bun.spawn([...command], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: COMMAND_TIMEOUT_MS,
    });
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { code, output: out + err };
  } catch (error) {
    return { code: 127, output: error instanceof Error ? error.message : String(error) };
  }
}
