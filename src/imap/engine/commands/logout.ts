/** LOGOUT: RFC 9051 §6.1.3. */
import { command, noArguments } from "../command.ts";

export const logout = command({
  name: "LOGOUT",
  allowed: "any",
  news: "none",
  parse: noArguments,
  run(session, _, tag) {
    session.send("* BYE Logging out");
    session.send(`${tag} OK Logout completed`);
    session.hangUp();
    return undefined;
  },
});
