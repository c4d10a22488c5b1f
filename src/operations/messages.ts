/** Single messages in mailboxes of accounts, for an operator who has to look after one: by UID, without their content. */
import { z } from "zod";
import { refusals } from "../core/verdict.ts";
import { AppendDoor } from "../delivery/append.ts";
import { inRanges, parseSequenceSet, resolveSet, SAVED } from "../imap/engine/sequence-set.ts";
import { Flag, KEYWORD_SHIFT, type Mailbox, type MessageInfo } from "../storage/store.ts";
import type { OperationContext } from "./context.ts";
import { bytes, count, localAddress, timeMs, userName } from "./fields.ts";
import { existingMail, mailboxName, removeFrom, told, withMailbox } from "./mailboxes.ts";
import { operation, OperationError } from "./operation.ts";

const LIST_DEFAULT = 100;
const LIST_MAX = 100_000;
/** As base64 a message is a third longer, and the control socket has an end. */
const CONTENT_MAX_BYTES = 40 * 1024 * 1024;
const CONTENT_MAX_CHARS = Math.ceil(CONTENT_MAX_BYTES / 3) * 4;
const READ_BYTES = 256 * 1024;

const systemFlags: Readonly<Record<string, number>> = {
  "\\seen": Flag.seen,
  "\\answered": Flag.answered,
  "\\flagged": Flag.flagged,
  "\\deleted": Flag.deleted,
  "\\draft": Flag.draft,
};
const flagNames: readonly (readonly [name: string, flag: number])[] = [
  ["\\Seen", Flag.seen],
  ["\\Answered", Flag.answered],
  ["\\Flagged", Flag.flagged],
  ["\\Deleted", Flag.deleted],
  ["\\Draft", Flag.draft],
];

