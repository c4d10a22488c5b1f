/**
 * GETQUOTA, GETQUOTAROOT, SETQUOTA: RFC 9208. One root for the whole account, counted in KiB;
 * Delta Chat warns its user from 80 % on. An account without a limit has no root.
 */
import { command } from "../command.ts";
import { readMailbox } from "../mailbox-argument.ts";
import type { Session } from "../session.ts";
import { quote } from "../text.ts";

const ROOT = "User quota";

export const getQuotaRoot = command({
  name: "GETQUOTAROOT",
  allowed: "authenticated",
  parse: readMailbox,
  async run(session, name) {
    const account = await session.account();
    // RFC 9208 §4.1.3: the mailbox need not exist, so that a client knows the root before it makes it.
    if (name === undefined) return "NO [NONEXISTENT] No such mailbox";
    const limited = limitOf(session) > 0;
    session.send(`* QUOTAROOT ${quoteName(session, name)}${limited ? ` ${quote(ROOT)}` : ""}`);
    if (limited) session.send(quotaLine(session, account.usedBytes));
    return "OK Getquotaroot completed";
  },
});

export const getQuota = command({
  name: "GETQUOTA",
  allowed: "authenticated",
  parse(args) {
    args.space();
    return args.astring();
  },
  async run(session, root) {
    if (root !== ROOT || limitOf(session) === 0) return "NO [NONEXISTENT] No such quota root";
    const account = await session.account();
    session.send(quotaLine(session, account.usedBytes));
    return "OK Getquota completed";
  },
});

export const setQuota = command({
  name: "SETQUOTA",
  allowed: "authenticated",
  parse(args) {
    args.space();
    args.astring();
    args.space();
    args.list(() => args.atom());
  },
  run: () => "NO [NOPERM] Quota is set by the operator",
});

function quotaLine(session: Session, usedBytes: number): string {
  const usedKib = Math.ceil(usedBytes / 1024);
  return `* QUOTA ${quote(ROOT)} (STORAGE ${usedKib} ${Math.floor(limitOf(session) / 1024)})`;
}

function limitOf(session: Session): number {
  return session.user === undefined ? 0 : session.services.quotaBytes(session.user);
}

/** Quoted as clients write it themselves, even where an atom would do. */
function quoteName(session: Session, name: string): string {
  const out = session.nameOut(name);
  return /^["{]/.test(out) ? out : quote(out);
}
