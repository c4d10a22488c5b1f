/** What operators changed, for operators: names of operations, never whom they were about. Written at once. */
import type { Clock } from "../core/clock.ts";
import type { AuditRow, AuditRows } from "../db/audit.ts";

export class AuditList {
  readonly #rows: AuditRows;
  readonly #clock: Clock;

  constructor(rows: AuditRows, clock: Clock) {
    this.#rows = rows;
    this.#clock = clock;
  }

  /** @throws what the database throws */
  add(event: Omit<AuditRow, "atSec">): void {
    this.#rows.add({ ...event, atSec: Math.floor(this.#clock.nowMs() / 1000) });
  }

  /** Newest first, at most a thousand. */
  latest(limit: number): AuditRow[] {
    return this.#rows.latest(limit);
  }
}
