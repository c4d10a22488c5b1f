/** ID: RFC 2971. The name is told to users only, so that a prober learns nothing. What the client says is not kept. */
import { command } from "../command.ts";

export const id = command({
  name: "ID",
  allowed: "any",
  parse(args) {
    args.space();
    if (args.peek() === "(") args.list(() => args.nstring());
    else if (args.nstring() !== undefined) args.fail("expected a list or NIL");
  },
  run(session) {
    session.send(session.user === undefined ? "* ID NIL" : '* ID ("name" "madmail")');
    return "OK Id completed";
  },
});
