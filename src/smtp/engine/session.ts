/** What an SMTP connection knows between two commands. Only engine.ts and commands.ts change it. */
import type { Address } from "../../core/address.ts";
import type { Refusal, Verdict } from "../../core/verdict.ts";
import type { SmtpEngineOptions } from "./effects.ts";

/** One mail transaction: from MAIL to the end of the message, or RSET. */
export interface Transaction {
  readonly sender: Address | null;
  /** Told at each RCPT: peers and clients look for it there (as Postfix's `smtpd_delay_reject` has it). */
  readonly senderVerdict: Verdict;
  readonly utf8: boolean;
  /** In the order of RCPT, each once. */
  readonly recipients: Set<Address>;
  /** Recipients that were accepted on the wire only, and why the last of them was. */
  droppedCount: number;
  droppedWhy: Refusal;
  /** True once a RCPT was refused: DATA without any left is then told so. */
  anyRefused: boolean;
}

export interface Session {
  readonly options: SmtpEngineOptions;
  secure: boolean;
  /** True after EHLO or HELO. */
  greeted: boolean;
  user: Address | null;
  transaction: Transaction | undefined;
  badCommands: number;
  /** Commands since the last accepted message that moved nothing forward. */
  idleCommands: number;
  loginFailures: number;
  /** Refused for good on this connection, all transactions together. */
  refusedRecipients: number;
}

export function newSession(options: SmtpEngineOptions): Session {
  return {
    options,
    secure: options.secure,
    greeted: false,
    user: null,
    transaction: undefined,
    badCommands: 0,
    idleCommands: 0,
    loginFailures: 0,
    refusedRecipients: 0,
  };
}

/** True on the ports where clients log in. */
export function isSubmission(session: Session): boolean {
  return session.options.mode !== "smtp";
}

/** How many recipients the transaction has accepted on the wire. */
export function acceptedCount(transaction: Transaction): number {
  return transaction.recipients.size + transaction.droppedCount;
}

export function newTransaction(sender: Address | null, senderVerdict: Verdict, utf8: boolean): Transaction {
  return {
    sender,
    senderVerdict,
    utf8,
    recipients: new Set(),
    droppedCount: 0,
    droppedWhy: "silentlyDismissed",
    anyRefused: false,
  };
}
