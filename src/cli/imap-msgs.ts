/** `madmail imap-msgs …`: messages of a mailbox, by UID. */
import { readFileSync } from "node:fs";
import { type CommandDef, defineCommand } from "citty";
import type { Globals } from "./globals.ts";
import { confirmed, operate } from "./operate.ts";
import { CommandError, report, time, wholeNumber } from "./output.ts";
import { bytesText, plural, userArgument, yes } from "./shown.ts";

const mailbox = { type: "positional", required: true, description: "Name of the mailbox" } as const;
const uids = { type: "positional", required: true, description: "UIDs: 5, 1:7, or 3,9:*" } as const;
const place = { user: userArgument, mailbox };

export function imapMsgsCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: { name: "imap-msgs", description: "Messages of a mailbox, by UID" },
    subCommands: {
      list: defineCommand({
        meta: { name: "list", description: "UID, time, size and flags" },
        args: { ...place, limit: { type: "string", description: "At most so many; default 100" } },
        run: ({ args }) => list(globals, args),
      }),
      add: defineCommand({
        meta: { name: "add", description: "Put a message in; it has to be encrypted, as any" },
        args: {
          ...place,
          file: {
            type: "positional",
            required: false,
            description: "The message; standard input when absent",
          },
          flag: { type: "string", alias: "f", description: "Flags, with commas between them" },
          date: { type: "string", description: "When it came, in seconds since 1970; default now" },
        },
        run: ({ args }) => add(globals, args),
      }),
      "add-flags": flagsCommand(globals, "add-flags", "add", "Add flags"),
      "rem-flags": flagsCommand(globals, "rem-flags", "remove", "Remove flags"),
      "set-flags": flagsCommand(globals, "set-flags", "replace", "Replace all flags"),
      remove: defineCommand({
        meta: { name: "remove", description: "Delete messages for good" },
        args: { ...place, uids, yes },
        run: ({ args }) => remove(globals, args),
      }),
      copy: transferCommand(globals, "copy", "Copy messages into another mailbox of the account"),
      move: transferCommand(globals, "move", "Move messages into another mailbox of the account"),
      dump: defineCommand({
        meta: { name: "dump", description: "A message as it is stored, on standard output" },
        args: { ...place, uid: { type: "positional", required: true, description: "Its UID" } },
        run: ({ args }) => dump(globals, args),
      }),
    },
  });
}

interface Place {
  user: string;
  mailbox: string;
}

async function list(
  globals: Globals,
  { user, mailbox: name, limit: limitText }: Place & { limit?: string | undefined },
): Promise<void> {
  const limit = limitText === undefined ? undefined : wholeNumber("--limit", limitText, 1);
  const data = await operate(globals, (caller) =>
    caller.call("messages.list", { user, mailbox: name, limit }),
  );
  const lines = data.messages.map(({ uid, bytes, internalDateMs, flags }) =>
    `${String(uid).padStart(7)}  ${time(internalDateMs)}  ${bytesText(bytes).padStart(10)}  ${flags.join(" ")}`.trimEnd(),
  );
  if (data.total > lines.length) lines.push(`and ${data.total - lines.length} more`);
  report(globals, "imap-msgs list", lines.length > 0 ? lines.join("\n") : "no message", data);
}

async function add(
  globals: Globals,
  args: Place & { file?: string | undefined; flag?: string | undefined; date?: string | undefined },
): Promise<void> {
  const input = {
    user: args.user,
    mailbox: args.mailbox,
    content: read(args.file ?? "-").toString("base64"),
    flags: flagList(args.flag),
    ...(args.date === undefined ? {} : { internalDateMs: wholeNumber("--date", args.date, 0) * 1000 }),
  };
  const data = await operate(globals, (caller) => caller.call("messages.add", input));
  report(globals, "imap-msgs add", `UID ${data.uid}, ${bytesText(data.bytes)}`, data);
}

function flagsCommand(
  globals: Globals,
  word: string,
  how: "add" | "remove" | "replace",
  description: string,
) {
  const flags = {
    type: "positional",
    required: how !== "replace",
    description: "Such as \\Seen,$Label",
  } as const;
  return defineCommand({
    meta: { name: word, description },
    args: { ...place, uids, flags },
    async run({ args }) {
      const { user, mailbox: name, uids: set } = args;
      const input = { user, mailbox: name, uids: set, how, flags: flagList(args.flags) };
      const data = await operate(globals, (caller) => caller.call("messages.flags", input));
      report(globals, `imap-msgs ${word}`, `${plural(data.messages, "message")} changed`, data);
    },
  });
}

function transferCommand(globals: Globals, how: "copy" | "move", description: string) {
  return defineCommand({
    meta: { name: how, description },
    args: { ...place, uids, target: { ...mailbox, description: "Where to" } },
    async run({ args: { user, mailbox: name, uids: set, target } }) {
      const input = { user, mailbox: name, uids: set, target };
      const data = await operate(globals, (caller) => caller.call(`messages.${how}`, input));
      report(globals, `imap-msgs ${how}`, `${plural(data.messages, "message")} now in ${target}`, data);
    },
  });
}

async function remove(
  globals: Globals,
  { user, mailbox: name, uids: set, yes: isSure }: Place & { uids: string; yes?: boolean | undefined },
): Promise<void> {
  const command = "imap-msgs remove";
  const input = { user, mailbox: name, uids: set };
  await operate(globals, async (caller) => {
    const { total } = await caller.call("messages.list", { ...input, limit: 1 });
    const what = `delete ${plural(total, "message")} for good`;
    if (total > 0 && !(await confirmed(globals, command, what, isSure))) return;
    const data = await caller.call("messages.remove", input);
    report(
      globals,
      command,
      `${plural(data.messages, "message")} deleted, ${bytesText(data.bytes)} free`,
      data,
    );
  });
}

async function dump(globals: Globals, { user, mailbox: name, uid }: Place & { uid: string }): Promise<void> {
  const input = { user, mailbox: name, uid: wholeNumber("uid", uid, 1) };
  const data = await operate(globals, (caller) => caller.call("messages.dump", input));
  if (globals.json) return report(globals, "imap-msgs dump", "", data);
  await Bun.write(Bun.stdout, Buffer.from(data.content, "base64"));
}

function flagList(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(/[\s,]+/).filter((flag) => flag !== "");
}

/** @throws {CommandError} */
function read(file: string): Buffer {
  try {
    return readFileSync(file === "-" ? 0 : file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new CommandError(`${file}: cannot be read (${code})`, { cause: error });
  }
}
