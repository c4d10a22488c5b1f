/** ENABLE: RFC 9051 §6.3.1, RFC 5161; CONDSTORE and QRESYNC of RFC 7162, UTF8=ACCEPT of RFC 6855. */
import { command } from "../command.ts";

export const enable = command({
  name: "ENABLE",
  allowed: "authenticated",
  parse(args) {
    const names: string[] = [];
    args.space();
    do names.push(args.astring().toUpperCase());
    while (args.more());
    return names;
  },
  run(session, names) {
    const enabled = names.filter((name) => ["CONDSTORE", "QRESYNC", "UTF8=ACCEPT"].includes(name));
    // RFC 7162 §3.2.3: QRESYNC implies CONDSTORE.
    if (enabled.includes("CONDSTORE") || enabled.includes("QRESYNC")) session.condstore = true;
    if (enabled.includes("QRESYNC")) session.qresync = true;
    if (enabled.includes("UTF8=ACCEPT")) session.utf8 = true;
    session.send(["* ENABLED", ...new Set(enabled)].join(" "));
    return "OK Enabled";
  },
});
