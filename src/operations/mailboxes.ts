/** Mailboxes of accounts, for operators and for those who provision accounts; and mail thrown away by the lot. */
import { z } from "zod";
import { duration } from "../config/schema-fields.ts";
import type { Address } from "../core/address.ts";
import { specialUseOf } from "../imap/engine/special-use.ts";
import { Flag, type MailAccount, type Mailbox, type MessageInfo, StorageError } from "../storage/store.ts";
import { usagesOf } from "./accounts.ts";
import type { OperationContext } from "./context.ts";
import { bytes, count, localAddress, userAddress, userName } from "./fields.ts";
import { operation, OperationError, type RunningCall } from "./operation.ts";

/** Of one purge step: others get their turn in between. */
const USERS_PER_TELL = 20;

export const mailboxName = z.string().min(1).max(1000);
/** RFC 6154: what clients look for, under the names that mean it here. */
const SPECIAL_MAILBOXES = ["Sent", "Trash", "Junk", "Drafts", "Archive"];

const mailbox = z.strictObject({
  name: z.string(),
  messages: count,
  unseen: count,
  bytes,
  uidValidity: count,
  uidNext: count,
  specialUse: z.string().optional(),
});

const freed = z.strictObject({ messages: count, bytes });
type Freed = z.output<typeof freed>;

export const mailboxOperations = {
  "mailboxes.list": operation({
    summary: "Mailboxes of an account and what they hold",
    permission: "read",
    input: z.strictObject({ user: userName }),
    output: z.strictObject({ user: z.string(), total: count, usedBytes: bytes, mailboxes: z.array(mailbox) }),
    async run(context, input) {
      const account = await existingMail(context, input.user);
      const mailboxes: z.output<typeof mailbox>[] = [];
      for (const name of account.mailboxes()) {
        await withMailbox(account, name, (open) => void mailboxes.push(figures(open)));
      }
      return { user: account.user, total: mailboxes.length, usedBytes: account.usedBytes, mailboxes };
    },
  }),

  "mailboxes.accounts": operation({
    summary: "Addresses that have mailboxes, and what they hold",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({
      total: count,
      accounts: z.array(
        z.strictObject({ user: z.string(), usedBytes: bytes, messages: count, hasLogin: z.boolean() }),
      ),
    }),
    async run(context) {
      const users = (await context.store.users()).sort();
      const usages = await usagesOf(context, users);
      const accounts = usages.map(({ user, usage }) => ({
        user,
        usedBytes: usage.bytes,
        messages: usage.messages,
        hasLogin: context.state.accounts.has(user),
      }));
      return { total: accounts.length, accounts };
    },
  }),

  "mailboxes.create": operation({
    summary: "Make a mailbox; the account gets its first ones with it",
    permission: "change",
    input: z.strictObject({ user: userName, name: mailboxName }),
    output: z.strictObject({ user: z.string(), name: z.string() }),
    async run(context, input) {
      const user = localAddress(context, input.user);
      const account = await context.store.account(user);
      await told(input.name, () => account.create(input.name));
      return { user, name: input.name };
    },
  }),

  "mailboxes.remove": operation({
    summary: "Take a mailbox away with the mail in it",
    permission: "destroy",
    input: z.strictObject({ user: userName, name: mailboxName }),
    output: z.strictObject({ user: z.string(), name: z.string(), messages: count }),
    async run(context, input) {
      const account = await existingMail(context, input.user);
      let messages = 0;
      await told(input.name, async () => {
        await withMailbox(account, input.name, (open) => void (messages = open.messages.length));
        await account.delete(input.name);
      });
      return { user: account.user, name: input.name, messages };
    },
  }),

  "mailboxes.rename": operation({
    summary: "Give a mailbox and those below it another name",
    permission: "change",
    input: z.strictObject({ user: userName, from: mailboxName, to: mailboxName }),
    output: z.strictObject({ user: z.string(), from: z.string(), to: z.string() }),
    async run(context, { user, from, to }) {
      const account = await existingMail(context, user);
      await told(`${from} to ${to}`, () => account.rename(from, to));
      return { user: account.user, from, to };
    },
  }),

  "mailboxes.provision": operation({
    summary: "Give an address INBOX, Sent, Trash, Junk, Drafts and Archive; it needs no login for that",
    permission: "change",
    input: z.strictObject({ user: userName }),
    output: z.strictObject({
      user: z.string(),
      /** Whether there were mailboxes before. */
      existed: z.boolean(),
      created: z.array(z.string()),
    }),
    async run(context, input) {
      const user = localAddress(context, input.user);
      const existed = context.store.exists(user);
      const account = await context.store.account(user);
      const there = new Set(account.mailboxes());
      const created = SPECIAL_MAILBOXES.filter((name) => !there.has(name));
      for (const name of created) await told(name, () => account.create(name));
      return { user, existed, created };
    },
  }),

  "mailboxes.removeAll": operation({
    summary: "Take all mailboxes of an address away; its login stays",
    permission: "destroy",
    input: z.strictObject({ user: userName }),
    output: freed.extend({ user: z.string() }),
    async run(context, input) {
      const user = withMailOrThrow(context, input.user);
      const usage = await context.store.usage(user);
      await context.store.remove(user);
      return { user, messages: usage.messages, bytes: usage.bytes };
    },
  }),

  "mail.purge": operation({
    summary: "Throw mail away: of one account, of all, what was read, or what is old",
    permission: "destroy",
    sideBySide: true,
    input: z
      .strictObject({
        what: z.enum(["user", "all", "read", "older", "unreadOlder"]),
        /** Only in this account's mailboxes. */
        user: userName.optional(),
        /** For `older` and `unreadOlder`: by when it came. */
        olderThan: duration.optional(),
        /** Count only. */
        dryRun: z.boolean().default(false),
      })
      .refine(({ what, user }) => what !== "user" || user !== undefined, "name the user")
      .refine(
        ({ what, olderThan }) => !/older/i.test(what) || (olderThan !== undefined && olderThan > 0),
        "say older than what, such as 30d",
      ),
    output: freed,
    async run(context, { what, user, olderThan = 0, dryRun }, call) {
      const beforeMs = context.clock.nowMs() - olderThan;
      const doomed: Record<typeof what, (message: MessageInfo) => boolean> = {
        user: () => true,
        all: () => true,
        read: (message) => (message.flags & Flag.seen) !== 0,
        older: (message) => message.internalDateMs < beforeMs,
        unreadOlder: (message) => (message.flags & Flag.seen) === 0 && message.internalDateMs < beforeMs,
      };
      const users = user === undefined ? await context.store.users() : [withMailOrThrow(context, user)];
      return await purge(context, users, { isDoomed: doomed[what], dryRun }, call);
    },
  }),
};

