/** What the machine gives the relay: disk, time, files, threads, memory. */
import type { Check } from "./check.ts";
import { fail, type Finding, found, messageOf, skipped, type Trouble, warn } from "./finding.ts";
import type { World } from "./world.ts";

const MB = 2 ** 20;
const DISK_FAIL_BYTES = 100 * MB;
const DISK_WARN_BYTES = 1024 * MB;
const DISK_WARN_SHARE = 0.05;
const NODES_WARN = 50_000;
const NODES_FAIL = 1000;
const SYNC_WARN_MS = 100;
const SKEW_WARN_MS = 60_000;
const SKEW_FAIL_MS = 10 * 60_000;
/** This program did not exist before: Nov 2026. */
const EARLIEST_MS = Date.UTC(2026, 10, 1);
/** Files of another machine may be a little ahead. */
const FUTURE_MAX_MS = 120_000;
/** Beside connections: mail, database, queue, transfers. */
const OTHER_FILES = 500;
const POOL_MIN = 4;
const MEMORY_WARN_BYTES = 100 * MB;
const MEMORY_FAIL_BYTES = 30 * MB;

export const machineChecks: readonly Check[] = [
  {
    name: "state-directory",
    title: "State directory",
    run: ({ machine, config, closed }) => {
      let directory: { ownerId: number; mode: number };
      try {
        directory = machine.directory();
      } catch (error) {
        const what = `${config.stateDir}: ${closed ?? messageOf(error)}`;
        const mend = "see `state_dir` in the configuration; `madmail install` or a first start makes it";
        return found("", fail(what, mend));
      }
      const { ownerId, mode } = directory;
      const dir = config.stateDir;
      const secrets = (mode & 0o077) === 0 ? [] : machine.readableSecrets();
      return found(
        `${dir} belongs to the relay alone`,
        closed === undefined
          ? undefined
          : fail(
              `it can't be used: ${closed}`,
              "mend what it says, and run this as the relay's user or root",
            ),
        ownerId === machine.userId || machine.userId === 0
          ? undefined
          : fail(
              `${dir} belongs to user ${ownerId}, and this is user ${machine.userId}`,
              `chown -R the relay's user ${dir}, or run this as that user`,
            ),
        (mode & 0o007) === 0
          ? undefined
          : warn(`everybody on this machine may enter ${dir} (mode ${modeText(mode)})`, `chmod 0700 ${dir}`),
        secrets.length === 0
          ? undefined
          : fail(`others may read ${secrets.join(", ")}`, `chmod 0600 these files in ${dir}`),
      );
    },
  },
  { name: "disk", title: "Disk", run: checkDisk },
  { name: "clock", title: "Clock", run: checkClock },
  { name: "open-files", title: "Limit of open files", needs: "running", run: checkFiles },
  {
    name: "thread-pool",
    title: "Threads for the disk",
    needs: "running",
    run({ machine: { poolThreads, cpus } }) {
      const threads = poolThreads ?? cpus;
      const mend =
        "set UV_THREADPOOL_SIZE=16 in the relay's environment (the unit file of `madmail install` does)";
      return found(
        `${threads} threads`,
        threads >= POOL_MIN
          ? undefined
          : warn(`only ${threads} threads for all disk work: one slow call stops the others`, mend),
      );
    },
  },
  { name: "memory", title: "Memory", run: checkMemory },
];

async function checkDisk({ machine, config }: World): Promise<Finding> {
  const troubles: (Trouble | undefined)[] = [];
  let room = "";
  try {
    const { freeBytes, totalBytes, freeNodes, totalNodes } = machine.disk();
    room = `${megabytes(freeBytes)} MB of ${megabytes(totalBytes)} MB free`;
    const mend = "free some, let old mail go sooner (`madmail tasks`), or give the machine a larger disk";
    if (freeBytes < DISK_FAIL_BYTES) troubles.push(fail(`the disk is full: ${room}`, mend));
    else if (freeBytes < Math.min(DISK_WARN_BYTES, totalBytes * DISK_WARN_SHARE)) {
      troubles.push(warn(`the disk is nearly full: ${room}`, mend));
    }
    // Some file systems make them as they go, and say there are none.
    if (totalNodes > 0 && freeNodes < NODES_WARN) {
      const what = `room for ${freeNodes} more files only (inodes), and each message is a file`;
      const mendNodes = "remove small files, or make the file system anew with more inodes";
      troubles.push(freeNodes < NODES_FAIL ? fail(what, mendNodes) : warn(what, mendNodes));
    }
  } catch (error) {
    const what = `the disk can't be asked (${messageOf(error)})`;
    return found("", fail(what, `see that ${config.stateDir} exists and is mounted`));
  }
  let synced = "";
  try {
    const ms = await machine.syncMs();
    synced = `, a write is on it after ${ms.toFixed(1)} ms`;
    if (ms > SYNC_WARN_MS) {
      const what = `a write takes ${Math.round(ms)} ms to reach the disk, and every message waits for that`;
      troubles.push(
        warn(
          what,
          "use a faster disk, see who else writes on it, or set `fsync` in [storage] if you can lose mail",
        ),
      );
    }
  } catch (error) {
    const what = `nothing can be written in ${config.stateDir} (${messageOf(error)})`;
    troubles.push(
      fail(what, "mount the disk for writing, make room, and give the directory to the relay's user"),
    );
  }
  return found(`${room}${synced}`, ...troubles);
}

