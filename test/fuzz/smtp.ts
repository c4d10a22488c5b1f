/**
 * Hostile bytes against the SMTP engine. For each seed a stream is made of words that SMTP knows, mutated bytewise,
 * and given twice to an engine: at once with answers at once, and in random pieces with answers that come late.
 * A finding is a throw, a difference in what was said, stored or closed, or memory beyond what was fed.
 */
import type { Address } from "../../src/core/address.ts";
import { concat, fromLatin1, toLatin1 } from "../../src/core/bytes.ts";
import type { Verdict } from "../../src/core/verdict.ts";
import type { Effect, SmtpMode } from "../../src/smtp/engine/effects.ts";
import { SmtpEngine } from "../../src/smtp/engine/engine.ts";
import { FakeDoor } from "../talks/smtp/fakes.ts";
import { cut, mutate, Random, talkSeeds } from "./random.ts";

/** Words that lead deep into the state machine. */
const WORDS: readonly string[] = [
  "EHLO x\r\n",
  "HELO x\r\n",
  "MAIL FROM:<a@relay.test>\r\n",
  "MAIL FROM:<a@relay.test> BODY=8BITMIME SMTPUTF8 SIZE=10\r\n",
  "MAIL FROM:<>\r\n",
  "MAIL FROM:<ghost@relay.test>\r\n",
  "RCPT TO:<b@relay.test>\r\n",
  "RCPT TO:<recipientunknown@relay.test>\r\n",
  "RCPT TO:<ghost@relay.test>\r\n",
  "DATA\r\n",
  "Subject: x\r\n\r\nhi\r\n.\r\n",
  "Subject: shuttingDown\r\n.\r\n",
  ".\r\n",
  "..\r\n",
  "BDAT 5\r\na\r\nb\r",
  "BDAT 3 LAST\r\na\r\n",
  "BDAT 0 LAST\r\n",
  "BDAT 70 LAST\r\n",
  "RSET\r\n",
  "NOOP\r\n",
  "VRFY x\r\n",
  "QUIT\r\n",
  "STARTTLS\r\n",
  "AUTH PLAIN\r\n",
  "AUTH LOGIN\r\n",
  "AUTH PLAIN AGFAcmVsYXkudGVzdABzZWNyZXQ=\r\n",
  "AGFAcmVsYXkudGVzdABzZWNyZXQ=\r\n",
  "*\r\n",
  "\r\n",
  "\n",
  "\r",
  "\0",
  "GET / HTTP/1.1\r\n",
  "x".repeat(600),
];
const MODES: readonly SmtpMode[] = ["smtp", "submission", "submissions"];
const WORDS_MAX = 40;
const MUTATIONS_MAX = 3;

export const smtpFuzz: { name: string; run(seed: number): void } = {
  name: "smtp",
  run(seed) {
    const random = new Random(seed);
    const mode = random.pick(MODES);
    const stream = makeStream(random, mode);
    const prompt = new Peer(mode, 0);
    prompt.feed(stream);
    prompt.finish();
    const slow = new Peer(mode, 4);
    for (const piece of cut(stream, random)) slow.feed(piece);
    slow.finish();
    if (prompt.story() !== slow.story()) {
      throw new Error(`seed ${seed}: at once\n${prompt.story()}\nin pieces\n${slow.story()}`);
    }
  },
};

/** An engine and one who answers it. */
class Peer {
  readonly #engine: SmtpEngine;
  readonly #door = new FakeDoor();
  readonly #patience: number;
  #said = "";
  #bodies: string[] = [];
  #body: Uint8Array[] | undefined;
  #fedBytes = 0;
  /** Answers that are due, and for how many more pieces they wait. */
  #due: (() => readonly Effect[]) | undefined;
  #waits = 0;

