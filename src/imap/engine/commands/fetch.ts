/** FETCH and UID FETCH: RFC 9051 §6.4.5; CHANGEDSINCE and VANISHED: RFC 7162 §3.1.4, §3.2.6. */
import { Flag } from "../../../storage/store.ts";
import type { Args } from "../args.ts";
import { command } from "../command.ts";
import { type FetchItem, type PlainItem, readFetchItems } from "../fetch/items.ts";
import { respondFetch } from "../fetch/respond.ts";
import { NO_SUCH_MESSAGE, readSet } from "../message-set.ts";
import type { Selected } from "../selected.ts";
import { formatSet, inRanges, resolveSet, type SequenceSet } from "../sequence-set.ts";
import type { Outcome, Session } from "../session.ts";

interface Wanted {
  set: SequenceSet;
  items: FetchItem[];
  changedSince: number | undefined;
  vanished: boolean;
}

export const fetch = fetching("FETCH", false);
export const uidFetch = fetching("UID FETCH", true);

function fetching(name: string, byUid: boolean) {
  return command({
    name,
    allowed: "selected",
    news: byUid ? "all" : "noExpunge",
    parse,
    run: (session, wanted) => run(session, wanted, byUid),
  });
}

function parse(args: Args): Wanted {
  const set = readSet(args);
  args.space();
  const wanted: Wanted = { set, items: readFetchItems(args), changedSince: undefined, vanished: false };
  if (args.ok && wanted.items.length === 0) args.fail("expected fetch items");
  if (!args.more()) return wanted;
  args.list(() => {
    const modifier = args.word();
    if (modifier === "CHANGEDSINCE") {
      args.space();
      wanted.changedSince = args.number(Number.MAX_SAFE_INTEGER);
    } else if (modifier === "VANISHED") wanted.vanished = true;
    else args.fail("unknown modifier");
  });
  return wanted;
}

async function run(session: Session, wanted: Wanted, byUid: boolean): Promise<Outcome> {
  const selected = session.mailbox;
  const { items, changedSince } = wanted;
  // RFC 7162 §3.2.6: only where the client asked for QRESYNC, with UIDs and a mod-sequence.
  if (wanted.vanished && (!session.qresync || !byUid || changedSince === undefined))
    return "BAD VANISHED is not possible here";
  let uids = selected.resolve(wanted.set, byUid);
  if (uids === undefined) return NO_SUCH_MESSAGE;
  // RFC 9051 §6.4.9: a UID command tells the UID, asked or not.
  if (byUid) addItem(items, "UID", 0);
  if (changedSince !== undefined) {
    addItem(items, "MODSEQ");
    uids = uids.filter((uid) => (selected.mailbox.find(uid)?.modseq ?? 0) > changedSince);
  }
  if (items.some((item) => item.kind === "plain" && item.name === "MODSEQ")) session.condstore = true;
  if (wanted.vanished && changedSince !== undefined)
    tellVanished(session, selected, wanted.set, changedSince);
  if (items.some((item) => item.kind === "section" && !item.peek)) await markSeen(session, items, uids);
  await respondFetch(session, selected, uids, items);
  return "OK Fetch completed";
}

function addItem(items: FetchItem[], name: PlainItem, at = items.length): void {
  if (items.some((item) => item.kind === "plain" && item.name === name)) return;
  items.splice(at, 0, { kind: "plain", name });
}

function tellVanished(session: Session, { mailbox }: Selected, set: SequenceSet, since: number): void {
  const ranges = resolveSet(set, Math.max(1, mailbox.uidNext - 1));
  const vanished = mailbox.changesSince(since).vanished.filter((uid) => inRanges(ranges, uid));
  if (vanished.length > 0) session.send(`* VANISHED (EARLIER) ${formatSet(vanished)}`);
}

/** BODY[…] without PEEK sets \Seen, and the response says so (RFC 9051 §6.4.5). */
async function markSeen(session: Session, items: FetchItem[], uids: readonly number[]): Promise<void> {
  const selected = session.mailbox;
  if (selected.readOnly) return;
  const unseen = uids.filter((uid) => {
    const info = selected.mailbox.find(uid);
    return info !== undefined && (info.flags & Flag.seen) === 0;
  });
  if (unseen.length === 0) return;
  const { changed } = await selected.mailbox.storeFlags(unseen, "add", Flag.seen);
  selected.noteOwn(changed);
  addItem(items, "FLAGS");
  // RFC 7162 §3.1, §3.2.4: a change of flags tells its mod-sequence, and to whom follows UIDs the UID.
  if (session.condstore) addItem(items, "MODSEQ");
  if (session.qresync) addItem(items, "UID");
}
