/** Relays that hold mail for us until we ask ("exchangers"), in RAM; written through. */
import type { Clock } from "../core/clock.ts";
import type { ExchangerRow, ExchangerRows } from "../db/exchangers.ts";

const NAME_MAX_CHARS = 100;
const URL_MAX_CHARS = 2048;
const EXCHANGERS_MAX = 100;
const INTERVAL_MAX_SEC = 86_400;
const DEFAULT_INTERVAL_SEC = 60;

export interface ExchangerChange {
  url?: string;
  enabled?: boolean;
  pollIntervalSec?: number;
}

export class ExchangerBook {
  readonly #rows: ExchangerRows;
  readonly #clock: Clock;
  readonly #exchangers = new Map<string, ExchangerRow>();

  constructor(rows: ExchangerRows, clock: Clock) {
    this.#rows = rows;
    this.#clock = clock;
  }

  hydrate(): void {
    this.#exchangers.clear();
    this.#rows.forEach((name, row) => this.#exchangers.set(name, row));
  }

  has(name: string): boolean {
    return this.#exchangers.has(name);
  }

  entries(): IterableIterator<[string, Readonly<ExchangerRow>]> {
    return this.#exchangers.entries();
  }

  /** Makes or changes one. @throws {RangeError} with a text for the operator */
  set(name: string, change: ExchangerChange): void {
    const old = this.#exchangers.get(name);
    if (name === "" || name.length > NAME_MAX_CHARS) {
      throw new RangeError(`expected a name of at most ${NAME_MAX_CHARS} characters`);
    }
    if (old === undefined && this.#exchangers.size >= EXCHANGERS_MAX) {
      throw new RangeError(`expected at most ${EXCHANGERS_MAX} exchangers`);
    }
    const nowSec = Math.floor(this.#clock.nowMs() / 1000);
    this.#write(name, {
      url: requireUrl(change.url ?? old?.url ?? ""),
      enabled: change.enabled ?? old?.enabled ?? true,
      pollIntervalSec: requireInterval(
        change.pollIntervalSec ?? old?.pollIntervalSec ?? DEFAULT_INTERVAL_SEC,
      ),
      lastPollAtSec: old?.lastPollAtSec ?? 0,
      createdAtSec: old?.createdAtSec ?? nowSec,
      updatedAtSec: nowSec,
    });
  }

  /** @returns whether it was there */
  remove(name: string): boolean {
    this.#rows.remove(name);
    return this.#exchangers.delete(name);
  }

  /** To be called before the poll: one that kills the process must not be the first of the next run. */
  notePoll(name: string): void {
    const row = this.#exchangers.get(name);
    if (row !== undefined)
      this.#write(name, { ...row, lastPollAtSec: Math.floor(this.#clock.nowMs() / 1000) });
  }

  #write(name: string, row: ExchangerRow): void {
    this.#rows.put(name, row);
    this.#exchangers.set(name, row);
  }
}

function requireUrl(text: string): string {
  const url = text.length <= URL_MAX_CHARS ? URL.parse(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new RangeError("expected a URL with http or https");
  }
  return text;
}

function requireInterval(seconds: number): number {
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= INTERVAL_MAX_SEC) return seconds;
  throw new RangeError(`expected an interval of 1 to ${INTERVAL_MAX_SEC} seconds`);
}