  /** @param patience answers come after this many pieces */
  constructor(mode: SmtpMode, patience: number) {
    this.#door.messageMaxBytes = 60;
    this.#patience = patience;
    const secure = mode === "submissions";
    this.#engine = new SmtpEngine({
      mode,
      hostname: "h",
      secure,
      tlsAvailable: true,
      tlsRequired: false,
      limits: this.#door,
    });
    this.#run(this.#engine.greet());
  }

  feed(bytes: Uint8Array): void {
    if (--this.#waits <= 0) this.#answer();
    this.#fedBytes += bytes.length;
    const loan = Buffer.from(bytes);
    this.#run(this.#engine.feed(loan));
    loan.fill(0xaa);
    if (this.#patience === 0) this.finish();
    if (this.#engine.heldBytes > this.#fedBytes) throw new Error("the engine holds more than it was fed");
  }

  finish(): void {
    while (this.#due !== undefined) this.#answer();
  }

  /** All that can be seen from outside. */
  story(): string {
    return JSON.stringify(
      { said: this.#said, bodies: this.#bodies, inMessage: this.#engine.inMessage },
      null,
      1,
    );
  }

  #answer(): void {
    const due = this.#due;
    this.#due = undefined;
    if (due !== undefined) this.#run(due());
  }

  #run(effects: readonly Effect[]): void {
    let batch = effects;
    while (batch.length > 0) {
      let more: readonly Effect[] = [];
      for (const effect of batch) more = this.#do(effect);
      batch = more;
    }
  }

  #do(effect: Effect): readonly Effect[] {
    const who = { via: "smtp", login: null } as const;
    switch (effect.do) {
      case "send":
        this.#said += effect.text;
        break;
      case "askSender":
        return this.#engine.answer(effect.id, this.#door.judgeSender(who, effect.sender));
      case "askRecipient":
        return this.#engine.answer(effect.id, this.#door.judgeRecipient(who, null, effect.recipient));
      case "askLogin":
        return this.#later(() =>
          this.#engine.answerLogin(effect.id, login(effect.username, effect.password)),
        );
      case "openBody":
        this.#body = [];
        break;
      case "body":
        if (this.#body === undefined) throw new Error("bytes of a message that was not opened");
        this.#body.push(new Uint8Array(effect.bytes));
        break;
      case "endBody":
        return this.#endBody(effect.id);
      case "abortBody":
        if (this.#body === undefined) throw new Error("a message was given up that was not opened");
        this.#body = undefined;
        break;
      case "startTls":
        this.#said += effect.reply;
        break;
      case "count":
      case "close":
        this.#said += `[${JSON.stringify(effect)}]`;
        break;
    }
    return [];
  }

  #endBody(id: number): readonly Effect[] {
    const text = toLatin1(concat(this.#body ?? []));
    if (/(^|[^\r])\n|\r(?!\n)|\0/.test(text) || (text !== "" && !text.endsWith("\r\n"))) {
      throw new Error(`a message with broken lines: ${JSON.stringify(text)}`);
    }
    this.#bodies.push(text);
    this.#body = undefined;
    const verdict: Verdict = text.includes("shuttingDown")
      ? { do: "refuse", why: "shuttingDown" }
      : { do: "accept" };
    return this.#later(() => this.#engine.answer(id, verdict));
  }

  #later(answer: () => readonly Effect[]): readonly Effect[] {
    this.#due = answer;
    this.#waits = this.#patience;
    return [];
  }
}

function login(username: string, password: string) {
  return password === "secret"
    ? ({ ok: true, user: username as Address } as const)
    : ({ ok: false, why: "badCredentials" } as const);
}

const seeds = talkSeeds("smtp");

function makeStream(random: Random, mode: SmtpMode): Uint8Array {
  if (random.below(3) === 0) return mutate(random.pick(seeds), random, WORDS, 2 * MUTATIONS_MAX);
  const opening =
    mode === "submissions" ? "EHLO x\r\nAUTH PLAIN AGFAcmVsYXkudGVzdABzZWNyZXQ=\r\n" : "EHLO x\r\n";
  const words = Array.from({ length: random.below(WORDS_MAX) }, () => random.pick(WORDS));
  const bytes = Buffer.from(fromLatin1(opening + words.join("")));
  for (let count = random.below(MUTATIONS_MAX + 1); count > 0; count--) {
    bytes[random.below(bytes.length)] = random.pick([0, 10, 13, 32, 46, 60, 62, 128 + random.below(128)]);
  }
  return bytes;
}
