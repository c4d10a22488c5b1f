/**
 * The one door for messages: submission, port 25 and /mxdeliv hand their bytes to an `Intake`.
 * The verdict of `finish` is final: accept means durable in every local mailbox (and queued for every remote one).
 */
import type { Address } from "../core/address.ts";
import type { Verdict } from "../core/verdict.ts";

export type Via = "submission" | "smtp" | "http";

/** Who speaks, before any message. */
export interface SubmitterFacts {
  via: Via;
  /** The login on submission; null elsewhere. */
  login: Address | null;
}

export interface Envelope extends SubmitterFacts {
  /** null is the null reverse-path `<>` (RFC 5321 §4.5.5). */
  sender: Address | null;
  recipients: readonly Address[];
}

export interface Intake {
  /** Takes message bytes, dot-unstuffed, CRLF line ends. Never throws: trouble shows in `finish`. */
  write(chunk: Uint8Array): void;
  /** Judges, stores and delivers. Never rejects. */
  finish(): Promise<Verdict>;
  /**
   * The peer went away, or will not wait any longer: forget the message. While `finish` is busy it is refused for now, at
   * once, unless its delivery has begun, which is all or nothing and ends in time (storage/landing.ts).
   */
  abort(): void;
}

export interface MailDoor {
  /** Largest message in bytes, as announced by SIZE. Live. */
  readonly messageMaxBytes: number;
  /** Largest number of recipients of one transaction. */
  readonly recipientsMax: number;
  /** MAIL FROM: may this submitter use this sender? */
  judgeSender(who: SubmitterFacts, sender: Address | null): Verdict;
  /** RCPT TO: from caches only. `sender` is the judged one. */
  judgeRecipient(who: SubmitterFacts, sender: Address | null, recipient: Address): Verdict;
  /** Starts one message. */
  open(envelope: Envelope): Intake;
}
