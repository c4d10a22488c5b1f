/** `madmail imap-mboxes …`: mailboxes of an account. */
import { type CommandDef, defineCommand } from "citty";
import type { Globals } from "./globals.ts";
import { listMailboxes } from "./imap-acct.ts";
import { confirmed, operate } from "./operate.ts";
import { report } from "./output.ts";
import { plural, userArgument, yes } from "./shown.ts";

export function imapMboxesCommand(globals: Globals): CommandDef {
  const user = userArgument;
  const name = {
    type: "positional",
    required: true,
    description: "Of the mailbox; / between levels",
  } as const;
  return defineCommand({
    meta: { name: "imap-mboxes", description: "Mailboxes of an account" },
    subCommands: {
      list: defineCommand({
        meta: { name: "list", description: "What there is, and what it holds" },
        args: { user },
        run: ({ args }) => listMailboxes(globals, "imap-mboxes list", args.user),
      }),
      create: defineCommand({
        meta: { name: "create", description: "Make one" },
        args: { user, name },
        async run({ args }) {
          const input = { user: args.user, name: args.name };
          const data = await operate(globals, (caller) => caller.call("mailboxes.create", input));
          report(globals, "imap-mboxes create", `${data.name} is there`, data);
        },
      }),
      remove: defineCommand({
        meta: { name: "remove", description: "Take one away with the mail in it" },
        args: { user, name, yes },
        run: ({ args }) => remove(globals, args.user, args.name, args.yes),
      }),
      rename: defineCommand({
        meta: { name: "rename", description: "Give one, and those below it, another name" },
        args: { user, from: name, to: { ...name, description: "Its new name" } },
        async run({ args }) {
          const input = { user: args.user, from: args.from, to: args.to };
          const data = await operate(globals, (caller) => caller.call("mailboxes.rename", input));
          report(globals, "imap-mboxes rename", `${data.from} is ${data.to} now`, data);
        },
      }),
    },
  });
}

async function remove(
  globals: Globals,
  user: string,
  name: string,
  isSure: boolean | undefined,
): Promise<void> {
  await operate(globals, async (caller) => {
    const { mailboxes } = await caller.call("mailboxes.list", { user });
    const messages = mailboxes.find((mailbox) => mailbox.name === name)?.messages ?? 0;
    const what = `delete the mailbox ${name} with ${plural(messages, "message")}`;
    if (!(await confirmed(globals, "imap-mboxes remove", what, isSure))) return;
    const data = await caller.call("mailboxes.remove", { user, name });
    report(
      globals,
      "imap-mboxes remove",
      `${data.name} is gone with ${plural(data.messages, "message")}`,
      data,
    );
  });
}
