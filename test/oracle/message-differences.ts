/** Messages with odd structure that we show otherwise than Dovecot; see differences.ts. */
import type { CorpusMessage } from "./corpus.ts";
import { type Difference, isItem } from "./difference.ts";

const NO_CHARSET = '(("charset" "us-ascii"))';
const isStructure = isItem(/^BODY(?:STRUCTURE)?$/);

export const messageDifferences: readonly Difference[] = [
  {
    title: "The default charset is shown only where there is no Content-Type",
    rfc: "RFC 2045 §5.2",
    reason:
      "BODYSTRUCTURE shows the parameters of the message. Dovecot adds charset=us-ascii to any text without one.",
    explains: (divergence) => isStructure(divergence) && plain(divergence.ours) === plain(divergence.theirs),
  },
  {
    title: "An encoded message is opaque",
    rfc: "RFC 2046 §5.2.1",
    reason:
      "message/rfc822 may not be base64; what is so is shown as application/octet-stream. Dovecot reads the encoded text as a header.",
    explains: (divergence, message) =>
      isItem(/^BODY(?:STRUCTURE|\[1(?:\.HEADER)?\])$/)(divergence) && hasEncodedMessage(message),
  },
  {
    title: "MIME fields count without a Content-Type",
    rfc: "RFC 2045 §6.1, RFC 2183 §2",
    reason:
      "Content-Transfer-Encoding, Content-Disposition and others are read by themselves. Dovecot shows defaults for all of them when Content-Type is missing.",
    explains: (divergence, message) =>
      isStructure(divergence) && message !== undefined && hasUntypedEntity(message.text),
  },
  {
    title: "Content-Types that cannot be read",
    rfc: "RFC 2045 §5.2",
    reason:
      "A broken Content-Type is text/plain, a parameter without a name or given twice counts once. Dovecot shows empty types and the parameters as they come.",
    explains: (divergence, message) => isStructure(divergence) && hasBrokenType(message),
  },
  {
    title: "A multipart needs a boundary",
    rfc: "RFC 2046 §5.1.1",
    reason: "Without a usable one the whole is shown as one opaque part; Dovecot makes up a text part.",
    explains: (divergence, message) =>
      isItem(/^BODY/)(divergence) &&
      /Content-Type: multipart\/mixed(?:; boundary="")?\r\n\r\n/.test(message?.text ?? ""),
  },
  {
    title: "Delimiters are whole lines",
    rfc: "RFC 2046 §5.1.1",
    reason:
      "`--bc` does not delimit parts of boundary `b`, and a last line `--b` begins an empty part. Dovecot compares the begin of the line only, and drops the empty part.",
    explains: (divergence, message) =>
      isItem(/^BODY/)(divergence) && /--bc\r\n|\r\n--b$/.test(message?.text ?? ""),
  },
  {
    title: "The line end before a delimiter belongs to it",
    rfc: "RFC 2046 §5.1.1",
    reason:
      "So a header that a delimiter ends has no blank line of its own, and an embedded message of a header alone is two bytes and one line shorter than Dovecot counts.",
    explains: (divergence, message) =>
      isItem(/^BODY(?:STRUCTURE|\[1(?:\.1|\.MIME|\.HEADER)?\])?$/)(divergence) && endsInHeader(message),
  },
  {
    title: "Broken addresses are left out",
    rfc: "RFC 5322 §3.4",
    reason:
      "ENVELOPE shows what is an address. Dovecot fills in MISSING_MAILBOX, MISSING_DOMAIN and SYNTAX_ERROR, stops at the first fault, or takes the text before it; of two comments it takes the last for a name.",
    explains: (divergence, message) =>
      isItem(/^ENVELOPE$/)(divergence) && /^(?:From|To):/.test(message?.text ?? ""),
  },
  {
    title: "Texts in ENVELOPE stand as they are",
    rfc: "RFC 5322 §2.2.3, RFC 5322 §3.6",
    reason:
      "Unfolding leaves white space inside as it is, outer white space goes, and of two Subject fields the first counts.",
    explains: (divergence, message) =>
      isItem(/^ENVELOPE$/)(divergence) && /^(?:X: y|Subject:\r|Date:  )/.test(message?.text ?? ""),
  },
  {
    title: "A header that nothing ends",
    rfc: "RFC 9051 §6.4.5.1",
    reason:
      "Header fetches end with a blank line, also of a message that has none. Dovecot leaves it out in HEADER.FIELDS.NOT.",
    explains: (divergence, message) =>
      isItem(/^BODY\[HEADER\.FIELDS\.NOT/)(divergence) && !(message?.text ?? "").includes("\r\n\r\n"),
  },
];

function plain(structure: string | undefined): string | undefined {
  return structure?.replaceAll(NO_CHARSET, "NIL").replaceAll('("charset" "us-ascii") ', "");
}

/** Header blocks of the message itself and of all parts, by their look. */
function headersOf(text: string): string[] {
  return `\r\n\r\n${text}`
    .split(/\r\n\r\n/)
    .map((block) => block.slice(Math.max(0, block.lastIndexOf("\r\n--"))));
}

function hasUntypedEntity(text: string): boolean {
  return headersOf(text).some(
    (header) => /^Content-(?!Type)/m.test(header) && !/^Content-Type:/m.test(header),
  );
}

const BROKEN_TYPE =
  /^Content-Type:(?: text| \/plain| text\/| text plain|)\r|; =|="utf-8\r|; charset=utf-8; charset|;;|name\*|boundary="c"/m;

function hasBrokenType(message: CorpusMessage | undefined): boolean {
  return BROKEN_TYPE.test(message?.text ?? "");
}

function endsInHeader(message: CorpusMessage | undefined): boolean {
  const text = message?.text ?? "";
  return /\r\n\r\n--|\r\n[\w-]+: [^\r]*\r\n--/.test(text);
}

function hasEncodedMessage(message: CorpusMessage | undefined): boolean {
  return headersOf(message?.text ?? "").some(
    (header) =>
      /Content-Type: message\/rfc822/.test(header) && /Content-Transfer-Encoding: base64/.test(header),
  );
}
