/** `madmail imap-acct …`: mail of accounts by the lot. Names as in the Go version. */
import { type CommandDef, defineCommand } from "citty";
import type { InputOf, OutputOf } from "../operations/operations.ts";
import { prune } from "./accounts.ts";
import type { Globals } from "./globals.ts";
import { confirmed, operate, progressBar } from "./operate.ts";
import { report } from "./output.ts";
import { getQuota, listQuotas, resetQuota, setDefault, setQuota } from "./quota.ts";
import { bytesText, plural, userArgument, yes } from "./shown.ts";

export function imapAcctCommand(globals: Globals): CommandDef {
  const user = userArgument;
  const age = { type: "positional", required: true, description: "Such as 72h or 30d" } as const;
  return defineCommand({
    meta: { name: "imap-acct", description: "Mail of accounts: what they hold, and throwing it away" },
    subCommands: {
      list: defineCommand({
        meta: { name: "list", description: "Addresses that have mailboxes, with what they hold" },
        run: () => list(globals),
      }),
      create: defineCommand({
        meta: { name: "create", description: "Give an address INBOX, Sent, Trash, Junk, Drafts and Archive" },
        args: { user },
        async run({ args }) {
          const data = await operate(globals, (caller) =>
            caller.call("mailboxes.provision", { user: args.user }),
          );
          const text = `${data.user}: ${data.created.length > 0 ? `made ${data.created.join(", ")}` : "nothing to make"}`;
          report(globals, "imap-acct create", text, data);
        },
      }),
      remove: defineCommand({
        meta: { name: "remove", description: "Take all mailboxes of an address away; its login stays" },
        args: { user, yes },
        run: ({ args }) => remove(globals, args.user, args.yes),
      }),
      stat: defineCommand({
        meta: { name: "stat", description: "Mailboxes of an account and what they hold" },
        args: { user },
        run: ({ args }) => listMailboxes(globals, "imap-acct stat", args.user),
      }),
      appendlimit: defineCommand({
        meta: {
          name: "appendlimit",
          description: "The largest message that can be stored: one limit for all",
        },
        run: () => appendLimit(globals),
      }),
      quota: quota(globals),
      "purge-msgs": defineCommand({
        meta: { name: "purge-msgs", description: "Throw all mail of an account away" },
        args: { user, yes },
        run: ({ args }) =>
          purge(globals, "imap-acct purge-msgs", { what: "user", user: args.user }, args.yes),
      }),
      "purge-all": defineCommand({
        meta: { name: "purge-all", description: "Throw all mail of all accounts away" },
        args: { yes },
        run: ({ args }) => purge(globals, "imap-acct purge-all", { what: "all" }, args.yes),
      }),
      "purge-read": defineCommand({
        meta: { name: "purge-read", description: "Throw away what was read, of all accounts" },
        args: { yes },
        run: ({ args }) => purge(globals, "imap-acct purge-read", { what: "read" }, args.yes),
      }),
      "prune-unread": defineCommand({
        meta: {
          name: "prune-unread",
          description: "Throw away what nobody read for so long, of all accounts",
        },
        args: { age, yes },
        run: ({ args }) =>
          purge(globals, "imap-acct prune-unread", { what: "unreadOlder", olderThan: args.age }, args.yes),
      }),
      "prune-unused": defineCommand({
        meta: { name: "prune-unused", description: "Take away accounts that nobody ever used" },
        args: { age, yes },
        run: ({ args }) => prune(globals, "imap-acct prune-unused", args.age, args.yes),
      }),
    },
  });
}

