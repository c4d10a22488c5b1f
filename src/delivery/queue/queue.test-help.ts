/** A queue over an outbox in memory, with a courier that does what a test says, on a clock moved by hand. */
import { type Address, type Domain, parseAddress, parseDomain } from "../../core/address.ts";
import { fromLatin1 } from "../../core/bytes.ts";
import { ManualClock } from "../../core/clock.ts";
import { accept, type Verdict } from "../../core/verdict.ts";
import type { Event, Log } from "../../log/events.ts";
import { type Outbox, type OutboxEntry, type Parcel, StorageError } from "../../storage/store.ts";
import type { FailedRecipient } from "../bounce.ts";
import type { Courier, CourierReport, OutboundMessage, Outcome } from "../courier.ts";
import { pack } from "./pack.ts";
import { Queue, type QueueSettings } from "./queue.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
const TEXT = "Message-ID: <m1@localhost>\r\nFrom: <alice@relay.test>\r\n\r\nbody\r\n";

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

export function domain(text: string): Domain {
  const parsed = parseDomain(text);
  if (parsed === undefined) throw new Error(`not a domain: ${text}`);
  return parsed;
}

/** An outbox as a map; what is in it survives the queue. */
export class MemoryOutbox implements Outbox {
  readonly entries = new Map<string, string>();
  writes = 0;
  /** Makes `setNote` fail. */
  broken = false;

  put(parcel: Parcel): void {
    for (const [place, note] of parcel.notes.entries()) this.entries.set(`${parcel.id}.${place}`, note);
  }

  async load(visit: (entry: OutboxEntry) => void): Promise<void> {
    await Promise.resolve();
    for (const [id, note] of this.entries) visit({ id, note, bytes: TEXT.length });
  }

  async note(id: string): Promise<string | undefined> {
    await Promise.resolve();
    return this.entries.get(id);
  }

  async setNote(id: string, note: string): Promise<void> {
    await Promise.resolve();
    if (this.broken) throw new StorageError("full", "as told");
    this.writes++;
    this.entries.set(id, note);
  }

  async body(id: string) {
    await Promise.resolve();
    if (!this.entries.has(id)) return undefined;
    const bytes = fromLatin1(TEXT);
    return {
      size: bytes.length,
      read: (offset: number, length: number) => Promise.resolve(bytes.subarray(offset, offset + length)),
      close: () => Promise.resolve(),
    };
  }

  remove(id: string): void {
    this.entries.delete(id);
  }
}

type Answer = Outcome | "hang" | "silence" | ((recipient: Address) => Outcome);

export const sent: Outcome = { do: "sent" };
export const greylisted: Outcome = {
  do: "defer",
  reply: { code: 451, enhanced: "4.7.1", text: "Come back later" },
};
export const refused: Outcome = { do: "fail", reply: { code: 550, enhanced: "5.1.1", text: "No such user" } };
const unreachable: Outcome = { do: "defer", reply: { code: 421, enhanced: "4.4.1", text: "No answer" } };

/** Answers by domain; `sent` where nothing was said. What hangs ends when it is cut off, or after `timeoutMs`. */
export class FakeCourier implements Courier {
  readonly answers = new Map<Domain, Answer>();
  readonly delivered: { domain: Domain; recipients: readonly Address[] }[] = [];
  readonly asked: OutboundMessage[] = [];
  active = 0;
  activeMax = 0;
  readonly activeByDomain = new Map<Domain, number>();
  perDomainMax = 0;
  /** Held until `release`, when set. */
  hold: Promise<void> | undefined;
  readonly #clock: ManualClock;
  readonly #timeoutMs: number;

