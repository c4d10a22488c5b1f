/** Accounts: making, finding, changing, taking away. */
import { z } from "zod";
import type { CreateFault, CreateResult } from "../auth/account-operations.ts";
import type { Address } from "../core/address.ts";
import { DeviceTokens } from "../db/device-tokens.ts";
import { NEVER_LOGGED_IN } from "../db/schema.ts";
import type { Account } from "../state/account-book.ts";
import { StorageError, type Usage } from "../storage/store.ts";
import type { OperationContext } from "./context.ts";
import { bytes, count, existingUser, localAddress, timeSec, userAddress, userName } from "./fields.ts";
import { operation, OperationError } from "./operation.ts";

const LIST_DEFAULT = 100;
/** Some faces show all at once. */
const LIST_MAX = 1_000_000;
const REASON_MAX_LENGTH = 500;
/** Who has not logged in for so long is dormant; chatmail relays remove such accounts. */
const DORMANT_SEC = 90 * 86_400;

export const quotaSource = z.enum(["user", "domain", "default", "none"]);
export const reason = z.string().trim().max(REASON_MAX_LENGTH);
const password = z.string().min(1).max(1024);

const summary = z.strictObject({
  user: z.string(),
  usedBytes: bytes,
  /** 0 is unlimited. */
  quotaBytes: bytes,
  quotaSource,
  createdAtSec: timeSec,
  /** The day; 1 is never. */
  firstLoginAtSec: timeSec,
  /** The day; 0 is never. */
  lastLoginAtSec: timeSec,
  blocked: z.boolean(),
});
type Summary = z.output<typeof summary>;

const created = z.strictObject({
  address: z.string(),
  /** Only when it was made up here: it is shown this once. */
  password: z.string().optional(),
  /** What a phone scans. */
  link: z.string(),
});

const filters = {
  all: () => true,
  unused: (_, account) => account.firstLoginAtSec === NEVER_LOGGED_IN,
  blocked: (context, _, user) => context.state.blocklist.has(user),
  dormant: (context, { firstLoginAtSec, lastLoginAtSec }) =>
    firstLoginAtSec !== NEVER_LOGGED_IN && lastLoginAtSec < context.clock.nowMs() / 1000 - DORMANT_SEC,
} satisfies Record<string, (context: OperationContext, account: Account, user: Address) => boolean>;

/** What of an account the order follows; what it holds is asked of the store. */
const sortKeys = {
  quota: ({ state }, user) => state.accounts.quota(user).bytes,
  created: (_context, _user, account) => account.createdAtSec,
  lastLogin: (_context, _user, account) => account.lastLoginAtSec,
  firstLogin: (_context, _user, account) => account.firstLoginAtSec,
} satisfies Record<string, (context: OperationContext, user: Address, account: Account) => number>;

