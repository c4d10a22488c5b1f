/**
 * Durations in buckets whose bounds grow by a factor: 10 % exact from a tenth of a millisecond to two minutes, in one
 * small array, at the cost of a logarithm a value.
 */

const FIRST_MS = 0.1;
const FACTOR = 1.2;
const BUCKETS = 78;
const LOG_FACTOR = Math.log(FACTOR);

export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #sumMs = 0;

  note(ms: number): void {
    const place = ms <= FIRST_MS ? 0 : Math.ceil(Math.log(ms / FIRST_MS) / LOG_FACTOR);
    const bucket = Math.min(place, BUCKETS - 1);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count++;
    this.#sumMs += ms;
  }

  get count(): number {
    return this.#count;
  }

  get sumMs(): number {
    return this.#sumMs;
  }

  /** A copy, to see later what came since. */
  snapshot(): Float64Array {
    return this.#counts.slice();
  }

  /** Values at most the given one, ms. */
  below(ms: number): number {
    let sum = 0;
    for (let i = 0; i < BUCKETS && boundMs(i) <= ms; i++) sum += this.#counts[i] ?? 0;
    return sum;
  }

  /**
   * The upper bound of the bucket in which the given part of the values ends, ms; 0 when there are none.
   * @param since a snapshot: counts only what came after it
   */
  quantile(part: number, since?: Float64Array): number {
    const counts = this.#counts.map((count, i) => count - (since?.[i] ?? 0));
    const total = counts.reduce((sum, count) => sum + count, 0);
    let sum = 0;
    for (let i = 0; i < BUCKETS; i++) {
      sum += counts[i] ?? 0;
      if (total > 0 && sum >= total * part) return boundMs(i);
    }
    return 0;
  }
}

function boundMs(bucket: number): number {
  return FIRST_MS * FACTOR ** bucket;
}
