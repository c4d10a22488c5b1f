/** What the system says about this process. On other systems than Linux some of it is not known. */
import { readdirSync, readFileSync, statfsSync } from "node:fs";

export interface ProcessFigures {
  residentBytes: number;
  heapBytes: number;
  cpuSeconds: number;
  openFiles: number | undefined;
  openFilesMax: number | undefined;
}

export function processFigures(): ProcessFigures {
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return {
    residentBytes: rss,
    heapBytes: heapUsed,
    cpuSeconds: (user + system) / 1e6,
    openFiles: attempt(() => readdirSync("/proc/self/fd").length),
    openFilesMax: attempt(() => {
      const limits = readFileSync("/proc/self/limits", "latin1");
      const soft = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
      return Number.isNaN(soft) ? undefined : soft;
    }),
  };
}

/** Room where a directory lies, bytes. */
export function diskFigures(directory: string): { freeBytes: number; totalBytes: number } | undefined {
  return attempt(() => {
    const { bsize, bavail, blocks } = statfsSync(directory);
    return { freeBytes: bsize * bavail, totalBytes: bsize * blocks };
  });
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
