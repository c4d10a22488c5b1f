/**
 * `bun run fuzz -- [--minutes N] [--seed S] [names…]`: takes the fuzzers in turn until the time is over.
 * A fuzzer is a file beside this one that exports `NAMEFuzz` (smtp.ts: `smtpFuzz`). A failure prints its seed;
 * `--seed S NAME` runs that one again. Each crash found becomes a row in a test.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

const DEFAULT_MINUTES = 1;
const SEED_MAX = 2 ** 31;

export interface Fuzzer {
  name: string;
  /** Watches the clock: a busy machine would make it lie, so short runs (CI) leave it out unless it is named. */
  timed?: true;
  /** Runs one case. @throws {Error} when an invariant does not hold */
  run(seed: number): void | Promise<void>;
}

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: { minutes: { type: "string" }, seed: { type: "string" } },
  allowPositionals: true,
});

const fuzzers = await findFuzzers(positionals);
if (fuzzers.length === 0) {
  console.log("0 fuzzers");
  process.exit(positionals.length === 0 ? 0 : 1);
}
const failures =
  values.seed === undefined ? await runAll(fuzzers) : await runOne(fuzzers, Number(values.seed));
process.exit(failures === 0 ? 0 : 1);

async function findFuzzers(names: readonly string[]): Promise<Fuzzer[]> {
  const found: Fuzzer[] = [];
  for (const file of readdirSync(import.meta.dir).sort()) {
    if (file === "main.ts" || !file.endsWith(".ts") || file.endsWith(".test.ts")) continue;
    const module = (await import(join(import.meta.dir, file))) as Record<string, unknown>;
    for (const [key, value] of Object.entries(module))
      if (key.endsWith("Fuzz") && isFuzzer(value)) found.push(value);
  }
  const unknown = names.filter((name) => !found.some((fuzzer) => fuzzer.name === name));
  for (const name of unknown) console.error(`no fuzzer is called ${name}`);
  return names.length === 0 ? found : found.filter((fuzzer) => names.includes(fuzzer.name));
}

function isFuzzer(value: unknown): value is Fuzzer {
  return typeof value === "object" && value !== null && "name" in value && "run" in value;
}

async function runAll(all: readonly Fuzzer[]): Promise<number> {
  const minutes = Number(values.minutes ?? DEFAULT_MINUTES);
  const isNamed = positionals.length > 0;
  const chosen = all.filter((fuzzer) => isNamed || minutes >= DEFAULT_MINUTES || fuzzer.timed !== true);
  const sliceMs = (minutes * 60_000) / chosen.length;
  let failures = 0;
  for (const fuzzer of chosen) {
    const until = performance.now() + sliceMs;
    let runs = 0;
    for (; performance.now() < until; runs++) {
      // Short runs (CI) take the same cases each time; long ones look for new ones.
      const seed = minutes < DEFAULT_MINUTES ? runs + 1 : Math.floor(Math.random() * SEED_MAX);
      if (await passes(fuzzer, seed)) continue;
      failures++;
      break;
    }
    console.log(`${fuzzer.name}: ${runs} cases`);
  }
  return failures;
}

async function runOne(all: readonly Fuzzer[], seed: number): Promise<number> {
  let failures = 0;
  for (const fuzzer of all) if (!(await passes(fuzzer, seed))) failures++;
  return failures;
}

async function passes(fuzzer: Fuzzer, seed: number): Promise<boolean> {
  try {
    await fuzzer.run(seed);
    return true;
  } catch (error) {
    console.error(`${fuzzer.name} failed; again with: bun run fuzz -- --seed ${seed} ${fuzzer.name}`);
    console.error(error);
    return false;
  }
}
