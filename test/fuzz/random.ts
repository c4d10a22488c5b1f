/** What all fuzzers share: a small generator, seeds from the talks, and ways to spoil bytes. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { concat } from "../../src/core/bytes.ts";
import { parseTalk } from "../talks/talk.ts";

/** Bytes that line protocols turn on. */
const SPECIAL_BYTES = [0, 9, 10, 13, 32, 34, 40, 41, 42, 46, 58, 60, 62, 91, 92, 93, 123, 125, 127, 128, 255];

/** mulberry32: small, and the same everywhere. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to below `bound`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  /** @throws {Error} when there is nothing to pick from */
  pick<T>(from: readonly T[]): T {
    const picked = from[this.below(from.length)];
    if (picked === undefined) throw new Error("nothing to pick from");
    return picked;
  }
}

/** The same as a function: numbers from 0 to below 1. */
export function generator(seed: number): () => number {
  const random = new Random(seed);
  return () => random.below(2 ** 32) / 2 ** 32;
}

/** All that clients say in the talks of one protocol, one entry a talk. */
export function talkSeeds(protocol: "imap" | "smtp"): Uint8Array[] {
  const folder = join(import.meta.dir, "../talks", protocol);
  return readdirSync(folder)
    .filter((name) => name.endsWith(".talk"))
    .sort()
    .map((name) => {
      const { steps } = parseTalk(name, readFileSync(join(folder, name), "utf8"));
      return concat(steps.flatMap((step) => (step.do === "say" ? [step.bytes] : [])));
    })
    .filter((bytes) => bytes.length > 0);
}

/** Spoils bytes in up to `max` places: another byte, a word put in, a stretch doubled, taken out or swapped in. */
export function mutate(seed: Uint8Array, random: Random, words: readonly string[], max: number): Uint8Array {
  let bytes = seed;
  for (let count = random.below(max + 1); count > 0; count--) {
    const at = random.below(bytes.length + 1);
    const end = Math.min(bytes.length, at + 1 + random.below(random.pick([2, 16, 200])));
    const head = bytes.subarray(0, at);
    switch (random.below(6)) {
      case 0:
        bytes = concat([
          head,
          Uint8Array.of(random.pick(SPECIAL_BYTES)),
          bytes.subarray(Math.min(at + 1, end)),
        ]);
        break;
      case 1:
        bytes = concat([head, Uint8Array.of(random.below(256)), bytes.subarray(at)]);
        break;
      case 2:
        bytes = concat([head, Buffer.from(random.pick(words), "latin1"), bytes.subarray(at)]);
        break;
      case 3:
        bytes = concat([head, bytes.subarray(end)]);
        break;
      case 4:
        bytes = concat([head, bytes.subarray(at, end), bytes.subarray(at)]);
        break;
      default: {
        const from = random.below(bytes.length + 1);
        bytes = concat([head, bytes.subarray(from, from + (end - at)), bytes.subarray(end)]);
      }
    }
  }
  return bytes;
}

/** Cuts a stream into pieces of random lengths. */
export function cut(stream: Uint8Array, random: Random): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const stepMax = random.pick([1, 3, 30, 300]);
  for (let at = 0; at < stream.length; ) {
    const end = at + 1 + random.below(stepMax);
    pieces.push(stream.subarray(at, end));
    at = end;
  }
  return pieces;
}
