/** STATUS: RFC 9051 §6.3.11. */
import { command } from "../command.ts";
import { readMailbox } from "../mailbox-argument.ts";
import { openMailbox } from "../open-mailbox.ts";
import { formatStatus, readStatusItems } from "../status-items.ts";

export const status = command({
  name: "STATUS",
  allowed: "authenticated",
  parse(args) {
    const name = readMailbox(args);
    args.space();
    return { name, items: readStatusItems(args) };
  },
  async run(session, { name, items }) {
    const mailbox = name === undefined ? undefined : await openMailbox(session, name);
    if (mailbox === undefined) return "NO [NONEXISTENT] No such mailbox";
    if (items.includes("HIGHESTMODSEQ")) session.condstore = true;
    session.send(
      `* STATUS ${session.nameOut(mailbox.name)} (${formatStatus(mailbox, items, session.settings)})`,
    );
    mailbox.release();
    return "OK Status completed";
  },
});
