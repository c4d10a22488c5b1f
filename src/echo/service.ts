/**
 * The echo: an account of the relay's own that answers whoever writes to it, so that people can try their own path. It
 * hears of mail as an IMAP session in IDLE does, and sends through the door that users send through.
 *
 * Invariants
 * - One message at a time, each answered at most once and then deleted, whatever came of it.
 * - Nothing is kept of who wrote: no keys, no addresses. Each message brings its author's key.
 * - Trouble here never reaches mail: it is told to the log, and the echo stays silent.
 */
import { randomUUID } from "node:crypto";
import type { AccountOperations } from "../auth/account-operations.ts";
import type { Config } from "../config/config.ts";
import { type Address, parseAddress } from "../core/address.ts";
import { concat } from "../core/bytes.ts";
import type { ChangeHub } from "../core/changes.ts";
import type { CancelTimer, Clock } from "../core/clock.ts";
import { BODY_SLICE_MAX_BYTES } from "../core/limits.ts";
import type { MailDoor } from "../delivery/intake.ts";
import type { Log } from "../log/events.ts";
import { sealLetter } from "../openpgp/letter.ts";
import type { Identity } from "../openpgp/identity.ts";
import { RateLimiter } from "../policy/rate.ts";
import type { HotState } from "../state/hot-state.ts";
import { Flag, type Mailbox, type MailStore } from "../storage/store.ts";
import { answerTo, isAutomatic } from "./conversation.ts";
import { authorOf, fieldsOf, type Incoming, readIncoming } from "./incoming.ts";
import { invitationLink } from "./invitation.ts";
import { type Invitation, keepOwnKey, openOwnKey, OwnKeyError } from "./own-key.ts";

/** Larger ones are pictures and films, which nobody needs back. */
const MESSAGE_MAX_BYTES = 1024 * 1024;
/** Of one author. */
const ANSWERS_PER_MINUTE = 20;
const ANSWERS_BURST = 10;
const AUTHORS_MAX = 10_000;
/** Of all authors: each costs some 20 ms of this process. */
const READ_PER_MINUTE = 300;
const READ_BURST = 60;
/** An account that nobody logs in to is pruned some day. */
const USED_EVERY_MS = 12 * 3_600_000;
const DISPLAY_NAME = "Echo";

export interface EchoParts {
  config: () => Config;
  state: Pick<HotState, "accounts" | "noteLogin">;
  accounts: Pick<AccountOperations, "create">;
  store: Pick<MailStore, "account">;
  hub: ChangeHub;
  door: Pick<MailDoor, "judgeSender" | "judgeRecipient" | "open">;
  clock: Clock;
  log: Log;
}

export interface EchoFacts {
  enabled: boolean;
  /** It answers now. */
  running: boolean;
  address: string;
  /** What a phone scans; undefined before it ran for the first time. */
  link: string | undefined;
  /** Since the start. */
  answered: number;
  /** Since the start: by programs, unreadable, too large, too many. */
  ignored: number;
  /** Why it does not run though it should; "" where there is no trouble. */
  trouble: string;
}

interface Own {
  address: Address;
  identity: Identity;
  invitation: Invitation;
}

