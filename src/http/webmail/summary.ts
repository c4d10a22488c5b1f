/** Messages as pages see them: what the index knows, and the envelope from the header. */
import { fromLatin1, toUtf8 } from "../../core/bytes.ts";
import { formatFlags } from "../../imap/engine/flags.ts";
import type { MailAddress } from "../../mime/addresses.ts";
import { decodeEncodedWords } from "../../mime/encoded-words.ts";
import { parseEnvelope } from "../../mime/envelope.ts";
import type { Mailbox, MessageInfo } from "../../storage/store.ts";

export interface WebAddress {
  name?: string;
  mailbox: string;
  host: string;
}

export interface WebEnvelope {
  /** RFC 3339; of the header, or when the message came where the header has none. */
  date: string;
  subject: string;
  from?: WebAddress[];
  to?: WebAddress[];
  cc?: WebAddress[];
  message_id?: string;
  in_reply_to?: string;
}

export interface Summary {
  uid: number;
  /** Place in the mailbox from 1, as it is now (RFC 9051 §2.3.1.2). */
  seq_num: number;
  flags: string[];
  /** Bytes. */
  size: number;
  /** RFC 3339: when the message came. */
  date: string;
  envelope: WebEnvelope;
}

/** @param index of the message in the mailbox @returns undefined when it is gone meanwhile */
export async function summaryOf(
  mailbox: Mailbox,
  info: MessageInfo,
  index: number,
): Promise<Summary | undefined> {
  const header = await mailbox.header(info.uid);
  if (header === undefined) return undefined;
  return {
    uid: info.uid,
    seq_num: index + 1,
    flags: formatFlags(info.flags, mailbox.keywords).split(" ").filter(Boolean),
    size: info.size,
    date: rfc3339(info.internalDateMs),
    envelope: webEnvelope(header, info.internalDateMs),
  };
}

/** @param header a header block */
export function webEnvelope(header: Uint8Array, arrivedAtMs: number): WebEnvelope {
  const { date, subject, from, to, cc, messageId, inReplyTo } = parseEnvelope(header);
  const lists = { from: addresses(from), to: addresses(to), cc: addresses(cc) };
  const envelope: WebEnvelope = {
    date: rfc3339(sentAtMs(date) ?? arrivedAtMs),
    subject: decodeEncodedWords(subject ?? ""),
  };
  for (const name of ["from", "to", "cc"] as const) if (lists[name].length > 0) envelope[name] = lists[name];
  if (messageId !== undefined) envelope.message_id = text(messageId);
  if (inReplyTo !== undefined) envelope.in_reply_to = text(inReplyTo);
  return envelope;
}

/** Whether a text stands in subject, sender or recipients. @param wanted lower case */
export function envelopeHolds({ subject, from = [], to = [] }: WebEnvelope, wanted: string): boolean {
  const people = [...from, ...to].flatMap(({ name, mailbox, host }) => [name ?? "", `${mailbox}@${host}`]);
  return [subject, ...people].some((each) => each.toLowerCase().includes(wanted));
}

/** Marks of groups are no addresses. */
function addresses(list: readonly MailAddress[]): WebAddress[] {
  return list.flatMap(({ name, mailbox, host }) => {
    if (mailbox === undefined || host === undefined) return [];
    const address = { mailbox: text(mailbox), host: text(host) };
    return [name === undefined ? address : { name: decodeEncodedWords(name), ...address }];
  });
}

/** Header texts come with one string unit per byte. */
function text(wire: string): string {
  return toUtf8(fromLatin1(wire));
}

/** @returns undefined for what is no date */
function sentAtMs(date: string | undefined): number | undefined {
  const ms = Date.parse((date ?? "").replace(/\([^()]{0,100}\)/g, " "));
  return Number.isNaN(ms) ? undefined : ms;
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
