/**
 * The IMAP envelope of a message (RFC 9051 §7.5.2), read from its header block.
 * All texts are wire text: one string unit per byte, encoded-words and UTF-8 as they stand in the message.
 */
import { type MailAddress, parseAddressList } from "./addresses.ts";
import { type Field, fieldText, parseFields } from "./header.ts";

export interface MessageEnvelope {
  /** Texts as they stand, unfolded; undefined when the field is absent. */
  date: string | undefined;
  subject: string | undefined;
  from: readonly MailAddress[];
  /** RFC 9051 §7.5.2: defaults to `from`. */
  sender: readonly MailAddress[];
  /** RFC 9051 §7.5.2: defaults to `from`. */
  replyTo: readonly MailAddress[];
  to: readonly MailAddress[];
  cc: readonly MailAddress[];
  bcc: readonly MailAddress[];
  inReplyTo: string | undefined;
  messageId: string | undefined;
}

/** @param header a header block, with or without its blank line */
export function parseEnvelope(header: Uint8Array): MessageEnvelope {
  return envelopeOf(header, parseFields(header));
}

/** The same for fields that are parsed already. */
export function envelopeOf(header: Uint8Array, fields: readonly Field[]): MessageEnvelope {
  const text = (name: string): string | undefined => {
    const field = fields.find((candidate) => candidate.name === name);
    return field === undefined ? undefined : fieldText(header, field);
  };
  // Several fields of one kind break RFC 5322 §3.6; their addresses are joined rather than hidden.
  const addresses = (name: string): MailAddress[] =>
    fields.filter((f) => f.name === name).flatMap((f) => parseAddressList(fieldText(header, f)).addresses);
  const from = addresses("from");
  const sender = addresses("sender");
  const replyTo = addresses("reply-to");
  return {
    date: text("date"),
    subject: text("subject"),
    from,
    sender: sender.length > 0 ? sender : from,
    replyTo: replyTo.length > 0 ? replyTo : from,
    to: addresses("to"),
    cc: addresses("cc"),
    bcc: addresses("bcc"),
    inReplyTo: text("in-reply-to"),
    messageId: text("message-id"),
  };
}
