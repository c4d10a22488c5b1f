/**
 * With which servers this relay exchanges mail. Decided from memory; asked at MAIL, at RCPT, for the author of what came,
 * and once more before each attempt to send, so that a change of the rules takes effect at once.
 */
import type { Domain } from "../core/address.ts";
import { type PeerKey, peerKey } from "../core/peer-key.ts";
import { accept, refuse, type Verdict } from "../core/verdict.ts";

/** What the operator decided; answers at once. */
export interface FederationRules {
  readonly enabled: boolean;
  /** Whether a server without a rule is welcome: under ACCEPT a rule refuses, under REJECT it admits. */
  readonly policy: "ACCEPT" | "REJECT";
  hasRule(peer: PeerKey): boolean;
  /** Mail to it is accepted and thrown away. */
  isDismissed(peer: PeerKey): boolean;
}

/** Before anybody decided anything: every server is welcome. */
export const everyServer: FederationRules = {
  enabled: true,
  policy: "ACCEPT",
  hasRule: () => false,
  isDismissed: () => false,
};

/** May mail leave for that server? */
export function judgeOutbound(rules: FederationRules, domain: Domain): Verdict {
  if (!rules.enabled) return refuse("federationOff");
  return admits(rules, domain) ? accept : refuse("recipientRefused");
}

/** May mail come from that server? */
export function judgeInbound(rules: FederationRules, domain: Domain): Verdict {
  if (!rules.enabled) return refuse("federationOff");
  return admits(rules, domain) ? accept : refuse("peerRefused");
}

/** Whether mail to that server goes nowhere, without a word to the sender. */
export function isDismissed(rules: FederationRules, domain: Domain): boolean {
  const key = peerKey(domain);
  return key !== undefined && rules.isDismissed(key);
}

function admits(rules: FederationRules, domain: Domain): boolean {
  const key = peerKey(domain);
  const hasRule = key !== undefined && rules.hasRule(key);
  return hasRule === (rules.policy === "REJECT");
}
