/**
 * Push notifications: whoever gets a message from somebody else has the tokens of all devices sent to the
 * notification service, which wakes them. Tokens are opaque; the service learns nothing else from here.
 *
 * Invariants
 * - A token is written down before the message is answered 250, and leaves the disk when the service took it, called it
 *   dead, or failed for too long: a crash repeats a notification, it never loses one.
 * - One token has at most one entry and one attempt at a time, a second apart, however many messages come.
 * - While the mode is off nothing is queued, kept or sent.
 */
import type { Address } from "../core/address.ts";
import type { CancelTimer, Clock } from "../core/clock.ts";
import type { Service } from "../core/service.ts";
import type { DeviceTokens } from "../db/device-tokens.ts";
import type { PushJobRows } from "../db/push-jobs.ts";
import type { Log } from "../log/events.ts";
import { Breaker } from "./breaker.ts";
import { Lanes, TRIES_MAX } from "./lanes.ts";
import type { PostResult } from "./post.ts";

/** The service takes two within this for one. */
const COALESCE_MS = 1000;
/** A device that could not be told for so long has asked by itself, or sleeps. */
const GIVE_UP_MS = 5 * 3_600_000;
/** A retry that waits longer is brought forward by a new message, but not below this since the last attempt. */
const FIRST_RETRY_MS = 8_000;
const JOBS_MAX = 50_000;
const DAY_MS = 86_400_000;
/** Attempts under way get this long when the relay stops; what is unknown then is told again after the start. */
const STOP_GRACE_MS = 2_000;

export type PushMode = "off" | "on" | "auto";

export interface PusherParts {
  tokens: Pick<DeviceTokens, "of" | "has" | "removeEverywhere" | "expire">;
  jobs: PushJobRows;
  /** Live. `auto`: rests while the service fails. */
  mode: () => PushMode;
  /** Sends one token. Never rejects. */
  post: (token: string, signal: AbortSignal) => Promise<PostResult>;
  log: Log;
  clock: Clock;
}

/** For the operator. */
export interface PusherFacts {
  /** Tokens that wait or are being sent. */
  pending: number;
  /** Notifications that the service took since the start. */
  sent: number;
  /** Attempts in a row that failed. */
  consecutiveFailures: number;
  /** The service failed too often; in mode `auto`. */
  resting: boolean;
}

interface Job {
  /** Attempts that failed since the last message. */
  tries: number;
  /** When the last message came. */
  sinceMs: number;
  lastTryMs: number;
  running: boolean;
  /** Another message came during the attempt. */
  again: boolean;
}

export class Pusher implements Service {
  readonly name = "push";
  readonly #parts: PusherParts;
  readonly #jobs = new Map<string, Job>();
  readonly #lanes = new Lanes();
  readonly #breaker = new Breaker();
  /** Tokens told within the last second, oldest first. */
  readonly #recent = new Map<string, number>();
  #abort = new AbortController();
  #cancelTimer: CancelTimer | undefined;
  #cancelDaily: CancelTimer | undefined;
  #stopped = false;
  #idle: (() => void) | undefined;
  #sent = 0;

  constructor(parts: PusherParts) {
    this.#parts = parts;
  }

  /** Tokens that wait or are being sent; for status and tests. */
  get pending(): number {
    return this.#jobs.size;
  }

  /** The service failed too often; in mode `auto`. */
  get resting(): boolean {
    return this.#breaker.isOpen;
  }

  facts(): PusherFacts {
    return {
      pending: this.pending,
      sent: this.#sent,
      consecutiveFailures: this.#breaker.failures,
      resting: this.#parts.mode() === "auto" && this.resting,
    };
  }

  /** The mode may be another now. */
  look(): void {
    if (!this.#stopped) this.#pump();
  }

  /** Takes up what the last run left. */
  async start(): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const token of this.#parts.jobs.all()) this.#enqueue(token, nowMs);
    this.#forgetExpired();
    this.#pump();
  }