async function purge(
  { store }: OperationContext,
  users: readonly Address[],
  { isDoomed, dryRun }: { isDoomed: (message: MessageInfo) => boolean; dryRun: boolean },
  call: RunningCall,
): Promise<Freed> {
  const total: Freed = { messages: 0, bytes: 0 };
  for (const [index, user] of users.entries()) {
    if (call.signal?.aborted === true) break;
    // Removed since the list was made: to ask for it would make it anew.
    if (!store.exists(user)) continue;
    const account = await store.account(user);
    for (const name of account.mailboxes()) {
      await withMailbox(account, name, async (open) => {
        const found = open.messages.filter(isDoomed);
        const gone = dryRun ? sumOf(found) : await removeFrom(open, found);
        total.messages += gone.messages;
        total.bytes += gone.bytes;
      });
    }
    if (index % USERS_PER_TELL === 0)
      call.onProgress({ done: index + 1, total: users.length, what: "accounts" });
  }
  return total;
}

function sumOf(messages: readonly MessageInfo[]): Freed {
  return { messages: messages.length, bytes: messages.reduce((sum, { size }) => sum + size, 0) };
}

/** Deletes messages whatever their flags were. */
export async function removeFrom(open: Mailbox, messages: readonly MessageInfo[]): Promise<Freed> {
  if (messages.length === 0) return { messages: 0, bytes: 0 };
  const sizes = new Map(messages.map(({ uid, size }) => [uid, size]));
  const uids = [...sizes.keys()];
  await open.storeFlags(uids, "add", Flag.deleted);
  const gone = await open.expunge(uids);
  return { messages: gone.length, bytes: gone.reduce((sum, uid) => sum + (sizes.get(uid) ?? 0), 0) };
}

/** The mail of an address that has some mailboxes. @throws {OperationError} */
export async function existingMail(context: OperationContext, name: string): Promise<MailAccount> {
  return await context.store.account(withMailOrThrow(context, name));
}

function withMailOrThrow(context: OperationContext, name: string): Address {
  const user = userAddress(context, name);
  if (!context.store.exists(user)) throw new OperationError("notFound", `${user} has no mailboxes`);
  return user;
}

/** Opens a mailbox for the time of `work`. @throws {OperationError} when there is none of that name */
export async function withMailbox<T>(
  account: MailAccount,
  name: string,
  work: (open: Mailbox) => T | Promise<T>,
): Promise<T> {
  const open = await told(name, () => account.open(name));
  try {
    return await work(open);
  } finally {
    open.release();
  }
}

/** Says what storage refuses in an operator's words. */
export async function told<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    const options = { cause: error };
    if (error.fault === "nonexistent")
      throw new OperationError("notFound", `${name}: no such mailbox`, options);
    if (error.fault === "exists")
      throw new OperationError("conflict", `${name}: this mailbox exists`, options);
    if (error.fault === "badName") throw new OperationError("invalid", `${name}: ${error.message}`, options);
    throw error;
  }
}

function figures(open: Mailbox): z.output<typeof mailbox> {
  const specialUse = specialUseOf(open.name);
  return {
    name: open.name,
    messages: open.messages.length,
    unseen: open.unseenCount,
    bytes: open.totalBytes,
    uidValidity: open.uidValidity,
    uidNext: open.uidNext,
    ...(specialUse === undefined ? {} : { specialUse }),
  };
}
