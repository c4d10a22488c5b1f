/** RENAME: RFC 9051 §6.3.6. */
import { command } from "../command.ts";
import { readMailbox, readMailboxToMake } from "../mailbox-argument.ts";

export const rename = command({
  name: "RENAME",
  allowed: "authenticated",
  parse: (args) => ({ from: readMailbox(args), to: readMailboxToMake(args) }),
  async run(session, { from, to }) {
    if (from === undefined) return "NO [NONEXISTENT] No such mailbox";
    if (to === undefined) return "NO [CANNOT] No mailbox can have that name";
    const account = await session.account();
    await account.rename(from, to);
    return "OK Rename completed";
  },
});
