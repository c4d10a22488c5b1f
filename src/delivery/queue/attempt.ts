/**
 * One attempt for one letter, and what is written down of it.
 *
 * Invariants
 * - Who got the message is taken out of the letter before anything else happens: nobody gets it twice, except when the
 *   process dies between a peer's answer and that write, or the disk refuses it and the process ends.
 * - A failure stays in the letter until its report is in the sender's mailbox.
 */
import { HEADER_MAX_BYTES } from "../../core/limits.ts";
import type { Address, Domain } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import { EMPTY } from "../../core/bytes.ts";
import { refusals, type Verdict } from "../../core/verdict.ts";
import type { Log } from "../../log/events.ts";
import { headerEnd } from "../../mime/header.ts";
import { type Outbox, StorageError } from "../../storage/store.ts";
import type { FailedRecipient } from "../bounce.ts";
import type { Courier, CourierReport, MessageSource, Outcome, PeerReply } from "../courier.ts";
import {
  cleanReply,
  decodeLetter,
  encodeLetter,
  type FailedDelivery,
  type Letter,
  replyText,
} from "./letter.ts";

/** What came of an attempt, for the scheduler. */
export type AttemptEnd =
  /** Nothing is left to do; the entry is gone. */
  | { do: "done"; server: "answered" | "silent" | "unasked" }
  /** Come back; `silent` when no server could be reached at all. */
  | { do: "later"; server: "answered" | "silent" | "unasked" }
  /** Cut off by a stop before anything happened. */
  | { do: "untouched" };

export interface AttemptParts {
  outbox: Outbox;
  courier: Courier;
  /** Whether mail may still leave for that domain. */
  judge: (domain: Domain) => Verdict;
  /** Tells a user of ours; does nothing for senders who are none. @throws {StorageError} */
  report: (to: Address, originalHeader: Uint8Array, failures: readonly FailedRecipient[]) => Promise<void>;
  /** Told of each round of a courier. */
  note: (domain: Domain, report: CourierReport) => void;
  lifetimeMs: () => number;
  clock: Clock;
  log: Log;
}

/** What an attempt needs to know of an entry. */
export interface AttemptSubject {
  readonly id: string;
  readonly bytes: number;
  readonly dropped: boolean;
}

export class Attempts {
  readonly #parts: AttemptParts;
  /** Letters that the disk would not take; tried again with the next change. */
  readonly #unwritten = new Map<string, Letter>();

  constructor(parts: AttemptParts) {
    this.#parts = parts;
  }

  /**
   * Tries to deliver. Never rejects.
   * @param nextAttemptMs asked once when recipients remain: when to come back
   */
  async run(
    subject: AttemptSubject,
    stop: AbortSignal,
    nextAttemptMs: (server: "answered" | "silent") => number,
  ): Promise<AttemptEnd> {
    try {
      const letter = await this.#letter(subject.id);
      // Gone, or unreadable: then it is left to the operator, on disk.
      if (letter === undefined) return { do: "done", server: "unasked" };
      if (letter.failed.length > 0) {
        if (!(await this.#tell(subject.id, letter))) return { do: "later", server: "unasked" };
        if (letter.recipients.length === 0) return this.#done(subject.id, "unasked");
      }
      return await this.#deliver(subject, { ...letter, failed: [] }, stop, nextAttemptMs);
    } catch (error) {
      this.#fault(error, "queue attempt");
      return { do: "later", server: "unasked" };
    }
  }

  /** Gives an entry up without another attempt. Never rejects. @returns false when its sender could not be told yet */
  async expire(id: string): Promise<boolean> {
    try {
      const letter = await this.#letter(id);
      if (letter === undefined) return true;
      const given = this.#giveUp(letter, letter.recipients, undefined);
      return await this.#finish(id, { ...letter, recipients: [], failed: [...letter.failed, ...given] });
    } catch (error) {
      this.#fault(error, "queue expiry");
      return false;
    }
  }

  /** Takes an entry off the disk. */
  forget(id: string): void {
    this.#done(id, "unasked");
  }

  /** The letter as it stands. @throws {StorageError} */
  async #letter(id: string): Promise<Letter | undefined> {
    const unwritten = this.#unwritten.get(id);
    if (unwritten !== undefined) return unwritten;
    const note = await this.#parts.outbox.note(id);
    return note === undefined ? undefined : decodeLetter(note);
  }

  async #deliver(
    subject: AttemptSubject,
    letter: Letter,
    stop: AbortSignal,
    nextAttemptMs: (server: "answered" | "silent") => number,
  ): Promise<AttemptEnd> {
    const { courier, judge, clock, log } = this.#parts;
    const verdict = judge(letter.domain);
    if (verdict.do !== "accept") {
      const [code, enhanced, , text] = refusals[verdict.why];
      const failed = letter.recipients.map((recipient) => ({ recipient, reply: { code, enhanced, text } }));
      const told = await this.#finish(subject.id, { ...letter, recipients: [], failed });
      return told ? { do: "done", server: "unasked" } : { do: "later", server: "unasked" };
    }
    const report = await courier.deliver(
      {
        sender: letter.sender,
        recipients: letter.recipients,
        domain: letter.domain,
        bytes: subject.bytes,
        open: () => this.#open(subject.id),
      },
      stop,
    );
    const sorted = sortOutcomes(letter.recipients, report.outcomes);
    const moved = sorted.sent.length + sorted.failed.length > 0;
    if (stop.aborted && !moved && stop.reason === SHUTDOWN) return { do: "untouched" };
    this.#parts.note(letter.domain, report);
    if (sorted.sent.length > 0) {
      log.emit({ kind: "messageSent", route: report.route ?? "unknown", recipients: sorted.sent.length });
    }
    const silent = report.route === undefined && !moved;
    const overdue = clock.nowMs() - letter.queuedAtMs >= this.#parts.lifetimeMs();
    const given = overdue ? this.#giveUp(letter, sorted.deferred, sorted.lastDeferral) : [];
    const failed = [...sorted.failed, ...given];
    const left = overdue || subject.dropped ? [] : sorted.deferred;
    const server = silent ? "silent" : "answered";
    const next: Letter = {
      ...letter,
      recipients: left,
      failed,
      tries: letter.tries + 1,
      nextAttemptMs: left.length > 0 ? nextAttemptMs(server) : 0,
      lastError: sorted.lastDeferral === undefined ? "" : replyText(sorted.lastDeferral),
    };
    if (left.length > 0) log.emit({ kind: "messageDeferred", why: silent ? "unreachable" : "refusedForNow" });
    // Written first where a death in the middle would send or tell something twice.
    if (left.length > 0 || (failed.length > 0 && sorted.sent.length > 0)) await this.#write(subject.id, next);
    const told = await this.#finish(subject.id, next);
    if (!told) return { do: "later", server: "unasked" };
    return left.length === 0 ? { do: "done", server } : { do: "later", server };
  }

