/**
 * One WebSocket of `/webimap/ws`: commands in their order, news of the watched mailbox between them.
 *
 * Invariants
 * - One thing at a time: a command, or one batch of news; a slow client is waited for before the next.
 * - Notices of the hub are coalesced; what is pushed is what the mailbox has above the last UID pushed.
 * - Nothing but a login is taken before one.
 */
import { z } from "zod";
import type { Address } from "../../core/address.ts";
import type { ChangeHub } from "../../core/changes.ts";
import type { Clock } from "../../core/clock.ts";
import { parseJson } from "../../core/json.ts";
import type { Log } from "../../log/events.ts";
import { type Wheel, type WheelEntry, wheelOf } from "../../net/wheel.ts";
import type { Mailbox } from "../../storage/store.ts";
import { type CommandParts, type Commands, commandsOf, FRAME_MAX_BYTES } from "./commands.ts";
import { type Credentials, type Entrance } from "./entrance.ts";
import { expectedFault, WebmailError } from "./fault.ts";
import { type Farewell, type Guest, type Guests } from "./guests.ts";
import { summariesAfter } from "./mail-actions.ts";
import { requests, understood } from "./requests.ts";

const PING_EVERY_MS = 30_000;
const SILENCE_MAX_MS = 60_000;
/** For a login by the first message. */
const LOGIN_MAX_MS = 10_000;
/** Above this a client is waited for. */
const UNSENT_MAX_BYTES = 1024 * 1024;
const COMMANDS_WAITING_MAX = 256;
const NEWS_PER_BATCH = 20;
/** RFC 6455 §7.4.1. */
const CLOSE_POLICY = 1008;
const CLOSE_FAULT = 1011;

/** The connection, as far as a session needs it. */
export interface Link {
  send(text: string): void;
  /** Bytes that the client has not taken yet. */
  readonly unsentBytes: number;
  ping(): void;
  /** With a closing handshake. */
  close(code: number, reason: string): void;
  /** Without. */
  terminate(): void;
}

export interface SessionParts extends CommandParts {
  entrance: Entrance;
  guests: Guests;
  hub: ChangeHub;
  clock: Clock;
  log: Log;
  /** The session is over, however it ended. Called once. */
  onOver(): void;
}

export interface Watch {
  mailbox: string;
  /** Messages above it are news. */
  sinceUid: number;
}

const command = z.object({
  req_id: z.union([z.string().max(200), z.number()]).optional(),
  action: z.string().max(100),
  data: z.unknown().optional(),
});
type Command = z.output<typeof command>;

export class Session implements Guest, WheelEntry {
  wheelSlot = 0;
  readonly #parts: SessionParts;
  readonly #peerAddress: string;
  readonly #wheel: Wheel;
  readonly #beganAtMs: number;
  #link: Link | undefined;
  #commands: Commands | undefined;
  #watched: Mailbox | undefined;
  #lastUid = 0;
  #leave: (() => void) | undefined;
  #unsubscribe: (() => void) | undefined;
  #waiting: Command[] = [];
  #waitingBytes = 0;
  #hasNews = false;
  #isWorking = false;
  #isOver = false;
  #lastHeardMs: number;
  #drained: (() => void) | undefined;

  constructor(parts: SessionParts, peerAddress: string) {
    this.#parts = parts;
    this.#peerAddress = peerAddress;
    this.#wheel = wheelOf(parts.clock);
    this.#beganAtMs = this.#wheel.nowMs();
    this.#lastHeardMs = this.#beganAtMs;
  }

