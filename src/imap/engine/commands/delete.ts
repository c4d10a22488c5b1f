/** DELETE: RFC 9051 §6.3.5. */
import { command } from "../command.ts";
import { readMailbox } from "../mailbox-argument.ts";

export const deleteMailbox = command({
  name: "DELETE",
  allowed: "authenticated",
  parse: readMailbox,
  async run(session, name) {
    if (name === undefined) return "NO [NONEXISTENT] No such mailbox";
    if (name === "INBOX") return "NO [CANNOT] INBOX stays";
    if (session.selected?.mailbox.name === name) session.unselect();
    const account = await session.account();
    await account.delete(name);
    return "OK Delete completed";
  },
});
