/**
 * Long work in short slices: after a few milliseconds the event loop belongs to mail again, for several times as long.
 * Work under way in the pool (listing a directory) counts as work, which it is for the disk.
 */
import type { CancelTimer, Clock } from "../core/clock.ts";
import type { Breathe } from "../storage/keeper.ts";

/** Longest stretch of work without a rest, ms, unless one piece takes longer. */
const SLICE_MS = 2;
/** Rest per time of work: a quarter of one CPU at most. */
const REST_FACTOR = 3;
const REST_MAX_MS = 100;

/** @param signal ends a rest at once */
export function paced(clock: Clock, signal: AbortSignal): Breathe {
  let begunMs = clock.monotonicMs();
  return () => {
    const workedMs = clock.monotonicMs() - begunMs;
    if (workedMs < SLICE_MS || signal.aborted) return undefined;
    return rest(clock, Math.min(workedMs * REST_FACTOR, REST_MAX_MS), signal).then(() => {
      begunMs = clock.monotonicMs();
    });
  };
}

function rest(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let cancel: CancelTimer = () => {};
  const end = () => {
    cancel();
    signal.removeEventListener("abort", end);
    resolve();
  };
  cancel = clock.after(ms, end);
  signal.addEventListener("abort", end);
  return promise;
}
