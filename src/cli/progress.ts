/** Progress of work that reports each message: shown a few times a second, and taken away in the end. */
import type { Progress } from "../operations/operation.ts";
import type { Globals } from "./globals.ts";
import { progressBar } from "./operate.ts";

/** Often enough to look alive. */
const EVERY_MS = 100;

export interface ProgressLine {
  /** @param progress asked for only when it is time to print */
  show(progress: () => Progress): void;
  end(): void;
}

export function progressLine(globals: Globals): ProgressLine {
  const print = progressBar(globals);
  let lastMs = Number.NEGATIVE_INFINITY;
  return {
    show(progress) {
      const nowMs = performance.now();
      if (nowMs - lastMs < EVERY_MS) return;
      lastMs = nowMs;
      print(progress());
    },
    end() {
      if (!globals.json && process.stderr.isTTY) process.stderr.write("\r\u001b[K");
    },
  };
}

/** `12.3 MiB`. */
export function sizeText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
