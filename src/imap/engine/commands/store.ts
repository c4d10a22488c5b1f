/** STORE and UID STORE: RFC 9051 §6.4.6, with UNCHANGEDSINCE (RFC 7162 §3.1.3). */
import type { FlagChange } from "../../../storage/store.ts";
import type { Args } from "../args.ts";
import { command } from "../command.ts";
import { type FlagNames, sortFlags } from "../flags.ts";
import { NO_SUCH_MESSAGE, readSet } from "../message-set.ts";
import { keywordBits, type Selected } from "../selected.ts";
import { formatSet, type SequenceSet } from "../sequence-set.ts";
import type { Outcome, Session } from "../session.ts";

/** Responses between two looks at the output queue. */
const BATCH = 1024;

interface Wanted {
  set: SequenceSet;
  how: FlagChange;
  silent: boolean;
  flags: FlagNames;
  unchangedSince: number | undefined;
}

export const store = storing("STORE", false);
export const uidStore = storing("UID STORE", true);

function storing(name: string, byUid: boolean) {
  return command({
    name,
    allowed: "selected",
    news: byUid ? "all" : "noExpunge",
    parse,
    run: (session, wanted) => change(session, wanted, byUid),
  });
}

function parse(args: Args): Wanted {
  const set = readSet(args);
  args.space();
  let unchangedSince: number | undefined;
  if (args.peek() === "(") {
    args.list(() => {
      if (args.word() !== "UNCHANGEDSINCE") args.fail("unknown modifier");
      args.space();
      unchangedSince = args.number(Number.MAX_SAFE_INTEGER);
    });
    args.space();
  }
  const how = args.take("+") ? "add" : args.take("-") ? "remove" : "replace";
  args.expect("FLAGS");
  const silent = args.take(".SILENT");
  args.space();
  return { set, how, silent, flags: sortFlags(readFlags(args)), unchangedSince };
}

/** A list, or flags without parentheses (RFC 9051 §9 `store-att-flags`). */
function readFlags(args: Args): string[] {
  if (args.peek() === "(") return args.list(() => args.flag());
  const names = [args.flag()];
  while (args.more()) names.push(args.flag());
  return names;
}

async function change(session: Session, wanted: Wanted, byUid: boolean): Promise<Outcome> {
  const selected = session.mailbox;
  const { mailbox } = selected;
  const { unchangedSince } = wanted;
  if (selected.readOnly) return "NO [READ-ONLY] The mailbox is open for reading only";
  const uids = selected.resolve(wanted.set, byUid);
  if (uids === undefined) return NO_SUCH_MESSAGE;
  if (unchangedSince !== undefined) session.condstore = true;
  const bits = wanted.flags.bits | keywordBits(mailbox, wanted.flags.keywords, wanted.how !== "remove");
  const result = await mailbox.storeFlags(uids, wanted.how, bits, unchangedSince);
  selected.noteOwn(result.changed);
  await tell(session, selected, wanted, uids, result.modified);
  if (result.modified.length === 0) return "OK Store completed";
  const refused = byUid ? result.modified : result.modified.map((uid) => selected.sequenceOf(uid));
  return `OK [MODIFIED ${formatSet(refused)}] Some were changed by others`;
}

/** FETCH responses for what was asked. Silent ones still tell mod-sequences to those who follow them (RFC 7162 §3.1.3). */
async function tell(
  session: Session,
  selected: Selected,
  wanted: Wanted,
  uids: readonly number[],
  modified: readonly number[],
): Promise<void> {
  const { condstore } = session;
  if (wanted.silent && !condstore) return;
  const refused = new Set(modified);
  for (const [index, uid] of uids.entries()) {
    if (index % BATCH === BATCH - 1) await session.roomToWrite();
    const info = selected.mailbox.find(uid);
    if (info === undefined || refused.has(uid)) continue;
    if (wanted.silent) {
      session.send(`* ${selected.sequenceOf(uid)} FETCH (UID ${uid} MODSEQ (${info.modseq}))`);
    } else session.sendText(selected.flagsFetch(info, condstore));
  }
}
