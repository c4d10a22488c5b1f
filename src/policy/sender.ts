/** MAIL FROM: who may use which sender. Asked before any message; its refusals are shown at RCPT. */
import { type Address, type Domain, domainOf } from "../core/address.ts";
import { accept, refuse, type Verdict } from "../core/verdict.ts";
import { type FederationRules, judgeInbound } from "./federation.ts";

/** Who speaks, before any message. */
export interface Speaker {
  via: "submission" | "smtp" | "http";
  /** The login on submission; null elsewhere. */
  login: Address | null;
}

/**
 * Submission: exactly the login (RFC 6409 §6.1). From outside: anything but our own domains, whose users submit, and
 * the servers that the operator keeps out; the null reverse-path always (RFC 5321 §4.5.5).
 */
export function judgeSender(
  speaker: Speaker,
  sender: Address | null,
  isLocal: (domain: Domain) => boolean,
  rules: FederationRules,
): Verdict {
  if (speaker.via === "submission") {
    if (speaker.login === null) return refuse("authRequired");
    return sender === speaker.login ? accept : refuse("senderNotYours");
  }
  if (sender === null) return accept;
  const domain = domainOf(sender);
  return isLocal(domain) ? refuse("senderRefused") : judgeInbound(rules, domain);
}
