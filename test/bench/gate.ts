/**
 * Speed of the gate, in MB of message per second, for messages in Delta Chat's shape.
 * `bun test/bench/gate.ts` prints the table; the bench runner calls `gateBench`.
 */
import { fakeEncryptedMessage } from "../../src/pgp/fixtures.test-help.ts";
import { createMessageScanner } from "../../src/pgp/scanner.ts";

/** What one read of a TLS socket gives at most. */
const CHUNK_BYTES = 64 * 1024;
const WARM_UP_MS = 400;
const SIZES = { "10 kB": 10_000, "100 kB": 100_000, "1 MB": 1_000_000, "30 MB": 30_000_000 } as const;

export interface GateFigure {
  name: string;
  messageBytes: number;
  /** Median of the rounds. */
  mbPerSecond: number;
  /** Best round: least disturbed by other load on the machine. */
  bestMbPerSecond: number;
  /** Processor time of one message, all threads of the process, median of the rounds. */
  cpuMicrosPerMessage: number;
}

/** Scans each size in rounds of about `roundMs`. */
export function gateBench(rounds = 15, roundMs = 40): GateFigure[] {
  // The small message runs the most code per byte: once its code is compiled, so is all other.
  measure(fakeEncryptedMessage(SIZES["10 kB"]), WARM_UP_MS);
  return Object.entries(SIZES).map(([name, size]) => {
    const message = fakeEncryptedMessage(size);
    measure(message, roundMs);
    const results = Array.from({ length: rounds }, () => measure(message, roundMs));
    const speeds = results.map((result) => result.mbPerSecond).sort((a, b) => a - b);
    const cpu = results.map((result) => result.cpuMicros).sort((a, b) => a - b);
    return {
      name,
      messageBytes: message.length,
      mbPerSecond: Math.round(speeds[rounds >> 1] ?? 0),
      bestMbPerSecond: Math.round(speeds.at(-1) ?? 0),
      cpuMicrosPerMessage: Math.round(cpu[rounds >> 1] ?? 0),
    };
  });
}

function measure(message: Uint8Array, roundMs: number): { mbPerSecond: number; cpuMicros: number } {
  const start = performance.now();
  const cpuBefore = process.cpuUsage();
  let count = 0;
  let elapsedMs = 0;
  while (elapsedMs < roundMs) {
    scan(message);
    count++;
    elapsedMs = performance.now() - start;
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  return { mbPerSecond: (message.length * count) / 1e3 / elapsedMs, cpuMicros: (user + system) / count };
}

function scan(message: Uint8Array): void {
  const scanner = createMessageScanner();
  for (let at = 0; at < message.length; at += CHUNK_BYTES)
    scanner.write(message.subarray(at, at + CHUNK_BYTES));
  const { kind } = scanner.end().submitted;
  if (kind !== "encrypted") throw new Error(`the gate took a bench message for ${kind}`);
}

if (import.meta.main) {
  for (const figure of gateBench()) {
    const { name, mbPerSecond, bestMbPerSecond, cpuMicrosPerMessage } = figure;
    console.log(
      `${name}: ${mbPerSecond} MB/s, best ${bestMbPerSecond} MB/s, ${cpuMicrosPerMessage} µs CPU a message`,
    );
  }
}
