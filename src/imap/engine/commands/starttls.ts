/** STARTTLS: RFC 9051 §6.2.1. What was pipelined behind it is dropped, never taken as if it came by TLS. */
import { fromLatin1 } from "../../../core/bytes.ts";
import { command, noArguments } from "../command.ts";

export const starttls = command({
  name: "STARTTLS",
  allowed: "beforeLogin",
  parse: noArguments,
  run(session, _, tag) {
    if (session.transport.secure) return "BAD TLS is active already";
    session.flush();
    session.tlsBegun = true;
    session.transport.startTls(fromLatin1(`${tag} OK Begin TLS negotiation now\r\n`));
    return undefined;
  },
});
