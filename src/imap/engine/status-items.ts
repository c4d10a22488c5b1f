/** Items of STATUS, also of LIST … RETURN (STATUS …): RFC 9051 §6.3.11, RFC 8438, RFC 7162 §3.1.7, RFC 9208 §4.1.4, RFC 7889 §4. */
import { Flag, type Mailbox } from "../../storage/store.ts";
import type { Args } from "./args.ts";
import type { ImapSettings } from "./services.ts";

const ITEMS: Readonly<Record<string, (mailbox: Mailbox, settings: ImapSettings) => number>> = {
  MESSAGES: (mailbox) => mailbox.messages.length,
  RECENT: () => 0,
  UIDNEXT: (mailbox) => mailbox.uidNext,
  UIDVALIDITY: (mailbox) => mailbox.uidValidity,
  UNSEEN: (mailbox) => mailbox.unseenCount,
  DELETED: (mailbox) => mailbox.deletedCount,
  "DELETED-STORAGE": deletedBytes,
  APPENDLIMIT: (_, settings) => settings.messageMaxBytes,
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
export function formatStatus(mailbox: Mailbox, items: readonly string[], settings: ImapSettings): string {
  return items.map((item) => `${item} ${ITEMS[item]?.(mailbox, settings) ?? 0}`).join(" ");
}

/** What EXPUNGE would free. Counted when asked for: few ask, and mostly nothing is deleted. */
function deletedBytes(mailbox: Mailbox): number {
  if (mailbox.deletedCount === 0) return 0;
  return mailbox.messages.reduce(
    (sum, { flags, size }) => ((flags & Flag.deleted) === 0 ? sum : sum + size),
    0,
  );
}
