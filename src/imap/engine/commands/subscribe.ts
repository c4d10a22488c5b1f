/** SUBSCRIBE and UNSUBSCRIBE: RFC 9051 §6.3.7, §6.3.8. A name may be subscribed that does not exist. */
import { command } from "../command.ts";
import { readMailbox } from "../mailbox-argument.ts";

export const subscribe = subscribing("SUBSCRIBE", true);
export const unsubscribe = subscribing("UNSUBSCRIBE", false);

function subscribing(name: string, on: boolean) {
  return command({
    name,
    allowed: "authenticated",
    parse: readMailbox,
    async run(session, mailbox) {
      if (mailbox === undefined) return "NO [NONEXISTENT] No such mailbox";
      const account = await session.account();
      await account.setSubscribed(mailbox, on);
      return on ? "OK Subscribe completed" : "OK Unsubscribe completed";
    },
  });
}
