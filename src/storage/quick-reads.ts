/**
 * Small reads on the main thread while they are cheap: what lies in the page cache costs 4 µs so, 15 to 40 µs
 * through the pool (measured). Several reads that took long mean that the disk has to work: then the pool reads for
 * a while, so a cold disk stops the main thread a few times a second at most.
 */
import * as fs from "node:fs";
import type { Clock } from "../core/clock.ts";

/** A read that took longer came from a disk. */
const SLOW_MS = 0.5;
/** So many slow reads, not outweighed by quick ones, are the disk and not a busy machine. */
const SLOW_READS = 3;
/** How many quick reads outweigh a slow one. */
const QUICK_PER_SLOW = 50;
/** The pool reads for so long after that. */
const PAUSE_MS = 1000;

export class QuickReads {
  readonly #clock: Clock;
  readonly #buffer: Buffer;
  #pausedUntilMs = -Infinity;
  #slowness = 0;

  /** @param headBytes most that `head` reads */
  constructor(clock: Clock, headBytes: number) {
    this.#clock = clock;
    this.#buffer = Buffer.allocUnsafeSlow(headBytes);
  }

  /** The first bytes of a file, valid until the next call. @returns undefined while disks are slow @throws errno errors */
  head(path: string): Uint8Array | undefined {
    return this.#timed(() => {
      const fd = fs.openSync(path, "r");
      try {
        return this.#buffer.subarray(0, fs.readSync(fd, this.#buffer, 0, this.#buffer.length, 0));
      } finally {
        fs.closeSync(fd);
      }
    });
  }

  /** A whole small file. @returns undefined while disks are slow @throws errno errors */
  whole(path: string): Uint8Array | undefined {
    return this.#timed(() => fs.readFileSync(path));
  }

  #timed<T>(read: () => T): T | undefined {
    const startMs = this.#clock.monotonicMs();
    if (startMs < this.#pausedUntilMs) return undefined;
    const result = read();
    const endMs = this.#clock.monotonicMs();
    if (endMs - startMs <= SLOW_MS) this.#slowness = Math.max(0, this.#slowness - 1 / QUICK_PER_SLOW);
    else if (++this.#slowness >= SLOW_READS) {
      this.#slowness = 0;
      this.#pausedUntilMs = endMs + PAUSE_MS;
    }
    return result;
  }
}
