/** NAMESPACE: RFC 9051 §6.3.10. One personal namespace, nothing shared. */
import { command, noArguments } from "../command.ts";

export const namespace = command({
  name: "NAMESPACE",
  allowed: "authenticated",
  parse: noArguments,
  run(session) {
    session.send('* NAMESPACE (("" "/")) NIL NIL');
    return "OK Namespace completed";
  },
});
