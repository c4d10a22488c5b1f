/**
 * Speed of the gate, in MB of message per second, for messages in Delta Chat's shape.
 * `bun test/bench/gate.ts` prints the table; the bench runner calls `gateBench`.
 */
import { fakeEncryptedMessage } from "../../src/pgp/fixtures.test-help.ts";
import { createMessageScanner } from "../../src/pgp/scanner.ts";

/** What one read of a TLS socket gives at most. */
const CHUNK_BYTES = 64 * 1024;
const SIZES = { "10 kB": 10_000, "100 kB": 100_000, "1 MB": 1_000_000, "30 MB": 30_000_000 } as const;

export interface GateFigure {
  name: string;
  messageBytes: number;
  /** Median of the rounds. */
  mbPerSecond: number;
  /** Best round: what is left of other load on the machine. */
  bestMbPerSecond: number;
}

/** Scans each size in rounds of about `roundMs`. */
export function gateBench(rounds = 15, roundMs = 40): GateFigure[] {
  return Object.entries(SIZES).map(([name, size]) => {
    const message = fakeEncryptedMessage(size);
    measure(message, roundMs);
    const speeds = Array.from({ length: rounds }, () => measure(message, roundMs)).sort((a, b) => a - b);
    return {
      name,
      messageBytes: message.length,
      mbPerSecond: Math.round(speeds[rounds >> 1] ?? 0),
      bestMbPerSecond: Math.round(speeds.at(-1) ?? 0),
    };
  });
}

function measure(message: Uint8Array, roundMs: number): number {
  const start = performance.now();
  let bytes = 0;
  let elapsedMs = 0;
  while (elapsedMs < roundMs) {
    scan(message);
    bytes += message.length;
    elapsedMs = performance.now() - start;
  }
  return bytes / 1e3 / elapsedMs;
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
    console.log(`${figure.name}: ${figure.mbPerSecond} MB/s, best ${figure.bestMbPerSecond} MB/s`);
  }
}
