/** Items of STATUS, also of LIST … RETURN (STATUS …): RFC 9051 §6.3.11, RFC 8438, RFC 7162 §3.1.7. */
import type { Mailbox } from "../../storage/store.ts";
import type { Args } from "./args.ts";

const ITEMS: Readonly<Record<string, (mailbox: Mailbox) => number>> = {
  MESSAGES: (mailbox) => mailbox.messages.length,
  RECENT: () => 0,
  UIDNEXT: (mailbox) => mailbox.uidNext,
  UIDVALIDITY: (mailbox) => mailbox.uidValidity,
  UNSEEN: (mailbox) => mailbox.unseenCount,
  DELETED: (mailbox) => mailbox.deletedCount,
  SIZE: (mailbox) => mailbox.totalBytes,
  HIGHESTMODSEQ: (mailbox) => mailbox.highestModseq,
};

/** `(MESSAGES UIDNEXT …)` */
export function readStatusItems(args: Args): string[] {
  const items = args.list(() => {
    const item = args.word();
    if (args.ok && !Object.hasOwn(ITEMS, item)) args.fail("unknown status item");
    return item;
  });
  if (items.length === 0) args.fail("expected status items");
  return items;
}

/** The inside of a STATUS response's list. */
export function formatStatus(mailbox: Mailbox, items: readonly string[]): string {
  return items.map((item) => `${item} ${ITEMS[item]?.(mailbox) ?? 0}`).join(" ");
}
