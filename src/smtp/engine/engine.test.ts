import { expect, test } from "bun:test";
import * as fc from "fast-check";
import type { Address } from "../../core/address.ts";
import { fromLatin1, toLatin1 } from "../../core/bytes.ts";
import { accept } from "../../core/verdict.ts";
import type { Effect, SmtpMode } from "./effects.ts";
import { SmtpEngine } from "./engine.ts";
import { BODY_DRAIN_MAX_BYTES, IDLE_COMMANDS_MAX } from "./limits.ts";

const limits = { messageMaxBytes: 1000, recipientsMax: 3 };

/** An engine whose questions are all answered well at once. */
function converse(mode: SmtpMode = "smtp", secure = false) {
  const engine = new SmtpEngine({
    mode,
    hostname: "h",
    secure,
    tlsAvailable: true,
    tlsRequired: false,
    limits,
  });
  const effects: Effect[] = [...engine.greet()];
  const feed = (input: string | Uint8Array): void => {
    let batch = engine.feed(typeof input === "string" ? fromLatin1(input) : input);
    while (batch.length > 0) {
      effects.push(...batch);
      const last = batch.at(-1);
      batch = [];
      if (last?.do === "askSender" || last?.do === "askRecipient" || last?.do === "endBody") {
        batch = engine.answer(last.id, accept);
      } else if (last?.do === "askLogin") {
        batch = engine.answerLogin(last.id, { ok: true, user: last.username as Address });
      }
    }
  };
  const said = (): string[] =>
    effects.flatMap((effect) => (effect.do === "send" ? effect.text.split("\r\n").slice(0, -1) : []));
  const isClosed = (): boolean => effects.some((effect) => effect.do === "close");
  return { engine, effects, feed, said, isClosed };
}

const SEND = "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n";

test("every command line gets one reply", () => {
  const commands = [
    "HELO x",
    "MAIL FROM:<a@b.test>",
    "RCPT TO:<c@d.test>",
    "RSET",
    "NOOP",
    "VRFY x",
    "BDAT 0",
  ];
  const words = fc.array(fc.constantFrom(...commands, "BDAT 0 LAST", "MAIL", "HELP", "EXPN x", "DATA x"), {
    maxLength: 18,
  });
  fc.assert(
    fc.property(words, (lines) => {
      const { feed, said } = converse();
      feed(lines.map((line) => `${line}\r\n`).join(""));
      expect(said().length).toBe(1 + lines.length);
    }),
  );
});

test("an answer to what was not asked is a fault of the caller", () => {
  const { engine } = converse();
  expect(() => engine.answer(1, accept)).toThrow("nothing was asked as 1");
  engine.feed(fromLatin1("HELO x\r\nMAIL FROM:<>\r\n"));
  expect(() => engine.answer(2, accept)).toThrow("nothing was asked as 2");
  expect(() => engine.answerLogin(1, { ok: false, why: "badCredentials" })).toThrow("not about a login");
});

test("an answer that comes twice is a fault of the caller", () => {
  const { engine } = converse();
  engine.feed(fromLatin1("HELO x\r\nMAIL FROM:<>\r\n"));
  engine.answer(1, accept);
  expect(() => engine.answer(1, accept)).toThrow("nothing was asked as 1");
});

test("commands that move nothing forward are counted until a message is accepted", () => {
  const { feed, isClosed, said } = converse();
  const noops = "NOOP\r\n".repeat(IDLE_COMMANDS_MAX - 1);
  feed(`HELO x\r\n${noops}`);
  feed(`${SEND}.\r\n${noops}NOOP\r\n`);
  expect(isClosed()).toBe(false);
  feed("NOOP\r\nNOOP\r\n");
  expect(said().at(-1)).toBe("421 4.7.0 Too many errors, closing");
  expect(isClosed()).toBe(true);
});

test("a message without end is refused and the connection ended, with nothing kept", () => {
  const { engine, effects, feed, said } = converse();
  feed(`HELO x\r\n${SEND}`);
  const piece = new Uint8Array(4 * 1024 * 1024).fill(65);
  for (let fed = 0; fed <= BODY_DRAIN_MAX_BYTES; fed += piece.length) feed(piece);
  expect(said().at(-1)).toBe("552 5.3.4 Message exceeds maximum size");
  expect(effects.at(-1)).toEqual({ do: "close", why: "endlessBody" });
  expect(effects.filter((effect) => effect.do === "body").length).toBe(0);
  expect(engine.heldBytes).toBe(0);
});

test("a message of dots does not come in as many slices as it has lines", () => {
  const { effects, feed } = converse();
  feed(`HELO x\r\n${SEND}${"..\r\n".repeat(100)}.\r\n`);
  const slices = effects.flatMap((effect) => (effect.do === "body" ? [toLatin1(effect.bytes)] : []));
  expect(slices).toEqual([".\r\n".repeat(100)]);
});

test("the message limits are read when they are needed", () => {
  const { feed, said } = converse();
  feed("EHLO x\r\n");
  limits.messageMaxBytes = 7;
  try {
    feed("EHLO x\r\n");
    feed("MAIL FROM:<a@b.test> SIZE=8\r\n");
  } finally {
    limits.messageMaxBytes = 1000;
  }
  expect(said().filter((line) => line.startsWith("250-SIZE"))).toEqual(["250-SIZE 1000", "250-SIZE 7"]);
  expect(said().at(-1)).toBe("552 5.3.4 Message exceeds maximum size");
});

test("a login is forgotten by nothing but the end of the connection", () => {
  const { feed, said } = converse("submissions", true);
  feed(`EHLO x\r\nAUTH PLAIN AGFAYi50ZXN0AHg=\r\n${SEND}.\r\nRSET\r\nEHLO x\r\n${SEND}.\r\n`);
  expect(said().filter((line) => line === "250 2.0.0 OK").length).toBe(3);
});

test("the greeting names the host and no product", () => {
  expect(converse().said()).toEqual(["220 h ESMTP"]);
});
