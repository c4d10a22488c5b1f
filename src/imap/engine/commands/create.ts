/** CREATE: RFC 9051 §6.3.4. */
import { command } from "../command.ts";
import { readMailboxToMake } from "../mailbox-argument.ts";

export const create = command({
  name: "CREATE",
  allowed: "authenticated",
  parse(args) {
    const name = readMailboxToMake(args);
    let special = false;
    // RFC 6154 §3: CREATE-SPECIAL-USE is not announced; who asks all the same learns that.
    if (args.more()) {
      args.expect("(USE ");
      special = args.list(() => args.flag()).length > 0;
      args.expect(")");
    }
    return { name, special };
  },
  async run(session, { name, special }) {
    if (special) return "NO [USEATTR] Special uses go by name here";
    if (name === undefined) return "NO [CANNOT] No mailbox can have that name";
    const account = await session.account();
    await account.create(name);
    return "OK Create completed";
  },
});
