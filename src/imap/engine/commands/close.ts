/** CLOSE and UNSELECT: RFC 9051 §6.4.1, §6.4.2. CLOSE is how Delta Chat deletes: it comes once a message. */
import { command, noArguments } from "../command.ts";

export const close = command({
  name: "CLOSE",
  allowed: "selected",
  news: "none",
  parse: noArguments,
  async run(session) {
    const { mailbox, readOnly } = session.mailbox;
    if (!readOnly && mailbox.deletedCount > 0) await mailbox.expunge();
    session.unselect();
    return "OK Close completed";
  },
});

export const unselect = command({
  name: "UNSELECT",
  allowed: "selected",
  news: "none",
  parse: noArguments,
  run(session) {
    session.unselect();
    return "OK Unselect completed";
  },
});
