/** Messages with odd MIME and odd addresses: a hand-written list, and more put together at random from a seed. */
import { Random } from "../fuzz/random.ts";
import { type CorpusMessage, dated } from "./corpus.ts";

const PART = "--b\nContent-Type: text/plain\n\none\n";
const MIXED = "Content-Type: multipart/mixed; boundary=b\n\n";

const byHand: readonly string[] = [
  "",
  "\n",
  "no colon here\n\nbody\n",
  "Subject: only a header\n",
  "Subject: no final line end",
  MIXED,
  `${MIXED}no delimiter at all\n`,
  `${MIXED}--b--\n`,
  `${MIXED}--b\n--b--\n`,
  `${MIXED}--b\n\n--b--\n`,
  `${MIXED}--b\n\n\n--b--\n`,
  `${MIXED}--b\nContent-Type: text/plain\n--b--\n`,
  `${MIXED}${PART}`,
  `${MIXED}${PART}--b`,
  `${MIXED}${PART}--b--`,
  `${MIXED}${PART}--b-- \t\nepilogue\n--b\nnot a part\n`,
  `${MIXED}--b \t\n\npadded delimiter\n--b--\n`,
  `${MIXED}--bc\n\nlonger\n--b\n\nright\n--b--\n`,
  `${MIXED}preamble\n${PART}--b\nContent-Type: image/png\nContent-Transfer-Encoding: BASE64\n\nAAAA\n--b--\n`,
  `Content-Type: multipart/mixed\n\n${PART}--b--\n`,
  `Content-Type: multipart/mixed; boundary=""\n\n--\n\nx\n----\n`,
  `Content-Type: multipart/mixed; boundary="b"; boundary="c"\n\n${PART}--b--\n`,
  `Content-Type: MULTIPART/Mixed; BOUNDARY=b\n\n${PART}--b--\n`,
  `Content-Type: multipart/mixed; boundary=b (comment)\n\n${PART}--b--\n`,
  `Content-Type: multipart/mixed;\n\tboundary="b"\n\n${PART}--b--\n`,
  `Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: in\n\nx\n--b\nContent-Type: text/plain\n\ny\n--b--\n`,
  `${MIXED}--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\nin\n--b\n\nouter ends it\n--b--\n`,
  `${MIXED}--b\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nsame boundary\n--b--\nafter\n--b--\n`,
  `${MIXED}--b\nContent-Type: message/rfc822\n\nSubject: in\n\ntext\n--b--\n`,
  `${MIXED}--b\nContent-Type: message/rfc822\n\n--b--\n`,
  `${MIXED}--b\nContent-Type: message/rfc822\n\nSubject: no body\n--b--\n`,
  `${MIXED}--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAoKeQo=\n--b--\n`,
  `${MIXED}--b\nContent-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nSubject: deep\n\nx\n--b--\n`,
  "Content-Type: message/rfc822\n\nSubject: whole\n\nx\n",
  "Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@b\n",
  "Content-Type: message/partial; id=x; number=1\n\nSubject: part\n\nx\n",
  "Content-Type: message/external-body; access-type=URL\n\nContent-Type: text/plain\n\n",
  "Content-Type: text\n\nx\n",
  "Content-Type: /plain\n\nx\n",
  "Content-Type: text/\n\nx\n",
  "Content-Type: text plain\n\nx\n",
  "Content-Type: text/plain; charset\n\nx\n",
  "Content-Type: text/plain; charset=\n\nx\n",
  "Content-Type: text/plain; =utf-8\n\nx\n",
  'Content-Type: text/plain; charset="utf-8\n\nx\n',
  'Content-Type: text/plain; charset="utf\\"8"; x=y; z="q\\\\r"\n\nx\n',
  "Content-Type: text/plain; charset=utf-8; charset=latin1\n\nx\n",
  "Content-Type: text/plain;; charset=utf-8;\n\nx\n",
  "Content-Type: text/plain; charset=utf-8 trailing words\n\nx\n",
  "Content-Type: text/plain; name*=utf-8''%41; name*0=a; name*1=b\n\nx\n",
  "Content-Type: text/plain; name=a(b)c\n\nx\n",
  "Content-Type: (before) text/plain (after)\n\nx\n",
  "Content-Type: text/plain\nContent-Type: text/html\n\nx\n",
  "Content-Type:\n\nx\n",
  "Content-Type: application/octet-stream; name=\xe4.txt\n\nx\n",
  "Content-Transfer-Encoding: 8bit (really)\nContent-Disposition: attachment\n\nx\n",
  "Content-Transfer-Encoding: nonsense\nContent-Disposition: attachment; filename\n\nx\n",
  "Content-Transfer-Encoding:\nContent-Disposition:\nContent-ID:\nContent-Description:\n\nx\n",
  "Content-Disposition: ; filename=x\nContent-Language: en,,de , fr\n\nx\n",
  'Content-Language: en\nContent-Location: "quoted"\nContent-MD5: x\n\nx\n',
  "Content-ID: <a\n b@c>\nContent-Description: folded\n\tdescription\n\nx\n",
  "Content-Description: =?utf-8?q?=C3=A4?=\nContent-ID: a@b (c)\n\nx\n",
  "X: y\n continued\n\tagain\nSubject: a\n  b\n\nx\n",
  "Subject:\nSubject: second\n\nx\n",
  "Subject : space before the colon\n\nx\n",
  " Subject: begins with a blank\n\nx\n",
  'Subject: "quotes" and \\ backslash\n\nx\n',
  "Subject: \xe4\xf6\xfc latin\n\nx\n",
  "Subject: nul\x01control\n\nx\n",
  `Subject: ${"long ".repeat(400)}\n\nx\n`,
  "Date: nonsense\nMessage-ID: without brackets\nIn-Reply-To: <a@b> <c@d>\n\nx\n",
  "Date:   Mon, 2 Feb 2026 10:00:00 +0000 (UTC)\nMessage-ID:   <a@b>  \n\nx\n",
  "From: a@b\nSender:\nReply-To:\n\nx\n",
  "From:\nTo:\nCc: ;\nBcc: ,\n\nx\n",
  'From: a@b, c@d\nTo: A <a@b>, "B C" <c@d>, e@f (G H)\n\nx\n',
  "From: <a@b>\nTo: group: a@b, C <c@d>; , e@f\nCc: empty:;\n\nx\n",
  "From: <@x,@y:a@b>\nTo: <a@b\nCc: a@b>\n\nx\n",
  "From: a\nTo: a b\nCc: a b <c@d>\nBcc: <>\n\nx\n",
  'From: "a\\"b" <"c d"@e>\nTo: (comment) a@b (more)\nCc: a . b @ c . d\n\nx\n',
  "From: A. B. <a@b>\nTo: A <a@[192.0.2.1]>\nCc: J\xfcrgen <a@b>\n\nx\n",
  "From: =?utf-8?q?=C3=A4?= <a@b>\nTo: a@b;c@d\nCc: a@b c@d\n\nx\n",
  "To: a@b@c\nCc: @b\nBcc: a@\n\nx\n",
  "To: group: inner: a@b;;\nCc: a@b,,c@d\n\nx\n",
  "To: (nested (comment) (two)) a@b\nCc: (unclosed a@b\n\nx\n",
  "To: A <a@b> B\nCc: A <a@b> <c@d>\n\nx\n",
];

