/** CAPABILITY: RFC 9051 §6.1.1. */
import { command, noArguments } from "../command.ts";

export const capability = command({
  name: "CAPABILITY",
  allowed: "any",
  parse: noArguments,
  run(session) {
    session.send(`* CAPABILITY ${session.capabilities}`);
    return "OK Capability completed";
  },
});
