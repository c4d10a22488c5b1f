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
import { admit, admitContent, fromAddress } from "../policy/admit.ts";
import { type OriginGate, type OriginProbe, unasked } from "../policy/origin.ts";
import { everyServer, type FederationRules, judgeInbound } from "../policy/federation.ts";
import { RateLimiter } from "../policy/rate.ts";
import {
  type AccountLookup,
  judgeRecipient,
  type SortedRecipients,
  sortRecipients,
} from "../policy/recipient.ts";
import { judgeSender } from "../policy/sender.ts";
import { type MailStore, type SealedMessage, StorageError } from "../storage/store.ts";
import { DeliveryTime } from "./delivery-time.ts";
import type { Envelope, Intake, MailDoor, SubmitterFacts } from "./intake.ts";
import type { Letter } from "./queue/letter.ts";
import { pack } from "./queue/pack.ts";
import { Reception } from "./reception.ts";
import { type DeliveryListener, Reporter } from "./report.ts";
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
  readonly smtp?: {
    /** An open relay. */
    readonly allow_remote_recipients: boolean;
  };
}

/** Totals that survive restarts. */
export interface MailCounters {
  /**
   * `received_messages` counts copies in mailboxes, `sent_messages` messages of our users, `outbound_messages` those of
   * them that go to other servers too.
   */
  add(name: "sent_messages" | "outbound_messages" | "received_messages", count?: number): void;
}

export interface DoorObserver {
  opened(via: Envelope["via"]): void;
  /** From the last byte to the moment at which it is durable in its mailboxes and the queue, ms. */
  accepted(ms: number): void;
  /** The peer left in the middle. */
  aborted(via: Envelope["via"]): void;
}

/** What the door needs of the queue. */
export interface Outgoing {
  /** Whether one more message for that domain may come. */
  hasRoom(domain: Domain): boolean;
  /** Takes charge of entries that are on disk. */
  arrived(entries: readonly { id: string; letter: Letter; bytes: number }[]): void;
  /**
   * Mail by an author of that domain was taken.
   * @param isProven a signature of the domain shows that it is alive; otherwise anybody may have written it
   */
  heardFrom(domain: Domain, isProven: boolean): void;
}

export interface DoorParts {
  settings: DoorSettings;
  store: Pick<MailStore, "spool" | "deliver" | "account">;
  accounts: AccountLookup;
  counters: MailCounters;
  onDelivered?: DeliveryListener;
  /** Hears of each message's way, for figures. */
  observer?: DoorObserver;
  /** Asked about mail from outside only. */
  origin: OriginGate;
  log: Log;
  clock: Clock;
  /** The way to other servers; without it there is none. */
  outgoing?: Outgoing;
  federation?: FederationRules;
}

export class Door implements MailDoor {
  readonly #parts: DoorParts;
  readonly #federation: FederationRules;
  readonly #room: MailboxRoom;
  readonly #sendRate: RateLimiter;
  readonly #time: DeliveryTime;
  #limits: DoorSettings["limits"];
  #domains: ReadonlySet<Domain>;
  #isOpenRelay: boolean;

  constructor(parts: DoorParts) {
    const { settings, store, accounts, clock } = parts;
    this.#parts = parts;
    this.#federation = parts.federation ?? everyServer;
    this.#room = new MailboxRoom(store, accounts, clock);
    this.#time = new DeliveryTime(clock);
    this.#limits = settings.limits;
    this.#domains = new Set(settings.domains);
    this.#isOpenRelay = settings.smtp?.allow_remote_recipients === true;
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
    this.#isOpenRelay = settings.smtp?.allow_remote_recipients === true;
    this.#sendRate.change(sendRateOf(settings));
  }

