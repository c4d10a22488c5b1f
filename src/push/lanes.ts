/**
 * Tokens that wait for their next attempt, one lane for each number of attempts before. All in a lane wait equally
 * long, so the first to come is the first due, and a lane of slow retries never holds up fresh ones.
 */

/** Before the first attempt, and after each failed one, milliseconds. */
const WAITS_MS = [0, 8_000, 64_000, 512_000, 4_096_000] as const;
export const TRIES_MAX: number = WAITS_MS.length;
const FRESH_WORKERS = 4;
const RETRY_WORKERS = 2;

interface Lane {
  waitMs: number;
  workers: number;
  running: number;
  /** Token to when it is due, monotonic milliseconds. */
  waiting: Map<string, number>;
}

export class Lanes {
  readonly #lanes: Lane[] = WAITS_MS.map((waitMs, tries) => ({
    waitMs,
    workers: tries === 0 ? FRESH_WORKERS : RETRY_WORKERS,
    running: 0,
    waiting: new Map(),
  }));
  /** Told just now; fresh again at the time given. A queue of its own, so that it holds up nobody who is due. */
  readonly #resting = new Map<string, number>();
  /** Of all lanes. */
  #running = 0;

  get running(): number {
    return this.#running;
  }

  /** @param tries attempts that failed, below `TRIES_MAX` */
  wait(token: string, tries: number, nowMs: number): void {
    const lane = this.#lane(tries);
    lane.waiting.set(token, nowMs + lane.waitMs);
  }

  /** Waits for its first attempt until `untilMs`. */
  rest(token: string, untilMs: number): void {
    this.#resting.set(token, untilMs);
  }

  /** Takes a token out of its lane. */
  leave(token: string, tries: number): void {
    this.#lane(tries).waiting.delete(token);
  }

  /** The next token that is due and has a worker; its attempt has begun. `end` ends it. */
  begin(nowMs: number): { token: string; tries: number } | undefined {
    for (const [token, untilMs] of this.#resting) {
      if (untilMs > nowMs) break;
      this.#resting.delete(token);
      this.wait(token, 0, nowMs);
    }
    for (const [tries, lane] of this.#lanes.entries()) {
      const [head] = lane.waiting;
      if (head === undefined || head[1] > nowMs || lane.running >= lane.workers) continue;
      lane.waiting.delete(head[0]);
      lane.running++;
      this.#running++;
      return { token: head[0], tries };
    }
    return undefined;
  }

  end(tries: number): void {
    this.#lane(tries).running--;
    this.#running--;
  }

  /** When the next token with a free worker is due; undefined when there is none. */
  nextDueMs(): number | undefined {
    const heads = this.#lanes.flatMap(({ waiting, running, workers }) => {
      const [head] = waiting;
      return head === undefined || running >= workers ? [] : [head[1]];
    });
    const [rested] = this.#resting;
    if (rested !== undefined) heads.push(rested[1]);
    return heads.length === 0 ? undefined : Math.min(...heads);
  }

  clear(): void {
    this.#resting.clear();
    for (const lane of this.#lanes) lane.waiting.clear();
  }

  #lane(tries: number): Lane {
    const lane = this.#lanes[tries];
    if (lane === undefined) throw new Error(`no lane for ${tries} attempts`);
    return lane;
  }
}
