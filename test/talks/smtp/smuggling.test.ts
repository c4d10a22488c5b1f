/**
 * All known ways to end a message where one server sees an end and another does not, as one table: SMTP smuggling
 * (bare CR, bare LF, NUL, padded dots, foreign line ends), and the same tricks with BDAT. Each row is sent whole, byte
 * by byte, and cut in two at each point; never may a second message come of it.
 * RFC 5321 §2.3.8, §4.1.1.4: lines end with CRLF and nothing else.
 */
import { expect, test } from "bun:test";
import { fromLatin1, toLatin1 } from "../../../src/core/bytes.ts";
import { SmtpTalkTarget } from "./target.ts";

type Outcome =
  /** Refused at once, and the connection ends before what follows can be taken for commands. */
  | "hangs up"
  /** All of it is text of one message. */
  | "text"
  /** Refused; what follows is read as commands, and none of it is a message. */
  | "refused";

const OPENING = "EHLO x\r\nMAIL FROM:<a@remote.test>\r\nRCPT TO:<b@relay.test>\r\n";
const EVIL = "MAIL FROM:<evil@remote.test>\r\nRCPT TO:<b@relay.test>\r\nDATA\r\nevil\r\n.\r\n";

const ends: readonly [name: string, end: string, outcome: Outcome][] = [
  ["LF dot LF", "\n.\n", "hangs up"],
  ["LF dot CRLF", "\n.\r\n", "hangs up"],
  ["CRLF dot LF", "\r\n.\n", "hangs up"],
  ["CR dot CR", "\r.\r", "hangs up"],
  ["CR dot CRLF", "\r.\r\n", "hangs up"],
  ["CR dot LF", "\r.\n", "hangs up"],
  ["LF dot CR", "\n.\r", "hangs up"],
  ["CRLF dot CR", "\r\n.\rx", "hangs up"],
  ["CR CRLF dot CRLF", "\r\r\n.\r\n", "hangs up"],
  ["LF CR dot LF CR", "\n\r.\n\r", "hangs up"],
  ["LF LF dot LF LF", "\n\n.\n\n", "hangs up"],
  ["CRLF dot CR CRLF", "\r\n.\r\r\n", "hangs up"],
  ["CRLF dot LF CR", "\r\n.\n\r", "hangs up"],
  ["CRLF dot dot LF", "\r\n..\n", "hangs up"],
  ["LF dot dot CRLF", "\n..\r\n", "hangs up"],
  ["CRLF NUL dot CRLF", "\r\n\0.\r\n", "hangs up"],
  ["CRLF dot NUL CRLF", "\r\n.\0\r\n", "hangs up"],
  ["CR NUL LF dot CR NUL LF", "\r\0\n.\r\0\n", "hangs up"],
  ["CRLF blank dot CRLF", "\r\n .\r\n", "text"],
  ["CRLF dot blank CRLF", "\r\n. \r\n", "text"],
  ["CRLF dot tab CRLF", "\r\n.\t\r\n", "text"],
  ["CRLF tab dot CRLF", "\r\n\t.\r\n", "text"],
  ["CRLF dot dot CRLF", "\r\n..\r\n", "text"],
  ["vertical tabs", "\v.\v", "text"],
  ["form feeds", "\f.\f", "text"],
  ["the C1 control NEL", "\x85.\x85", "text"],
  ["UTF-8 NEL", "\xc2\x85.\xc2\x85", "text"],
  ["UTF-8 line separator", "\xe2\x80\xa8.\xe2\x80\xa8", "text"],
  ["UTF-8 paragraph separator", "\xe2\x80\xa9.\xe2\x80\xa9", "text"],
  ["overlong UTF-8 of CRLF", "\xc0\x8d\xc0\x8a.\xc0\x8d\xc0\x8a", "text"],
  ["CRLF and a full-width dot", "\r\n\xef\xbc\x8e\r\n", "text"],
  ["CRLF and an EBCDIC dot", "\r\n\x4b\r\n", "text"],
  ["ends spelt as text", "\\r\\n.\\r\\n", "text"],
  ["ends spelt as quoted-printable", "=0D=0A.=0D=0A", "text"],
];

