/**
 * IDLE: RFC 9051 §6.3.13. The server looks at the mailbox at once and then whenever it is told that something changed.
 * The handler of the closing line is one function for all sessions: an idle session holds no closure.
 */
import { command, noArguments } from "../command.ts";
import type { Outcome, Session } from "../session.ts";

export const idle = command({
  name: "IDLE",
  allowed: "authenticated",
  parse: noArguments,
  run(session) {
    session.send("+ idling");
    session.news(true);
    session.idling = true;
    session.lineHandler = endIdle;
    session.transport.idling(true);
    return undefined;
  },
});

function endIdle(session: Session, line: string): Outcome {
  session.idling = false;
  session.transport.idling(false);
  return line.trim().toUpperCase() === "DONE" ? "OK Idle completed" : "BAD IDLE: expected DONE";
}
