/** Figures as part of the relay: who is asked for them, the listener for monitoring, the history. */
import type { Config } from "../config/config.ts";
import { HistoryRows } from "../db/history.ts";
import { NEVER_LOGGED_IN } from "../db/schema.ts";
import { Figures, type FiguresParts } from "../metrics/figures.ts";
import { HistoryRecorder } from "../metrics/history.ts";
import { MetricsServer } from "../metrics/server.ts";
import type { Tally } from "../metrics/tally.ts";
import type { Ground } from "./ground.ts";

const DAY_SEC = 86_400;
/** With less room than this no mail is taken for long. */
const DISK_LOW_BYTES = 16 * 1024 * 1024;

export type MetricsSources = Pick<FiguresParts, "queue" | "connections" | "turn">;

export class Metrics {
  readonly figures: Figures;
  readonly #ground: Ground;
  readonly #history: HistoryRecorder;
  #sources: MetricsSources = {
    queue: () => ({ messages: 0, bytes: 0, running: 0 }),
    connections: () => ({}),
    turn: () => undefined,
  };
  #server: MetricsServer | undefined;
  #listening = "";
  #isServing = false;

  constructor(ground: Ground, tally: Tally, startedAtMs: number) {
    const { state, clock, config, traffic, care, db, log } = ground;
    this.#ground = ground;
    this.figures = new Figures({
      stateDir: config().stateDir,
      startedAtMs,
      tally,
      traffic,
      totals: () => ({
        sent: state.counters.total("sent_messages"),
        received: state.counters.total("received_messages"),
        outbound: state.counters.total("outbound_messages"),
      }),
      accounts: () => state.accounts.size,
      queue: () => this.#sources.queue(),
      connections: () => this.#sources.connections(),
      turn: () => this.#sources.turn(),
      census: () => care.census,
      activeAccounts: (days) => this.#activeAccounts(days),
      clock,
    });
    this.#history = new HistoryRecorder({ db, rows: new HistoryRows(db), figures: this.figures, clock, log });
  }

  /** Once all else works. @throws {ListenError} (as a rejection) */
  async start(sources: MetricsSources): Promise<void> {
    this.#sources = sources;
    this.#isServing = true;
    this.figures.lag.start();
    this.#history.start();
    await this.#listen(this.#ground.config());
  }

  async stop(): Promise<void> {
    this.#isServing = false;
    this.figures.lag.stop();
    this.#history.stop();
    await this.#server?.stop();
  }

  /** @returns what could not be taken, for the operator */
  async reconfigure(next: Config): Promise<string | undefined> {
    try {
      await this.#listen(next);
      return undefined;
    } catch (error) {
      return `metrics are off: ${error instanceof Error ? error.message : "internal fault"}`;
    }
  }

  /** `host:port` as bound. */
  bound(): string[] {
    return this.#server?.bound() ?? [];
  }

  async #listen({ metrics }: Config): Promise<void> {
    const wanted = JSON.stringify(metrics.listen);
    if (this.#server !== undefined && wanted === this.#listening) return;
    this.#listening = wanted;
    await this.#server?.stop();
    const server = new MetricsServer({
      listen: metrics.listen,
      figures: this.figures,
      unready: () => this.#unready(),
      log: this.#ground.log,
    });
    this.#server = server;
    await server.start();
  }

  #unready(): string | undefined {
    if (!this.#isServing) return "starting or stopping";
    const disk = this.figures.disk();
    return disk !== undefined && disk.freeBytes < DISK_LOW_BYTES ? "the disk is full" : undefined;
  }

  #activeAccounts(days: number): number {
    const { accounts } = this.#ground.state;
    const sinceSec = this.#ground.clock.nowMs() / 1000 - days * DAY_SEC;
    let count = 0;
    for (const [, { firstLoginAtSec, lastLoginAtSec }] of accounts.entries()) {
      // Logins are kept to the day: one of today counts as of its midnight.
      if (firstLoginAtSec !== NEVER_LOGGED_IN && lastLoginAtSec + DAY_SEC > sinceSec) count++;
    }
    return count;
  }
}
