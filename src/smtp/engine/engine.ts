/**
 * The SMTP server as a pure state machine: bytes and answers in, effects out. RFC 5321, RFC 6409, RFC 2920.
 *
 * Invariants: every command gets exactly one reply, in order; while a question is open the engine is parked and later
 * input waits (`heldBytes`; the host pauses the peer above a bound); bytes of a message are never read as commands;
 * after `close` nothing is read.
 */
import type { LoginResult } from "../../auth/authenticator.ts";
import type { Address } from "../../core/address.ts";
import { accept, type Refusal, refusals, refuse, type Verdict } from "../../core/verdict.ts";
import { type Next, runCommand } from "./commands.ts";
import type { CloseReason, Effect, SmtpEngineOptions } from "./effects.ts";
import { HeldInput } from "./held-input.ts";
import { IncomingMessage } from "./incoming-message.ts";
import {
  BAD_COMMANDS_MAX,
  BODY_DRAIN_MAX_BYTES,
  IDLE_COMMANDS_MAX,
  LOGIN_FAILURES_MAX,
  REFUSED_RECIPIENTS_MAX,
} from "./limits.ts";
import { type Line, LineReader } from "./line-reader.ts";
import { refusalReply, type Reply, replies } from "./replies.ts";
import { continueSasl, type SaslExchange, type SaslStep } from "./sasl.ts";
import { newSession, newTransaction, type Session, type Transaction } from "./session.ts";

/** What the next byte belongs to. */
type Phase =
  | { in: "command" }
  | { in: "sasl"; exchange: SaslExchange }
  | { in: "body" }
  | ChunkPhase
  /** Waits for the answer with this id. */
  | { in: "parked"; id: number; question: Question }
  /** Between the reply to STARTTLS and TLS: input in clear is dropped (RFC 3207 §6). */
  | { in: "handshake" }
  | { in: "closed" };

type ChunkPhase = {
  in: "chunk";
  leftBytes: number;
  readonly last: boolean;
  readonly fault: Reply | undefined;
};

type Question =
  | { about: "login" }
  | { about: "sender"; sender: Address | null; utf8: boolean }
  | { about: "recipient"; recipient: Address }
  | { about: "message" };

export class SmtpEngine {
  readonly #session: Session;
  readonly #lines = new LineReader();
  #phase: Phase = { in: "command" };
  #message: IncomingMessage | undefined;
  #effects: Effect[] = [];
  readonly #held = new HeldInput();
  #lastId = 0;
  #shuttingDown = false;

  constructor(options: SmtpEngineOptions) {
    this.#session = newSession(options);
  }

  /** Bytes that wait for an answer. */
  get heldBytes(): number {
    return this.#held.bytes;
  }

  /** True while a message is being read. */
  get inMessage(): boolean {
    return this.#message !== undefined;
  }

  /** The first words. The host's name and nothing about the product. */
  greet(): Effect[] {
    this.#send(`220 ${this.#session.options.hostname} ESMTP`);
    return this.#take();
  }

  /** Takes any slice of the stream. `bytes` is borrowed. */
  feed(bytes: Uint8Array): Effect[] {
    this.#held.push(bytes, this.#read(bytes));
    return this.#take();
  }

