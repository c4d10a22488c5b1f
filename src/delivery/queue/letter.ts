/**
 * One queued transfer: a message on its way to the recipients of one domain. The note beside the stored message is
 * this letter as one line of JSON.
 */
import { type Address, type Domain, parseAddress, parseDomain } from "../../core/address.ts";
import { parseJson } from "../../core/json.ts";
import type { PeerReply } from "../courier.ts";

export interface FailedDelivery {
  recipient: Address;
  reply: PeerReply;
}

export interface Letter {
  /** null is `<>`. */
  sender: Address | null;
  domain: Domain;
  /** Who has not got it yet. */
  recipients: readonly Address[];
  /** Who never will, and of whom the sender was not told yet. */
  failed: readonly FailedDelivery[];
  queuedAtMs: number;
  /** Attempts so far. */
  tries: number;
  /** Not before this; 0 is at once. */
  nextAttemptMs: number;
  /** What the last attempt got for an answer; "" before it. */
  lastError: string;
}

/** Longest answer of a peer that is kept, characters. */
const REPLY_MAX_CHARS = 400;

export function encodeLetter(letter: Letter): string {
  const { sender, domain, recipients, failed, queuedAtMs, tries, nextAttemptMs, lastError } = letter;
  return JSON.stringify({
    v: 1,
    from: sender,
    domain,
    to: recipients,
    failed: failed.map(({ recipient, reply }) => [recipient, reply.code, reply.enhanced, reply.text]),
    queuedAt: queuedAtMs,
    tries,
    nextAt: nextAttemptMs,
    error: lastError,
  });
}

/** @returns undefined for what this program did not write */
export function decodeLetter(note: string): Letter | undefined {
  const raw = parseJson(note);
  if (!isObject(raw) || raw["v"] !== 1) return undefined;
  const domain = parseDomain(text(raw["domain"]));
  const sender = raw["from"] === null ? null : parseAddress(text(raw["from"]));
  const recipients = list(raw["to"]).map((each) => parseAddress(text(each)));
  const failed = list(raw["failed"]).map(decodeFailed);
  if (domain === undefined || sender === undefined) return undefined;
  if (recipients.includes(undefined) || failed.includes(undefined)) return undefined;
  return {
    sender,
    domain,
    recipients: recipients.flatMap((each) => each ?? []),
    failed: failed.flatMap((each) => each ?? []),
    queuedAtMs: number(raw["queuedAt"]),
    tries: number(raw["tries"]),
    nextAttemptMs: number(raw["nextAt"]),
    lastError: text(raw["error"]),
  };
}

/** What a peer said, fit for a bounce, a note and a terminal: one line, printable, of bounded length. */
export function cleanReply(reply: PeerReply): PeerReply {
  const printable = reply.text.replace(/[^\x20-\x7e\u00a0-\uffff]+/g, " ").trim();
  return {
    code: reply.code,
    enhanced: /^[245]\.\d{1,3}\.\d{1,3}$/.test(reply.enhanced) ? reply.enhanced : "",
    text: printable.slice(0, REPLY_MAX_CHARS),
  };
}

export function replyText({ code, enhanced, text: words }: PeerReply): string {
  return [String(code), enhanced, words].filter((part) => part !== "").join(" ");
}

function decodeFailed(raw: unknown): FailedDelivery | undefined {
  const [address, code, enhanced, words] = list(raw);
  const recipient = parseAddress(text(address));
  if (recipient === undefined) return undefined;
  return { recipient, reply: { code: number(code), enhanced: text(enhanced), text: text(words) } };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const number = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : 0);