  /** Tells of the failures; removes the entry when nobody is left. @returns false when the sender could not be told */
  async #finish(id: string, letter: Letter): Promise<boolean> {
    if (letter.failed.length > 0) {
      if (!(await this.#tell(id, letter))) {
        await this.#write(id, letter);
        return false;
      }
      if (letter.recipients.length > 0) await this.#write(id, { ...letter, failed: [] });
    }
    if (letter.recipients.length === 0) this.#done(id, "answered");
    return true;
  }

  async #tell(id: string, { sender, failed }: Letter): Promise<boolean> {
    const { report, log } = this.#parts;
    for (const _ of failed) log.emit({ kind: "messageBounced" });
    if (sender === null) return true;
    try {
      await report(sender, await this.#header(id), failed);
      return true;
    } catch (error) {
      this.#fault(error, "delivery report");
      return false;
    }
  }

  #giveUp(
    letter: Letter,
    recipients: readonly Address[],
    last: PeerReply | undefined,
  ): readonly FailedDelivery[] {
    const hours = Math.round(this.#parts.lifetimeMs() / 360_000) / 10;
    const answer = last === undefined ? letter.lastError : replyText(last);
    const text = `Not delivered within ${hours} hours; last answer: ${answer === "" ? "none" : answer}`;
    return recipients.map((recipient) => ({ recipient, reply: { code: 554, enhanced: "5.4.7", text } }));
  }

  #done(id: string, server: "answered" | "silent" | "unasked"): AttemptEnd {
    this.#unwritten.delete(id);
    try {
      this.#parts.outbox.remove(id);
    } catch (error) {
      this.#fault(error, "queue");
    }
    return { do: "done", server };
  }

  async #write(id: string, letter: Letter): Promise<void> {
    try {
      await this.#parts.outbox.setNote(id, encodeLetter(letter));
      this.#unwritten.delete(id);
    } catch (error) {
      // Kept in memory, so that nobody gets the message twice while this process lives.
      this.#unwritten.set(id, letter);
      this.#fault(error, "queue");
    }
  }

  /** @throws {StorageError} nonexistent, failed */
  async #open(id: string): Promise<MessageSource> {
    const body = await this.#parts.outbox.body(id);
    if (body === undefined) throw new StorageError("nonexistent", "the queued message is gone");
    return body;
  }

  /** What there is of the header; reports quote its Message-ID. */
  async #header(id: string): Promise<Uint8Array> {
    const body = await this.#parts.outbox.body(id);
    if (body === undefined) return EMPTY;
    try {
      const head = await body.read(0, HEADER_MAX_BYTES);
      const end = headerEnd(head);
      return end < 0 ? EMPTY : head.subarray(0, end);
    } finally {
      await body.close();
    }
  }

  #fault(error: unknown, where: string): void {
    // Storage has told the log itself.
    if (!(error instanceof StorageError)) this.#parts.log.emit({ kind: "internalFault", where, error });
  }
}

/** Why an attempt is cut off: the process ends, and what it did not do does not count. */
export const SHUTDOWN: unique symbol = Symbol("shutdown");

interface SortedOutcomes {
  sent: Address[];
  deferred: Address[];
  failed: FailedDelivery[];
  lastDeferral: PeerReply | undefined;
}

/** Who is not named in the report is deferred: silence is no acceptance. */
function sortOutcomes(
  recipients: readonly Address[],
  outcomes: ReadonlyMap<Address, Outcome>,
): SortedOutcomes {
  const sorted: SortedOutcomes = { sent: [], deferred: [], failed: [], lastDeferral: undefined };
  for (const recipient of recipients) {
    const outcome = outcomes.get(recipient);
    if (outcome?.do === "sent") sorted.sent.push(recipient);
    else if (outcome?.do === "fail") sorted.failed.push({ recipient, reply: cleanReply(outcome.reply) });
    else {
      sorted.deferred.push(recipient);
      if (outcome !== undefined) sorted.lastDeferral = cleanReply(outcome.reply);
    }
  }
  return sorted;
}