  /** Counts nothing: a message counts when it is opened, so that RSET is free. */
  judgeSender(who: SubmitterFacts, sender: Address | null): Verdict {
    const verdict = judgeSender(who, sender, this.#isLocal, this.#federation);
    if (verdict.do === "accept" && who.login !== null && !this.#sendRate.allows(who.login)) {
      return refuse("tooMuchMail");
    }
    return verdict;
  }

  judgeRecipient(who: SubmitterFacts, _sender: Address | null, recipient: Address): Verdict {
    const domain = domainOf(recipient);
    const verdict = judgeRecipient(who, recipient, this.#isLocal, this.#federation, this.#isOpenRelay);
    if (verdict.do !== "accept" || this.#isLocal(domain)) return verdict;
    const { outgoing } = this.#parts;
    if (outgoing === undefined) return refuse("federationOff");
    return outgoing.hasRoom(domain) ? accept : refuse("queueFull");
  }

  open(envelope: Envelope): Intake {
    if (envelope.login !== null) this.#sendRate.count(envelope.login);
    this.#parts.observer?.opened(envelope.via);
    const probe = envelope.via === "submission" ? unasked : this.#parts.origin.open();
    const reception = new Reception({
      observer: probe,
      scanner: createMessageScanner(),
      spool: (options) => this.#parts.store.spool(options),
      rewrite: envelope.via === "submission" ? cleanSubmission : cleanDelivered,
      bytesMax: this.messageMaxBytes,
    });
    const rules = {
      isLocal: this.#isLocal,
      bytesMax: this.messageMaxBytes,
      federation: this.#federation,
      isOpenRelay: this.#isOpenRelay,
    };
    const parts = { ...this.#parts, time: this.#time };
    return new DoorIntake(parts, this.#room, rules, envelope, reception, probe);
  }

  readonly #isLocal = (domain: Domain): boolean => this.#domains.has(domain);
}

/** What a message is judged by; as it was when the message began. */
interface IntakeRules {
  isLocal: (domain: Domain) => boolean;
  bytesMax: number;
  federation: FederationRules;
  isOpenRelay: boolean;
}

/** One message between DATA and its verdict. */
class DoorIntake implements Intake {
  readonly #parts: DoorParts & { time: DeliveryTime };
  readonly #room: MailboxRoom;
  readonly #rules: IntakeRules;
  readonly #envelope: Envelope;
  readonly #reception: Reception;
  readonly #probe: OriginProbe;
  #verdict: Promise<Verdict> | undefined;
  #aborted = false;
  /** Whose mail from outside it is; the envelope's sender may be a forwarder's, or a lie. */
  #author: { domain: Domain; isProven: boolean } | undefined;
  /** Mailboxes are being written: from here on storage says how it ends. */
  #delivering = false;
  #giveUp: ((verdict: Verdict) => void) | undefined;

  constructor(
    parts: DoorParts & { time: DeliveryTime },
    room: MailboxRoom,
    rules: IntakeRules,
    envelope: Envelope,
    reception: Reception,
    probe: OriginProbe,
  ) {
    this.#parts = parts;
    this.#room = room;
    this.#rules = rules;
    this.#envelope = envelope;
    this.#reception = reception;
    this.#probe = probe;
  }

  write(chunk: Uint8Array): void {
    this.#reception.write(chunk);
  }

  finish(): Promise<Verdict> {
    const { observer, clock } = this.#parts;
    const endedMs = clock.monotonicMs();
    this.#verdict ??= new Promise((resolve) => {
      this.#giveUp = resolve;
      void this.#settle().then((verdict) => {
        if (verdict.do === "accept") observer?.accepted(clock.monotonicMs() - endedMs);
        resolve(verdict);
      });
    });
    return this.#verdict;
  }

  abort(): void {
    if (!this.#aborted) this.#parts.observer?.aborted(this.#envelope.via);
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
    const { accounts, log, time } = this.#parts;
    const { via, recipients } = this.#envelope;
    if (this.#aborted) return refuse("storageFailed");
    const verdict = await this.#admit();
    if (verdict.do === "drop") log.emit({ kind: "messageDropped", via, why: verdict.why });
    if (verdict.do !== "accept") return verdict;
    const { isLocal, federation, isOpenRelay } = this.#rules;
    const sorted = sortRecipients(this.#envelope, recipients, accounts, isLocal, federation, isOpenRelay);
    for (const _ of sorted.dismissed) this.#drop("silentlyDismissed");
    if (sorted.known.length + sorted.remote.length === 0) return this.#nobodyHere(sorted);
    if (sorted.remote.length > 0 && this.#parts.outgoing === undefined) return refuse("federationOff");
    const message = this.#reception.seal();
    const room = await this.#room.reserve(sorted.known, message.bytes);
    try {
      if (room.fits.length + sorted.remote.length === 0) return refuse("mailboxFull");
      // The peer left while room was made: it will come again, so delivering now would make a double.
      if (this.#aborted) return refuse("storageFailed");
      this.#delivering = true;
      await time.measure(() => this.#deliver(message, room.fits, sorted.remote));
    } finally {
      room.release();
    }
    this.#count(room.fits.length, sorted.remote.length);
    if (sorted.unknown.length + room.full.length > 0) {
      await this.#tellFailures(message.header, [
        ...sorted.unknown.map((recipient) => ({ recipient, why: "recipientUnknown" as const })),
        ...room.full.map((recipient) => ({ recipient, why: "mailboxFull" as const })),
      ]);
    }
    return accept;
  }

  /** @throws whatever storage threw while the message came in */
  async #admit(): Promise<Verdict> {
    const content = {
      bytes: this.#reception.bytes,
      bytesMax: this.#rules.bytesMax,
      message: this.#reception.end(),
      isLocal: this.#rules.isLocal,
      judgePeer: (domain: Domain) => judgeInbound(this.#rules.federation, domain),
    };
    // What needs no key needs no wait for one.
    const early = admitContent(content, this.#envelope);
    if (early.do !== "accept" || this.#envelope.via === "submission") return early;
    const { fact } = await this.#probe.finding();
    const author = fromAddress(content.message);
    if (author !== undefined) this.#author = { domain: domainOf(author), isProven: fact === "signed" };
    return admit({ ...content, origin: fact }, this.#envelope);
  }

  /** To the submitting user the truth; to the outside the same answer as for a name that exists, as late. */
  async #nobodyHere({ unknown, dismissed }: SortedRecipients): Promise<Verdict> {
    if (this.#envelope.via !== "submission") {
      for (const _ of unknown) this.#drop("recipientUnknown");
      await this.#parts.time.pass();
    } else if (unknown.length > 0 || dismissed.length === 0) return refuse("recipientUnknown");
    return { do: "drop", why: "silentlyDismissed" };
  }

  /** Local copies and the queue's in one step: all or nothing. */
  async #deliver(
    message: SealedMessage,
    users: readonly Address[],
    remote: readonly Address[],
  ): Promise<void> {
    const { store, outgoing, clock, onDelivered } = this.#parts;
    const targets = users.map((user) => ({ user, mailbox: "INBOX" }));
    if (remote.length === 0) await store.deliver(message, targets);
    else {
      const { parcel, letters } = pack(this.#envelope.sender, remote, clock.nowMs());
      await store.deliver(message, targets, parcel);
      outgoing?.arrived(letters.map((each) => ({ ...each, bytes: message.bytes })));
    }
    onDelivered?.(users, this.#envelope.login ?? this.#envelope.sender);
  }

  /** Notes what was accepted. */
  #count(copies: number, remote: number): void {
    const { counters, log, outgoing } = this.#parts;
    const { via } = this.#envelope;
    const author = this.#author;
    if (via === "submission") counters.add("sent_messages");
    else if (author !== undefined) outgoing?.heardFrom(author.domain, author.isProven);
    if (remote > 0) counters.add("outbound_messages");
    if (copies > 0) counters.add("received_messages", copies);
    log.emit({
      kind: "messageAccepted",
      via,
      bytes: this.#reception.bytes,
      recipients: copies + remote,
    });
  }

  /** Reports to our own users only, see report.ts. */
  async #tellFailures(
    originalHeader: Uint8Array,
    failures: readonly { recipient: Address; why: Refusal }[],
  ): Promise<void> {
    const { login } = this.#envelope;
    for (const { why } of failures) this.#drop(why);
    if (login === null) return;
    try {
      await new Reporter(this.#parts).report(login, originalHeader, failures);
    } catch (error) {
      // The message itself is delivered and stays accepted; only the report is lost.
      const { log } = this.#parts;
      const why = storageRefusal(error, "delivery report", log);
      log.emit({ kind: "storageTrouble", what: `delivery report lost: ${why}` });
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
