/**
 * SMTP as a client (RFC 5321, with PIPELINING RFC 2920, SIZE RFC 1870, STARTTLS RFC 3207, 8BITMIME RFC 6152,
 * SMTPUTF8 RFC 6531): bytes of the server in, effects out. Pure; the host owns socket, TLS, body and time.
 *
 * Invariants
 * - Each transaction is reported exactly once, with an outcome for each of its recipients.
 * - The body is announced only after a recipient was accepted, so no server gets a message for nobody.
 * - After `close` nothing follows.
 */
import type { Address } from "../../core/address.ts";
import type { Outcome, PeerReply } from "../../delivery/courier.ts";
import { BODY_REPLY_MAX_MS, COMMAND_MAX_MS, COURTESY_MAX_MS, DATA_MAX_MS, OPENING_MAX_MS } from "./limits.ts";
import { ReplyReader, type ServerReply, toPeerReply } from "./reply-reader.ts";

export interface ClientOptions {
  /** `required`: no session without TLS. `opportunistic`: where it is offered. */
  readonly tls: "required" | "opportunistic" | "none";
  /** What EHLO says: a domain, or an address literal in brackets. */
  readonly helloName: string;
}

export interface Transaction {
  /** null is `<>`. */
  readonly sender: Address | null;
  readonly recipients: readonly Address[];
  readonly bytes: number;
}

export interface TransactionReport {
  readonly outcomes: ReadonlyMap<Address, Outcome>;
  /** Deferred only because this transaction had too many recipients: worth another at once. */
  readonly again: readonly Address[];
}

export type ClientEffect =
  | { do: "send"; text: string }
  /** Start the handshake, then call `secured`. */
  | { do: "startTls" }
  /** The session is open: `begin` may be called. */
  | { do: "ready" }
  /** Send the body with its end, then call `bodySent`. */
  | { do: "sendBody" }
  | { do: "report"; report: TransactionReport }
  /** The session is over. `reply` is what the server said, where it said something. */
  | { do: "close"; why: string; reply?: PeerReply };

type Awaited =
  | { for: "greeting" | "ehlo" | "helo" | "startTls" | "mail" | "data" | "body" | "rset" }
  | { for: "rcpt"; recipient: Address };

const waitMs: Record<Awaited["for"], number> = {
  greeting: OPENING_MAX_MS,
  ehlo: OPENING_MAX_MS,
  helo: OPENING_MAX_MS,
  startTls: OPENING_MAX_MS,
  mail: COMMAND_MAX_MS,
  rcpt: COMMAND_MAX_MS,
  data: DATA_MAX_MS,
  body: BODY_REPLY_MAX_MS,
  rset: COURTESY_MAX_MS,
};

const tooBig: PeerReply = {
  code: 552,
  enhanced: "5.3.4",
  text: "Message is larger than the next server takes",
};
const addressUnfit: PeerReply = {
  code: 553,
  enhanced: "5.6.7",
  text: "The next server takes no addresses beyond ASCII",
};

export class SmtpClientEngine {
  readonly #options: ClientOptions;
  readonly #reader = new ReplyReader();
  #effects: ClientEffect[] = [];
  /** Commands whose replies are to come, oldest first. */
  #awaited: Awaited[] = [{ for: "greeting" }];
  #extensions = new Map<string, string>();
  #secure = false;
  #closed = false;
  #transaction: Transaction | undefined;
  #outcomes = new Map<Address, Outcome>();
  #accepted: Address[] = [];
  #again: Address[] = [];

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** How long the reply that is awaited may take; 0 when none is. */
  get waitMs(): number {
    const [next] = this.#awaited;
    return next === undefined ? 0 : waitMs[next.for];
  }

  /** Open, and nothing under way. */
  get isIdle(): boolean {
    return !this.#closed && this.#awaited.length === 0 && this.#transaction === undefined;
  }

