/** EXPUNGE: RFC 9051 §6.4.3; UID EXPUNGE: §6.4.9. The news before the tagged response tells what went. */
import { command, noArguments } from "../command.ts";
import { readSet } from "../message-set.ts";
import type { Outcome, Session } from "../session.ts";

export const expunge = command({
  name: "EXPUNGE",
  allowed: "selected",
  parse: noArguments,
  run: (session) => expungeSome(session, undefined),
});

export const uidExpunge = command({
  name: "UID EXPUNGE",
  allowed: "selected",
  parse: readSet,
  run: (session, set) => expungeSome(session, session.mailbox.resolve(set, true)),
});

async function expungeSome(session: Session, uids: number[] | undefined): Promise<Outcome> {
  const { mailbox, readOnly } = session.mailbox;
  if (readOnly) return "NO [READ-ONLY] The mailbox is open for reading only";
  const gone = await mailbox.expunge(uids);
  if (!session.condstore || gone.length === 0) return "OK Expunge completed";
  // RFC 7162 §3.1.9: the client's cache is complete up to here.
  return `OK [HIGHESTMODSEQ ${mailbox.highestModseq}] Expunge completed`;
}
