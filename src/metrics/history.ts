/**
 * The past for charts, of bounded size: a day in steps of five minutes, a week of half an hour, a month of two hours;
 * 984 rows at most. A sample is one short transaction; coarser ones are made anew from finer ones, so that a restart
 * in the middle loses nothing.
 */
import { z } from "zod";
import type { CancelTimer, Clock } from "../core/clock.ts";
import type { HistoryRow, HistoryRows } from "../db/history.ts";
import { type Db, inTransaction } from "../db/open.ts";
import type { Log } from "../log/events.ts";
import { type TrafficKind, trafficKinds } from "../net/traffic.ts";
import type { Figures } from "./figures.ts";

interface Tier {
  readonly range: HistoryRange;
  readonly stepSec: number;
  readonly slots: number;
}

export const historyRanges = ["24h", "7d", "30d"] as const;
export type HistoryRange = (typeof historyRanges)[number];

const finest: Tier = { range: "24h", stepSec: 300, slots: 288 };
const tiers: readonly Tier[] = [
  finest,
  { range: "7d", stepSec: 1800, slots: 336 },
  { range: "30d", stepSec: 7200, slots: 360 },
];

/** How a coarse sample follows from fine ones. `mean` leaves out those in which nothing was measured. */
type Fold = "sum" | "last" | "max" | "mean";

type TrafficSeries = `${TrafficKind}InBytes` | `${TrafficKind}OutBytes`;

const folds = {
  /** Messages of our users, copies into mailboxes, messages for other servers, refusals, in the time of the sample. */
  sent: "sum",
  received: "sum",
  federated: "sum",
  refused: "sum",
  logins: "sum",
  loginFailures: "sum",
  accounts: "last",
  mailBytes: "last",
  diskFreeBytes: "last",
  residentBytes: "max",
  queue: "max",
  /** From the last byte of a message to its being durable; 0 where there was none. */
  deliveryP50Ms: "mean",
  deliveryP99Ms: "max",
  loopLagP99Ms: "max",
  connections: "max",
  addresses: "max",
} as const satisfies Record<string, Fold>;

type Series = keyof typeof folds | TrafficSeries;
export type Sample = Record<Series, number>;
export interface HistoryPoint {
  startedAtSec: number;
  sample: Sample;
}

const seriesNames: readonly Series[] = [
  ...(Object.keys(folds) as (keyof typeof folds)[]),
  ...trafficKinds.flatMap((kind): TrafficSeries[] => [`${kind}InBytes`, `${kind}OutBytes`]),
];
export const sampleSchema = z.record(z.enum(seriesNames as [Series, ...Series[]]), z.number());

/** Counters as they stood at the last sample. */
interface Mark {
  counts: Readonly<Partial<Record<Series, number>>>;
  latency: Float64Array;
  lag: Float64Array;
}

/** Reads what was recorded. Works on a stopped relay too. */
export class History {
  readonly #rows: HistoryRows;
  readonly #clock: Clock;

  constructor(rows: HistoryRows, clock: Clock) {
    this.#rows = rows;
    this.#clock = clock;
  }

  /** @returns oldest first; times without a sample are left out */
  read(range: HistoryRange): { stepSec: number; points: HistoryPoint[] } {
    const place = tiers.findIndex((tier) => tier.range === range);
    const { stepSec, slots } = tiers[place] ?? finest;
    const nowSec = Math.floor(this.#clock.nowMs() / 1000);
    const rows = this.#rows.between(place, nowSec - stepSec * slots, nowSec + stepSec);
    return {
      stepSec,
      points: rows.map(({ startedAtSec, sample }) => ({ startedAtSec, sample: whole(sample) })),
    };
  }
}

/** Writes it while the relay runs. */
export class HistoryRecorder {
  readonly #db: Db;
  readonly #rows: HistoryRows;
  readonly #figures: Figures;
  readonly #clock: Clock;
  readonly #log: Log;
  #cancel: CancelTimer | undefined;
  #mark: Mark;

  constructor({
    db,
    rows,
    figures,
    clock,
    log,
  }: {
    db: Db;
    rows: HistoryRows;
    figures: Figures;
    clock: Clock;
    log: Log;
  }) {
    this.#db = db;
    this.#rows = rows;
    this.#figures = figures;
    this.#clock = clock;
    this.#log = log;
    this.#mark = this.#read();
  }

  /** The first sample is due at the next full step of the clock. */
  start(): void {
    this.#mark = this.#read();
    this.#arm();
  }

