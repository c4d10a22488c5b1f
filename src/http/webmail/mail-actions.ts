/** What a user can do with mailboxes and messages from a page. Every method throws WebmailError for a client's fault. */
import { BODY_SLICE_MAX_BYTES } from "../../core/limits.ts";
import type { Address } from "../../core/address.ts";
import { sortFlags } from "../../imap/engine/flags.ts";
import { specialUseOf } from "../../imap/engine/special-use.ts";
import { removeFrom, told, withMailbox } from "../../operations/mailboxes.ts";
import type {
  FlagChange,
  MailAccount,
  Mailbox,
  MailStore,
  MessageInfo,
  StoredBody,
} from "../../storage/store.ts";
import { WebmailError } from "./fault.ts";
import { envelopeHolds, type Summary, summaryOf } from "./summary.ts";

/** Of one answer: who wants more asks for what comes after the last. */
const SUMMARIES_MAX = 1000;
/** Headers read side by side. */
const READS_AT_ONCE = 8;

export interface MailboxFacts {
  name: string;
  attributes?: string[];
  messages: number;
  unseen: number;
}

export interface FlagRequest {
  mailbox: string;
  uid: number;
  flags: readonly string[];
  op: "add" | "remove" | "set";
}

/** A message to read: close its body. */
export interface OpenMessage {
  summary: Summary;
  body: StoredBody;
}

export class MailActions {
  readonly #store: Pick<MailStore, "account">;
  readonly #user: Address;

  constructor(store: Pick<MailStore, "account">, user: Address) {
    this.#store = store;
    this.#user = user;
  }

  async mailboxes(): Promise<MailboxFacts[]> {
    const account = await this.#account();
    const found: MailboxFacts[] = [];
    for (const name of account.mailboxes()) {
      await withMailbox(account, name, ({ messages, unseenCount: unseen }) => {
        const use = specialUseOf(name);
        const attributes = use === undefined ? {} : { attributes: [use] };
        found.push({ name, ...attributes, messages: messages.length, unseen });
      });
    }
    return found;
  }

  /** The first SUMMARIES_MAX messages above a UID. */
  async messages(mailbox: string, sinceUid: number): Promise<Summary[]> {
    return await this.#inside(mailbox, (open) => summariesAfter(open, sinceUid, SUMMARIES_MAX));
  }

  async open(mailbox: string, uid: number): Promise<OpenMessage> {
    return await this.#inside(mailbox, async (open) => {
      const index = indexOf(open.messages, uid);
      const info = open.messages[index];
      const summary = info?.uid === uid ? await summaryOf(open, info, index) : undefined;
      const body = summary === undefined ? undefined : await open.body(uid);
      if (summary === undefined || body === undefined) throw messageGone();
      return { summary, body };
    });
  }

  async setFlags({ mailbox, uid, flags, op }: FlagRequest): Promise<void> {
    await this.#inside(mailbox, async (open) => {
      find(open, uid);
      const { bits, keywords } = sortFlags(flags);
      const mask = keywords.reduce((sum, name) => {
        const bit = open.keyword(name);
        if (bit === undefined) throw new WebmailError(400, "the mailbox has room for no more keywords");
        return sum | bit;
      }, bits);
      const how: FlagChange = op === "set" ? "replace" : op;
      await open.storeFlags([uid], how, mask);
    });
  }

  async remove(mailbox: string, uid: number): Promise<void> {
    await this.#inside(mailbox, async (open) => {
      await removeFrom(open, [find(open, uid)]);
    });
  }

  /** By subject, sender and recipients: what of encrypted mail can be read here. */
  async search(mailbox: string, query: string): Promise<Summary[]> {
    const wanted = query.toLowerCase();
    return await this.#inside(mailbox, async (open) => {
      const all = open.messages.slice();
      const found: Summary[] = [];
      for (let at = 0; at < all.length && found.length < SUMMARIES_MAX; at += READS_AT_ONCE) {
        const batch = await summariesOf(open, all.slice(at, at + READS_AT_ONCE), at);
        found.push(...batch.filter(({ envelope }) => envelopeHolds(envelope, wanted)));
      }
      return found.slice(0, SUMMARIES_MAX);
    });
  }

  async createMailbox(name: string): Promise<void> {
    const account = await this.#account();
    await told(name, () => account.create(notInbox(name)));
  }

  async deleteMailbox(name: string): Promise<void> {
    const account = await this.#account();
    await told(name, () => account.delete(notInbox(name)));
  }

  async renameMailbox(from: string, to: string): Promise<void> {
    const account = await this.#account();
    await told(`${from} to ${to}`, () => account.rename(notInbox(from), notInbox(to)));
  }

  async transfer(how: "copy" | "move", mailbox: string, uid: number, target: string): Promise<void> {
    const account = await this.#account();
    await withMailbox(account, mailbox, (from) =>
      withMailbox(account, target, async (to) => {
        find(from, uid);
        const { to: made } = await from[how]([uid], to);
        if (made.length === 0) throw messageGone();
      }),
    );
  }

  /** A mailbox to watch: release it. */
  async watch(mailbox: string): Promise<Mailbox> {
    const account = await this.#account();
    return await told(mailbox, () => account.open(mailbox));
  }

  async #inside<T>(mailbox: string, work: (open: Mailbox) => Promise<T>): Promise<T> {
    return await withMailbox(await this.#account(), mailbox, work);
  }

  #account(): Promise<MailAccount> {
    return this.#store.account(this.#user);
  }
}

/** Up to `max` messages above a UID, in order. Those that go meanwhile are left out. */
export async function summariesAfter(mailbox: Mailbox, uid: number, max: number): Promise<Summary[]> {
  const first = indexOf(mailbox.messages, uid + 1);
  return await summariesOf(mailbox, mailbox.messages.slice(first, first + max), first);
}

/** @param first place of the first in the mailbox */
async function summariesOf(
  mailbox: Mailbox,
  messages: readonly MessageInfo[],
  first: number,
): Promise<Summary[]> {
  const found: Summary[] = [];
  for (let at = 0; at < messages.length; at += READS_AT_ONCE) {
    const batch = messages.slice(at, at + READS_AT_ONCE);
    const read = batch.map((info, i) => summaryOf(mailbox, info, first + at + i));
    found.push(...(await Promise.all(read)).filter((each) => each !== undefined));
  }
  return found;
}

/** The whole message in slices; the body is closed at the end. @param sliceBytes at most BODY_SLICE_MAX_BYTES */
export async function* slicesOf(
  body: StoredBody,
  sliceBytes = BODY_SLICE_MAX_BYTES,
): AsyncGenerator<Uint8Array> {
  try {
    for (let at = 0; at < body.size; at += sliceBytes) yield await body.read(at, sliceBytes);
  } finally {
    await body.close();
  }
}

/** The place of the first message with that UID or a higher one. */
function indexOf(messages: readonly MessageInfo[], uid: number): number {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((messages[middle]?.uid ?? 0) < uid) low = middle + 1;
    else high = middle;
  }
  return low;
}

function find(mailbox: Mailbox, uid: number): MessageInfo {
  const info = mailbox.find(uid);
  if (info === undefined) throw messageGone();
  return info;
}

function messageGone(): WebmailError {
  return new WebmailError(404, "message not found");
}

function notInbox(name: string): string {
  if (name.toUpperCase() === "INBOX") throw new WebmailError(400, "INBOX stays what it is");
  return name;
}
