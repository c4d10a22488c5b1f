/**
 * LOGIN: RFC 9051 §6.2.3. Delta Chat counts any failure text with the word "authentication" as a wrong password,
 * so only wrong passwords have it.
 */
import { command } from "../command.ts";
import { FAILED_LOGINS_MAX } from "../limits.ts";
import type { Outcome, Session } from "../session.ts";
import { utf8Text } from "../text.ts";

export const login = command({
  name: "LOGIN",
  allowed: "beforeLogin",
  news: "none",
  parse(args) {
    args.space();
    const username = args.astring();
    args.space();
    return { username, password: args.astring() };
  },
  run(session, { username, password }) {
    return refuseInClear(session) ?? logIn(session, utf8Text(username), utf8Text(password));
  },
});

/** RFC 9051 §11.2, RFC 5530 §3: no passwords without TLS. */
export function refuseInClear(session: Session): Outcome {
  return session.transport.secure ? undefined : "NO [PRIVACYREQUIRED] Start TLS first";
}

/** Asks auth. A failure is answered late, which slows down guessing; other sessions do not wait. */
export async function logIn(session: Session, username: string, password: string): Promise<Outcome> {
  const { auth, clock, log } = session.services;
  const attempt = { username, password, peerAddress: session.transport.peerAddress };
  const result = await auth.login(attempt);
  if (session.closed) return undefined;
  if (result.ok) {
    session.user = result.user;
    session.transport.loggedIn(result.user);
    log.emit({ kind: "loginSucceeded", proto: "imap" });
    return `OK [CAPABILITY ${session.capabilities}] Logged in`;
  }
  log.emit({ kind: "loginFailed", proto: "imap", why: result.why });
  if (result.why === "unavailable") return "NO [UNAVAILABLE] Login is not possible now, try again later";
  session.failedLogins++;
  await new Promise<void>((resolve) => {
    clock.after(session.settings.failedLoginDelayMs * session.failedLogins, resolve);
  });
  if (session.failedLogins < FAILED_LOGINS_MAX) return "NO [AUTHENTICATIONFAILED] Authentication failed";
  session.send("* BYE Too many failed logins");
  return "NO [AUTHENTICATIONFAILED] Authentication failed";
}
