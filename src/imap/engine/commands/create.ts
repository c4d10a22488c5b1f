/** CREATE: RFC 9051 §6.3.4, with CREATE-SPECIAL-USE (RFC 6154 §3). */
import { command } from "../command.ts";
import { readMailboxToMake } from "../mailbox-argument.ts";
import { specialUseOf } from "../special-use.ts";

export const create = command({
  name: "CREATE",
  allowed: "authenticated",
  parse(args) {
    const name = readMailboxToMake(args);
    let uses: string[] = [];
    if (args.more()) {
      args.expect("(USE ");
      uses = args.list(() => args.flag());
      args.expect(")");
    }
    return { name, uses };
  },
  async run(session, { name, uses }) {
    if (name === undefined) return "NO [CANNOT] No mailbox can have that name";
    // A use that the name does not have would be forgotten; then no mailbox may be made at all.
    const own = specialUseOf(name)?.toLowerCase();
    if (uses.some((use) => use.toLowerCase() !== own)) return "NO [USEATTR] Special uses go by name here";
    const account = await session.account();
    await account.create(name);
    return "OK Create completed";
  },
});