function quota(globals: Globals): CommandDef {
  const user = userArgument;
  const size = { type: "positional", required: true, description: "500M, 2G, or unlimited" } as const;
  return defineCommand({
    meta: { name: "quota", description: "How much mail accounts may hold; see also `madmail quota`" },
    subCommands: {
      get: defineCommand({
        meta: { name: "get", description: "What an account holds and may hold" },
        args: { user },
        run: ({ args }) => getQuota(globals, "imap-acct quota get", args.user),
      }),
      set: defineCommand({
        meta: { name: "set", description: "Let an account hold so much" },
        args: { user, size },
        run: ({ args }) => setQuota(globals, "imap-acct quota set", args.user, args.size),
      }),
      reset: defineCommand({
        meta: { name: "reset", description: "Let an account hold what its domain or the default says" },
        args: { user },
        run: ({ args }) => resetQuota(globals, "imap-acct quota reset", args.user),
      }),
      list: defineCommand({
        meta: { name: "list", description: "Accounts by what they hold, fullest first" },
        args: { limit: { type: "string", description: "At most so many; default 100" } },
        run: ({ args }) => listQuotas(globals, "imap-acct quota list", args.limit),
      }),
      "set-default": defineCommand({
        meta: { name: "set-default", description: "Let accounts without another quota hold so much" },
        args: { size },
        run: ({ args }) => setDefault(globals, "imap-acct quota set-default", args.size),
      }),
    },
  });
}

async function list(globals: Globals): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("mailboxes.accounts", {}));
  const lines = data.accounts.map(
    ({ user, messages, usedBytes, hasLogin }) =>
      `${user.padEnd(36)} ${plural(messages, "message").padStart(14)} ${bytesText(usedBytes).padStart(10)}${hasLogin ? "" : "  no login"}`,
  );
  report(globals, "imap-acct list", lines.length > 0 ? lines.join("\n") : "no mailboxes", data);
}

export async function listMailboxes(globals: Globals, command: string, user: string): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("mailboxes.list", { user }));
  const lines = data.mailboxes.map(
    (mailbox) =>
      `${mailbox.name.padEnd(24)} ${plural(mailbox.messages, "message").padStart(14)}, ${mailbox.unseen} unread ` +
      `${bytesText(mailbox.bytes).padStart(10)}  UIDNEXT ${mailbox.uidNext}  ${mailbox.specialUse ?? ""}`.trimEnd(),
  );
  report(globals, command, [...lines, `${bytesText(data.usedBytes)} in all`].join("\n"), data);
}

async function appendLimit(globals: Globals): Promise<void> {
  const { messageMaxBytes } = await operate(globals, (caller) => caller.call("accounts.status", {}));
  report(globals, "imap-acct appendlimit", bytesText(messageMaxBytes), { messageMaxBytes });
}

async function remove(globals: Globals, name: string, isSure: boolean | undefined): Promise<void> {
  await operate(globals, async (caller) => {
    const found = await caller.call("mailboxes.list", { user: name });
    const messages = found.mailboxes.reduce((sum, mailbox) => sum + mailbox.messages, 0);
    const what = `delete ${plural(found.total, "mailbox")} of ${found.user} with ${plural(messages, "message")} (${bytesText(found.usedBytes)})`;
    if (!(await confirmed(globals, "imap-acct remove", what, isSure))) return;
    const data = await caller.call("mailboxes.removeAll", { user: name });
    report(globals, "imap-acct remove", freedText(data), data);
  });
}

async function purge(
  globals: Globals,
  command: string,
  input: InputOf<"mail.purge">,
  isSure: boolean | undefined,
): Promise<void> {
  await operate(globals, async (caller) => {
    // Counted first: the question names how many.
    const { messages, bytes } = await caller.call("mail.purge", { ...input, dryRun: true });
    const what = `delete ${plural(messages, "message")} (${bytesText(bytes)})`;
    if (messages > 0 && !(await confirmed(globals, command, what, isSure))) return;
    const data = await caller.call("mail.purge", input, { onProgress: progressBar(globals) });
    report(globals, command, freedText(data), data);
  });
}

function freedText({ messages, bytes }: Pick<OutputOf<"mail.purge">, "messages" | "bytes">): string {
  return `${plural(messages, "message")} deleted, ${bytesText(bytes)} free`;
}
