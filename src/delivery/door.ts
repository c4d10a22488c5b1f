/**
 * The door for mail: admission, room in the mailboxes, delivery, reports. See intake.ts for the contract.
 *
 * Invariants
 * - Accept means durable in every mailbox that had room; who had none is named in a report to the submitting user.
 * - One full or missing mailbox never fails the others.
 * - Nothing is kept of a message that was refused, dropped or given up.
 */
import { type Address, type Domain, domainOf } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { accept, type Refusal, refuse, type Verdict } from "../core/verdict.ts";
import type { Log } from "../log/events.ts";
import { cleanDelivered, cleanSubmitted } from "../mime/clean.ts";
import { createMessageScanner } from "../pgp/scanner.ts";
import { admit } from "../policy/admit.ts";
import { RateLimiter } from "../policy/rate.ts";
import { type AccountLookup, judgeRecipient, sortRecipients } from "../policy/recipient.ts";
import { judgeSender } from "../policy/sender.ts";
import { type MailStore, type SealedMessage, StorageError } from "../storage/store.ts";
import { composeBounce, type FailedRecipient } from "./bounce.ts";
import { DeliveryTime } from "./delivery-time.ts";
import type { Envelope, Intake, MailDoor, SubmitterFacts } from "./intake.ts";
import { Reception } from "./reception.ts";
import { MailboxRoom } from "./room.ts";

/** What the door takes from the configuration; `Config` has it all. */
export interface DoorSettings {
  readonly domains: readonly Domain[];
  readonly limits: {
    readonly message_size: number;
    readonly recipients: number;
    readonly send_per_minute: number;
    readonly send_burst: number;
  };
}

/** Totals that survive restarts. */
export interface MailCounters {
  /** `received_messages` counts copies in mailboxes, `sent_messages` messages of our users. */
  add(name: "sent_messages" | "received_messages", count?: number): void;
}

/**
 * Hears of each message that is durable in mailboxes, before its 250: must be quick, and must not throw.
 * @param sender the login on submission, the envelope sender elsewhere; null for reports
 */
export type DeliveryListener = (users: readonly Address[], sender: Address | null) => void;

export interface DoorParts {
  settings: DoorSettings;
  store: Pick<MailStore, "spool" | "deliver" | "account">;
  accounts: AccountLookup;
  counters: MailCounters;
  onDelivered?: DeliveryListener;
  log: Log;
  clock: Clock;
}

export class Door implements MailDoor {
  readonly #parts: DoorParts;
  readonly #room: MailboxRoom;
  readonly #sendRate: RateLimiter;
  readonly #time: DeliveryTime;
  #limits: DoorSettings["limits"];
  #domains: ReadonlySet<Domain>;

  constructor(parts: DoorParts) {
    const { settings, store, accounts, clock } = parts;
    this.#parts = parts;
    this.#room = new MailboxRoom(store, accounts, clock);
    this.#time = new DeliveryTime(clock);
    this.#limits = settings.limits;
    this.#domains = new Set(settings.domains);
    this.#sendRate = new RateLimiter(sendRateOf(settings), clock);
  }

  get messageMaxBytes(): number {
    return this.#limits.message_size;
  }

  get recipientsMax(): number {
    return this.#limits.recipients;
  }

  /** Takes new settings; messages under way keep theirs. */
  reconfigure(settings: DoorSettings): void {
    this.#limits = settings.limits;
    this.#domains = new Set(settings.domains);
    this.#sendRate.change(sendRateOf(settings));
  }

