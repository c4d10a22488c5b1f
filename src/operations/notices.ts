/** Mail from the operator: past the encryption gate, not past the quota. */
import { z } from "zod";
import { type Address, type Domain, domainOf } from "../core/address.ts";
import type { ComposedMessage } from "../delivery/bounce.ts";
import { composeNotice } from "../delivery/notice.ts";
import { MailboxRoom } from "../delivery/room.ts";
import { type SealedMessage, StorageError } from "../storage/store.ts";
import type { OperationContext } from "./context.ts";
import { count, userAddress, userName } from "./fields.ts";
import { operation, OperationError, type RunningCall } from "./operation.ts";

const SUBJECT_MAX_LENGTH = 500;
const BODY_MAX_LENGTH = 100_000;
/** Mailboxes that get links to one file in one step. */
const BATCH = 100;
const ERRORS_MAX = 100;

export const noticeOperations = {
  "notices.audience": operation({
    summary: "How many accounts a notice to all would reach",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({ totalUsers: count, domain: z.string() }),
    run: (context) => ({ totalUsers: audience(context).length, domain: context.config().domains[0] }),
  }),

  "notices.send": operation({
    summary: "Write to one user or to all of them, in clear, as Admin",
    permission: "change",
    sideBySide: true,
    input: z.strictObject({
      subject: z
        .string()
        .trim()
        .min(1, "a notice needs a subject")
        .max(SUBJECT_MAX_LENGTH)
        // biome-ignore format: one line
        .regex(/^[^\u0000-\u001f\u007f]*$/, "a subject is one line, without control characters"),
      body: z.string().trim().min(1, "a notice needs a text").max(BODY_MAX_LENGTH),
      /** Absent: everybody. */
      user: userName.optional(),
    }),
    output: z.strictObject({
      sent: count,
      failed: count,
      /** The first hundred. */
      errors: z.array(z.string()),
    }),
    async run(context, { subject, body, user }, call) {
      const users = user === undefined ? audience(context) : [userAddress(context, user)];
      if (users.length === 0) throw new OperationError("invalid", "there is nobody to write to");
      const to = user === undefined ? undefined : users[0];
      const post = new NoticePost(context, (domain) =>
        composeNotice({ domain, to, subject, body, nowMs: context.clock.nowMs(), id: crypto.randomUUID() }),
      );
      return await post.send(users, call);
    },
  }),
};

/** Blocked accounts get no mail. */
function audience({ state }: OperationContext): Address[] {
  return [...state.accounts.entries()].flatMap(([user]) => (state.blocklist.has(user) ? [] : [user]));
}

class NoticePost {
  readonly #context: OperationContext;
  readonly #compose: (domain: Domain) => ComposedMessage;
  readonly #room: MailboxRoom;
  readonly #errors: string[] = [];
  #sent = 0;
  #failed = 0;

  constructor(context: OperationContext, compose: (domain: Domain) => ComposedMessage) {
    this.#context = context;
    this.#compose = compose;
    this.#room = new MailboxRoom(context.store, context.state.accounts, context.clock);
  }

  async send(
    users: readonly Address[],
    call: RunningCall,
  ): Promise<{ sent: number; failed: number; errors: string[] }> {
    for (let start = 0; start < users.length; start += BATCH) {
      if (call.signal?.aborted === true) break;
      await this.#sendTo(users.slice(start, start + BATCH));
      call.onProgress({
        done: Math.min(start + BATCH, users.length),
        total: users.length,
        what: "mailboxes",
      });
    }
    return { sent: this.#sent, failed: this.#failed, errors: this.#errors };
  }

  async #sendTo(users: readonly Address[]): Promise<void> {
    const { state } = this.#context;
    const known = users.filter((user) => {
      if (!state.accounts.has(user)) this.#fail(user, "there is no such account");
      else if (state.blocklist.has(user)) this.#fail(user, "this account is blocked");
      else return true;
      return false;
    });
    for (const [domain, those] of byDomain(known)) {
      const message = this.#compose(domain);
      try {
        await this.#deliver(message, those);
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        // All or nothing; a mailbox that can't be written must not keep the others from their mail.
        if (those.length > 1) for (const user of those) await this.#sendTo([user]);
        else for (const user of those) this.#fail(user, error.message);
      }
    }
  }

  /** @throws {StorageError} then nobody has it */
  async #deliver({ header, body }: ComposedMessage, users: readonly Address[]): Promise<void> {
    const { store, state, live } = this.#context;
    const bytes = header.length + body.length;
    const room = await this.#room.reserve(users, bytes);
    const spool = store.spool({ maxBytes: bytes });
    let message: SealedMessage | undefined;
    try {
      if (room.fits.length > 0) {
        spool.write(header);
        spool.write(body);
        message = spool.seal(header);
        await store.deliver(
          message,
          room.fits.map((user) => ({ user, mailbox: "INBOX" })),
        );
        state.counters.add("received_messages", room.fits.length);
        live?.delivered(room.fits);
      }
    } finally {
      room.release();
      message?.discard();
      spool.discard();
    }
    this.#sent += room.fits.length;
    for (const user of room.full) this.#fail(user, "the mailbox is full");
  }

  #fail(user: Address, why: string): void {
    this.#failed++;
    if (this.#errors.length < ERRORS_MAX) this.#errors.push(`${user}: ${why}`);
  }
}

/** The operator of each domain writes as its own Admin. */
function byDomain(users: readonly Address[]): Map<Domain, Address[]> {
  return Map.groupBy(users, domainOf);
}
