/**
 * Delivery reports (RFC 3464 in RFC 3462's multipart/report), in the form that peers' filters let pass and that
 * clients understand: From a mailer daemon, `Auto-Submitted` (RFC 3834 §5), the failed addresses, and of the
 * original nothing but its Message-ID, by which the client finds the message that failed.
 * Its envelope sender is always null, so no report ever causes another (RFC 5321 §6.1).
 */
import type { Address, Domain } from "../core/address.ts";
import { fromUtf8 } from "../core/bytes.ts";
import { type Refusal, refusals } from "../core/verdict.ts";
import type { PeerReply } from "./courier.ts";
import { fieldText, findField, parseFields } from "../mime/header.ts";

/** What fits on one line with the field's name (RFC 5322 §2.1.1). A longer Message-ID is left out. */
const MESSAGE_ID_MAX_CHARS = 980;

/** A refusal of ours, or what another server said. */
export type FailedRecipient = { recipient: Address } & ({ why: Refusal } | { reply: PeerReply });

export interface BounceReport {
  /** Whose relay speaks. */
  domain: Domain;
  /** The sender of the failed message. */
  to: Address;
  /** At least one. */
  failures: readonly FailedRecipient[];
  /** Header block of the failed message. */
  originalHeader: Uint8Array;
  nowMs: number;
  /** Unique letters, digits and hyphens for Message-ID and boundary. */
  id: string;
}

/** A composed message, ready for a spool. */
export interface ComposedMessage {
  /** With its blank line. */
  header: Uint8Array;
  body: Uint8Array;
}

/** Writes the report. */
export function composeBounce(report: BounceReport): ComposedMessage {
  const { domain, to, failures, nowMs, id } = report;
  const boundary = `report-${id}`;
  const header = [
    `From: Mail Delivery System <MAILER-DAEMON@${domain}>`,
    `To: <${to}>`,
    "Subject: Undelivered Mail Returned to Sender",
    `Date: ${formatDate(nowMs)}`,
    `Message-ID: <${id}@${domain}>`,
    "Auto-Submitted: auto-replied",
    "MIME-Version: 1.0",
    // RFC 6533 would want message/global-delivery-status for addresses beyond ASCII; such names don't exist here.
    `Content-Type: multipart/report; report-type=delivery-status; boundary="${boundary}"`,
  ];
  const body = [
    `--${boundary}`,
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: 8bit",
    "",
    `This is the mail relay at ${domain}.`,
    "",
    "Your message could not be delivered to:",
    "",
    ...failures.map((failure) => `<${failure.recipient}>: ${diagnostic(failure)}`),
    "",
    `--${boundary}`,
    "Content-Type: message/delivery-status",
    "",
    `Reporting-MTA: dns; ${domain}`,
    "",
    ...failures.flatMap(statusFields),
    `--${boundary}`,
    "Content-Type: text/rfc822-headers",
    "",
    ...messageIdField(report.originalHeader),
    "",
    `--${boundary}--`,
    "",
  ];
  return { header: fromUtf8(`${header.join("\r\n")}\r\n\r\n`), body: fromUtf8(body.join("\r\n")) };
}

/** RFC 3464 §2.3, with the blank line that ends a group. */
function statusFields(failure: FailedRecipient): string[] {
  return [
    `Final-Recipient: rfc822; ${failure.recipient}`,
    "Action: failed",
    `Status: ${replyOf(failure).enhanced}`,
    `Diagnostic-Code: smtp; ${diagnostic(failure)}`,
    "",
  ];
}

function diagnostic(failure: FailedRecipient): string {
  const { code, enhanced, text } = replyOf(failure);
  return `${code} ${enhanced} ${text}`;
}

/** What was said, with an enhanced code where the peer gave none (RFC 3464 §2.3.4 demands one). */
function replyOf(failure: FailedRecipient): PeerReply {
  if ("reply" in failure) {
    const { reply } = failure;
    return reply.enhanced === "" ? { ...reply, enhanced: "5.0.0" } : reply;
  }
  const [code, enhanced, , text] = refusals[failure.why];
  return { code, enhanced, text };
}

/** The Message-ID line, unfolded; nothing when there is none fit to be repeated. */
function messageIdField(header: Uint8Array): string[] {
  const field = findField(parseFields(header), "message-id");
  if (field === undefined) return [];
  const id = fieldText(header, field);
  return /^<[\x21-\x7e]+>$/.test(id) && id.length <= MESSAGE_ID_MAX_CHARS ? [`Message-ID: ${id}`] : [];
}

/** RFC 5322 §3.3, always in UTC. */
export function formatDate(nowMs: number): string {
  return new Date(nowMs).toUTCString().replace("GMT", "+0000");
}
