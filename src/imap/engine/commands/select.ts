/** SELECT and EXAMINE: RFC 9051 §6.3.2, §6.3.3; their CONDSTORE and QRESYNC parameters: RFC 7162 §3.1.8, §3.2.5. */
import { Flag } from "../../../storage/store.ts";
import type { Args } from "../args.ts";
import { command } from "../command.ts";
import { SYSTEM_FLAGS } from "../flags.ts";
import { readMailbox } from "../mailbox-argument.ts";
import { openMailbox } from "../open-mailbox.ts";
import { Selected } from "../selected.ts";
import { formatSet, inRanges, parseSequenceSet, resolveSet, type SequenceSet } from "../sequence-set.ts";
import type { Outcome, Session } from "../session.ts";

/** Responses between two looks at the output queue. */
const BATCH = 1024;

interface Resync {
  uidValidity: number;
  modseq: number;
  /** Undefined: all. */
  known: SequenceSet | undefined;
}

interface Wanted {
  name: string | undefined;
  condstore: boolean;
  resync: Resync | undefined;
}

export const select = selecting("SELECT", false);
export const examine = selecting("EXAMINE", true);

function selecting(name: string, readOnly: boolean) {
  return command({
    name,
    allowed: "authenticated",
    // SELECT's own answer tells everything.
    news: "none",
    parse,
    run: (session, wanted) => open(session, wanted, readOnly),
  });
}

function parse(args: Args): Wanted {
  const wanted: Wanted = { name: readMailbox(args), condstore: false, resync: undefined };
  if (!args.more()) return wanted;
  args.list(() => {
    const parameter = args.word();
    if (parameter === "CONDSTORE") wanted.condstore = true;
    else if (parameter === "QRESYNC") wanted.resync = readResync(args);
    else args.fail(`unknown parameter`);
  });
  return wanted;
}

function readResync(args: Args): Resync {
  args.space();
  args.expect("(");
  const uidValidity = args.number();
  args.space();
  const modseq = args.number(Number.MAX_SAFE_INTEGER);
  let known: SequenceSet | undefined;
  if (args.more() && args.peek() !== "(") {
    known = parseSequenceSet(args.sequence());
    if (known === undefined) args.fail("expected known UIDs");
    args.more();
  }
  // The optional sequence match data (§3.2.5.2) would only make the answer shorter.
  if (args.peek() === "(") args.list(() => args.sequence());
  args.expect(")");
  return { uidValidity, modseq, known };
}

async function open(session: Session, wanted: Wanted, readOnly: boolean): Promise<Outcome> {
  if (wanted.resync !== undefined && !session.qresync) return "BAD Enable QRESYNC first";
  if (session.selected !== undefined) {
    session.unselect();
    // RFC 9051 §6.3.2: what was said before is about the mailbox before; also RFC 7162 §3.2.11.
    session.send("* OK [CLOSED] Previous mailbox is closed");
  }
  if (wanted.name === undefined) return "NO [NONEXISTENT] No such mailbox";
  const mailbox = await openMailbox(session, wanted.name);
  if (mailbox === undefined) return "NO [NONEXISTENT] No such mailbox";
  if (session.closed) {
    mailbox.release();
    return undefined;
  }
  if (wanted.condstore || wanted.resync !== undefined) session.condstore = true;
  const selected = new Selected(mailbox, readOnly);
  session.selected = selected;
  describe(session, selected);
  if (wanted.resync !== undefined) await resynchronise(session, selected, wanted.resync);
  return readOnly ? "OK [READ-ONLY] Examine completed" : "OK [READ-WRITE] Select completed";
}

function describe(session: Session, selected: Selected): void {
  const { mailbox, readOnly } = selected;
  const permanent = readOnly ? "" : [SYSTEM_FLAGS, ...mailbox.keywords, "\\*"].join(" ");
  session.sendText(selected.flagsLine());
  session.send(`* OK [PERMANENTFLAGS (${permanent})] Flags that can be kept`);
  session.send(`* ${selected.count} EXISTS`);
  session.send("* 0 RECENT");
  if (mailbox.unseenCount > 0) {
    const first = mailbox.messages.findIndex(({ flags }) => (flags & Flag.seen) === 0);
    if (first >= 0) session.send(`* OK [UNSEEN ${first + 1}] First unseen`);
  }
  session.send(`* OK [UIDVALIDITY ${mailbox.uidValidity}] UIDs are valid`);
  session.send(`* OK [UIDNEXT ${mailbox.uidNext}] Predicted next UID`);
  session.send(`* OK [HIGHESTMODSEQ ${mailbox.highestModseq}] Highest`);
}

/** RFC 7162 §3.2.5.1: what the client missed, if its UIDs still mean the same. */
async function resynchronise(session: Session, selected: Selected, resync: Resync): Promise<void> {
  const { mailbox } = selected;
  if (resync.uidValidity !== mailbox.uidValidity) return;
  const known = resync.known && resolveSet(resync.known, Math.max(1, mailbox.uidNext - 1));
  const isKnown = (uid: number) => known === undefined || inRanges(known, uid);
  const changes = mailbox.changesSince(resync.modseq);
  const vanished = changes.vanished.filter(isKnown);
  if (vanished.length > 0) session.send(`* VANISHED (EARLIER) ${formatSet(vanished)}`);
  for (const [index, info] of changes.changed.entries()) {
    if (index % BATCH === BATCH - 1) await session.roomToWrite();
    if (isKnown(info.uid)) session.sendText(selected.flagsFetch(info, true));
  }
}
