/** How a check is declared, and running many of them beside each other, each with its time. */
import { type Finding, fail, found, messageOf } from "./finding.ts";
import type { World } from "./world.ts";

const TIME_MAX_MS = 15_000;

export interface Check {
  /** Stable, for scripts: `state-directory`. */
  readonly name: string;
  readonly title: string;
  /** Asks other machines. */
  readonly asksOthers?: true;
  /** What it must have: checks without it are skipped. */
  readonly needs?: "books" | "running";
  /** Loads the relay, and so waits until the others are done. */
  readonly last?: true;
  readonly timeMaxMs?: number;
  run(world: World, stop: AbortSignal): Finding | Promise<Finding>;
}

export type CheckState = "ok" | "warn" | "fail" | "skipped";

export interface CheckResult {
  name: string;
  title: string;
  state: CheckState;
  /** What was seen, or why nothing was looked at. */
  said: string;
  troubles: { weight: "warn" | "fail"; what: string; mend: string }[];
  ms: number;
}

/** Runs all; never rejects. Results are in the order of the checks. */
export async function runChecks(
  checks: readonly Check[],
  world: World,
  options: { signal?: AbortSignal | undefined; onDone?: (done: number, check: Check) => void } = {},
): Promise<CheckResult[]> {
  const results = new Map<Check, CheckResult>();
  const one = async (check: Check) => {
    results.set(check, await runCheck(check, world, options.signal));
    options.onDone?.(results.size, check);
  };
  await Promise.all(checks.filter(({ last }) => last !== true).map(one));
  for (const check of checks.filter(({ last }) => last === true)) await one(check);
  return checks.flatMap((check) => results.get(check) ?? []);
}

async function runCheck(check: Check, world: World, signal?: AbortSignal): Promise<CheckResult> {
  const { clock } = world;
  const beganMs = clock.monotonicMs();
  const finding = notToRun(check, world) ?? (await withinTime(check, world, signal));
  const ms = Math.max(0, Math.round(clock.monotonicMs() - beganMs));
  const { name, title } = check;
  if ("skipped" in finding) return { name, title, state: "skipped", said: finding.skipped, troubles: [], ms };
  const troubles = finding.troubles.map((trouble) => ({ ...trouble }));
  const state = troubles.some(({ weight }) => weight === "fail")
    ? "fail"
    : troubles.length > 0
      ? "warn"
      : "ok";
  return { name, title, state, said: state === "fail" ? "" : finding.said, troubles, ms };
}

function notToRun({ asksOthers, needs }: Check, { mayAsk, books, running }: World): Finding | undefined {
  if (asksOthers === true && !mayAsk) return { skipped: "asks other machines, and --offline forbids that" };
  if (needs === "books" && books === undefined) return { skipped: "the state directory can't be opened" };
  if (needs === "running" && running === undefined) return { skipped: "the relay does not run" };
  return undefined;
}

async function withinTime(check: Check, world: World, signal?: AbortSignal): Promise<Finding> {
  const { clock } = world;
  const late = new AbortController();
  const timeMaxMs = check.timeMaxMs ?? TIME_MAX_MS;
  const { promise, resolve } = Promise.withResolvers<Finding>();
  const cancel = clock.after(timeMaxMs, () => {
    late.abort();
    const what = `this check did not end within ${timeMaxMs / 1000} seconds`;
    resolve(found("", fail(what, "see whether the disk, the network or the machine as a whole is stuck")));
  });
  const stop = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
  const work = async () => check.run(world, stop);
  work().then(resolve, (error: unknown) => {
    resolve(
      found("", fail(`this check broke down: ${messageOf(error)}`, "report it as a fault of this program")),
    );
  });
  try {
    return await promise;
  } finally {
    cancel();
  }
}
