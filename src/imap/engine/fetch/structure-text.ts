/** ENVELOPE and BODYSTRUCTURE as text (RFC 9051 §7.5.2). Texts from the message are byte strings already. */
import type { MailAddress } from "../../../mime/addresses.ts";
import type { MessageEnvelope } from "../../../mime/envelope.ts";
import type { ByteRange, MimePart } from "../../../mime/structure.ts";
import { formatNstring, formatString } from "../text.ts";

export function formatEnvelope(envelope: MessageEnvelope): string {
  const { date, subject, from, sender, replyTo, to, cc, bcc, inReplyTo, messageId } = envelope;
  const people = [from, sender, replyTo, to, cc, bcc].map(formatAddresses).join(" ");
  const [head, tail] = [
    [date, subject],
    [inReplyTo, messageId],
  ].map((texts) => texts.map(formatNstring).join(" "));
  return `(${head} ${people} ${tail})`;
}

/** @param extended BODYSTRUCTURE's extension data, which BODY leaves out */
export function formatStructure(part: MimePart, extended: boolean): string {
  if (part.type === "multipart") {
    const inner = part.parts.map((child) => formatStructure(child, extended)).join("");
    const tail = extended ? ` ${formatParams(part.params)}${formatExtension(part)}` : "";
    return `(${inner} ${formatString(part.subtype.toUpperCase())}${tail})`;
  }
  const fields = [
    formatString(part.type.toUpperCase()),
    formatString(part.subtype.toUpperCase()),
    formatParams(part.params),
    formatNstring(part.id),
    formatNstring(part.description),
    formatString(part.encoding.toUpperCase()),
    String(bytesOf(part.body)),
  ];
  if (part.message !== undefined) {
    fields.push(formatEnvelope(part.message.envelope), formatStructure(part.message.root, extended));
    fields.push(String(part.lines));
  } else if (part.type === "text") fields.push(String(part.lines));
  const tail = extended ? ` ${formatNstring(part.md5)}${formatExtension(part)}` : "";
  return `(${fields.join(" ")}${tail})`;
}

function bytesOf(range: ByteRange): number {
  return range.end - range.start;
}

function formatExtension({ disposition, language, location }: MimePart): string {
  const shown =
    disposition === undefined
      ? "NIL"
      : `(${formatString(disposition.value)} ${formatParams(disposition.params)})`;
  const languages = language.length === 0 ? "NIL" : `(${language.map(formatString).join(" ")})`;
  return ` ${shown} ${languages} ${formatNstring(location)}`;
}

function formatParams(params: ReadonlyMap<string, string>): string {
  if (params.size === 0) return "NIL";
  const pairs = [...params].map(
    ([name, value]) => `${formatString(name.toUpperCase())} ${formatString(value)}`,
  );
  return `(${pairs.join(" ")})`;
}

function formatAddresses(addresses: readonly MailAddress[]): string {
  if (addresses.length === 0) return "NIL";
  return `(${addresses.map(formatAddress).join("")})`;
}

function formatAddress({ name, adl, mailbox, host }: MailAddress): string {
  return `(${[name, adl, mailbox, host].map(formatNstring).join(" ")})`;
}
