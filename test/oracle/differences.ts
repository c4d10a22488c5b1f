/**
 * Where we answer otherwise than Dovecot, on purpose, and by which rule. Anything else that differs fails the test;
 * so does an entry that explains nothing any more. `docs/dovecot-differences.md` is printed from this table.
 */
import { type Difference, isItem } from "./difference.ts";
import { messageDifferences } from "./message-differences.ts";
import type { Divergence } from "./play.ts";

const SELECTS = /^(?:SELECT|EXAMINE)\b/i;
const EXTRA_ATTRIBUTES = new Set(
  "\\HasChildren \\HasNoChildren \\Noselect \\NonExistent \\Sent \\Drafts \\Junk \\Trash \\Archive".split(
    " ",
  ),
);

const bySelect = ({ line }: Divergence) => SELECTS.test(line.replace(/^b: /, ""));
/** The whole answer to a line is another one. */
const onLine = (pattern: RegExp) => (divergence: Divergence) => pattern.test(divergence.line);

const commands: readonly Difference[] = [
  {
    title: "No message is \\Recent",
    rfc: "RFC 9051 §2.3.2",
    reason:
      "IMAP4rev2 has no \\Recent flag. We say `0 RECENT`, and SEARCH treats every message as old; Dovecot marks messages that no session has seen.",
    explains: (divergence) => {
      if (divergence.field === "recent" || divergence.field.endsWith(" RECENT")) return true;
      if (divergence.field === "search") return /\b(?:OLD|NEW|RECENT)\b/.test(divergence.line);
      return isItem(/^FLAGS$/)(divergence) && withoutRecent(divergence.theirs) === divergence.ours;
    },
  },
  {
    title: "HIGHESTMODSEQ at every SELECT",
    rfc: "RFC 7162 §3.1.2.1",
    reason:
      "We keep mod-sequences always and say so at each opening, as the RFC wants; Dovecot waits until a client uses CONDSTORE.",
    explains: (divergence) =>
      divergence.field === "told HIGHESTMODSEQ" &&
      (divergence.theirs === undefined || (divergence.ours === undefined && !bySelect(divergence))),
  },
  {
    title: "UID in every FETCH about flags",
    rfc: "RFC 9051 §7.5.2",
    reason:
      "A server may tell more than was asked. Flag changes carry the UID, which every client of ours goes by; RFC 7162 §3.2.4 demands it once QRESYNC is on.",
    explains: (divergence) => isItem(/^UID$/)(divergence) && divergence.theirs === undefined,
  },
  {
    title: "FLAGS and MODSEQ beside a body",
    rfc: "RFC 9051 §6.4.5, RFC 7162 §3.1",
    reason:
      "A FETCH that may set \\Seen tells the flags of every message it answers, not only of those whose flag was set.",
    explains: (divergence) =>
      isItem(/^(?:FLAGS|MODSEQ)$/)(divergence) &&
      divergence.theirs === undefined &&
      /\bFETCH\b.*(?:\bBODY\[|RFC822\b)/i.test(divergence.line),
  },
  {
    title: "PERMANENTFLAGS only at SELECT",
    rfc: "RFC 9051 §7.1",
    reason:
      "When a keyword is new we send FLAGS, and PERMANENTFLAGS had `\\*` all the time; Dovecot repeats PERMANENTFLAGS.",
    explains: (divergence) =>
      !bySelect(divergence) && divergence.field === "told PERMANENTFLAGS" && divergence.ours === undefined,
  },
  {
    title: "Only setting a keyword makes it",
    rfc: "RFC 9051 §2.3.2",
    reason:
      "SEARCH for an unknown keyword finds nothing, taking it off changes nothing, and neither does a STORE without messages; Dovecot registers the keyword.",
    explains: keywordsOnlyTheyKnow,
  },
  {
    title: "STORE and EXPUNGE in a read-only mailbox",
    rfc: "RFC 9051 §6.3.3",
    reason:
      "Nothing changes in a mailbox opened by EXAMINE, and we answer `NO [READ-ONLY]`. Dovecot says OK and does nothing, but lets MOVE take messages out.",
    explains: ({ answers }) =>
      answers.ours.get("code") === "READ-ONLY" || answers.theirs.get("code") === "COPYUID V 2 2",
  },
  {
    title: "Unknown system flags",
    rfc: "RFC 9051 §9 flag-extension",
    reason:
      "STORE and APPEND pass over system flags that cannot be kept, such as \\Recent; Dovecot refuses the command, and after APPEND takes the message's lines for commands.",
    explains: onLine(/\\(?:Recent|Bogus)\b/),
  },
  {
    title: "Strict syntax",
    rfc: "RFC 9051 §9",
    reason:
      "What the grammar does not have is BAD: extra or missing arguments, part number 0, an empty partial, a day that no month has. Dovecot lets these pass.",
    explains: onLine(
      /^(?:SELECT INBOX extra|NOOP extra|ENABLE|STORE 1 \+FLAGS|FETCH 1 BODY\.PEEK\[0\]|FETCH 1 BODY\.PEEK\[TEXT\]<0\.0>|SEARCH ON 31-Feb-2026)$/,
    ),
  },
  {
    title: "A SELECT that is BAD changes nothing",
    rfc: "RFC 9051 §7.1.3",
    reason:
      "A command with a syntax error is not carried out, so the mailbox stays selected. Dovecot closes it and then says BAD.",
    explains: ({ session, line, field }) =>
      (line === "SELECT INBOX (BOGUS)" && field === "told CLOSED") ||
      (line === "UNSELECT" && session.name === "select") ||
      (session.name === "qresync without enable" && field === "told CLOSED"),
  },
  {
    title: "Response codes that help",
    rfc: "RFC 5530 §3, RFC 9051 §7.1",
    reason:
      "We name the reason where Dovecot gives a text only: NONEXISTENT, CANNOT, NOPERM, the charsets of BADCHARSET. In turn we do not tell clients that ask STATUS of the selected mailbox about CLIENTBUG.",
    explains: ({ field, ours, theirs, answers }) =>
      field === "code" &&
      answers.ours.get("status") === answers.theirs.get("status") &&
      ((theirs === undefined && /^(?:NONEXISTENT|CANNOT|NOPERM|ALREADYEXISTS)$/.test(ours ?? "")) ||
        ours === "BADCHARSET (US-ASCII UTF-8)" ||
        theirs === "CLIENTBUG" ||
        (theirs === "TRYCREATE" && ours === "NONEXISTENT")),
  },
  {
    title: "Attributes of LIST that were not asked for",
    rfc: "RFC 9051 §6.3.9, RFC 5258 §3, RFC 6154 §2",
    reason:
      "LIST always tells children and special uses, which are known at no cost, and both \\NonExistent and \\Noselect of a level that is no mailbox.",
    explains: ({ field, ours, theirs }) =>
      field.startsWith("list ") && ours !== undefined && theirs !== undefined && isExtra(ours, theirs),
  },
  {
    title: "INBOX and wildcards",
    rfc: "RFC 9051 §6.3.9",
    reason:
      "INBOX has no case as a name; a pattern like `*b*` is matched letter by letter. Dovecot matches INBOX by such patterns too.",
    explains: ({ line, field }) => line === 'LIST "" "*b*"' && field === "list INBOX",
  },
  {
    title: "The root of a reference",
    rfc: "RFC 9051 §6.3.9",
    reason:
      'The root in the answer to LIST a/b "" may be empty, for names here are not rooted. Dovecot shows the first level of the reference.',
    explains: onLine(/^LIST a\/b ""$/),
  },
  {
    title: "A deleted mailbox with children cannot be opened",
    rfc: "RFC 9051 §6.3.5",
    reason: "Its name stays as \\Noselect. Dovecot's LIST shows it as if it could be selected.",
    explains: ({ field, ours }) => field.startsWith("list ") && (ours ?? "").includes("\\NonExistent"),
  },
  {
    title: "RENAME of INBOX",
    rfc: "RFC 9051 §6.3.6",
    reason:
      "It moves all messages to the new mailbox and leaves INBOX empty, as the RFC says. Dovecot refuses.",
    explains: ({ session }) => session.lines.some((line) => line.startsWith("RENAME INBOX")),
  },
  {
    title: "Subscribing to what is not there",
    rfc: "RFC 9051 §6.3.7",
    reason:
      "A server may check the name or not; we keep subscriptions of mailboxes that come later. Dovecot refuses, and so lists less.",
    explains: subscribedToNothing,
  },
  {
    title: "STATUS DELETED",
    rfc: "RFC 9051 §6.3.11",
    reason: "Part of IMAP4rev2; Dovecot 2.3 does not know it.",
    explains: onLine(/^STATUS INBOX \(DELETED\)$/),
  },
  {
    title: "ENABLE always answers ENABLED",
    rfc: "RFC 9051 §7.2.1",
    reason: "Even with nothing behind it, as the grammar allows. Dovecot is silent when it enabled nothing.",
    explains: ({ field, ours, theirs }) => field === "enabled" && ours === "()" && theirs === undefined,
  },
  {
    title: "Metadata is for clients of this relay",
    rfc: "RFC 5464 §4",
    reason:
      "Unknown entries and mailboxes are NIL and OK, because Delta Chat ends its session on NO; what can be set is the device token only. Dovecot stores anything and refuses odd names.",
    explains: onLine(/^[GS]ETMETADATA /),
  },
  {
    title: "The name in QUOTAROOT is quoted, an empty mailbox counts too",
    rfc: "RFC 9208 §4.1.3",
    reason: "The same astring in another form; KiB are rounded up, and only messages count.",
    explains: ({ field, ours, theirs }) =>
      field === "quotaroot" && ours?.replaceAll('"', "") === theirs?.replaceAll('"', ""),
  },
  {
    title: "Messages without a Date",
    rfc: "RFC 9051 §6.4.4",
    reason: "SENTBEFORE finds messages whose Date field is earlier: without one there is nothing to compare.",
    explains: ({ line, field }) => field === "search" && /SENTBEFORE/.test(line),
  },
  {
    title: "`n:*` always names the last message",
    rfc: "RFC 9051 §9 seq-range",
    reason: "`2:*` in a mailbox of one message is `1:2`. Dovecot's SEARCH finds nothing then.",
    explains: ({ line, field, ours, theirs }) =>
      field === "search" && /\d:\*/.test(line) && foundMore(ours, theirs),
  },
  {
    title: "BODY is all behind the header",
    rfc: "RFC 9051 §6.4.4",
    reason:
      "SEARCH BODY looks into the headers of embedded messages and parts too; Dovecot into their texts only.",
    explains: ({ line, field, ours, theirs }) =>
      field === "search" && /\bBODY /.test(line) && foundMore(ours, theirs),
  },
  {
    title: "Folded fields are searched as they stand",
    rfc: "RFC 5322 §2.2.3",
    reason: "Unfolding takes out the line end only, so a tab stays a tab. Dovecot makes it a blank.",
    explains: ({ line, field }) => field === "search" && line.includes('"folded over lines"'),
  },
  {
    title: "Expunged messages are gone at once",
    rfc: "RFC 9051 §7.5.1, RFC 2180 §4.1",
    reason:
      "What another session expunged is not found or fetched any more, though its number stays until EXPUNGE may be told. Dovecot still serves it.",
    explains: (divergence) => goneMeanwhile(divergence),
  },
  {
    title: "Flags of messages that go at once",
    rfc: "RFC 9051 §6.3.13",
    reason:
      "In IDLE a change may be told before the message is expunged, or the expunge alone: that is a matter of moments.",
    explains: ({ line, field, answers }) => {
      const number = /^fetch (\d+) /.exec(field)?.[1];
      if (line !== "DONE" || number === undefined) return false;
      return (answers.theirs.get("removed") ?? "").split(",").includes(number);
    },
  },
  {
    title: "STORE that changes nothing",
    rfc: "RFC 9051 §6.4.6, RFC 7162 §3.1.3",
    reason:
      "Its answer tells flags and mod-sequence all the same, as the client asked; Dovecot says nothing about unchanged messages.",
    explains: (divergence) =>
      isItem(/^(?:FLAGS|MODSEQ)$/)(divergence) &&
      divergence.theirs === undefined &&
      /\bSTORE\b/.test(divergence.line),
  },
  {
    title: "No messages, no question about the target",
    rfc: "RFC 9051 §6.4.7",
    reason:
      "COPY and MOVE to a mailbox that is not there are refused with TRYCREATE, also when the UIDs name no message; Dovecot then says OK.",
    explains: ({ line, answers }) =>
      /\bUID (?:COPY|MOVE)\b/.test(line) &&
      answers.ours.get("code") === "TRYCREATE" &&
      answers.theirs.get("code") === undefined,
  },
  {
    title: "HIGHESTMODSEQ after other commands",
    rfc: "RFC 7162 §3.1.9",
    reason:
      "We tell it after what takes messages out of the mailbox, to clients that use CONDSTORE; Dovecot only with QRESYNC, but then in any answer with VANISHED.",
    explains: ({ field, theirs, ours }) =>
      field === "code" &&
      (theirs ?? ours) === "HIGHESTMODSEQ M" &&
      (theirs === undefined || ours === undefined),
  },
  {
    title: "Parts that are not there",
    rfc: "RFC 9051 §7.5.2",
    reason:
      "A section that the message does not have is NIL. Dovecot answers an empty string, and takes part 1.1 of a text for the text.",
    explains: (divergence) => isItem(/^BODY\[\d/)(divergence) && divergence.ours === "NIL",
  },
];

export const differences: readonly Difference[] = [...commands, ...messageDifferences];

/** The page for operators and for those who compare. */
export function differencesPage(): string {
  const entries = differences.map(({ title, rfc, reason }) => `### ${title}\n\n${reason} (${rfc})\n`);
  return [
    "# Where IMAP differs from Dovecot's",
    "",
    "`test/oracle` asks Debian's Dovecot and this relay the same and compares the answers. UIDVALIDITY and mod-sequence",
    "values, texts for people, the order of untagged responses and the list of capabilities may differ freely. What else",
    "differs is listed here; any other difference fails the test. Printed from `test/oracle/differences.ts`.",
    "",
    "## Commands",
    "",
    ...entries.slice(0, commands.length),
    "## Messages with odd structure",
    "",
    ...entries.slice(commands.length),
  ].join("\n");
}

function withoutRecent(flags: string | undefined): string | undefined {
  return flags?.replace(/\\Recent ?/, "").replace(/ \)$/, ")");
}

/** Flag lists that differ by keywords which were named before; who knows them already says nothing when they are set. */
function keywordsOnlyTheyKnow({ session, field, ours, theirs }: Divergence): boolean {
  if (field !== "flags" && field !== "told PERMANENTFLAGS") return false;
  const flags = (text: string | undefined) => (text ?? "").replace(/[()]/g, "").split(" ").filter(Boolean);
  const known = new Set(flags(ours));
  const more = flags(theirs).filter((flag) => !known.has(flag));
  const isNamed = (flag: string) =>
    flag.startsWith("\\") ||
    session.lines.some((line) => /SEARCH|STORE|APPEND/.test(line) && line.includes(flag));
  if (theirs === undefined) return flags(ours).every(isNamed);
  return flags(ours).every((flag) => flags(theirs).includes(flag)) && more.every(isNamed);
}

function isExtra(ours: string, theirs: string): boolean {
  const attributes = (text: string) => text.replace(/[()]/g, "").split(" ").filter(Boolean);
  const they = new Set(attributes(theirs));
  const we = new Set(attributes(ours));
  return [...we].every((a) => they.has(a) || EXTRA_ATTRIBUTES.has(a)) && [...they].every((a) => we.has(a));
}

function subscribedToNothing({ session, line, field, theirs }: Divergence): boolean {
  if (/SUBSCRIBE/.test(line)) return field === "status" || field === "code";
  const isListed = /^(?:list|lsub)/.test(field) && theirs === undefined;
  return isListed && session.lines.some((other) => /(?<!UN)SUBSCRIBE/.test(other));
}

function foundMore(ours: string | undefined, theirs: string | undefined): boolean {
  const found = new Set((ours ?? "").split(","));
  return (theirs ?? "").split(",").every((number) => number === "" || found.has(number));
}

/** Only where two clients are at work, and then of whole messages. */
function goneMeanwhile({ session, field, ours, theirs, answers }: Divergence): boolean {
  if (!session.lines.some((line) => line.startsWith("b: "))) return false;
  const message = /^fetch \d+ /.exec(field)?.[0];
  if (message !== undefined) return ![...answers.ours.keys()].some((name) => name.startsWith(message));
  if (field !== "search") return false;
  return foundMore(theirs, ours);
}