export class EchoService {
  readonly #parts: EchoParts;
  readonly #perAuthor: RateLimiter;
  readonly #all: RateLimiter;
  #own: Own | undefined;
  #undo: CancelTimer[] = [];
  #answered = 0;
  #ignored = 0;
  #trouble = "";
  /** Ends when the last message in hand is done; undefined while nothing is looked at. */
  #working: Promise<void> | undefined;
  #lookAgain = false;
  /** Starts and stops, one after the other. */
  #changing: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(parts: EchoParts) {
    this.#parts = parts;
    const { clock } = parts;
    this.#perAuthor = new RateLimiter(
      { perMinute: ANSWERS_PER_MINUTE, burst: ANSWERS_BURST, keysMax: AUTHORS_MAX },
      clock,
    );
    this.#all = new RateLimiter({ perMinute: READ_PER_MINUTE, burst: READ_BURST, keysMax: 1 }, clock);
  }

  facts(): EchoFacts {
    return {
      ...echoFacts(this.#parts.config(), this.#own?.invitation),
      running: this.#own !== undefined,
      answered: this.#answered,
      ignored: this.#ignored,
      trouble: this.#trouble,
    };
  }

  /** Begins, moves or ends, as the configuration in force says. Never rejects. */
  reconfigure(): Promise<void> {
    this.#changing = this.#changing.then(() => this.#change());
    return this.#changing;
  }

  /** Ends after the message in hand. */
  stop(): Promise<void> {
    this.#isStopped = true;
    return this.reconfigure();
  }

  async #change(): Promise<void> {
    const { config, log } = this.#parts;
    const wanted = config().echo.enabled && !this.#isStopped ? echoAddress(config()) : undefined;
    if (wanted === this.#own?.address) return;
    await this.#end();
    this.#trouble = "";
    if (wanted === undefined) return;
    try {
      await this.#begin(wanted);
    } catch (error) {
      if (!(error instanceof OwnKeyError)) log.emit({ kind: "internalFault", where: "echo", error });
      this.#trouble = error instanceof OwnKeyError ? error.message : "internal fault";
    }
    if (this.#trouble !== "") log.emit({ kind: "notice", text: `the echo is silent: ${this.#trouble}` });
  }

  async #begin(address: Address): Promise<void> {
    const { config, state, hub, clock } = this.#parts;
    const { stateDir } = config();
    const { identity, invitation, isNew } = await openOwnKey(stateDir, address);
    if (isNew && state.accounts.has(address)) {
      this.#trouble = `${config().echo.name} is somebody's account: choose another \`name\` in [echo]`;
      return;
    }
    if (isNew) keepOwnKey(stateDir, identity, invitation);
    if (!state.accounts.has(address)) {
      // A password that nobody learns: this account is used from the inside only.
      const made = await this.#parts.accounts.create(address);
      if (!made.ok) {
        this.#trouble = `its account can't be made (${made.why})`;
        return;
      }
    }
    this.#own = { address, identity, invitation };
    // Subscribed before the first look, so that nothing falls between.
    this.#undo.push(hub.subscribe(address, () => this.#look()));
    const use = (): void => {
      state.noteLogin(address);
      this.#undo[1] = clock.after(USED_EVERY_MS, use);
    };
    use();
    this.#look();
  }

  async #end(): Promise<void> {
    for (const undo of this.#undo.splice(0)) undo();
    this.#own = undefined;
    await this.#working;
  }

  #look(): void {
    this.#lookAgain = true;
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  async #work(): Promise<void> {
    const { store, log } = this.#parts;
    while (this.#lookAgain && this.#own !== undefined) {
      this.#lookAgain = false;
      try {
        const account = await store.account(this.#own.address);
        const inbox = await account.open("INBOX");
        try {
          await this.#empty(inbox);
        } finally {
          inbox.release();
        }
      } catch (error) {
        log.emit({ kind: "internalFault", where: "echo", error });
      }
    }
  }

  async #empty(inbox: Mailbox): Promise<void> {
    for (;;) {
      const next = inbox.messages.find(({ flags }) => (flags & Flag.deleted) === 0);
      const own = this.#own;
      if (next === undefined || own === undefined) return;
      try {
        if (await this.#handle(own, inbox, next.uid, next.size)) this.#answered++;
        else this.#ignored++;
      } catch (error) {
        this.#ignored++;
        this.#parts.log.emit({ kind: "internalFault", where: "echo", error });
      }
      await inbox.storeFlags([next.uid], "add", Flag.deleted);
      await inbox.expunge([next.uid]);
    }
  }

  /** @returns whether it was answered */
  async #handle(own: Own, inbox: Mailbox, uid: number, bytes: number): Promise<boolean> {
    if (bytes > MESSAGE_MAX_BYTES) return false;
    const raw = await readWhole(inbox, uid);
    if (raw === undefined) return false;
    const outer = fieldsOf(raw);
    const author = authorOf(outer);
    if (author === undefined || author === own.address || isAutomatic(outer)) return false;
    // Counted before the costly part; who writes too much is not even read.
    if (!this.#all.allows("") || !this.#perAuthor.take(author)) return false;
    this.#all.count("");
    const incoming = await readIncoming(raw, outer, own.identity.key);
    if (incoming === undefined) return false;
    return this.#answer(own, incoming);
  }

  async #answer({ address, identity, invitation }: Own, incoming: Incoming): Promise<boolean> {
    const { door, clock, config } = this.#parts;
    const answer = answerTo(incoming, invitation, config().domains[0]);
    if (answer === undefined) return false;
    const who = { via: "submission", login: address } as const;
    const recipient = incoming.from;
    const isAllowed =
      door.judgeSender(who, address).do === "accept" &&
      door.judgeRecipient(who, address, recipient).do === "accept";
    if (!isAllowed) return false;
    const letter = await sealLetter({
      from: identity,
      displayName: DISPLAY_NAME,
      to: { address: recipient, key: incoming.key },
      id: randomUUID(),
      nowMs: clock.nowMs(),
      ...(incoming.messageId === "" ? {} : { inReplyTo: incoming.messageId }),
      ...answer,
    });
    const intake = door.open({ ...who, sender: address, recipients: [recipient] });
    intake.write(letter);
    return (await intake.finish()).do === "accept";
  }
}

/** What can be told without the service. */
export function echoFacts(config: Config, invitation: Invitation | undefined): EchoFacts {
  const address = echoAddress(config);
  return {
    enabled: config.echo.enabled,
    running: false,
    address: address ?? "",
    link:
      invitation === undefined || invitation.address !== address
        ? undefined
        : invitationLink(invitation, DISPLAY_NAME),
    answered: 0,
    ignored: 0,
    trouble: "",
  };
}

function echoAddress({ echo, domains }: Config): Address | undefined {
  return parseAddress(`${echo.name}@${domains[0]}`);
}

async function readWhole(inbox: Mailbox, uid: number): Promise<Uint8Array | undefined> {
  const body = await inbox.body(uid);
  if (body === undefined) return undefined;
  try {
    const slices: Uint8Array[] = [];
    for (let at = 0; at < body.size; ) {
      const slice = await body.read(at, BODY_SLICE_MAX_BYTES);
      if (slice.length === 0) return undefined;
      slices.push(slice);
      at += slice.length;
    }
    return concat(slices);
  } finally {
    await body.close();
  }
}
