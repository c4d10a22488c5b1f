/**
 * Mail from the operator to users of this relay: plain text that no other way in would let pass. Written here and put
 * straight into mailboxes, never sent anywhere.
 */
import type { Domain } from "../core/address.ts";
import { fromUtf8 } from "../core/bytes.ts";
import { type ComposedMessage, formatDate } from "./bounce.ts";

/** RFC 5322 §2.1.1 allows 998; encoded lines are cut at 76 (RFC 2045 §6.8). */
const PLAIN_LINE_MAX_CHARS = 990;
const BASE64_LINE_CHARS = 76;
/** RFC 2047 §2: a line with an encoded word has at most 76 characters, so this many bytes of text in base64. */
const WORD_MAX_BYTES = 39;

export interface Notice {
  /** Whose operator speaks. */
  domain: Domain;
  /** The one recipient; undefined for many, who don't learn of each other. */
  to: string | undefined;
  /** One line. */
  subject: string;
  body: string;
  nowMs: number;
  /** Unique letters, digits and hyphens. */
  id: string;
}

/** @throws {RangeError} on a line end in the subject */
export function composeNotice({ domain, to, subject, body, nowMs, id }: Notice): ComposedMessage {
  // biome-ignore format: one line
  if (/[\u0000-\u001f\u007f]/.test(subject)) throw new RangeError("control character in the subject of a notice");
  const text = `${body.replace(/\r\n|\r|\n/g, "\r\n").trimEnd()}\r\n`;
  const isPlain = isAscii(text) && text.split("\r\n").every((line) => line.length <= PLAIN_LINE_MAX_CHARS);
  const header = [
    `From: Admin <admin@${domain}>`,
    to === undefined ? "To: undisclosed-recipients:;" : `To: <${to}>`,
    `Subject: ${encodedSubject(subject)}`,
    `Date: ${formatDate(nowMs)}`,
    `Message-ID: <${id}@${domain}>`,
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    `Content-Transfer-Encoding: ${isPlain ? "7bit" : "base64"}`,
  ];
  return {
    header: fromUtf8(`${header.join("\r\n")}\r\n\r\n`),
    body: fromUtf8(isPlain ? text : base64Lines(text)),
  };
}

function isAscii(text: string): boolean {
  return /^[\t\r\n\u0020-\u007e]*$/.test(text);
}

function base64Lines(text: string): string {
  const encoded = Buffer.from(text.toWellFormed(), "utf8").toString("base64");
  return `${(encoded.match(new RegExp(`.{1,${BASE64_LINE_CHARS}}`, "g")) ?? []).join("\r\n")}\r\n`;
}

/** RFC 2047 §4.1, whole characters in each word; as it is where ASCII says it in a line that is not too long. */
function encodedSubject(subject: string): string {
  if (
    isAscii(subject) &&
    !subject.includes("=?") &&
    subject.length <= PLAIN_LINE_MAX_CHARS - "Subject: ".length
  ) {
    return subject;
  }
  const words: string[] = [];
  let word = "";
  for (const char of subject.toWellFormed()) {
    if (Buffer.byteLength(word + char) > WORD_MAX_BYTES) {
      words.push(word);
      word = "";
    }
    word += char;
  }
  words.push(word);
  return words.map((text) => `=?utf-8?B?${Buffer.from(text).toString("base64")}?=`).join("\r\n ");
}
