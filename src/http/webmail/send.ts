/** Sending from a page: the submission path, with the sender bound to the login. */
import { type Address, domainOf, parseAddress } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import { type Refusal, refusals, type Verdict } from "../../core/verdict.ts";
import type { Intake, MailDoor, SubmitterFacts } from "../../delivery/intake.ts";
import type { Log } from "../../log/events.ts";
import { LineEnds } from "../../mime/line-ends.ts";
import { refusalFault, WebmailError } from "./fault.ts";

/** As on submission: a disk that hangs is not waited for longer than a client waits. */
const VERDICT_MAX_MS = 20_000;

export interface SendRequest {
  /** Where it is given, the login. */
  from?: string | undefined;
  to: readonly string[];
  /** The whole message (RFC 5322). */
  message: Uint8Array;
}

export interface WebSenderParts {
  door: MailDoor;
  clock: Clock;
  log: Log;
}

/** What other versions of madmail say, to the letter; the rest is as SMTP says it. */
const texts: Partial<Record<Refusal, readonly [status: number, text: string]>> = {
  messageTooBig: [413, "552 5.3.4 message file too big"],
  encryptionNeeded: [
    400,
    `Encryption Needed: only PGP-encrypted messages and SecureJoin handshakes are accepted: ${refusals.encryptionNeeded[3]}`,
  ],
  mailboxFull: [413, "552 5.2.2 Quota exceeded"],
  senderNotYours: [403, "Unauthorized use of sender address"],
  fromMismatch: [403, "Unauthorized use of sender address"],
};

export class WebSender {
  readonly #parts: WebSenderParts;

  constructor(parts: WebSenderParts) {
    this.#parts = parts;
  }

  /** Largest message, bytes. Live. */
  get messageMaxBytes(): number {
    return this.#parts.door.messageMaxBytes;
  }

  /** Resolves when the message is durable. @throws {WebmailError} when it is refused */
  async send(user: Address, { from, to, message }: SendRequest): Promise<void> {
    const { door } = this.#parts;
    const who: SubmitterFacts = { via: "submission", login: user };
    const claimed = from === undefined ? user : (addressIn(from) ?? null);
    if (message.length > door.messageMaxBytes) throw this.#refused("messageTooBig");
    this.#expect(door.judgeSender(who, claimed));
    if (to.length === 0) throw new WebmailError(400, "missing recipients");
    if (to.length > door.recipientsMax) throw this.#refused("tooManyRecipients");
    const recipients: Address[] = [];
    let dropped = 0;
    for (const text of to) {
      const recipient = addressIn(text);
      if (recipient === undefined) throw this.#refused("recipientSyntax");
      const verdict = door.judgeRecipient(who, user, recipient);
      this.#expect(verdict, recipient);
      if (verdict.do === "accept") recipients.push(recipient);
      else dropped++;
    }
    if (recipients.length === 0 && dropped > 0) return;
    const intake = door.open({ ...who, sender: user, recipients });
    const lines = new LineEnds((bytes) => intake.write(bytes));
    lines.write(message);
    lines.end();
    this.#told(await this.#finish(intake));
  }

  async #finish(intake: Intake): Promise<Verdict> {
    const cancel = this.#parts.clock.after(VERDICT_MAX_MS, () => intake.abort());
    try {
      return await intake.finish();
    } finally {
      cancel();
    }
  }

  /** For verdicts before the message, which nobody has counted. */
  #expect(verdict: Verdict, recipient?: Address): void {
    const { log } = this.#parts;
    if (verdict.do === "refuse") log.emit({ kind: "messageRefused", via: "submission", why: verdict.why });
    if (verdict.do === "drop") log.emit({ kind: "messageDropped", via: "submission", why: verdict.why });
    this.#told(verdict, recipient);
  }

  #told(verdict: Verdict, recipient?: Address): void {
    if (verdict.do === "refuse") throw faultFor(verdict.why, recipient);
  }

  #refused(why: Refusal): WebmailError {
    this.#parts.log.emit({ kind: "messageRefused", via: "submission", why });
    return faultFor(why);
  }
}

function faultFor(why: Refusal, recipient?: Address): WebmailError {
  if (recipient !== undefined && (why === "federationOff" || why === "recipientRefused")) {
    return new WebmailError(400, `federation rejected: ${domainOf(recipient)}`);
  }
  const known = texts[why];
  return known === undefined ? refusalFault(why) : new WebmailError(...known);
}

/** `a@b`, in angle brackets or not. */
function addressIn(text: string): Address | undefined {
  return parseAddress(/^\s*<(.*)>\s*$/.exec(text)?.[1] ?? text);
}