const TYPES = [
  "text/plain",
  "text/html; charset=utf-8",
  "image/png; name=x.png",
  "message/rfc822",
  "multipart/mixed",
  "multipart/alternative",
  "multipart/digest",
  "application/pgp-encrypted",
  "",
];
const FIELDS = [
  "Content-Transfer-Encoding: base64",
  "Content-Transfer-Encoding: 7bit",
  "Content-ID: <i@x>",
  "Content-Description: d",
  'Content-Disposition: attachment; filename="f g"',
  "Content-Language: en, de",
  "Subject: s",
  "From: A <a@b>",
  "To: g: a@b, c@d;",
  "Date: Sun, 1 Feb 2026 10:00:00 +0000",
  "Message-ID: <m@x>",
];
const DEPTH_MAX = 4;
const PARTS_MAX = 3;

/** The messages of the mailbox `odd`: those above, then `count` that are right by the RFCs but deep and varied. */
export function oddMessages(count: number, seed: number): CorpusMessage[] {
  const random = new Random(seed);
  const texts = [...byHand, ...Array.from({ length: count }, () => entity(random, 0))];
  return dated(texts.map((text) => ["", text]));
}

function entity(random: Random, depth: number): string {
  const type = depth >= DEPTH_MAX ? "text/plain; charset=utf-8" : random.pick(TYPES);
  const fields = new Map(
    Array.from({ length: random.below(4) }, () => {
      const field = random.pick(FIELDS);
      return [field.slice(0, field.indexOf(":")), field];
    }),
  );
  const isContainer = /^(?:multipart|message)\//.test(type);
  if (isContainer) fields.delete("Content-Transfer-Encoding");
  const boundary = `b${depth}${random.below(100)}`;
  const shown = type.startsWith("multipart/") ? `${type}; boundary="${boundary}"` : type;
  const head = [...fields.values(), ...(type === "" ? [] : [`Content-Type: ${shown}`])];
  const header = head.map((line) => `${line}\n`).join("");
  return `${header}\n${content(random, type, boundary, depth)}`;
}

function content(random: Random, type: string, boundary: string, depth: number): string {
  if (type === "message/rfc822") return entity(random, depth + 1);
  if (!type.startsWith("multipart/")) return "line\n".repeat(random.below(4)) + random.pick(["", "tail"]);
  const parts = Array.from({ length: 1 + random.below(PARTS_MAX) }, () => entity(random, depth + 1));
  const opening = random.pick(["", "preamble\n"]);
  return `${opening}${parts.map((part) => `--${boundary}\n${part}\n`).join("")}--${boundary}--\n${random.pick(["", "epilogue\n"])}`;
}
