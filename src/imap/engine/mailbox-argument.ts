/** Mailbox names as command arguments. */
import type { Args } from "./args.ts";
import { decodeMailboxName } from "./mailbox-name.ts";

/** A blank and a mailbox name. @returns undefined when no mailbox can have that name */
export function readMailbox(args: Args): string | undefined {
  args.space();
  return decodeMailboxName(args.astring());
}

/** As `readMailbox`, for a mailbox that is to be made: a separator at its end is dropped (RFC 9051 §6.3.4). */
export function readMailboxToMake(args: Args): string | undefined {
  args.space();
  return decodeMailboxName(args.astring().replace(/\/$/, ""));
}