export const accountOperations = {
  "accounts.create": operation({
    summary: "Make an account with a given name, also while registration is closed",
    permission: "change",
    input: z.strictObject({ user: userName, password: password.optional() }),
    output: created,
    async run(context, input) {
      const made = createdOrThrow(await context.accounts.create(input.user, input.password), input.user);
      const link = context.accountLink(made);
      return {
        address: made.address,
        link,
        ...(input.password === undefined ? { password: made.password } : {}),
      };
    },
  }),

  "accounts.createRandom": operation({
    summary: "Make an account with a made-up name and password",
    permission: "change",
    input: z.strictObject({}),
    output: created.required(),
    async run(context) {
      const { address, password: made } = createdOrThrow(
        await context.accounts.createRandom(),
        "a made-up name",
      );
      return { address, password: made, link: context.accountLink({ address, password: made }) };
    },
  }),

  "accounts.list": operation({
    summary: "Accounts with what they hold and may hold, searched, sorted, a page at a time",
    permission: "read",
    input: z.strictObject({
      /** Part of the address. */
      search: z.string().max(320).optional(),
      filter: z.enum(["all", "unused", "blocked", "dormant"]).default("all"),
      sort: z.enum(["name", "used", "quota", "created", "lastLogin", "firstLogin"]).default("name"),
      descending: z.boolean().default(false),
      offset: count.default(0),
      limit: z.int().min(1).max(LIST_MAX).default(LIST_DEFAULT),
    }),
    output: z.strictObject({
      total: count,
      /** Those that search and filter leave. */
      matching: count,
      accounts: z.array(summary),
    }),
    async run(context, { search = "", filter, sort, descending, offset, limit }) {
      const wanted = search.trim().toLowerCase();
      const matching: Address[] = [];
      for (const [user, account] of context.state.accounts.entries()) {
        if (user.includes(wanted) && filters[filter](context, account, user)) matching.push(user);
      }
      // Only the page's figures are looked up, as far as the order needs no others.
      matching.sort();
      const ordered = sort === "name" ? matching : await orderedBy(context, matching, sort, descending);
      if (sort === "name" && descending) ordered.reverse();
      const accounts = await summaries(context, ordered.slice(offset, offset + limit));
      return { total: context.state.accounts.size, matching: matching.length, accounts };
    },
  }),

  "accounts.info": operation({
    summary: "All there is to know about one address",
    permission: "read",
    input: z.strictObject({ user: userName }),
    output: summary.extend({
      /** False for a name that is blocked, or has mail, but no account. */
      exists: z.boolean(),
      blockedReason: z.string().optional(),
      blockedAtSec: timeSec.optional(),
      messageCount: count,
      mailboxes: z.array(z.string()),
      /** Phones that are woken. */
      devices: count,
      /** IMAP connections now. */
      sessions: count,
    }),
    async run(context, input) {
      const { state, store, db, clock, live } = context;
      const user = userAddress(context, input.user);
      const block = state.blocklist.get(user);
      const [exists, hasMail] = [state.accounts.has(user), store.exists(user)];
      if (!exists && !hasMail && block === undefined) {
        throw new OperationError("notFound", `${user}: there is no such account`);
      }
      const { messages } = await usageOf(context, user);
      return {
        ...(await summaryOf(context, user)),
        exists,
        ...(block === undefined ? {} : { blockedReason: block.reason, blockedAtSec: block.blockedAtSec }),
        messageCount: messages,
        mailboxes: hasMail ? [...(await store.account(user)).mailboxes()] : [],
        devices: new DeviceTokens(db, clock).of(user).length,
        sessions: live?.sessionsOf(user) ?? 0,
      };
    },
  }),

  "accounts.status": operation({
    summary: "How many accounts there are, and whether anybody can have another",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({
      accounts: count,
      /** Of them, never logged in. */
      unused: count,
      blocked: count,
      /** Accounts that have mailboxes. */
      mailDirectories: count,
      registrationOpen: z.boolean(),
      tokenRequired: z.boolean(),
      /** Whether an unknown address becomes an account at its first login. */
      jit: z.boolean(),
      /** Largest message that can be sent or stored. */
      messageMaxBytes: bytes,
      domains: z.array(z.string()),
      database: z.string(),
    }),
    async run({ state, store, config, db }) {
      let unused = 0;
      for (const [, account] of state.accounts.entries()) {
        if (account.firstLoginAtSec === NEVER_LOGGED_IN) unused++;
      }
      return {
        accounts: state.accounts.size,
        unused,
        blocked: state.blocklist.size,
        mailDirectories: (await store.users()).length,
        registrationOpen: state.settings.registrationOpen,
        tokenRequired: state.settings.tokenRequired,
        jit: state.settings.jitEnabled,
        messageMaxBytes: config().limits.message_size,
        domains: [...config().domains],
        database: db.$client.filename,
      };
    },
  }),

  "accounts.setPassword": operation({
    summary: "Give an account another password; its sessions end",
    permission: "change",
    input: z.strictObject({ user: userName, password: password.optional() }),
    output: created,
    async run(context, input) {
      const address = existingUser(context, input.user);
      const done =
        input.password === undefined
          ? await context.accounts.resetPassword(address)
          : await context.accounts.setPassword(address, input.password);
      if (!done.ok) throw faultOf(done.why, address);
      const link = context.accountLink({ address, password: done.password });
      return { address, link, ...(input.password === undefined ? { password: done.password } : {}) };
    },
  }),

  "accounts.delete": operation({
    summary: "Take an account away for good, with its mail, and block its name",
    permission: "destroy",
    input: z.strictObject({
      user: userName,
      reason: reason.optional(),
      /** Leaves the mailboxes, for who has the address next. */
      keepMail: z.boolean().default(false),
      /** False: anybody may have the name again. */
      block: z.boolean().default(true),
    }),
    output: z.strictObject({ address: z.string(), deleted: z.boolean(), blocked: z.boolean() }),
    async run(context, input) {
      const user = userAddress(context, input.user);
      if (!context.state.accounts.has(user) && (input.keepMail || !context.store.exists(user))) {
        throw new OperationError("notFound", `${user}: there is no such account`);
      }
      const blockReason = input.block ? (input.reason ?? "deleted by the operator") : undefined;
      const deleted = await remove(context, user, { blockReason, keepMail: input.keepMail });
      return { address: user, deleted, blocked: input.block };
    },
  }),

  "accounts.ban": operation({
    summary:
      "Take an account away with its mail, if there is one, and block its name; its sessions end at once",
    permission: "destroy",
    input: z.strictObject({ user: userName, reason: reason.optional() }),
    output: z.strictObject({ address: z.string(), deleted: z.boolean(), blocked: z.literal(true) }),
    async run(context, input) {
      const user = localAddress(context, input.user);
      const blockReason = input.reason ?? "banned by the operator";
      const deleted = await remove(context, user, { blockReason, keepMail: false });
      return { address: user, deleted, blocked: true as const };
    },
  }),

  "accounts.unban": operation({
    summary: "Let an address be taken again; what was deleted stays gone",
    permission: "change",
    input: z.strictObject({ user: userName }),
    output: z.strictObject({ address: z.string() }),
    run(context, input) {
      const user = userAddress(context, input.user);
      if (!context.accounts.unblock(user)) throw new OperationError("notFound", `${user} is not blocked`);
      return { address: user };
    },
  }),
};

