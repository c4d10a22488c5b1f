/** A machine for tests: a directory for `/`, and a service manager that runs nothing but knows what it was told. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { linkTarget } from "./files.ts";
import type { CommandResult, Machine } from "./machine.ts";

/** Stands for a kill: nobody may catch it as a fault of a step. */
export class Killed extends Error {}

export class TestMachine implements Machine, Disposable {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), "madmail-machine-")));
  readonly isRoot = false;
  readonly hasSystemd = true;
  readonly commands: string[] = [];
  /** The number of the command before which the program is killed. */
  killBefore: number | undefined;
  /** What the service runs now; undefined while it is down. */
  runs: string | undefined;
  failed = false;
  enabled = false;
  /** Called when the service starts, with the executable; false is a crash. */
  onStart: (executable: string) => boolean = () => true;
  #pid = 100;

  constructor() {
    for (const dir of ["etc", "usr/local/bin", "var/lib", "opt"])
      mkdirSync(join(this.root, dir), { recursive: true });
    writeFileSync(
      join(this.root, "etc/passwd"),
      `relay:x:${process.getuid?.()}:${process.getgid?.()}::/:/bin/false\n`,
    );
    writeFileSync(join(this.root, "etc/group"), `relay:x:${process.getgid?.()}:\n`);
  }

  /** A program for this machine: a script that says its version, and answers `preflight` with an exit code. */
  program(version: string, more: { preflight?: number; runs?: boolean; migrates?: boolean } = {}): string {
    const file = join(this.root, "incoming", version, "program");
    mkdirSync(dirname(file), { recursive: true });
    const facts = JSON.stringify({ runs: true, ...more });
    const text = `#!/bin/sh
# ${facts}
case "$*" in
*version*) echo '{"data":{"version":"${version}"}}' ;;
*preflight*) exit ${more.preflight ?? 0} ;;
esac
`;
    writeFileSync(file, text);
    chmodSync(file, 0o755);
    return file;
  }

  has(): boolean {
    return true;
  }

  async run(command: readonly [string, ...string[]]): Promise<CommandResult> {
    this.commands.push(command.join(" "));
    if (this.commands.length === this.killBefore) throw new Killed();
    const [program, ...args] = command;
    if (program === "systemctl") return { code: 0, output: this.#systemctl(args) };
    // A real one asks the running relay which version it is.
    if (args.includes("--live") && this.runs !== program) return { code: 1, output: "another version runs" };
    const child = Bun.spawnSync([...command], { stdout: "pipe", stderr: "pipe" });
    return { code: child.exitCode, output: child.stdout.toString() + child.stderr.toString() };
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  #systemctl([verb, ...rest]: readonly string[]): string {
    if (verb === "stop") this.runs = undefined;
    if (verb === "reset-failed") this.failed = false;
    if (verb === "restart" || (verb === "start" && this.runs === undefined)) this.#start(rest.at(-1) ?? "");
    const active = this.failed ? "failed" : this.runs === undefined ? "inactive" : "active";
    if (verb === "enable" || verb === "disable") this.enabled = verb === "enable";
    if (verb === "disable") this.runs = undefined;
    if (verb === "is-enabled") return this.enabled ? "enabled" : "disabled";
    if (verb === "is-active") return active;
    if (verb !== "show") return "";
    return `ActiveState=${active}\nMainPID=${this.#pid}\nNRestarts=0\nLoadState=loaded\nNeedDaemonReload=no\n`;
  }

  #start(name: string): void {
    const executable = this.installed(name);
    this.#pid++;
    const facts = JSON.parse(/^# (\{.*\})$/m.exec(readFileSync(executable, "utf8"))?.[1] ?? "{}") as {
      runs: boolean;
    };
    this.runs = this.onStart(executable) && facts.runs ? executable : undefined;
    this.failed = this.runs === undefined;
  }

  /** The executable that a shell on this machine would find, links followed inside the root. */
  installed(name: string): string {
    const tree = join(this.root, "opt", name);
    return join(tree, linkTarget(join(tree, "current")) ?? "nothing", name);
  }
}