async function checkClock(world: World, stop: AbortSignal): Promise<Finding> {
  const { clock, machine, running, mayAsk, peer } = world;
  const nowMs = clock.nowMs();
  const mend = "turn on time synchronisation: `timedatectl set-ntp true`";
  if (nowMs < EARLIEST_MS) {
    return found("", fail(`the clock says ${day(nowMs)}, which is before this program was made`, mend));
  }
  const written = machine.lastWrittenMs();
  if (written !== undefined && written > nowMs + FUTURE_MAX_MS) {
    const what = `the clock says ${day(nowMs)}, but files were written here on ${day(written)}: it went back`;
    return found("", fail(what, mend));
  }
  const aheadMs =
    (await running?.clockAheadMs()) ??
    (mayAsk && peer !== undefined ? await aheadOf(world, peer, stop) : undefined);
  if (aheadMs === undefined) return found("plausible; compared with nobody's (--peer DOMAIN compares)");
  const off = Math.abs(aheadMs);
  const what = `the clock is ${Math.round(off / 1000)} seconds ${aheadMs > 0 ? "ahead" : "behind"}`;
  if (off > SKEW_FAIL_MS)
    return found("", fail(`${what}: certificates, signatures and login codes go wrong`, mend));
  return found(`right within ${Math.ceil(off / 1000)} s`, off > SKEW_WARN_MS ? warn(what, mend) : undefined);
}

/** The Date of a peer's answer (RFC 9110 §6.6.1). */
async function aheadOf(world: World, peer: string, stop: AbortSignal): Promise<number | undefined> {
  try {
    const port = world.config.federation.https_port;
    const { dateMs } = await world.ask(`https://${peer}:${port}/`, stop);
    return dateMs === undefined ? undefined : world.clock.nowMs() - dateMs;
  } catch {
    return undefined;
  }
}

function checkFiles({ machine, config }: World): Finding {
  const files = machine.openFiles();
  if (files === undefined) return skipped("this system does not tell");
  const wanted = config.limits.connections + OTHER_FILES;
  const mend = `raise it (LimitNOFILE= of the unit) to ${wanted} or more, or lower \`connections\` in [limits]`;
  return found(
    `${files.open} of ${files.max} in use`,
    files.open > files.max * 0.9
      ? fail(`${files.open} of ${files.max} are in use: new connections will fail`, mend)
      : undefined,
    files.max < wanted
      ? warn(`${files.max} files may be open, and ${config.limits.connections} connections are allowed`, mend)
      : undefined,
  );
}

function checkMemory({ machine }: World): Finding {
  const memory = machine.memory();
  if (memory === undefined) return skipped("this system does not tell");
  const { availableBytes, totalBytes } = memory;
  const said = `${megabytes(availableBytes)} MB of ${megabytes(totalBytes)} MB available`;
  const mend = "end other programs, add swap or memory; a relay wants some 200 MB";
  if (availableBytes < MEMORY_FAIL_BYTES) return found("", fail(`memory is used up: ${said}`, mend));
  const trouble = availableBytes < MEMORY_WARN_BYTES ? warn(`memory is scarce: ${said}`, mend) : undefined;
  return found(`${said}, this process has ${megabytes(machine.residentBytes)} MB`, trouble);
}

function megabytes(bytes: number): number {
  return Math.round(bytes / MB);
}

function modeText(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, "0");
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}
