/**
 * Runs a command in a root of its own: this machine's files with a layer above that takes all writes, its own network
 * and its own processes. What happens there leaves nothing here.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const TIMEOUT_MS = 240_000;

/** $1 a directory to mount on, $2… directories to show as they are, --, the command. */
const enter = `
set -e
at=$1; shift
mount -t tmpfs -o size=2g none "$at"
mkdir "$at/upper" "$at/work" "$at/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$at/upper,workdir=$at/work" "$at/root"
mount -t proc proc "$at/root/proc"
mount --rbind /dev "$at/root/dev"
mount -t tmpfs none "$at/root/run"
mount -t tmpfs -o size=1g none "$at/root/tmp"
while [ "$1" != -- ]; do mkdir -p "$at/root$1"; mount --rbind "$1" "$at/root$1"; shift; done
shift
ip link set lo up
exec chroot "$at/root" "$@"
`;

const unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"];

/** Why there can be no such root here; undefined when there can. */
export function freshRootAbsent(): string | undefined {
  if (process.platform !== "linux") return "roots of their own need Linux";
  if (process.getuid?.() !== 0) return "a root of its own needs root";
  for (const program of ["unshare", "setpriv", "ip", "chroot"]) {
    if (Bun.which(program) === null) return `${program} is not installed`;
  }
  const { code, output } = inFreshRoot([], ["true"]);
  return code === 0 ? undefined : `no root of its own: ${output.trim().split("\n").at(-1)}`;
}

export function inFreshRoot(
  shown: readonly string[],
  command: readonly string[],
  env: Record<string, string> = {},
): { code: number | null; output: string } {
  const at = mkdtempSync(join(tmpdir(), "madmail-root-"));
  try {
    const child = Bun.spawnSync([...unshare, "sh", "-c", enter, "sh", at, ...shown, "--", ...command], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: TIMEOUT_MS,
      env: { ...process.env, ...env },
    });
    return { code: child.exitCode, output: child.stdout.toString() + child.stderr.toString() };
  } finally {
    rmSync(at, { recursive: true, force: true });
  }
}