  constructor(clock: ManualClock, timeoutMs = MINUTE_MS) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  async deliver(message: OutboundMessage, stop: AbortSignal): Promise<CourierReport> {
    this.asked.push(message);
    const { domain: to } = message;
    this.active++;
    this.activeMax = Math.max(this.activeMax, this.active);
    this.#countDomain(to, 1);
    try {
      await (this.hold ?? Promise.resolve());
      const answer = this.answers.get(to) ?? sent;
      if (answer === "hang") await this.#hang(stop);
      const reached = answer !== "hang" && answer !== "silence";
      const outcome = (recipient: Address): Outcome => {
        if (answer === "hang" || answer === "silence") return unreachable;
        return typeof answer === "function" ? answer(recipient) : answer;
      };
      const outcomes = new Map(message.recipients.map((each) => [each, outcome(each)] as const));
      const got = message.recipients.filter((each) => outcomes.get(each)?.do === "sent");
      if (got.length > 0) this.delivered.push({ domain: to, recipients: got });
      return { outcomes, route: reached ? "https" : undefined, attempts: [], latencyMs: 1 };
    } finally {
      this.active--;
      this.#countDomain(to, -1);
    }
  }

  #hang(stop: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(this.#timeoutMs, resolve);
      stop.addEventListener("abort", () => {
        cancel();
        resolve();
      });
      if (stop.aborted) resolve();
    });
  }

  #countDomain(to: Domain, by: number): void {
    const count = (this.activeByDomain.get(to) ?? 0) + by;
    this.perDomainMax = Math.max(this.perDomainMax, count);
    if (count > 0) this.activeByDomain.set(to, count);
    else this.activeByDomain.delete(to);
  }
}

export interface QueueWorld {
  queue: Queue;
  outbox: MemoryOutbox;
  courier: FakeCourier;
  clock: ManualClock;
  events: Event[];
  reports: { to: Address; failures: readonly FailedRecipient[] }[];
  rules: { judge: (domain: Domain) => Verdict; reportFails: boolean };
  /** Puts one message into the queue. */
  send(...recipients: string[]): void;
  /** Lets everything that can go on without time passing go on. */
  settle(): Promise<void>;
  advance(ms: number): Promise<void>;
}

export const settings: QueueSettings = {
  schedule: { firstMs: MINUTE_MS, factor: 2, maxMs: 8 * MINUTE_MS, lifetimeMs: 2 * HOUR_MS },
  concurrency: 16,
  perDestination: 2,
  messagesMax: 100_000,
  perDestinationMax: 10_000,
};

export async function queueWorld(
  over: { settings?: Partial<QueueSettings>; outbox?: MemoryOutbox; clock?: ManualClock } = {},
): Promise<QueueWorld> {
  const clock = over.clock ?? new ManualClock();
  const outbox = over.outbox ?? new MemoryOutbox();
  const courier = new FakeCourier(clock);
  const events: Event[] = [];
  const log: Log = { emit: (event) => void events.push(event), counts: () => new Map() };
  const reports: QueueWorld["reports"] = [];
  const rules: QueueWorld["rules"] = { judge: () => accept, reportFails: false };
  const queue = new Queue({
    outbox,
    courier,
    judge: (to) => rules.judge(to),
    report: async (to, _header, failures) => {
      await Promise.resolve();
      if (rules.reportFails) throw new StorageError("full", "as told");
      reports.push({ to, failures });
    },
    note: () => undefined,
    settings: { ...settings, ...over.settings },
    random: () => 0.5,
    clock,
    log,
  });
  await queue.start();
  const settle = async () => {
    await queue.loaded();
    // A turn of the event loop runs every promise that is ready; chains end within a few.
    for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  await settle();
  return {
    queue,
    outbox,
    courier,
    clock,
    events,
    reports,
    rules,
    send(...recipients) {
      const { parcel, letters } = pack(address("alice@relay.test"), recipients.map(address), clock.nowMs());
      outbox.put(parcel);
      queue.arrived(letters.map((each) => ({ ...each, bytes: TEXT.length })));
    },
    settle,
    async advance(ms) {
      clock.advance(ms);
      await settle();
    },
  };
}