  /** A message is in the mailboxes of `users`. Never throws, sends nothing itself. */
  delivered(users: readonly Address[], sender: Address | null): void {
    if (this.#parts.mode() === "off" || this.#stopped) return;
    try {
      const tokens = users.filter((user) => user !== sender).flatMap((user) => this.#parts.tokens.of(user));
      if (tokens.length > 0) this.#take(new Set(tokens));
    } catch (error) {
      this.#trouble(error);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer?.();
    this.#cancelDaily?.();
    if (this.#lanes.running === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle = resolve;
    const cancel = this.#parts.clock.after(STOP_GRACE_MS, () => this.#abort.abort());
    await promise;
    cancel();
  }

  #take(tokens: ReadonlySet<string>): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const fresh = [...tokens].filter((token) => !this.#jobs.has(token));
    const room = Math.max(0, JOBS_MAX - this.#jobs.size);
    for (const _ of fresh.slice(room)) this.#parts.log.emit({ kind: "pushDropped", why: "queueFull" });
    const taken = fresh.slice(0, room);
    for (const token of tokens) {
      const job = this.#jobs.get(token);
      if (job !== undefined) this.#renew(token, job, nowMs);
    }
    for (const token of taken) this.#enqueue(token, nowMs);
    // What the disk does not take is still sent by this run.
    if (taken.length > 0) this.#write(() => this.#parts.jobs.add(taken));
    this.#pump();
  }

  #enqueue(token: string, nowMs: number): void {
    this.#jobs.set(token, { tries: 0, sinceMs: nowMs, lastTryMs: 0, running: false, again: false });
    const toldMs = this.#recent.get(token);
    if (toldMs === undefined || toldMs + COALESCE_MS <= nowMs) this.#lanes.wait(token, 0, nowMs);
    else this.#lanes.rest(token, toldMs + COALESCE_MS);
  }

  /** One more message for a token that waits already: it counts from now, and a long wait is cut short. */
  #renew(token: string, job: Job, nowMs: number): void {
    job.sinceMs = nowMs;
    if (job.running) {
      job.again = true;
      return;
    }
    if (job.tries <= 1 || nowMs - job.lastTryMs < FIRST_RETRY_MS) return;
    this.#lanes.leave(token, job.tries);
    job.tries = 0;
    this.#lanes.wait(token, 0, nowMs);
  }

  /** Begins what is due and has a worker, then sleeps until the next. */
  #pump(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const mode = this.#parts.mode();
    if (mode === "off") this.#drop();
    const nowMs = this.#parts.clock.monotonicMs();
    this.#forgetRecent(nowMs);
    const allowed = mode === "auto" ? this.#breaker.allowed(nowMs) : Number.POSITIVE_INFINITY;
    while (!this.#stopped && this.#lanes.running < allowed) {
      const next = this.#lanes.begin(nowMs);
      if (next === undefined) break;
      void this.#attempt(next.token, next.tries);
    }
    this.#sleep(nowMs, mode);
  }

  #sleep(nowMs: number, mode: PushMode): void {
    const dueMs = this.#lanes.nextDueMs();
    if (dueMs === undefined || this.#stopped) return;
    const restMs = mode === "auto" ? this.#breaker.restUntilMs : 0;
    // At the limit it is the end of an attempt that goes on, not the time.
    if (mode === "auto" && this.#lanes.running >= this.#breaker.allowed(Math.max(nowMs, restMs))) return;
    const delayMs = Math.max(0, dueMs - nowMs, restMs - nowMs);
    this.#cancelTimer = this.#parts.clock.after(delayMs, () => this.#pump());
  }

  /** Never rejects. */
  async #attempt(token: string, tries: number): Promise<void> {
    const job = this.#jobs.get(token);
    if (job === undefined) throw new Error("an attempt without a job");
    const { clock } = this.#parts;
    job.running = true;
    job.lastTryMs = clock.monotonicMs();
    const result = this.#isKnown(token) ? await this.#parts.post(token, this.#abort.signal) : "forgotten";
    job.running = false;
    this.#lanes.end(tries);
    if (!this.#stopped) {
      this.#settle(token, job, result);
      this.#pump();
      return;
    }
    // Stopping: a failure is no verdict, and stays on disk for the next run.
    if (result === "taken" || result === "dead") this.#settle(token, job, result);
    if (this.#lanes.running === 0) this.#idle?.();
  }

  #settle(token: string, job: Job, result: PostResult | "forgotten"): void {
    const { log, tokens } = this.#parts;
    const nowMs = this.#parts.clock.monotonicMs();
    switch (result) {
      case "taken":
        this.#breaker.succeeded();
        this.#sent++;
        this.#recent.set(token, nowMs);
        if (job.again) this.#enqueue(token, nowMs);
        else this.#remove(token);
        // Said when it is forgotten on disk, too: from here on no crash tells it again.
        return log.emit({ kind: "pushSent" });
      case "dead":
        this.#breaker.succeeded();
        log.emit({ kind: "pushDropped", why: "tokenGone" });
        this.#write(() => tokens.removeEverywhere(token));
        return this.#remove(token);
      case "forgotten":
        log.emit({ kind: "pushDropped", why: "tokenForgotten" });
        return this.#remove(token);
      default:
        log.emit({ kind: "pushFailed", why: result });
        if (this.#breaker.failed(nowMs) && this.#parts.mode() === "auto") log.emit({ kind: "pushPaused" });
        return this.#retry(token, job, nowMs);
    }
  }

  #retry(token: string, job: Job, nowMs: number): void {
    const { log } = this.#parts;
    if (job.again) job.tries = 0;
    job.again = false;
    job.tries++;
    if (job.tries >= TRIES_MAX || nowMs - job.sinceMs > GIVE_UP_MS) {
      log.emit({ kind: "pushDropped", why: job.tries >= TRIES_MAX ? "tooOften" : "tooOld" });
      this.#remove(token);
      return;
    }
    this.#lanes.wait(token, job.tries, nowMs);
  }

  #remove(token: string): void {
    this.#jobs.delete(token);
    this.#write(() => this.#parts.jobs.remove(token));
  }

  /** Switched off: what waits is nobody's business any more. */
  #drop(): void {
    for (const [token, job] of this.#jobs) if (!job.running) this.#jobs.delete(token);
    this.#lanes.clear();
    this.#write(() => this.#parts.jobs.clear());
  }

  #isKnown(token: string): boolean {
    try {
      return this.#parts.tokens.has(token);
    } catch (error) {
      this.#trouble(error);
      return true;
    }
  }

  #forgetRecent(nowMs: number): void {
    for (const [token, toldMs] of this.#recent) {
      if (nowMs - toldMs < COALESCE_MS) return;
      this.#recent.delete(token);
    }
  }

  #forgetExpired(): void {
    this.#write(() => this.#parts.tokens.expire());
    this.#cancelDaily = this.#parts.clock.after(DAY_MS, () => this.#forgetExpired());
  }

  #write(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#trouble(error);
    }
  }

  #trouble(error: unknown): void {
    const { log } = this.#parts;
    log.emit({ kind: "storageTrouble", what: "push notifications could not be written to the database" });
    log.emit({ kind: "internalFault", where: "push", error });
  }
}