  /** Takes any slice of the stream; it is borrowed. */
  feed(bytes: Uint8Array): ClientEffect[] {
    if (!this.#closed) {
      for (const reply of this.#reader.feed(bytes)) {
        if (!this.#closed) this.#take(reply);
      }
      if (this.#reader.isBroken) this.#fail("the server sent what is no SMTP reply");
    }
    return this.#drain();
  }

  /** TLS is up. */
  secured(): ClientEffect[] {
    this.#secure = true;
    this.#extensions.clear();
    this.#hello("EHLO", "ehlo");
    return this.#drain();
  }

  /** Starts a transaction. @throws {Error} unless `isIdle` (a caller's bug) */
  begin(transaction: Transaction): ClientEffect[] {
    if (!this.isIdle) throw new Error("a transaction can't begin now");
    this.#transaction = transaction;
    this.#outcomes = new Map();
    this.#accepted = [];
    this.#again = [];
    const sizeMax = Number(this.#extensions.get("SIZE") ?? 0);
    const addresses = [...transaction.recipients, transaction.sender ?? ""];
    const needsUtf8 = addresses.some((address) => /[^\x20-\x7e]/.test(address));
    if (sizeMax > 0 && transaction.bytes > sizeMax) this.#end({ do: "fail", reply: tooBig });
    else if (needsUtf8 && !this.#extensions.has("SMTPUTF8")) this.#end({ do: "fail", reply: addressUnfit });
    else this.#sendEnvelope(transaction, needsUtf8);
    return this.#drain();
  }

  /** The body and its end are sent. */
  bodySent(): ClientEffect[] {
    this.#awaited.push({ for: "body" });
    return this.#drain();
  }

  /** The connection failed or the time is over: what is open is deferred. */
  interrupted(why: string): ClientEffect[] {
    this.#fail(why);
    return this.#drain();
  }

  /** A polite end. */
  quit(): ClientEffect[] {
    if (!this.#closed) {
      this.#effects.push({ do: "send", text: "QUIT\r\n" });
      this.#close("quit");
    }
    return this.#drain();
  }

  #take(reply: ServerReply): void {
    const awaited = this.#awaited.shift();
    // RFC 5321 §3.8: 421 may come at any time, and ends everything.
    if (awaited === undefined || reply.code === 421) {
      this.#fail("the server ended the session", toPeerReply(reply));
      return;
    }
    switch (awaited.for) {
      case "greeting":
        if (reply.code === 220) this.#hello("EHLO", "ehlo");
        else this.#fail("the server refused the session", toPeerReply(reply));
        break;
      case "ehlo":
        if (isGood(reply)) this.#greeted(reply);
        // RFC 5321 §3.2: an old server. Inside TLS there are none.
        else if (this.#secure) this.#fail("the server refused EHLO", toPeerReply(reply));
        else this.#hello("HELO", "helo");
        break;
      case "helo":
        if (isGood(reply)) this.#greeted({ code: 250, lines: [] });
        else this.#fail("the server refused HELO", toPeerReply(reply));
        break;
      case "startTls":
        this.#startTls(reply);
        break;
      case "mail":
        this.#mailAnswered(reply);
        break;
      case "rcpt":
        this.#rcptAnswered(reply, awaited.recipient);
        break;
      case "data":
        if (reply.code === 354) this.#effects.push({ do: "sendBody" });
        else this.#end(judge(reply), true);
        break;
      case "body":
        this.#end(isGood(reply) ? { do: "sent" } : judge(reply));
        break;
      case "rset":
        if (isGood(reply)) this.#effects.push({ do: "ready" });
        else this.#fail("the server refused RSET");
        break;
    }
  }

  #hello(verb: "EHLO" | "HELO", awaited: "ehlo" | "helo"): void {
    this.#effects.push({ do: "send", text: `${verb} ${this.#options.helloName}\r\n` });
    this.#awaited.push({ for: awaited });
  }

  #greeted(reply: ServerReply): void {
    for (const line of reply.lines.slice(1)) {
      const [keyword = "", ...parameters] = line.trim().split(/[ =]+/);
      this.#extensions.set(keyword.toUpperCase(), parameters.join(" "));
    }
    const { tls } = this.#options;
    if (this.#secure || tls === "none") {
      this.#effects.push({ do: "ready" });
    } else if (this.#extensions.has("STARTTLS")) {
      this.#effects.push({ do: "send", text: "STARTTLS\r\n" });
      this.#awaited.push({ for: "startTls" });
    } else if (tls === "required") {
      this.#fail("the server offers no STARTTLS");
    } else {
      this.#effects.push({ do: "ready" });
    }
  }

  #startTls(reply: ServerReply): void {
    if (reply.code === 220) {
      // RFC 3207 §4.2, and the other way round: nothing said in clear counts behind the handshake.
      if (this.#reader.hasPart) this.#fail("input before TLS");
      else this.#effects.push({ do: "startTls" });
    } else if (this.#options.tls === "required") {
      this.#fail("the server refused STARTTLS", toPeerReply(reply));
    } else {
      this.#effects.push({ do: "ready" });
    }
  }

  /** RFC 2920: MAIL and all RCPT together; DATA waits for their answers. */
  #sendEnvelope({ sender, recipients, bytes }: Transaction, needsUtf8: boolean): void {
    const parameters = [
      this.#extensions.has("SIZE") ? ` SIZE=${bytes}` : "",
      // Right for any message, and saves reading it for bytes beyond ASCII.
      this.#extensions.has("8BITMIME") ? " BODY=8BITMIME" : "",
      needsUtf8 ? " SMTPUTF8" : "",
    ].join("");
    this.#effects.push({ do: "send", text: `MAIL FROM:<${sender ?? ""}>${parameters}\r\n` });
    this.#awaited.push({ for: "mail" });
    if (this.#extensions.has("PIPELINING"))
      for (const recipient of recipients) this.#sendRecipient(recipient);
  }

  #sendRecipient(recipient: Address): void {
    this.#effects.push({ do: "send", text: `RCPT TO:<${recipient}>\r\n` });
    this.#awaited.push({ for: "rcpt", recipient });
  }

  #mailAnswered(reply: ServerReply): void {
    const recipients = this.#transaction?.recipients ?? [];
    if (!isGood(reply)) {
      const outcome = judge(reply);
      for (const recipient of recipients) this.#outcomes.set(recipient, outcome);
    }
    if (this.#awaited.length > 0) return;
    const [first] = recipients;
    if (isGood(reply) && first !== undefined) this.#sendRecipient(first);
    else this.#end(undefined, true);
  }

  #rcptAnswered(reply: ServerReply, recipient: Address): void {
    const recipients = this.#transaction?.recipients ?? [];
    // Where MAIL failed, every recipient has its outcome, and this answer says only that there is no sender.
    if (!this.#outcomes.has(recipient)) {
      if (isGood(reply)) {
        this.#accepted.push(recipient);
      } else {
        if (this.#accepted.length > 0 && isTooMany(reply)) this.#again.push(recipient);
        this.#outcomes.set(recipient, judge(reply));
      }
    }
    if (this.#awaited.length > 0) return;
    const next = this.#extensions.has("PIPELINING")
      ? undefined
      : recipients[recipients.indexOf(recipient) + 1];
    if (next !== undefined) {
      this.#sendRecipient(next);
    } else if (this.#accepted.length > 0) {
      this.#effects.push({ do: "send", text: "DATA\r\n" });
      this.#awaited.push({ for: "data" });
    } else {
      this.#end(undefined, true);
    }
  }

  /** Reports the transaction; `rest` is for recipients without an outcome. */
  #end(rest: Outcome | undefined, needsReset = false): void {
    this.#report(rest ?? { do: "defer", reply: noAnswer("no answer") });
    if (this.#closed) return;
    if (needsReset) {
      this.#effects.push({ do: "send", text: "RSET\r\n" });
      this.#awaited.push({ for: "rset" });
    } else {
      this.#effects.push({ do: "ready" });
    }
  }

  #report(rest: Outcome): void {
    const transaction = this.#transaction;
    if (transaction === undefined) return;
    this.#transaction = undefined;
    const outcomes = new Map(
      transaction.recipients.map((recipient) => [recipient, this.#outcomes.get(recipient) ?? rest]),
    );
    this.#effects.push({ do: "report", report: { outcomes, again: this.#again } });
  }

  #fail(why: string, reply?: PeerReply): void {
    if (this.#closed) return;
    this.#again = [];
    this.#report({ do: "defer", reply: reply ?? noAnswer(why) });
    this.#close(why, reply);
  }

  #close(why: string, reply?: PeerReply): void {
    this.#closed = true;
    this.#awaited = [];
    // Words behind the answer to STARTTLS: there must be no handshake any more.
    this.#effects = this.#effects.filter((effect) => effect.do !== "startTls");
    this.#effects.push({ do: "close", why, ...(reply === undefined ? {} : { reply }) });
  }

  #drain(): ClientEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}

function isGood(reply: ServerReply): boolean {
  return reply.code >= 200 && reply.code < 300;
}

/** RFC 5321 §4.5.3.1.10. Some say 552 with an enhanced code that means it. */
function isTooMany(reply: ServerReply): boolean {
  const { code, enhanced } = toPeerReply(reply);
  return (code === 452 && (enhanced === "" || enhanced === "4.5.3")) || enhanced === "5.5.3";
}

/** 5yz fails for good; whatever else is no success is tried again. */
function judge(reply: ServerReply): Outcome {
  return { do: reply.code >= 500 ? "fail" : "defer", reply: toPeerReply(reply) };
}

/** What we say in the server's place. RFC 3463 §3.5: the connection, not the mailbox. */
function noAnswer(why: string): PeerReply {
  return { code: 421, enhanced: "4.4.2", text: why };
}
