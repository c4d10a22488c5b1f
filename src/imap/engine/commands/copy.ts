/** COPY and MOVE with their UID forms: RFC 9051 §6.4.7, §6.4.8; COPYUID: RFC 4315. */
import type { Args } from "../args.ts";
import { command } from "../command.ts";
import { readMailbox } from "../mailbox-argument.ts";
import { NO_SUCH_MESSAGE, readSet } from "../message-set.ts";
import { openMailbox } from "../open-mailbox.ts";
import { formatSet, type SequenceSet } from "../sequence-set.ts";
import type { Outcome, Session } from "../session.ts";

interface Wanted {
  set: SequenceSet;
  name: string | undefined;
}

export const copy = transferring("COPY", false, false);
export const uidCopy = transferring("UID COPY", true, false);
export const move = transferring("MOVE", false, true);
export const uidMove = transferring("UID MOVE", true, true);

function transferring(name: string, byUid: boolean, moves: boolean) {
  return command({
    name,
    allowed: "selected",
    parse: (args: Args): Wanted => ({ set: readSet(args), name: readMailbox(args) }),
    run: (session, wanted) => transfer(session, wanted, byUid, moves),
  });
}

async function transfer(session: Session, wanted: Wanted, byUid: boolean, moves: boolean): Promise<Outcome> {
  const selected = session.mailbox;
  if (moves && selected.readOnly) return "NO [READ-ONLY] The mailbox is open for reading only";
  const uids = selected.resolve(wanted.set, byUid);
  if (uids === undefined) return NO_SUCH_MESSAGE;
  const target = wanted.name === undefined ? undefined : await openMailbox(session, wanted.name);
  if (target === undefined) return "NO [TRYCREATE] No such mailbox";
  try {
    const source = selected.mailbox;
    const pairs = moves ? await source.move(uids, target) : await source.copy(uids, target);
    const done = moves ? "Move completed" : "Copy completed";
    if (pairs.from.length === 0) return `OK ${done}`;
    const code = `[COPYUID ${target.uidValidity} ${formatSet(pairs.from)} ${formatSet(pairs.to)}]`;
    if (!moves) return `OK ${code} ${done}`;
    // RFC 6851 §4.3: before the EXPUNGEs, so that the client knows what became of the messages.
    session.send(`* OK ${code} Moved`);
    // RFC 7162 §3.1.9: as with EXPUNGE, the client's cache is complete up to here.
    return session.condstore ? `OK [HIGHESTMODSEQ ${source.highestModseq}] ${done}` : `OK ${done}`;
  } finally {
    target.release();
  }
}
