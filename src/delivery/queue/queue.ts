/**
 * The queue of mail to other servers: what is on disk (storage's outbox) is brought to a `Courier`, many domains side
 * by side, until it is delivered, refused or too old.
 *
 * Invariants
 * - An entry is on disk before `arrived`, and until it is done. In memory there is a small record of each; recipients
 *   and bodies are read for an attempt only.
 * - One timer serves all. Nothing polls.
 * - Attempts are bounded altogether and per domain; see start-order.ts for who goes first.
 */
import type { Domain } from "../../core/address.ts";
import type { CancelTimer, Clock } from "../../core/clock.ts";
import type { Service } from "../../core/service.ts";
import type { Outbox, OutboxEntry } from "../../storage/store.ts";
import { type AttemptEnd, type AttemptParts, Attempts, SHUTDOWN } from "./attempt.ts";
import type { Destination, Entry, Standing } from "./destination.ts";
import { DueHeap } from "./due-heap.ts";
import {
  type DestinationFacts,
  EntryIndex,
  type EntryFacts,
  factsOf,
  type QueueStatus,
  type Selection,
} from "./entry-index.ts";
import { decodeLetter, type Letter } from "./letter.ts";
import { retryDelayMs, type RetrySchedule } from "./schedule.ts";
import { StartOrder } from "./start-order.ts";

export interface QueueSettings {
  readonly schedule: RetrySchedule;
  /** Attempts at once. */
  readonly concurrency: number;
  /** Of them, to one domain that answers. */
  readonly perDestination: number;
  readonly messagesMax: number;
  readonly perDestinationMax: number;
}

export interface QueueParts extends Omit<AttemptParts, "lifetimeMs"> {
  settings: QueueSettings;
  /** 0 to 1. */
  random?: () => number;
}

/** An attempt to a server of unknown standing makes way for others after that long. */
const PATIENCE_MS = 30_000;
/** New mail, or mail from there, makes a silent server worth another try, but no sooner than this after the last. */
const PROBE_AFTER_MS = 60_000;
/** What is under way at a stop may end by itself. */
const STOP_GRACE_MS = 3000;

interface Running {
  entry: Entry;
  standing: Standing;
  startedMs: number;
  control: AbortController;
}

export class Queue implements Service {
  readonly name = "queue";
  readonly #parts: QueueParts;
  readonly #outbox: Outbox;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #attempts: Attempts;
  readonly #order: StartOrder;
  readonly #index = new EntryIndex();
  readonly #due = new DueHeap<Destination>();
  /** In the order of their start. */
  readonly #running = new Set<Running>();
  readonly #expiring = new Set<Promise<void>>();
  #settings: QueueSettings;
  #cancelTimer: CancelTimer | undefined;
  #timerDueMs = Infinity;
  #state: "new" | "working" | "stopped" = "new";
  #loading: Promise<void> = Promise.resolve();
  #pumping = false;
  #idle: (() => void)[] = [];