/** `\Seen`, or a keyword (RFC 9051 §9 `flag`). */
const flag = z
  .string()
  .regex(
    /^(\\(seen|answered|flagged|deleted|draft)|[A-Za-z0-9$!#&'+,./:;<=>?@^_`|~-]{1,100})$/i,
    "expected a flag such as \\Seen, or a keyword",
  );
const uids = z.string().transform((text, issue) => {
  const set = parseSequenceSet(text);
  if (set === undefined || set === SAVED) {
    issue.addIssue({ code: "custom", message: `expected UIDs such as 5, 1:7 or 3,9:*, found ${text}` });
    return z.NEVER;
  }
  return set;
});
const inMailbox = { user: userName, mailbox: mailboxName.default("INBOX") };
const changed = z.strictObject({ messages: count });
const base64 = z.base64().max(CONTENT_MAX_CHARS, "the message is too long to be handed over this way");

export const messageOperations = {
  "messages.list": operation({
    summary: "Messages of a mailbox: UID, size, time, flags",
    permission: "read",
    input: z.strictObject({
      ...inMailbox,
      uids: uids.optional(),
      offset: count.default(0),
      limit: z.int().min(1).max(LIST_MAX).default(LIST_DEFAULT),
    }),
    output: z.strictObject({
      total: count,
      messages: z.array(
        z.strictObject({ uid: count, bytes, internalDateMs: timeMs, flags: z.array(z.string()) }),
      ),
    }),
    run: (context, input) =>
      inside(context, input, (open) => {
        const all = input.uids === undefined ? open.messages : chosen(open, input.uids);
        const messages = all.slice(input.offset, input.offset + input.limit).map((message) => ({
          uid: message.uid,
          bytes: message.size,
          internalDateMs: message.internalDateMs,
          flags: flagsOf(open, message),
        }));
        return { total: all.length, messages };
      }),
  }),

  "messages.add": operation({
    summary: "Put a message into a mailbox; the encryption gate and the quota hold here, too",
    permission: "change",
    input: z.strictObject({
      ...inMailbox,
      /** The message, base64. */
      content: base64,
      flags: z.array(flag).max(100).default([]),
      internalDateMs: timeMs.nonnegative().optional(),
    }),
    output: z.strictObject({ uid: count, bytes }),
    run: (context, input) => add(context, input),
  }),

  "messages.flags": operation({
    summary: "Add, remove or replace flags of messages",
    permission: "change",
    input: z.strictObject({
      ...inMailbox,
      uids,
      how: z.enum(["add", "remove", "replace"]),
      flags: z.array(flag).max(100),
    }),
    output: changed,
    run: (context, input) =>
      inside(context, input, async (open) => {
        const found = chosen(open, input.uids).map((message) => message.uid);
        const done = await open.storeFlags(found, input.how, maskOf(open, input.flags));
        return { messages: done.changed.length };
      }),
  }),

  "messages.remove": operation({
    summary: "Delete messages for good",
    permission: "destroy",
    input: z.strictObject({ ...inMailbox, uids }),
    output: z.strictObject({ messages: count, bytes }),
    run: (context, input) => inside(context, input, (open) => removeFrom(open, chosen(open, input.uids))),
  }),

  "messages.copy": operation({
    summary: "Copy messages into another mailbox of the account",
    permission: "change",
    input: z.strictObject({ ...inMailbox, uids, target: mailboxName }),
    output: changed,
    run: (context, input) => transfer(context, input, "copy"),
  }),

  "messages.move": operation({
    summary: "Move messages into another mailbox of the account",
    permission: "change",
    input: z.strictObject({ ...inMailbox, uids, target: mailboxName }),
    output: changed,
    run: (context, input) => transfer(context, input, "move"),
  }),

  "messages.dump": operation({
    summary: "A message as it is stored",
    // Somebody's mail is opened: that is on the audit list.
    permission: "change",
    input: z.strictObject({ ...inMailbox, uid: z.int().min(1) }),
    output: z.strictObject({ uid: count, bytes, content: z.string() }),
    run: (context, input) => inside(context, input, (open) => dump(open, input.uid)),
  }),
};

interface Place {
  user: string;
  mailbox: string;
}

async function inside<T>(
  context: OperationContext,
  { user, mailbox }: Place,
  work: (open: Mailbox) => T | Promise<T>,
): Promise<T> {
  return await withMailbox(await existingMail(context, user), mailbox, work);
}

async function transfer(
  context: OperationContext,
  input: Place & { uids: z.output<typeof uids>; target: string },
  how: "copy" | "move",
): Promise<z.output<typeof changed>> {
  const account = await existingMail(context, input.user);
  return await withMailbox(account, input.mailbox, (from) =>
    withMailbox(account, input.target, async (to) => {
      const found = chosen(from, input.uids).map((message) => message.uid);
      const done = await from[how](found, to);
      return { messages: done.to.length };
    }),
  );
}

async function add(
  context: OperationContext,
  input: Place & { content: string; flags: string[]; internalDateMs?: number | undefined },
): Promise<{ uid: number; bytes: number }> {
  const { config, store, state, log, clock } = context;
  const user = localAddress(context, input.user);
  const account = await store.account(user);
  return await withMailbox(account, input.mailbox, async (open) => {
    const intake = new AppendDoor({ settings: config(), store, accounts: state.accounts, log, clock }).open(
      user,
    );
    intake.write(Buffer.from(input.content, "base64"));
    const { verdict, message } = await intake.finish();
    if (verdict.do !== "accept" || message === undefined) {
      const why = verdict.do === "accept" ? "storageFailed" : verdict.why;
      const [code, enhanced, , text] = refusals[why];
      throw new OperationError("refused", `the message is refused: ${code} ${enhanced} ${text}`);
    }
    try {
      const added = await told(open.name, () =>
        open.append(message, {
          flags: input.flags.reduce((mask, name) => mask | (systemFlags[name.toLowerCase()] ?? 0), 0),
          keywords: input.flags.filter((name) => !name.startsWith("\\")),
          ...(input.internalDateMs === undefined ? {} : { internalDateMs: input.internalDateMs }),
        }),
      );
      return { uid: added.uid, bytes: added.size };
    } finally {
      message.discard();
    }
  });
}

async function dump(open: Mailbox, uid: number): Promise<{ uid: number; bytes: number; content: string }> {
  const body = await open.body(uid);
  if (body === undefined) throw new OperationError("notFound", `there is no message with UID ${uid}`);
  try {
    if (body.size > CONTENT_MAX_BYTES)
      throw new OperationError("refused", "the message is too long for this");
    const parts: Uint8Array[] = [];
    for (let at = 0; at < body.size; at += READ_BYTES) parts.push(await body.read(at, READ_BYTES));
    return { uid, bytes: body.size, content: Buffer.concat(parts).toString("base64") };
  } finally {
    await body.close();
  }
}

function chosen(open: Mailbox, set: z.output<typeof uids>): MessageInfo[] {
  const ranges = resolveSet(set, open.messages.at(-1)?.uid ?? 0);
  return open.messages.filter(({ uid }) => inRanges(ranges, uid));
}

function flagsOf(open: Mailbox, message: MessageInfo): string[] {
  const system = flagNames.flatMap(([name, bit]) => (message.flags & bit ? [name] : []));
  return [...system, ...open.keywords.filter((_, index) => message.flags & (1 << (KEYWORD_SHIFT + index)))];
}

/** @throws {OperationError} when a keyword finds no place */
function maskOf(open: Mailbox, flags: readonly string[]): number {
  return flags.reduce((mask, name) => {
    const bit = name.startsWith("\\") ? systemFlags[name.toLowerCase()] : open.keyword(name);
    if (bit === undefined)
      throw new OperationError("refused", `${name}: the mailbox has room for no more keywords`);
    return mask | bit;
  }, 0);
}