  /** Counts nothing: a message counts when it is opened, so that RSET is free. */
  judgeSender(who: SubmitterFacts, sender: Address | null): Verdict {
    const verdict = judgeSender(who, sender, this.#isLocal);
    if (verdict.do === "accept" && who.login !== null && !this.#sendRate.allows(who.login)) {
      return refuse("tooMuchMail");
    }
    return verdict;
  }

  judgeRecipient(who: SubmitterFacts, _sender: Address | null, recipient: Address): Verdict {
    return judgeRecipient(who, recipient, this.#isLocal);
  }

  open(envelope: Envelope): Intake {
    if (envelope.login !== null) this.#sendRate.count(envelope.login);
    const reception = new Reception({
      scanner: createMessageScanner(),
      spool: (options) => this.#parts.store.spool(options),
      rewrite: envelope.via === "submission" ? cleanSubmission : cleanDelivered,
      bytesMax: this.messageMaxBytes,
    });
    const parts = { ...this.#parts, time: this.#time };
    return new DoorIntake(parts, this.#room, this.#isLocal, this.messageMaxBytes, envelope, reception);
  }

  readonly #isLocal = (domain: Domain): boolean => this.#domains.has(domain);
}

/** One message between DATA and its verdict. */
class DoorIntake implements Intake {
  readonly #parts: DoorParts & { time: DeliveryTime };
  readonly #room: MailboxRoom;
  readonly #isLocal: (domain: Domain) => boolean;
  readonly #bytesMax: number;
  readonly #envelope: Envelope;
  readonly #reception: Reception;
  #verdict: Promise<Verdict> | undefined;
  #aborted = false;
  /** Mailboxes are being written: from here on storage says how it ends. */
  #delivering = false;
  #giveUp: ((verdict: Verdict) => void) | undefined;

  constructor(
    parts: DoorParts & { time: DeliveryTime },
    room: MailboxRoom,
    isLocal: (domain: Domain) => boolean,
    bytesMax: number,
    envelope: Envelope,
    reception: Reception,
  ) {
    this.#parts = parts;
    this.#room = room;
    this.#isLocal = isLocal;
    this.#bytesMax = bytesMax;
    this.#envelope = envelope;
    this.#reception = reception;
  }

  write(chunk: Uint8Array): void {
    this.#reception.write(chunk);
  }

  finish(): Promise<Verdict> {
    this.#verdict ??= new Promise((resolve) => {
      this.#giveUp = resolve;
      void this.#settle().then(resolve);
    });
    return this.#verdict;
  }

  abort(): void {
    this.#aborted = true;
    if (this.#delivering) return;
    this.#reception.discard();
    this.#giveUp?.(refuse("storageFailed"));
  }

  async #settle(): Promise<Verdict> {
    let verdict: Verdict;
    try {
      verdict = await this.#judgeAndDeliver();
    } catch (error) {
      verdict = refuse(storageRefusal(error, "delivery", this.#parts.log));
    }
    this.#reception.discard();
    const { log } = this.#parts;
    if (verdict.do === "refuse") {
      log.emit({ kind: "messageRefused", via: this.#envelope.via, why: verdict.why });
    }
    return verdict;
  }

  async #judgeAndDeliver(): Promise<Verdict> {
    const { accounts, counters, log, time } = this.#parts;
    const { via, recipients } = this.#envelope;
    if (this.#aborted) return refuse("storageFailed");
    const verdict = this.#admit();
    if (verdict.do === "drop") log.emit({ kind: "messageDropped", via, why: verdict.why });
    if (verdict.do !== "accept") return verdict;
    const { known, unknown } = sortRecipients(this.#envelope, recipients, accounts);
    if (known.length === 0) return this.#nobodyHere(unknown);
    const message = this.#reception.seal();
    const room = await this.#room.reserve(known, message.bytes);
    try {
      if (room.fits.length === 0) return refuse("mailboxFull");
      // The peer left while room was made: it will come again, so delivering now would make a double.
      if (this.#aborted) return refuse("storageFailed");
      this.#delivering = true;
      const author = this.#envelope.login ?? this.#envelope.sender;
      await time.measure(() => this.#deliver(message, room.fits, author));
    } finally {
      room.release();
    }
    if (via === "submission") counters.add("sent_messages");
    counters.add("received_messages", room.fits.length);
    log.emit({ kind: "messageAccepted", via, bytes: this.#reception.bytes, recipients: room.fits.length });
    if (unknown.length + room.full.length > 0) {
      await this.#tellFailures(message.header, [
        ...unknown.map((recipient) => ({ recipient, why: "recipientUnknown" as const })),
        ...room.full.map((recipient) => ({ recipient, why: "mailboxFull" as const })),
      ]);
    }
    return accept;
  }

  /** @throws whatever storage threw while the message came in */
  #admit(): Verdict {
    const facts = {
      bytes: this.#reception.bytes,
      bytesMax: this.#bytesMax,
      message: this.#reception.end(),
      isLocal: this.#isLocal,
    };
    return admit(facts, this.#envelope);
  }

  /** To the submitting user the truth; to the outside the same answer as for a name that exists, as late. */
  async #nobodyHere(unknown: readonly Address[]): Promise<Verdict> {
    if (this.#envelope.via === "submission") return refuse("recipientUnknown");
    for (const _ of unknown) this.#drop("recipientUnknown");
    await this.#parts.time.pass();
    return { do: "drop", why: "silentlyDismissed" };
  }

  async #deliver(message: SealedMessage, users: readonly Address[], sender: Address | null): Promise<void> {
    const targets = users.map((user) => ({ user, mailbox: "INBOX" }));
    await this.#parts.store.deliver(message, targets);
    this.#parts.onDelivered?.(users, sender);
  }

  /**
   * Reports to our own users only. An envelope sender from outside is a claim: reporting to it would be a way to make
   * this relay write to strangers.
   */
  async #tellFailures(originalHeader: Uint8Array, failures: readonly FailedRecipient[]): Promise<void> {
    const { login } = this.#envelope;
    for (const { why } of failures) this.#drop(why);
    if (login === null) return;
    try {
      await this.#deliverReport(login, originalHeader, failures);
    } catch (error) {
      // The message itself is delivered and stays accepted; only the report is lost.
      const { log } = this.#parts;
      const why = storageRefusal(error, "delivery report", log);
      log.emit({ kind: "storageTrouble", what: `delivery report lost: ${why}` });
    }
  }

  async #deliverReport(
    to: Address,
    originalHeader: Uint8Array,
    failures: readonly FailedRecipient[],
  ): Promise<void> {
    const { store, clock } = this.#parts;
    const { header, body } = composeBounce({
      domain: domainOf(to),
      to,
      failures,
      originalHeader,
      nowMs: clock.nowMs(),
      id: crypto.randomUUID(),
    });
    const spool = store.spool({ maxBytes: header.length + body.length });
    let message: SealedMessage | undefined;
    try {
      spool.write(header);
      spool.write(body);
      message = spool.seal(header);
      await this.#deliver(message, [to], null);
    } finally {
      message?.discard();
      spool.discard();
    }
  }

  #drop(why: Refusal): void {
    this.#parts.log.emit({ kind: "messageDropped", via: this.#envelope.via, why });
  }
}

/** Marks of a way here that a client put in itself would deceive its peers. */
function cleanSubmission(header: Uint8Array): Uint8Array {
  return cleanDelivered(cleanSubmitted(header));
}

function sendRateOf({ limits }: DoorSettings): { perMinute: number; burst: number } {
  return { perMinute: limits.send_per_minute, burst: limits.send_burst };
}

/** The answer for what storage threw, which storage has told the log. Anything else thrown is a bug here. */
export function storageRefusal(error: unknown, where: string, log: Log): Refusal {
  if (!(error instanceof StorageError)) {
    log.emit({ kind: "internalFault", where, error });
    return "storageFailed";
  }
  if (error.fault === "tooBig") return "messageTooBig";
  return error.fault === "full" ? "storageFull" : "storageFailed";
}
