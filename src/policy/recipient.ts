/**
 * RCPT TO and what becomes of each recipient at the end of DATA. Decided from caches only, never by waiting.
 *
 * - On submission an unknown local recipient passes RCPT: clients give up the whole transaction when one RCPT is
 *   refused, and a group must not fall silent because a member left. The sender hears of it by a report.
 * - From outside every local name passes and unknown ones vanish, so that names can't be tried out.
 */
import { isReservedName } from "../auth/names.ts";
import { type Address, type Domain, domainOf, localpartOf } from "../core/address.ts";
import { accept, refuse, type Verdict } from "../core/verdict.ts";
import { type FederationRules, isDismissed, judgeOutbound } from "./federation.ts";
import type { Speaker } from "./sender.ts";

/** What the decisions need of accounts; answers at once. */
export interface AccountLookup {
  exists(address: Address): boolean;
  blocked(address: Address): boolean;
  /** Mailbox size limit in bytes; 0 is unlimited. */
  quotaBytes(address: Address): number;
}

/** Recipients by their fate, each address once, in the order of their first mention. */
export interface SortedRecipients {
  known: Address[];
  /** No such mailbox, or a blocked one: the two look alike. */
  unknown: Address[];
  /** On other servers. */
  remote: Address[];
  /** On servers whose mail is to go nowhere. */
  dismissed: Address[];
}

/** The answer at RCPT. */
export function judgeRecipient(
  speaker: Speaker,
  recipient: Address,
  isLocal: (domain: Domain) => boolean,
  rules: FederationRules,
  isOpenRelay = false,
): Verdict {
  const domain = domainOf(recipient);
  if (isLocal(domain)) return accept;
  return maySendOn(speaker, isOpenRelay) ? judgeOutbound(rules, domain) : refuse("relayDenied");
}

/** Whose mail for other servers is taken: users', and on an open relay what comes by port 25. */
function maySendOn({ via }: Speaker, isOpenRelay: boolean): boolean {
  return via === "submission" || (isOpenRelay && via === "smtp");
}

/** Who of the accepted recipients has a mailbox to deliver to, and who is elsewhere. */
export function sortRecipients(
  speaker: Speaker,
  recipients: readonly Address[],
  accounts: AccountLookup,
  isLocal: (domain: Domain) => boolean,
  rules: FederationRules,
  isOpenRelay = false,
): SortedRecipients {
  const sorted: SortedRecipients = { known: [], unknown: [], remote: [], dismissed: [] };
  const outside = speaker.via !== "submission";
  for (const recipient of new Set(recipients)) {
    const domain = domainOf(recipient);
    if (!isLocal(domain) && maySendOn(speaker, isOpenRelay)) {
      sorted[isDismissed(rules, domain) ? "dismissed" : "remote"].push(recipient);
      continue;
    }
    const closed = outside && isReservedName(localpartOf(recipient));
    const known = !closed && accounts.exists(recipient) && !accounts.blocked(recipient);
    (known ? sorted.known : sorted.unknown).push(recipient);
  }
  return sorted;
}
