/** LSUB: RFC 3501 §6.3.9. */
import { command } from "../command.ts";
import { matchesListPattern } from "../list-pattern.ts";
import { SEPARATOR } from "../mailbox-name.ts";
import { decodePattern, withParents } from "./list.ts";

export const lsub = command({
  name: "LSUB",
  allowed: "authenticated",
  parse(args) {
    args.space();
    const reference = args.astring();
    args.space();
    return decodePattern(reference + args.listMailbox());
  },
  async run(session, pattern) {
    const account = await session.account();
    const subscribed = account.subscriptions();
    for (const name of withParents([...subscribed].sort())) {
      if (!matchesListPattern(pattern, name)) continue;
      // A level above a subscribed mailbox is shown when `%` stops at it.
      if (!subscribed.has(name) && !pattern.includes("%")) continue;
      const attributes = subscribed.has(name) ? "" : "\\Noselect";
      session.send(`* LSUB (${attributes}) "${SEPARATOR}" ${session.nameOut(name)}`);
    }
    return "OK Lsub completed";
  },
});
