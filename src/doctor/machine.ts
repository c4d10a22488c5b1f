/** This machine and this process, as the system tells of them. On other systems than Linux some of it is not known. */
import { readdirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { cpus, freemem, totalmem } from "node:os";
import { join } from "node:path";
import type { Machine } from "./world.ts";

const KIB = 1024;
const SYNC_TRIES = 3;
/** What the state directory keeps that is for the relay alone. */
const SECRETS = /(\.private|\.key|key\.pem|secret|password|token|key\.json|\.db)$/;
const SECRET_DIRECTORIES = ["", "dkim", "tls", "certs", "echo"];

export function systemMachine(stateDir: string): Machine {
  return {
    userId: process.getuid?.() ?? 0,
    directory() {
      const { uid: ownerId, mode } = statSync(stateDir);
      return { ownerId, mode };
    },
    readableSecrets: () => SECRET_DIRECTORIES.flatMap((directory) => secretsIn(stateDir, directory)),
    disk() {
      const { bsize, bavail, blocks, ffree, files } = statfsSync(stateDir);
      return { freeBytes: bsize * bavail, totalBytes: bsize * blocks, freeNodes: ffree, totalNodes: files };
    },
    syncMs: () => timeSync(stateDir),
    lastWrittenMs: () => attempt(() => statSync(join(stateDir, "madmail.db")).mtimeMs),
    memory: () => memory(),
    residentBytes: process.memoryUsage().rss,
    openFiles: () =>
      attempt(() => {
        const limits = readFileSync("/proc/self/limits", "latin1");
        const max = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
        return { open: readdirSync("/proc/self/fd").length, max };
      }),
    poolThreads: Number(process.env["UV_THREADPOOL_SIZE"]) || undefined,
    cpus: cpus().length,
  };
}

function secretsIn(stateDir: string, directory: string): string[] {
  const names = attempt(() => readdirSync(join(stateDir, directory))) ?? [];
  return names
    .filter((name) => SECRETS.test(name))
    .map((name) => join(directory, name))
    .filter((name) => {
      const facts = attempt(() => statSync(join(stateDir, name)));
      return facts?.isFile() === true && (facts.mode & 0o077) !== 0;
    });
}

/** @throws {Error} of the system (as a rejection) */
async function timeSync(stateDir: string): Promise<number> {
  const path = join(stateDir, `doctor-${process.pid}.tmp`);
  try {
    await using file = await open(path, "w", 0o600);
    let best = Number.POSITIVE_INFINITY;
    // The best of some: other checks run meanwhile.
    for (let i = 0; i < SYNC_TRIES; i++) {
      const began = performance.now();
      await file.write(new Uint8Array(4096));
      await file.sync();
      best = Math.min(best, performance.now() - began);
    }
    return best;
  } finally {
    await rm(path, { force: true });
  }
}

/** The smaller of what the machine and what the unit's limit leave. */
function memory(): { availableBytes: number; totalBytes: number } {
  const table = attempt(() => readFileSync("/proc/meminfo", "latin1")) ?? "";
  const figure = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(table)?.[1] ?? Number.NaN) * KIB;
  const totalBytes = figure("MemTotal") || totalmem();
  const availableBytes = figure("MemAvailable") + figure("SwapFree") || freemem();
  const max = Number(attempt(() => readFileSync("/sys/fs/cgroup/memory.max", "latin1")) ?? Number.NaN);
  const used = Number(attempt(() => readFileSync("/sys/fs/cgroup/memory.current", "latin1")) ?? Number.NaN);
  if (!Number.isFinite(max) || !Number.isFinite(used) || max >= totalBytes)
    return { availableBytes, totalBytes };
  return { availableBytes: Math.min(availableBytes, max - used), totalBytes: max };
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