for (const [name, end, outcome] of ends) {
  test(`no message ends with ${name}`, async () => {
    await everyWay(`${OPENING}DATA\r\nSubject: x\r\n\r\nhi${end}${EVIL}`, (target) => {
      const texts = target.door.taken.map(({ text }) => text);
      if (outcome === "text") {
        expect(texts).toHaveLength(1);
        // The dot that stands first in a line is taken off (RFC 5321 §4.5.2).
        expect(texts[0]).toBe(`Subject: x\r\n\r\nhi${end.replace("\r\n.", "\r\n")}${EVIL.slice(0, -3)}`);
      } else {
        expect(texts).toEqual([]);
        expect(target.closed).toBe(true);
      }
      expect(target.door.taken.some(({ envelope }) => String(envelope.sender).startsWith("evil"))).toBe(
        false,
      );
    });
  });
}

const chunks: readonly [name: string, commands: string, outcome: Outcome, text?: string][] = [
  [
    "an end of DATA inside a chunk is text",
    `BDAT 13 LAST\r\nhi\r\n.\r\nMAIL\r\n`,
    "text",
    "hi\r\n.\r\nMAIL\r\n",
  ],
  ["commands inside a chunk are text", `BDAT ${EVIL.length} LAST\r\n${EVIL}`, "text", EVIL],
  ["a chunk shorter than its text", `BDAT 4 LAST\r\nhi\r\nevil\r\n.\r\n`, "text", "hi\r\n"],
  ["DATA behind a chunk", `BDAT 4\r\nhi\r\nDATA\r\nevil\r\n.\r\n`, "refused"],
  ["a bare LF in a chunk", "BDAT 4 LAST\r\nhi\n\n", "hangs up"],
  ["a bare CR at the end of all chunks", "BDAT 3 LAST\r\nhi\r", "hangs up"],
  ["a CRLF in two chunks is one line end", "BDAT 3\r\nhi\rBDAT 1 LAST\r\n\n", "text", "hi\r\n"],
  ["a NUL in a chunk", "BDAT 4 LAST\r\n\0i\r\n", "hangs up"],
  ["a chunk without a length", `BDAT LAST\r\n${EVIL}`, "hangs up"],
  ["a chunk of negative length", `BDAT -5 LAST\r\n${EVIL}`, "hangs up"],
  ["a chunk of signed length", `BDAT +5 LAST\r\n${EVIL}`, "hangs up"],
  ["a chunk of hexadecimal length", `BDAT 0x10 LAST\r\n${EVIL}`, "hangs up"],
  ["a chunk of exponential length", `BDAT 1e1 LAST\r\n${EVIL}`, "hangs up"],
  ["a chunk whose length wraps in 64 bits", `BDAT 18446744073709551620 LAST\r\n${EVIL}`, "hangs up"],
  ["a chunk with a word too many", `BDAT 5 LAST NOW\r\n${EVIL}`, "hangs up"],
];

for (const [name, commands, outcome, text] of chunks) {
  test(`BDAT: ${name}`, async () => {
    await everyWay(OPENING + commands, (target) => {
      expect(target.door.taken.map((message) => message.text)).toEqual(
        outcome === "text" ? [text ?? ""] : [],
      );
      if (outcome === "hangs up") expect(target.closed).toBe(true);
    });
  });
}

/** Plays the bytes in all cuts. What was said and taken must not depend on them. */
async function everyWay(text: string, check: (target: SmtpTalkTarget) => void): Promise<void> {
  const bytes = fromLatin1(text);
  const whole = await play([bytes], check);
  expect(
    await play(
      Array.from(bytes, (byte) => Uint8Array.of(byte)),
      check,
    ),
  ).toBe(whole);
  for (let at = 1; at < bytes.length; at++) {
    expect(await play([bytes.subarray(0, at), bytes.subarray(at)], check)).toBe(whole);
  }
}

async function play(pieces: readonly Uint8Array[], check: (target: SmtpTalkTarget) => void): Promise<string> {
  const target = new SmtpTalkTarget([]);
  for (const piece of pieces) {
    if (target.closed) break;
    target.send(piece);
    await target.settle();
  }
  check(target);
  const said = toLatin1(target.output());
  target.dispose();
  return said;
}