  constructor(parts: QueueParts) {
    this.#parts = parts;
    this.#outbox = parts.outbox;
    this.#clock = parts.clock;
    this.#random = parts.random ?? Math.random;
    this.#settings = parts.settings;
    this.#attempts = new Attempts({
      ...parts,
      lifetimeMs: () => this.#settings.schedule.lifetimeMs,
    });
    this.#order = new StartOrder(parts.settings.concurrency);
  }

  /** Begins to work; what waited on disk comes in the background. To be called before mail is accepted. */
  async start(): Promise<void> {
    this.#state = "working";
    this.#loading = this.#outbox
      .load((entry) => this.#take(entry), { sweep: true })
      .catch((error: unknown) => {
        this.#parts.log.emit({ kind: "internalFault", where: "queue start", error });
      })
      .then(() => this.#pump());
  }

  /** Resolves when all that waited on disk at the start is known; never rejects. */
  loaded(): Promise<void> {
    return this.#loading;
  }

  /** Starts nothing more, lets attempts end for a moment, then cuts them off. Everything stays on disk. */
  async stop(): Promise<void> {
    if (this.#state === "stopped") return;
    this.#state = "stopped";
    this.#cancelTimer?.();
    const cancel = this.#clock.after(STOP_GRACE_MS, () => this.abort());
    await this.#loading;
    await this.#quiet();
    cancel();
    await Promise.all(this.#expiring);
  }

  /** For a stop that can't wait: cuts off now. */
  abort(): void {
    for (const { control } of this.#running) control.abort(SHUTDOWN);
  }

  reconfigure(settings: QueueSettings): void {
    this.#settings = settings;
    this.#order.resize(settings.concurrency);
    this.#pump();
  }

  /** Whether one more message for that domain may come. */
  hasRoom(domain: Domain): boolean {
    const { messagesMax, perDestinationMax } = this.#settings;
    if (this.#index.size >= messagesMax) return false;
    return (this.#index.destination(domain)?.size ?? 0) < perDestinationMax;
  }

  /** Takes charge of entries that storage has made durable. */
  arrived(entries: readonly { id: string; letter: Letter; bytes: number }[]): void {
    for (const { id, letter, bytes } of entries) {
      const nowMs = this.#clock.nowMs();
      const destination = this.#index.enter(id, letter, bytes, nowMs);
      const isRested = nowMs - destination.lastAttemptMs >= PROBE_AFTER_MS;
      if (destination.standing === "suspect" && isRested) destination.retryAtMs = 0;
      this.#schedule(destination);
    }
    this.#pump();
  }

  /** Mail came from there: a server that lives again need not wait for its time. */
  heardFrom(domain: Domain): void {
    const destination = this.#index.destination(domain);
    if (destination?.standing !== "suspect") return;
    if (this.#clock.nowMs() - destination.lastAttemptMs < PROBE_AFTER_MS) return;
    destination.standing = "unknown";
    this.#wake(destination);
    this.#pump();
  }

  status(): QueueStatus {
    return this.#index.status(this.#running.size);
  }

  /** Every domain with mail waiting. */
  destinations(): DestinationFacts[] {
    return this.#index.destinations();
  }

  /** @param limit at most so many, in order of arrival */
  list(limit: number, domain?: Domain): EntryFacts[] {
    return this.#index.list(limit, domain);
  }

  /** @throws {StorageError} */
  async show(id: string): Promise<(EntryFacts & { letter: Letter }) | undefined> {
    const entry = this.#index.get(id);
    const note = await this.#outbox.note(id);
    const letter = note === undefined ? undefined : decodeLetter(note);
    return entry === undefined || letter === undefined ? undefined : { ...factsOf(entry), letter };
  }

  /** Tries at once whatever is selected, and what waits with it for the same server. @returns entries selected */
  retry(selection: Selection): number {
    const entries = this.#index.select(selection);
    for (const destination of new Set(entries.map((entry) => entry.destination))) this.#wake(destination);
    this.#pump();
    return entries.length;
  }

  /** Takes entries out for good; nobody is told. What is under way is cut off. @returns entries selected */
  drop(selection: Selection): number {
    const entries = this.#index.select(selection);
    const unwanted = new Set(entries);
    for (const destination of new Set(entries.map((entry) => entry.destination))) {
      for (const entry of destination.remove((each) => unwanted.has(each))) {
        this.#attempts.forget(entry.id);
        this.#index.leave(entry);
      }
    }
    for (const { entry, control } of this.#running) {
      if (!unwanted.has(entry)) continue;
      entry.dropped = true;
      control.abort();
    }
    return entries.length;
  }

  /** An entry that was on disk. */
  #take({ id, note, bytes }: OutboxEntry): void {
    const letter = decodeLetter(note);
    if (letter === undefined) {
      this.#parts.log.emit({
        kind: "storageTrouble",
        what: "a queued message has an unreadable note; left alone",
      });
      return;
    }
    this.#schedule(this.#index.enter(id, letter, bytes, this.#clock.nowMs()));
    this.#pump();
  }

  #wake(destination: Destination): void {
    destination.wake();
    this.#schedule(destination);
  }

  /** Lines the destination up, or notes when to look again. */
  #schedule(destination: Destination): void {
    if (destination.waiting === 0 || destination.running >= this.#limitOf(destination)) return;
    const dueMs = destination.nextDueMs();
    if (dueMs <= this.#clock.nowMs()) {
      this.#order.line(destination);
      return;
    }
    if (destination.dueMs <= dueMs) return;
    destination.dueMs = dueMs;
    this.#due.push(dueMs, destination);
  }

  #limitOf({ standing }: Destination): number {
    return standing === "good" ? this.#settings.perDestination : 1;
  }

  /** Starts what may start, then sets the timer. */
  #pump(): void {
    if (this.#state !== "working" || this.#pumping) return;
    this.#pumping = true;
    const nowMs = this.#clock.nowMs();
    for (let due = this.#due.popDue(nowMs); due !== undefined; due = this.#due.popDue(nowMs)) {
      due.dueMs = Infinity;
      this.#schedule(due);
    }
    for (let next = this.#order.next(); next !== undefined; next = this.#order.next()) {
      // Read anew: a destination that fell due since would else be lined up again and again.
      const startMs = this.#clock.nowMs();
      const isFree = next.running < this.#limitOf(next) && next.nextDueMs() <= startMs;
      const entry = isFree ? next.take(startMs) : undefined;
      if (entry !== undefined) this.#begin(entry, startMs);
      this.#schedule(next);
    }
    this.#pumping = false;
    this.#setTimer(this.#relieve(nowMs));
  }

  #begin(entry: Entry, nowMs: number): void {
    const { destination } = entry;
    const run: Running = {
      entry,
      standing: destination.standing,
      startedMs: nowMs,
      control: new AbortController(),
    };
    destination.running++;
    destination.lastAttemptMs = nowMs;
    this.#running.add(run);
    this.#order.started(run.standing);
    void this.#attempts
      .run(entry, run.control.signal, (server) => this.#nextAttemptMs(entry, server))
      .then((end) => this.#ended(run, end));
  }

  /** When to come back, told in the middle of an attempt that left somebody undelivered. */
  #nextAttemptMs(entry: Entry, server: "answered" | "silent"): number {
    const failures = server === "silent" ? entry.destination.failures + 1 : entry.tries + 1;
    const delayMs = retryDelayMs(this.#settings.schedule, failures, this.#random());
    entry.nextAttemptMs = this.#clock.nowMs() + delayMs;
    return entry.nextAttemptMs;
  }

  #ended(run: Running, end: AttemptEnd): void {
    const { entry } = run;
    const { destination } = entry;
    const nowMs = this.#clock.nowMs();
    this.#running.delete(run);
    this.#order.ended(run.standing);
    destination.running--;
    const server = end.do === "untouched" ? "unasked" : end.server;
    if (server === "answered") {
      // Back from silence: what was put off for it need not wait for its time.
      if (destination.failures > 0) destination.wake();
      destination.standing = "good";
      destination.failures = 0;
      destination.retryAtMs = 0;
    }
    if (end.do === "done" || entry.dropped) {
      if (end.do !== "done") this.#attempts.forget(entry.id);
      this.#index.leave(entry);
    } else {
      this.#again(entry, end, nowMs);
    }
    this.#schedule(destination);
    this.#pump();
    if (this.#running.size === 0) for (const wake of this.#idle.splice(0)) wake();
  }

  #again(entry: Entry, end: Exclude<AttemptEnd, { do: "done" }>, nowMs: number): void {
    const { destination } = entry;
    if (end.do === "untouched") return destination.putBack(entry);
    entry.tries++;
    if (end.server === "silent") {
      // Attempts side by side that find the same silence count once.
      if (destination.retryAtMs <= nowMs) {
        destination.failures++;
        destination.retryAtMs = entry.nextAttemptMs;
        this.#expire(destination, nowMs);
      }
      destination.standing = "suspect";
      // Its turn comes first again, but one that never gets through must not hold up the others.
      if (entry.tries <= 2) return destination.putBack(entry);
    } else if (end.server === "unasked") {
      entry.nextAttemptMs = nowMs + this.#settings.schedule.firstMs;
    }
    destination.add(entry, nowMs);
  }

  /** Gives up what waited its whole life for a server that is silent still. */
  #expire(destination: Destination, nowMs: number): void {
    const { lifetimeMs } = this.#settings.schedule;
    const old = destination.remove((entry) => nowMs - entry.queuedAtMs >= lifetimeMs);
    if (old.length === 0) return;
    const work = this.#expireAll(old, nowMs).finally(() => this.#expiring.delete(work));
    this.#expiring.add(work);
  }

  async #expireAll(old: readonly Entry[], nowMs: number): Promise<void> {
    for (const entry of old) {
      if (await this.#attempts.expire(entry.id)) {
        this.#index.leave(entry);
        continue;
      }
      entry.nextAttemptMs = nowMs + this.#settings.schedule.firstMs;
      entry.destination.add(entry, nowMs);
      this.#schedule(entry.destination);
    }
    this.#pump();
  }

  /** Cuts off the oldest attempt to servers of unknown standing while others wait. @returns when to look again */
  #relieve(nowMs: number): number {
    let starving = this.#order.starving;
    let nextMs = Infinity;
    for (const { standing, startedMs, control } of this.#running) {
      if (starving === 0) break;
      if (standing !== "unknown") continue;
      starving--;
      if (control.signal.aborted) continue;
      if (nowMs - startedMs < PATIENCE_MS) {
        nextMs = startedMs + PATIENCE_MS;
        break;
      }
      control.abort();
    }
    return nextMs;
  }

  #setTimer(relieveMs: number): void {
    const dueMs = Math.min(this.#due.nextDueMs, relieveMs);
    if (dueMs === this.#timerDueMs) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerDueMs = dueMs;
    if (dueMs === Infinity) return;
    this.#cancelTimer = this.#clock.after(Math.max(0, dueMs - this.#clock.nowMs()), () => {
      this.#timerDueMs = Infinity;
      this.#pump();
    });
  }

  #quiet(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }
}
