/**
 * The door for IMAP APPEND: the gate is the same as for submission (a mailbox is no place to park clear text), but the
 * author may be anybody, the header stays as it is, and the mailbox is the caller's business.
 */
import type { Address } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { refuse, type Verdict } from "../core/verdict.ts";
import type { Log } from "../log/events.ts";
import { createMessageScanner } from "../pgp/scanner.ts";
import { admitContent } from "../policy/admit.ts";
import type { AccountLookup } from "../policy/recipient.ts";
import type { MailStore, SealedMessage } from "../storage/store.ts";
import { type DoorSettings, storageRefusal } from "./door.ts";
import { Reception } from "./reception.ts";
import { MailboxRoom } from "./room.ts";

/** The message is there exactly if the verdict is `accept`; it is the caller's then: append it and discard it. */
export interface AppendResult {
  verdict: Verdict;
  message?: SealedMessage;
}

export interface AppendIntake {
  /** Takes message bytes. Never throws: trouble shows in `finish`. */
  write(chunk: Uint8Array): void;
  /** Judges the message and looks for room in the account. Never rejects. */
  finish(): Promise<AppendResult>;
  /** The client went away: forget the message. */
  abort(): void;
}

export interface AppendParts {
  settings: DoorSettings;
  store: Pick<MailStore, "spool" | "account">;
  accounts: Pick<AccountLookup, "quotaBytes">;
  log: Log;
  clock: Clock;
}

export class AppendDoor {
  readonly #parts: AppendParts;
  readonly #room: MailboxRoom;
  #bytesMax: number;

  constructor(parts: AppendParts) {
    this.#parts = parts;
    this.#room = new MailboxRoom(parts.store, parts.accounts, parts.clock);
    this.#bytesMax = parts.settings.limits.message_size;
  }

  /** Largest message in bytes: a literal announced larger can be refused before it is sent. Live. */
  get messageMaxBytes(): number {
    return this.#bytesMax;
  }

  reconfigure(settings: DoorSettings): void {
    this.#bytesMax = settings.limits.message_size;
  }

  /** Starts one message for the mailboxes of `user`. */
  open(user: Address): AppendIntake {
    const { store } = this.#parts;
    const bytesMax = this.#bytesMax;
    const reception = new Reception({
      scanner: createMessageScanner(),
      spool: (options) => store.spool(options),
      rewrite: (header) => header,
      bytesMax,
    });
    let result: Promise<AppendResult> | undefined;
    let aborted = false;
    return {
      write: (chunk) => reception.write(chunk),
      finish: () => {
        result ??= this.#settle(user, reception, bytesMax, () => aborted);
        return result;
      },
      abort: () => {
        aborted = true;
        if (result === undefined) reception.discard();
      },
    };
  }

  async #settle(
    user: Address,
    reception: Reception,
    bytesMax: number,
    isAborted: () => boolean,
  ): Promise<AppendResult> {
    const { log } = this.#parts;
    let verdict: Verdict;
    try {
      verdict = this.#judge(user, reception, bytesMax);
      if (verdict.do === "accept") {
        const message = reception.seal();
        const room = await this.#room.reserve([user], message.bytes);
        room.release();
        if (room.full.length === 0 && !isAborted()) return { verdict, message };
        verdict = refuse(isAborted() ? "storageFailed" : "mailboxFull");
      }
    } catch (error) {
      verdict = refuse(storageRefusal(error, "append", log));
    }
    reception.discard();
    if (verdict.do !== "accept") log.emit({ kind: "messageRefused", via: "append", why: verdict.why });
    return { verdict };
  }

  /** @throws whatever storage threw while the message came in */
  #judge(user: Address, reception: Reception, bytesMax: number): Verdict {
    const facts = {
      bytes: reception.bytes,
      bytesMax,
      message: reception.end(),
      isLocal: () => false,
    };
    return admitContent(facts, { via: "append", login: user, sender: null });
  }
}