  /** Answers `askSender`, `askRecipient` or `endBody`. @throws {Error} when nothing with this id was asked. */
  answer(id: number, verdict: Verdict): Effect[] {
    const question = this.#unpark(id);
    switch (question.about) {
      case "sender":
        this.#session.transaction = newTransaction(question.sender, verdict, question.utf8);
        this.#reply("senderOk");
        break;
      case "recipient":
        if (this.#session.transaction === undefined) throw new Error("a recipient without a transaction");
        this.#takeRecipient(this.#session.transaction, question.recipient, verdict);
        this.#limitRefusals();
        break;
      case "message":
        this.#endTransaction(verdict);
        break;
      case "login":
        throw new Error(`question ${id} was about a login`);
    }
    return this.#resume();
  }

  /** Answers `askLogin`. @throws {Error} when nothing with this id was asked. */
  answerLogin(id: number, result: LoginResult): Effect[] {
    const question = this.#unpark(id);
    if (question.about !== "login") throw new Error(`question ${id} was not about a login`);
    if (result.ok) {
      this.#session.user = result.user;
      this.#reply("loginOk");
    } else if (result.why === "unavailable") {
      this.#reply("loginUnavailable");
    } else {
      this.#session.loginFailures++;
      this.#reply("badCredentials");
      if (this.#session.loginFailures >= LOGIN_FAILURES_MAX) this.#hangUp("tooManyLogins", "tooManyLogins");
    }
    return this.#resume();
  }

  /** TLS is up. All that was said in clear is forgotten: RFC 3207 §4.2. */
  secured(): void {
    if (this.#phase.in !== "handshake") return;
    this.#session.secure = true;
    this.#session.greeted = false;
    this.#session.transaction = undefined;
    this.#phase = { in: "command" };
  }

  /** A question is open: an answer, and maybe replies, are still to come. */
  get isWaiting(): boolean {
    return this.#phase.in === "parked";
  }

  /** The peer was silent, or slow, for too long. A peer that waits for us is left alone. */
  timeout(): Effect[] {
    if (this.#phase.in !== "parked") this.#hangUp("timeout", "timeout");
    return this.#take();
  }

  /** The server stops. A message whose verdict is due gets it first: else it would come twice. */
  shutdown(): Effect[] {
    const isJudged = this.#phase.in === "parked" && this.#phase.question.about === "message";
    if (isJudged) this.#shuttingDown = true;
    else this.#hangUp("shuttingDown", "shutdown");
    return this.#take();
  }

  #take(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** Works through `bytes` until they end or the engine parks. @returns where it stopped */
  #read(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length) {
      switch (this.#phase.in) {
        case "command":
        case "sasl":
          at = this.#readLine(bytes, at);
          break;
        case "body":
          at = this.#readBody(bytes, at);
          break;
        case "chunk":
          at = this.#readChunk(bytes, at, this.#phase);
          break;
        case "parked":
          return at;
        case "handshake":
        case "closed":
          return bytes.length;
      }
    }
    return at;
  }

  #park(question: Question): number {
    const id = ++this.#lastId;
    this.#phase = { in: "parked", id, question };
    return id;
  }

  #unpark(id: number): Question {
    if (this.#phase.in !== "parked" || this.#phase.id !== id) throw new Error(`nothing was asked as ${id}`);
    const { question } = this.#phase;
    this.#phase = { in: "command" };
    return question;
  }

  #resume(): Effect[] {
    if (this.#shuttingDown) this.#hangUp("shuttingDown", "shutdown");
    this.#held.drain((piece) => this.#read(piece));
    return this.#take();
  }

  #send(text: string): void {
    const last = this.#effects.at(-1);
    if (last?.do === "send") last.text += `${text}\r\n`;
    else this.#effects.push({ do: "send", text: `${text}\r\n` });
  }

