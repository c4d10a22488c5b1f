/** AUTHENTICATE: RFC 9051 §6.2.2, with an initial response (RFC 4959). PLAIN: RFC 4616; LOGIN as clients know it. */
import { toUtf8 } from "../../../core/bytes.ts";
import { command } from "../command.ts";
import type { Outcome, Session } from "../session.ts";
import { logIn, refuseInClear } from "./login.ts";

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export const authenticate = command({
  name: "AUTHENTICATE",
  allowed: "beforeLogin",
  news: "none",
  parse(args) {
    args.space();
    const mechanism = args.word();
    return { mechanism, initial: args.more() ? readInitial(args.astring()) : undefined };
  },
  run(session, { mechanism, initial }) {
    const refused = refuseInClear(session);
    if (refused !== undefined) return refused;
    if (mechanism === "PLAIN")
      return initial === undefined ? ask(session, "", plain) : plain(session, initial);
    if (mechanism === "LOGIN") {
      return initial === undefined ? ask(session, "VXNlcm5hbWU6", loginName) : loginName(session, initial);
    }
    return "NO [CANNOT] Unsupported mechanism";
  },
});

/** RFC 4959 §3: a lone `=` is the empty response. */
function readInitial(text: string): string {
  return text === "=" ? "" : text;
}

function ask(
  session: Session,
  challenge: string,
  handler: (session: Session, line: string) => Outcome | Promise<Outcome>,
): Outcome {
  session.lineHandler = handler;
  session.send(`+ ${challenge}`);
  return undefined;
}

function plain(session: Session, line: string): Outcome | Promise<Outcome> {
  const decoded = decode(line);
  if (decoded === undefined) return badAnswer(line);
  const [authorize, username, password, ...rest] = decoded.split("\0");
  if (authorize === undefined || username === undefined || password === undefined || rest.length > 0) {
    return "BAD Malformed PLAIN response";
  }
  if (authorize !== "" && authorize.toLowerCase() !== username.toLowerCase()) {
    return "NO [AUTHORIZATIONFAILED] Acting for others is not supported";
  }
  return logIn(session, username, password);
}

function loginName(session: Session, line: string): Outcome | Promise<Outcome> {
  const username = decode(line);
  if (username === undefined) return badAnswer(line);
  return ask(session, "UGFzc3dvcmQ6", (again, answer) => {
    const password = decode(answer);
    return password === undefined ? badAnswer(answer) : logIn(again, username, password);
  });
}

function badAnswer(line: string): string {
  return line === "*" ? "BAD Cancelled by the client" : "BAD Not base64";
}

function decode(line: string): string | undefined {
  return BASE64.test(line) ? toUtf8(Buffer.from(line, "base64")) : undefined;
}
