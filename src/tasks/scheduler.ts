/**
 * Runs maintenance jobs: each at its interval with jitter, and by hand.
 *
 * Invariants
 * - One job at a time; what falls due meanwhile waits in line, and never twice.
 * - `stop` ends the running job between two pieces and waits for it.
 * - A job that fails is reported and comes again at its time; it never ends the process.
 */
import type { CancelTimer, Clock } from "../core/clock.ts";
import type { Service } from "../core/service.ts";
import type { Log } from "../log/events.ts";
import { type Job, noFigures, type TaskFigures } from "./job.ts";
import { paced } from "./pace.ts";

/** No job runs sooner after the start: clients come back first. */
const FIRST_MIN_MS = 60_000;
/** A job with a long interval still runs soon after the start, or a relay that restarts daily never runs it. */
const FIRST_MAX_MS = 15 * 60_000;
/** Part of the interval by which a run may come sooner or later. */
const JITTER = 0.1;

export interface RunOptions {
  dryRun?: boolean;
  retentionMs?: number | undefined;
  repair?: boolean;
  /** Accounts done, and how many there are; at most a few times a second. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface TaskResult {
  task: string;
  dryRun: boolean;
  startedAtMs: number;
  tookMs: number;
  outcome: "done" | "cancelled" | "failed";
  figures: TaskFigures;
}

export interface TaskInfo {
  name: string;
  aliases: readonly string[];
  summary: string;
  /** 0 is only by hand. */
  intervalMs: number;
  state: "idle" | "queued" | "running";
  progress: { done: number; total: number } | undefined;
  /** Wall clock; undefined when it is not scheduled. */
  nextRunMs: number | undefined;
  last: TaskResult | undefined;
}

export interface TasksParts {
  jobs: readonly Job[];
  clock: Clock;
  log: Log;
  /** 0 to 1; default Math.random. */
  random?: () => number;
}

interface Entry {
  readonly job: Job;
  cancel: CancelTimer | undefined;
  nextRunMs: number | undefined;
  /** By the schedule; runs by hand are not joined, since their options differ. */
  isDue: boolean;
  queued: number;
  isRunning: boolean;
  progress: { done: number; total: number } | undefined;
  last: TaskResult | undefined;
}

export class Tasks implements Service {
  readonly name = "tasks";
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #random: () => number;
  readonly #entries: readonly Entry[];
  readonly #stop = new AbortController();
  #line: Promise<unknown> = Promise.resolve();

  constructor({ jobs, clock, log, random }: TasksParts) {
    this.#clock = clock;
    this.#log = log;
    this.#random = random ?? Math.random;
    this.#entries = jobs.map((job) => ({
      job,
      cancel: undefined,
      nextRunMs: undefined,
      isDue: false,
      queued: 0,
      isRunning: false,
      progress: undefined,
      last: undefined,
    }));
  }

  async start(): Promise<void> {
    for (const entry of this.#entries) {
      const interval = entry.job.intervalMs();
      const span = Math.max(0, Math.min(interval, FIRST_MAX_MS) - FIRST_MIN_MS);
      this.#arm(entry, FIRST_MIN_MS + span * this.#random());
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    for (const entry of this.#entries) entry.cancel?.();
    await this.#line;
  }

  /** Takes changed intervals: what would come later than its new interval comes then. */
  reconfigure(): void {
    for (const entry of this.#entries) {
      const interval = entry.job.intervalMs();
      const leftMs = (entry.nextRunMs ?? Infinity) - this.#clock.nowMs();
      if (interval === 0 || leftMs > interval) this.#arm(entry, interval);
    }
  }

  list(): TaskInfo[] {
    return this.#entries.map(({ job, queued, isRunning, progress, nextRunMs, last }) => ({
      name: job.name,
      aliases: job.aliases,
      summary: job.summary,
      intervalMs: job.intervalMs(),
      state: isRunning ? "running" : queued > 0 ? "queued" : "idle",
      progress,
      nextRunMs,
      last,
    }));
  }

  /** @returns the job's own name, for that or one of its other names */
  find(name: string): string | undefined {
    return this.#find(name)?.job.name;
  }

  /** Runs a job after those in line. @returns undefined when no job is called that */
  async run(name: string, options: RunOptions = {}): Promise<TaskResult | undefined> {
    const entry = this.#find(name);
    return entry && (await this.#enqueue(entry, options));
  }

  /** Runs every job that has a schedule, one after the other. */
  async runAll(options: RunOptions = {}): Promise<TaskResult[]> {
    const chosen = this.#entries.filter(({ job }) => job.intervalMs() > 0);
    return await Promise.all(chosen.map((entry) => this.#enqueue(entry, options)));
  }

  #find(name: string): Entry | undefined {
    return this.#entries.find(({ job }) => job.name === name || job.aliases.includes(name));
  }

  #arm(entry: Entry, delayMs: number): void {
    entry.cancel?.();
    entry.cancel = undefined;
    entry.nextRunMs = undefined;
    if (entry.job.intervalMs() === 0 || this.#stop.signal.aborted) return;
    entry.nextRunMs = this.#clock.nowMs() + delayMs;
    entry.cancel = this.#clock.after(delayMs, () => this.#fallDue(entry));
  }

  #fallDue(entry: Entry): void {
    const jitter = 1 + JITTER * (2 * this.#random() - 1);
    this.#arm(entry, entry.job.intervalMs() * jitter);
    if (entry.isDue) return;
    entry.isDue = true;
    void this.#enqueue(entry, {}).finally(() => {
      entry.isDue = false;
    });
  }

  /** Never rejects. */
  #enqueue(entry: Entry, options: RunOptions): Promise<TaskResult> {
    entry.queued++;
    const turn = this.#line.then(async () => {
      entry.queued--;
      return await this.#perform(entry, options);
    });
    this.#line = turn;
    return turn;
  }

  async #perform(entry: Entry, options: RunOptions): Promise<TaskResult> {
    const { signal } = this.#stop;
    const { job } = entry;
    const dryRun = options.dryRun ?? false;
    const startedAtMs = this.#clock.nowMs();
    const begunMs = this.#clock.monotonicMs();
    const ended = (outcome: TaskResult["outcome"], figures: TaskFigures): TaskResult => {
      const tookMs = this.#clock.monotonicMs() - begunMs;
      return { task: job.name, dryRun, startedAtMs, tookMs, outcome, figures };
    };
    if (signal.aborted) return ended("cancelled", noFigures());
    entry.isRunning = true;
    try {
      const figures = await job.run({
        dryRun,
        retentionMs: options.retentionMs,
        repair: options.repair ?? false,
        signal,
        breathe: paced(this.#clock, signal),
        progress: (done, total) => {
          entry.progress = { done, total };
          options.onProgress?.(done, total);
        },
      });
      entry.last = ended(signal.aborted ? "cancelled" : "done", figures);
    } catch (error) {
      this.#log.emit({ kind: "internalFault", where: `task ${job.name}`, error });
      const findings = ["it failed: see the log (`[log] level`)"];
      entry.last = ended("failed", { ...noFigures(), findings });
    } finally {
      entry.isRunning = false;
      entry.progress = undefined;
    }
    this.#log.emit({ kind: "taskEnded", task: job.name, why: entry.last.outcome });
    return entry.last;
  }
}
