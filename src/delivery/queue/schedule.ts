/** When to try again: delays that grow by a factor up to a largest, a tenth more or less so that retries spread. */

export interface RetrySchedule {
  /** Before the second attempt. */
  readonly firstMs: number;
  readonly factor: number;
  readonly maxMs: number;
  /** A message that old is given up, and its sender told. */
  readonly lifetimeMs: number;
}

const JITTER = 0.1;

/**
 * @param failures attempts in a row that failed, at least 1
 * @param random 0 to 1
 */
export function retryDelayMs(schedule: RetrySchedule, failures: number, random: number): number {
  const grown = schedule.firstMs * schedule.factor ** (failures - 1);
  return Math.round(Math.min(grown, schedule.maxMs) * (1 - JITTER + 2 * JITTER * random));
}