  /** Writes what there is of the sample under way. */
  stop(): void {
    this.#cancel?.();
    this.#record(this.#clock.nowMs());
  }

  #arm(): void {
    const stepMs = finest.stepSec * 1000;
    const leftMs = stepMs - (this.#clock.nowMs() % stepMs);
    const dueMs = this.#clock.nowMs() + leftMs;
    this.#cancel = this.#clock.after(leftMs, () => {
      // At the full step, and however late the timer is, the time that ends is meant.
      this.#record(dueMs - 1);
      this.#arm();
    });
  }

  #record(atMs: number): void {
    try {
      this.#write(Math.floor(atMs / 1000));
    } catch (error) {
      this.#log.emit({ kind: "internalFault", where: "history", error });
    }
  }

  #write(atSec: number): void {
    const before = this.#mark;
    this.#mark = this.#read();
    const sample = this.#sample(before);
    inTransaction(this.#db, () => {
      for (const [place, { stepSec, slots }] of tiers.entries()) {
        const startedAtSec = atSec - (atSec % stepSec);
        const slot = (startedAtSec / stepSec) % slots;
        const finer = Math.max(0, place - 1);
        const known = this.#rows.between(finer, startedAtSec, startedAtSec + stepSec);
        // A sample that a restart cut in two goes on; coarser ones follow from those below.
        const parts = place === 0 ? [...known.map((row) => whole(row.sample)), sample] : known.map(sampleOf);
        this.#rows.put(place, slot, { startedAtSec, sample: folded(parts) });
      }
    });
  }

  #read(): Mark {
    const { parts, latency, lag } = this.#figures;
    const { sent, received, outbound } = parts.totals();
    const { tally } = parts;
    const traffic = Object.entries(this.#figures.traffic()).flatMap(([kind, { inBytes, outBytes }]) => [
      [`${kind}InBytes`, inBytes],
      [`${kind}OutBytes`, outBytes],
    ]);
    return {
      counts: {
        sent,
        received,
        federated: outbound,
        refused: tally.total("messageRefused"),
        logins: tally.total("loginSucceeded"),
        loginFailures: tally.total("loginFailed"),
        ...Object.fromEntries(traffic),
      },
      latency: latency.snapshot(),
      lag: lag.histogram.snapshot(),
    };
  }

  #sample(before: Mark): Sample {
    const { parts, latency, lag } = this.#figures;
    const connections = Object.values(this.#figures.connections());
    const grown = seriesNames.map((name): [Series, number] => {
      const grownBy = (this.#mark.counts[name] ?? 0) - (before.counts[name] ?? 0);
      return [name, Math.max(0, grownBy)];
    });
    return {
      ...(Object.fromEntries(grown) as Sample),
      accounts: parts.accounts(),
      mailBytes: parts.census()?.counted.bytes ?? 0,
      diskFreeBytes: this.#figures.disk()?.freeBytes ?? 0,
      residentBytes: this.#figures.process().residentBytes,
      queue: parts.queue().messages,
      deliveryP50Ms: rounded(latency.quantile(0.5, before.latency)),
      deliveryP99Ms: rounded(latency.quantile(0.99, before.latency)),
      loopLagP99Ms: rounded(lag.histogram.quantile(0.99, before.lag)),
      connections: connections.reduce((sum, each) => sum + each.connections, 0),
      addresses: connections.reduce((sum, each) => sum + each.addresses, 0),
    };
  }
}

function folded(samples: readonly Sample[]): Sample {
  return Object.fromEntries(seriesNames.map((name) => [name, fold(name, samples)])) as Sample;
}

function fold(name: Series, samples: readonly Sample[]): number {
  const values = samples.map((sample) => sample[name]);
  const how: Fold = Object.hasOwn(folds, name) ? folds[name as keyof typeof folds] : "sum";
  switch (how) {
    case "sum":
      return values.reduce((sum, value) => sum + value, 0);
    case "last":
      return values.at(-1) ?? 0;
    case "max":
      return Math.max(0, ...values);
    case "mean": {
      const measured = values.filter((value) => value > 0);
      return rounded(measured.reduce((sum, value) => sum + value, 0) / Math.max(1, measured.length));
    }
    default:
      return how satisfies never;
  }
}

function sampleOf({ sample }: HistoryRow): Sample {
  return whole(sample);
}

/** Rows of another version may lack series. */
function whole(sample: Readonly<Record<string, number>>): Sample {
  return Object.fromEntries(seriesNames.map((name) => [name, sample[name] ?? 0])) as Sample;
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