  /** @throws {WebmailError} when the login is wrong, or the mailbox is not there; the session is over then */
  async logIn(credentials: Credentials, watch: Watch): Promise<void> {
    try {
      const user = await this.#parts.entrance.login(credentials, this.#peerAddress);
      await this.#enter(user, watch);
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  async #enter(user: Address, { mailbox, sinceUid }: Watch): Promise<void> {
    const { guests, hub, log } = this.#parts;
    if (this.#isOver) return;
    // Before anything is awaited, so that no revocation falls between.
    this.#leave = guests.enter(user, this);
    const commands = commandsOf(user, this.#parts);
    const watched = await commands.mail.watch(mailbox);
    if (this.#isOver) {
      watched.release();
      return;
    }
    this.#commands = commands;
    this.#watched = watched;
    this.#lastUid = sinceUid;
    log.emit({ kind: "loginSucceeded", proto: "http" });
    // Before the first look.
    this.#unsubscribe = hub.subscribe(user, () => this.#look());
    this.#look();
  }

  // What happens to the connection.

  opened(link: Link): void {
    this.#link = link;
    if (this.#isOver) {
      link.close(CLOSE_POLICY, "");
      return;
    }
    this.#wheel.add(this, this.#commands === undefined ? this.#beganAtMs + LOGIN_MAX_MS : this.#pingDueMs());
    this.#look();
  }

  /** Anything that shows that the client lives. */
  heard(): void {
    this.#lastHeardMs = this.#wheel.nowMs();
  }

  message(text: string): void {
    this.heard();
    if (this.#isOver) return;
    const value = parseJson(text);
    if (isPing(value)) {
      this.#say({ action: "pong", data: {} });
      return;
    }
    const parsed = command.safeParse(value);
    if (!parsed.success) {
      this.#say({ action: "error", data: value === undefined ? "invalid JSON" : "invalid request" });
      return;
    }
    this.#waiting.push(parsed.data);
    this.#waitingBytes += text.length;
    const tooMany = this.#waiting.length > COMMANDS_WAITING_MAX || this.#waitingBytes > 2 * FRAME_MAX_BYTES;
    if (tooMany) this.#close(CLOSE_POLICY, "too many requests at once");
    else this.#work();
  }

  drained(): void {
    this.#drained?.();
  }

  closed(): void {
    this.#link = undefined;
    this.#end();
  }

  dismiss({ closeCode, text }: Farewell): void {
    this.#close(closeCode, text);
  }

  deadlineReached(nowMs: number): number {
    if (this.#isOver || this.#link === undefined) return 0;
    if (this.#commands === undefined) {
      this.#close(CLOSE_POLICY, "log in first");
      return 0;
    }
    if (nowMs - this.#lastHeardMs >= SILENCE_MAX_MS) {
      // Who does not answer pings does not answer a handshake.
      this.#link.terminate();
      this.#end();
      return 0;
    }
    this.#link.ping();
    return Math.min(nowMs + PING_EVERY_MS, this.#lastHeardMs + SILENCE_MAX_MS);
  }

  #pingDueMs(): number {
    return this.#wheel.nowMs() + PING_EVERY_MS;
  }

  #look(): void {
    this.#hasNews = true;
    this.#work();
  }

  #work(): void {
    if (this.#isWorking || this.#isOver || this.#link === undefined) return;
    this.#isWorking = true;
    this.#run().catch((error: unknown) => {
      if (expectedFault(error) === undefined) {
        this.#parts.log.emit({ kind: "internalFault", where: "webmail session", error });
      }
      this.#close(CLOSE_FAULT, "internal fault");
    });
  }

  /** Until there is nothing to do. What it throws ends the session. */
  async #run(): Promise<void> {
    for (;;) {
      await this.#takenByClient();
      if (this.#isOver) return;
      const next = this.#waiting.shift();
      if (next !== undefined) await this.#answer(next);
      if (this.#waiting.length === 0) this.#waitingBytes = 0;
      const pushed = this.#hasNews && (await this.#push());
      // Nothing is awaited between this look and the end, so that no notice falls between.
      if (!pushed && next === undefined && this.#waiting.length === 0 && !this.#hasNews) {
        this.#isWorking = false;
        return;
      }
    }
  }

  async #takenByClient(): Promise<void> {
    while (!this.#isOver && (this.#link?.unsentBytes ?? 0) > UNSENT_MAX_BYTES) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#drained = resolve;
      await promise;
      this.#drained = undefined;
    }
  }

  async #answer({ req_id, action, data }: Command): Promise<void> {
    const id = req_id === undefined ? {} : { req_id };
    try {
      this.#parts.entrance.count(this.#peerAddress);
      this.#say({ ...id, action: "result", data: await this.#result(action, data) });
    } catch (error) {
      const fault = expectedFault(error);
      if (fault === undefined) this.#parts.log.emit({ kind: "internalFault", where: "webmail", error });
      this.#say({ ...id, action: "error", data: fault?.message ?? "internal fault" });
      if (this.#commands === undefined) this.#close(CLOSE_POLICY, "log in first");
    }
  }

  async #result(action: string, data: unknown): Promise<unknown> {
    if (this.#commands !== undefined) return await this.#commands.run(action, data);
    if (action !== "auth") throw new WebmailError(401, "log in first");
    const { email, password, mailbox, since_uid: sinceUid } = understood(requests.auth, data);
    const user = await this.#parts.entrance.login({ email, password }, this.#peerAddress);
    await this.#enter(user, { mailbox, sinceUid });
    // The deadline of the login stands on the wheel and is sooner than any ping.
    return { status: "ok" };
  }

  /** @returns false when there was nothing */
  async #push(): Promise<boolean> {
    this.#hasNews = false;
    if (this.#watched === undefined) return false;
    const news = await summariesAfter(this.#watched, this.#lastUid, NEWS_PER_BATCH);
    for (const data of news) {
      if (this.#isOver) return false;
      this.#say({ action: "new_message", data });
      this.#lastUid = data.uid;
    }
    // There may be more than a batch.
    if (news.length > 0) this.#hasNews = true;
    return news.length > 0;
  }

  #say(answer: { req_id?: string | number; action: string; data: unknown }): void {
    if (!this.#isOver) this.#link?.send(JSON.stringify(answer));
  }

  #close(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#link?.close(code, reason);
    this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#wheel.remove(this);
    this.#unsubscribe?.();
    this.#leave?.();
    this.#watched?.release();
    this.#waiting = [];
    this.#drained?.();
    this.#parts.onOver();
  }
}

/** `{"type":"ping"}`: pages can't send the protocol's own. */
function isPing(value: unknown): boolean {
  return typeof value === "object" && value !== null && "type" in value && value.type === "ping";
}
