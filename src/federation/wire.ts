/**
 * `/mxdeliv`, the way relays hand each other mail over HTTP: `POST`, envelope in header fields, body the message.
 * Both sides read and write it here. Pure.
 *
 * The sender is `X-Mail-From` (left out for `<>`), each recipient one `X-Mail-To`. The answer is the SMTP reply as
 * text; its HTTP status only says whether there is one. A 200 counts as taken only when the text agrees: web servers
 * say 200 to much that they did not understand.
 */
import { type Address, parseAddress } from "../core/address.ts";
import { fromLatin1, fromUtf8, lowerAscii, toUtf8 } from "../core/bytes.ts";
import { refusals, type Verdict } from "../core/verdict.ts";
import type { PeerReply } from "../delivery/courier.ts";

export const MXDELIV_PATH = "/mxdeliv";
const SENDER_FIELD = "X-Mail-From";
const RECIPIENT_FIELD = "X-Mail-To";
/** Of a peer's answer, what a bounce quotes. */
const REPLY_TEXT_MAX_CHARS = 500;
/** Envelope fields of one request: common servers take heads of 8 to 16 kB. */
const ENVELOPE_MAX_BYTES = 6 * 1024;

export interface DeliveryRequest {
  /** As in the URL, with its port unless it is the scheme's own. */
  host: string;
  path: string;
  /** null is `<>`. */
  sender: Address | null;
  recipients: readonly Address[];
  bytes: number;
}

/** The request up to its body. */
export function writeRequestHead({ host, path, sender, recipients, bytes }: DeliveryRequest): Uint8Array {
  return fromUtf8(
    [
      `POST ${path} HTTP/1.1`,
      `Host: ${host}`,
      ...(sender === null ? [] : [`${SENDER_FIELD}: ${sender}`]),
      ...recipients.map((recipient) => `${RECIPIENT_FIELD}: ${recipient}`),
      "Content-Type: message/rfc822",
      `Content-Length: ${bytes}`,
      "",
      "",
    ].join("\r\n"),
  );
}

/** Recipients by request: a large group does not fit one head. In order; none is left out. */
export function splitRecipients(recipients: readonly Address[]): Address[][] {
  const groups: Address[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const recipient of recipients) {
    const field = RECIPIENT_FIELD.length + 4 + fromUtf8(recipient).length;
    bytes += field;
    if (bytes > ENVELOPE_MAX_BYTES) {
      groups.push([]);
      bytes = field;
    }
    groups.at(-1)?.push(recipient);
  }
  return groups;
}

export type DeliveryAnswer =
  | { kind: "taken" }
  /** The peer's last word for now, as it would say it on port 25. */
  | { kind: "refused"; reply: PeerReply }
  /** No `/mxdeliv` there, or nothing that can be believed: try another way. */
  | { kind: "unusable"; why: string };

/** What the peer's answer means. */
export function readAnswer(status: number, contentType: string, body: string): DeliveryAnswer {
  const reply = smtpReplyIn(status, body);
  if (status < 200 || status > 299) {
    if (status >= 400 && reply !== undefined && reply.code >= 400) return { kind: "refused", reply };
    return { kind: "unusable", why: `HTTP ${status}` };
  }
  const isBare = body.trim() === "" && !lowerAscii(contentType).startsWith("text/html");
  const isGood = reply === undefined ? isBare || /^ok\b/i.test(body.trim()) : reply.code < 300;
  if (isGood) return { kind: "taken" };
  return {
    kind: "unusable",
    why: `HTTP ${status} with ${reply === undefined ? "no reply" : reply.code} in it`,
  };
}

/**
 * The SMTP reply at the start of a body. A code that repeats the HTTP status is none: "404 page not found" and
 * "502 Bad Gateway" come from servers that know nothing of mail.
 */
function smtpReplyIn(status: number, body: string): PeerReply | undefined {
  const line = body.trimStart().split(/\r?\n/, 1)[0] ?? "";
  const match = /^([245][0-5]\d)(?:[ -](?:([245]\.\d{1,3}\.\d{1,3})\b)?:?\s*(.*))?$/.exec(line);
  if (match === null || (status >= 400 && Number(match[1]) === status)) return undefined;
  const text = (match[3] ?? "").replace(/[^\x20-\x7e]/g, "?").slice(0, REPLY_TEXT_MAX_CHARS);
  return { code: Number(match[1]), enhanced: match[2] ?? "", text };
}

/** The envelope of a request, or why there is none. */
export type ReadEnvelope =
  | { ok: true; sender: Address | null; recipients: Address[] }
  | { ok: false; why: "noRecipient" | "senderSyntax" | "recipientSyntax" };

/** Reads it from the fields; fields that come several times are joined with commas, which no address of ours has. */
export function readEnvelope(headers: { get(name: string): string | null }): ReadEnvelope {
  const senders = addressList(headers.get(SENDER_FIELD));
  const texts = addressList(headers.get(RECIPIENT_FIELD));
  if (texts.length === 0) return { ok: false, why: "noRecipient" };
  if (senders.length > 1) return { ok: false, why: "senderSyntax" };
  const [senderText] = senders;
  const sender = senderText === undefined ? null : parseAddress(senderText);
  if (sender === undefined) return { ok: false, why: "senderSyntax" };
  const recipients = texts.flatMap((text) => parseAddress(text) ?? []);
  if (recipients.length < texts.length) return { ok: false, why: "recipientSyntax" };
  return { ok: true, sender, recipients: [...new Set(recipients)] };
}

/** Addresses with or without angle brackets; `<>` and nothing are no address. */
function addressList(value: string | null): string[] {
  // HTTP libraries show field bytes as Latin-1.
  const text = value === null ? "" : toUtf8(fromLatin1(value));
  return text
    .split(",")
    .map((part) => part.trim().replace(/^<(.*)>$/, "$1"))
    .filter((part) => part !== "");
}

export interface WireAnswer {
  status: number;
  body: string;
}

/** The verdict's HTTP column; the body is what port 25 would say. */
export function answerVerdict(verdict: Verdict): WireAnswer {
  // A dropped message looks like a taken one.
  if (verdict.do !== "refuse") return { status: 200, body: "250 OK" };
  const [code, enhanced, status, text] = refusals[verdict.why];
  return { status, body: `${code} ${enhanced} ${text}` };
}

/** Requests that are none. Texts as SMTP replies too, so that peers quote them. */
export const requestFaults = {
  methodNotAllowed: { status: 405, body: "502 5.5.1 Method not allowed" },
  noRecipient: { status: 400, body: "503 5.5.1 Missing X-Mail-To header" },
  senderSyntax: { status: 400, body: "501 5.1.7 Bad sender address syntax" },
  recipientSyntax: { status: 400, body: "501 5.1.3 Bad recipient address syntax" },
  tooOften: { status: 429, body: "450 4.7.1 Too much mail from this server, wait a little" },
  cut: { status: 400, body: "451 4.4.2 Message was cut short" },
  tooSlow: { status: 408, body: "451 4.4.2 Message took too long" },
} as const satisfies Record<string, WireAnswer>;
