/**
 * APPEND: RFC 9051 §6.3.12, APPENDUID: RFC 4315. The message streams through the gate; nothing of it is gathered here.
 * The engine drives the three steps: `beginAppend` before the message, its bytes to the intake, `finishAppend` behind it.
 */
import { type Refusal, refusals } from "../../../core/verdict.ts";
import { type AppendOptions, StorageError } from "../../../storage/store.ts";
import type { AppendIntake } from "../../append.ts";
import { Args } from "../args.ts";
import { sortFlags } from "../flags.ts";
import { readMailbox } from "../mailbox-argument.ts";
import { openMailbox } from "../open-mailbox.ts";
import type { CommandParts } from "../receiver.ts";
import type { Outcome, Session } from "../session.ts";
import { parseInternalDate } from "../text.ts";

/** A message on its way in. */
export interface Append {
  tag: string;
  mailbox: string;
  options: AppendOptions;
  /** The literal stands in `UTF8 (…)`. */
  utf8: boolean;
  /** Parts of the command before the message. */
  partCount: number;
  intake: AppendIntake;
}

interface AppendArguments {
  mailbox: string | undefined;
  options: AppendOptions;
  utf8: boolean;
}

const APPEND_NAME = /^[^ ]+ +APPEND/i;

/**
 * Reads what stands before the message and says whether it may come.
 * @returns the append, or the tagged response that refuses it
 */
export async function beginAppend(
  session: Session,
  tag: string,
  parts: CommandParts,
  size: number,
): Promise<Append | string> {
  if (session.user === undefined) return "BAD Log in first";
  const args = new Args(parts, APPEND_NAME.exec(String(parts[0]))?.[0].length ?? 0);
  const wanted = readArguments(args);
  if (args.fault !== undefined) return `BAD APPEND: ${args.fault}`;
  if (size > session.settings.messageMaxBytes) return "NO [TOOBIG] Message exceeds maximum size";
  const { mailbox, options, utf8 } = wanted;
  const account = await session.account();
  if (mailbox === undefined || !account.mailboxes().includes(mailbox))
    return "NO [TRYCREATE] No such mailbox";
  const quota = session.services.quotaBytes(session.user);
  if (quota > 0 && account.usedBytes + size > quota) return "NO [OVERQUOTA] Quota exceeded";
  return {
    tag,
    mailbox,
    options,
    utf8,
    partCount: parts.length,
    intake: session.services.judgeAppend(session.user),
  };
}

/** The message is complete. @param tail what follows its literal */
export async function finishAppend(session: Session, append: Append, tail: string): Promise<Outcome> {
  const expected = append.utf8 ? /^ *\) *$/ : /^ *$/;
  if (!expected.test(tail)) {
    append.intake.abort();
    return "BAD APPEND: expected the end of the command";
  }
  const { verdict, message } = await append.intake.finish();
  try {
    if (verdict.do === "refuse") return refusal(verdict.why);
    // Dropped: accepted on the wire, kept nowhere (core/verdict).
    if (verdict.do === "drop" || message === undefined) return "OK Append completed";
    const mailbox = await openMailbox(session, append.mailbox);
    if (mailbox === undefined) return "NO [TRYCREATE] No such mailbox";
    try {
      const { uid } = await mailbox.append(message, append.options);
      return `OK [APPENDUID ${mailbox.uidValidity} ${uid}] Append completed`;
    } finally {
      mailbox.release();
    }
  } catch (error) {
    if (error instanceof StorageError && error.fault === "tooBig")
      return "NO [TOOBIG] Message exceeds maximum size";
    throw error;
  } finally {
    message?.discard();
  }
}

function readArguments(args: Args): AppendArguments {
  const mailbox = readMailbox(args);
  args.space();
  const flags = args.peek() === "(" ? args.list(() => args.flag()) : undefined;
  if (flags !== undefined) args.space();
  const { bits, keywords } = sortFlags(flags ?? []);
  const options: AppendOptions = { flags: bits, keywords };
  if (args.peek() === '"') {
    const dateMs = parseInternalDate(args.string());
    if (dateMs === undefined) args.fail("bad date");
    else options.internalDateMs = dateMs;
    args.space();
  }
  // RFC 6855 §4: a message with UTF-8 headers; the rule of LITERAL8 that `~` stands before the brace.
  const utf8 = args.take("UTF8 (");
  args.take("~");
  if (args.peek() !== "{") args.fail("expected a message literal");
  return { mailbox, options, utf8 };
}

/** With the codes of SMTP, which users and their helpers know. */
function refusal(why: Refusal): string {
  const [smtp, enhanced, , words] = refusals[why];
  const text = `${smtp} ${enhanced} ${words}`;
  switch (why) {
    case "mailboxFull":
      return `NO [OVERQUOTA] ${text}`;
    case "messageTooBig":
    case "headerTooBig":
      return `NO [TOOBIG] ${text}`;
    default:
      // RFC 5530 §3: what passes by itself, and what does not.
      return smtp >= 500 ? `NO [CANNOT] ${text}` : `NO [UNAVAILABLE] ${text}`;
  }
}
