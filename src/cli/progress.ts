/** A line that tells how far long work is: on a terminal only, on stderr, so that no pipe gets it. */
import type { Globals } from "./globals.ts";

/** Often enough to look alive. */
const EVERY_MS = 100;

export interface ProgressLine {
  /** @param text asked for only when it is time to print */
  show(text: () => string): void;
  /** Takes the line away. */
  end(): void;
}

export function progressLine(globals: Globals): ProgressLine {
  if (globals.json || !process.stderr.isTTY) return { show: () => {}, end: () => {} };
  let lastMs = 0;
  return {
    show(text) {
      const nowMs = performance.now();
      if (nowMs - lastMs < EVERY_MS) return;
      lastMs = nowMs;
      const width = Math.max(20, process.stderr.columns ?? 80);
      process.stderr.write(`\r\u001b[K${text().slice(0, width - 1)}`);
    },
    end: () => void process.stderr.write("\r\u001b[K"),
  };
}

/** `[#####-----] 50 %`. */
export function bar(done: number, total: number): string {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const filled = Math.round(share * 20);
  return `[${"#".repeat(filled)}${"-".repeat(20 - filled)}] ${Math.floor(share * 100)} %`;
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