  #reply(reply: Reply): void {
    this.#send(replies[reply]);
  }

  /** Tells the refusal. 421 means: and hangs up (RFC 5321 §3.8). */
  #sendRefusal(why: Refusal): void {
    this.#send(refusalReply(why));
    if (refusals[why][0] === 421) this.#close("shutdown");
  }

  /** Tells a refusal that nobody else counts. */
  #refuse(why: Refusal): void {
    this.#effects.push({ do: "count", as: "refused", why });
    this.#sendRefusal(why);
  }

  #hangUp(reply: Reply, why: CloseReason): void {
    if (this.#phase.in === "closed") return;
    // Inside the handshake a line in clear would be garbage to the peer.
    if (this.#phase.in !== "handshake") this.#reply(reply);
    this.#close(why);
  }

  /** Reads nothing more. */
  #close(why: CloseReason): void {
    this.#abortMessage();
    this.#phase = { in: "closed" };
    this.#lines.reset();
    this.#held.clear();
    this.#effects.push({ do: "close", why });
  }

  #readLine(bytes: Uint8Array, at: number): number {
    const next = this.#lines.take(bytes, at, this.#phase.in === "sasl" ? "saslAnswer" : "command");
    const { line } = this.#lines;
    if (line !== undefined) this.#takeLine(line);
    return next;
  }

  #takeLine(line: Line): void {
    const exchange = this.#phase.in === "sasl" ? this.#phase.exchange : undefined;
    this.#phase = { in: "command" };
    if (line.kind === "broken") {
      this.#hangUp(line.why === "endlessLine" ? "lineTooLong" : line.why, line.why);
    } else if (line.kind === "tooLong") {
      this.#fault(exchange === undefined ? "lineTooLong" : "saslLineTooLong");
    } else if (exchange !== undefined) {
      this.#takeSasl(continueSasl(exchange, line.text));
    } else {
      this.#takeNext(runCommand(this.#session, line.text));
    }
    if (this.#session.idleCommands > IDLE_COMMANDS_MAX) this.#hangUp("tooManyErrors", "tooManyErrors");
    this.#limitRefusals();
  }

  /** Only for good: who must come again, or has too many recipients, is trying nothing out. */
  #countRefusal(why: Refusal): void {
    if (refusals[why][0] >= 500) this.#session.refusedRecipients++;
  }

  /** Who is logged in has a name to lose, and groups with a thousand members. */
  #limitRefusals(): void {
    if (this.#session.user !== null || this.#session.refusedRecipients < REFUSED_RECIPIENTS_MAX) return;
    this.#hangUp("tooManyErrors", "tooManyErrors");
  }

  #fault(reply: Reply): void {
    this.#session.badCommands++;
    this.#reply(reply);
    if (this.#session.badCommands >= BAD_COMMANDS_MAX) this.#hangUp("tooManyErrors", "tooManyErrors");
  }

  #takeNext(next: Next): void {
    switch (next.do) {
      case "reply":
        return this.#send(next.text);
      case "fault":
        return this.#fault(next.reply);
      case "refuse":
        if (next.why === "authRequired") this.#session.badCommands++;
        if (next.why === "recipientSyntax") this.#countRefusal(next.why);
        return this.#refuse(next.why);
      case "askSender":
        return this.#askSender(next.sender, next.utf8);
      case "askRecipient":
        return this.#askRecipient(next.recipient);
      case "reset":
        this.#abortMessage();
        this.#session.transaction = undefined;
        return this.#send(next.text);
      case "data":
        return this.#beginData();
      case "chunk":
        return this.#beginChunk(next.bytes, next.last, next.fault);
      case "sasl":
        return this.#takeSasl(next.step);
      case "startTls":
        this.#phase = { in: "handshake" };
        this.#abortMessage();
        this.#effects.push({ do: "startTls", reply: `${replies.readyForTls}\r\n` });
        return;
      case "quit":
        return this.#hangUp("bye", "quit");
      case "hangUp":
        return this.#hangUp(next.reply, next.why);
    }
  }
  #askSender(sender: Address | null, utf8: boolean): void {
    const id = this.#park({ about: "sender", sender, utf8 });
    this.#effects.push({ do: "askSender", id, sender });
  }

  #askRecipient(recipient: Address): void {
    const { transaction } = this.#session;
    if (transaction === undefined || this.#message !== undefined) return this.#fault("badSequence");
    const { sender, senderVerdict } = transaction;
    if (senderVerdict.do === "drop") return this.#takeRecipient(transaction, recipient, senderVerdict);
    const id = this.#park({ about: "recipient", recipient });
    this.#effects.push({ do: "askRecipient", id, sender, recipient });
  }

  #takeRecipient(transaction: Transaction, recipient: Address, verdict: Verdict): void {
    switch (verdict.do) {
      case "accept":
        transaction.recipients.add(recipient);
        return this.#reply("recipientOk");
      case "drop":
        transaction.droppedCount++;
        transaction.droppedWhy = verdict.why;
        return this.#reply("recipientOk");
      case "refuse":
        transaction.anyRefused = true;
        this.#countRefusal(verdict.why);
        return this.#refuse(verdict.why);
    }
  }

  #takeSasl(step: SaslStep): void {
    switch (step.do) {
      case "challenge":
        this.#phase = { in: "sasl", exchange: step.exchange };
        return this.#reply(step.reply);
      case "fail":
        return this.#fault(step.reply);
      case "login": {
        const { username, password } = step;
        const id = this.#park({ about: "login" });
        this.#effects.push({ do: "askLogin", id, username, password });
      }
    }
  }

  #beginData(): void {
    // RFC 3030 §3: DATA and BDAT cannot be mixed in one transaction.
    if (this.#message !== undefined) return this.#fault("badSequence");
    this.#openMessage("dots");
    this.#phase = { in: "body" };
    this.#reply("goAhead");
  }

  #openMessage(how: "dots" | "chunks"): IncomingMessage {
    const { transaction, options } = this.#session;
    const recipients = [...(transaction?.recipients ?? [])];
    const fate = recipients.length > 0 ? "kept" : "dropped";
    const message = new IncomingMessage(how, fate, options.limits.messageMaxBytes);
    this.#message = message;
    if (fate === "kept")
      this.#effects.push({ do: "openBody", sender: transaction?.sender ?? null, recipients });
    return message;
  }

  #readBody(bytes: Uint8Array, at: number): number {
    const message = this.#message ?? this.#openMessage("dots");
    const next = message.take(bytes, at, this.#effects);
    if (!this.#closeIfHopeless(message) && message.ended) this.#endMessage(message);
    return next;
  }

  /** @returns true when the message cannot be read to its end */
  #closeIfHopeless(message: IncomingMessage): boolean {
    if (message.broken) this.#hangUp("bodyBroken", "bareLineEnd");
    else if (message.endless) this.#closeEndless();
    return this.#phase.in === "closed";
  }

  #closeEndless(): void {
    this.#refuse("messageTooBig");
    this.#close("endlessBody");
  }

  #beginChunk(leftBytes: number, last: boolean, fault: Reply | undefined): void {
    if (leftBytes > this.#session.options.limits.messageMaxBytes + BODY_DRAIN_MAX_BYTES)
      return this.#closeEndless();
    if (fault === undefined && this.#message === undefined) this.#openMessage("chunks");
    const phase: ChunkPhase = { in: "chunk", leftBytes, last, fault };
    this.#phase = phase;
    if (leftBytes === 0) this.#endChunk(phase);
  }

  #readChunk(bytes: Uint8Array, at: number, phase: ChunkPhase): number {
    const piece = bytes.subarray(at, at + phase.leftBytes);
    phase.leftBytes -= piece.length;
    if (phase.fault === undefined && this.#message !== undefined) {
      this.#message.take(piece, 0, this.#effects);
      if (this.#closeIfHopeless(this.#message)) return bytes.length;
    }
    if (phase.leftBytes === 0) this.#endChunk(phase);
    return at + piece.length;
  }

  #endChunk({ last, fault }: ChunkPhase): void {
    this.#phase = { in: "command" };
    const message = this.#message;
    if (fault !== undefined || message === undefined) this.#fault(fault ?? "badSequence");
    else if (!last) this.#reply("accepted");
    else if (message.endChunks(this.#effects)) this.#endMessage(message);
    else this.#hangUp("bodyBroken", "bareLineEnd");
  }

  #endMessage(message: IncomingMessage): void {
    this.#phase = { in: "command" };
    this.#message = undefined;
    switch (message.fate) {
      case "kept": {
        const id = this.#park({ about: "message" });
        this.#effects.push({ do: "endBody", id });
        return;
      }
      case "dropped": {
        const why = this.#session.transaction?.droppedWhy ?? "silentlyDismissed";
        this.#effects.push({ do: "count", as: "dropped", why });
        return this.#endTransaction(accept);
      }
      case "tooBig":
        this.#effects.push({ do: "count", as: "refused", why: "messageTooBig" });
        return this.#endTransaction(refuse("messageTooBig"));
    }
  }

  #endTransaction(verdict: Verdict): void {
    this.#session.transaction = undefined;
    if (verdict.do === "refuse") return this.#sendRefusal(verdict.why);
    this.#session.idleCommands = 0;
    this.#reply("accepted");
  }

  #abortMessage(): void {
    if (this.#message?.fate === "kept") this.#effects.push({ do: "abortBody" });
    this.#message = undefined;
  }
}