/** Ends the account and its sessions, then waits until its mail is gone. @returns whether there was an account */
export async function remove(
  context: OperationContext,
  user: Address,
  { blockReason, keepMail }: { blockReason: string | undefined; keepMail: boolean },
): Promise<boolean> {
  const { accounts, store } = context;
  if (keepMail) return accounts.retire(user, blockReason);
  const removed = blockReason === undefined ? accounts.prune(user) : accounts.delete(user, blockReason);
  await store.remove(user);
  return removed;
}

/** What an account holds. A name that storage can't have holds nothing. */
export function usageOf({ store }: OperationContext, user: Address): Usage | Promise<Usage> {
  const usage = store.usage(user);
  if (!(usage instanceof Promise)) return usage;
  return usage.catch((error: unknown) => {
    if (error instanceof StorageError && error.fault === "badName") return { bytes: 0, messages: 0 };
    throw error;
  });
}

/** Of many: no promise for each of ten thousand whose figure is known. */
export async function usagesOf(
  context: OperationContext,
  users: readonly Address[],
): Promise<{ user: Address; usage: Usage }[]> {
  const found: { user: Address; usage: Usage | undefined }[] = [];
  const waiting: Promise<void>[] = [];
  for (const user of users) {
    const usage = usageOf(context, user);
    if (!(usage instanceof Promise)) found.push({ user, usage });
    else {
      const entry: { user: Address; usage: Usage | undefined } = { user, usage: undefined };
      found.push(entry);
      waiting.push(usage.then((counted) => void (entry.usage = counted)));
    }
  }
  await Promise.all(waiting);
  return found.map(({ user, usage = { bytes: 0, messages: 0 } }) => ({ user, usage }));
}

/** Those that are equal stay in the order of their names. @param users sorted by name */
async function orderedBy(
  context: OperationContext,
  users: readonly Address[],
  sort: keyof typeof sortKeys | "used",
  descending: boolean,
): Promise<Address[]> {
  const keyed: { user: Address; key: number }[] =
    sort === "used"
      ? (await usagesOf(context, users)).map(({ user, usage }) => ({ user, key: usage.bytes }))
      : users.map((user) => {
          const account = context.state.accounts.get(user);
          return { user, key: account === undefined ? 0 : sortKeys[sort](context, user, account) };
        });
  const sign = descending ? -1 : 1;
  return keyed.sort((a, b) => sign * (a.key - b.key)).map(({ user }) => user);
}

async function summaries(context: OperationContext, users: readonly Address[]): Promise<Summary[]> {
  return (await usagesOf(context, users)).map(({ user, usage }) => summaryWith(context, user, usage));
}

async function summaryOf(context: OperationContext, user: Address): Promise<Summary> {
  return summaryWith(context, user, await usageOf(context, user));
}

function summaryWith({ state }: OperationContext, user: Address, usage: Usage): Summary {
  const account = state.accounts.get(user);
  const quota = state.accounts.quota(user);
  return {
    user,
    usedBytes: usage.bytes,
    quotaBytes: quota.bytes,
    quotaSource: quota.source,
    createdAtSec: account?.createdAtSec ?? 0,
    firstLoginAtSec: account?.firstLoginAtSec ?? NEVER_LOGGED_IN,
    lastLoginAtSec: account?.lastLoginAtSec ?? 0,
    blocked: state.blocklist.has(user),
  };
}

function createdOrThrow(result: CreateResult, name: string): { address: Address; password: string } {
  if (!result.ok) throw faultOf(result.why, name);
  return result;
}

/** Why an account was not made or changed, for the operator. */
export function faultOf(why: CreateFault | "unknown", name: string): OperationError {
  switch (why) {
    case "exists":
      return new OperationError("conflict", `${name}: this account exists already`);
    case "blocked":
      return new OperationError("refused", `${name}: this name is blocked; unblock it first`);
    case "unavailable":
      return new OperationError("unavailable", "too many passwords are being hashed; try again in a moment");
    case "unknown":
      return new OperationError("notFound", `${name}: there is no such account`);
    default:
      return new OperationError("invalid", `${name}: ${faultTexts[why]}`);
  }
}

const faultTexts = {
  badAddress: "expected an address at a domain of this relay",
  tooShort: "a name needs at least one character",
  tooLong: "the name is longer than accounts.username_max_length",
  badCharacter: "a name is made of a-z, 0-9, dot, hyphen and underscore",
  badDots: "a name neither begins nor ends with a dot",
  reserved: "this name is reserved for the operator of a mail server",
  passwordTooShort: "the password is shorter than accounts.password_min_length",
  passwordTooLong: "the password is longer than any client sends",
  passwordCharacter: "no client can send a password with a line end or NUL in it",
} as const;
