import { expect, test } from "bun:test";
import { type Domain, parseDomain } from "../core/address.ts";
import type { PeerKey } from "../core/peer-key.ts";
import { everyServer, type FederationRules, isDismissed, judgeInbound, judgeOutbound } from "./federation.ts";

function domain(text: string): Domain {
  const parsed = parseDomain(text);
  if (parsed === undefined) throw new Error(`not a domain: ${text}`);
  return parsed;
}

function rules(policy: "ACCEPT" | "REJECT", listed: string[], enabled = true): FederationRules {
  const has = (peer: PeerKey) => listed.includes(peer);
  return { enabled, policy, hasRule: has, isDismissed: has };
}

const rows: readonly [name: string, rules: FederationRules, domain: string, out: string, inward: string][] = [
  ["nobody decided anything", everyServer, "peer.test", "accept", "accept"],
  ["ACCEPT without a rule", rules("ACCEPT", []), "peer.test", "accept", "accept"],
  ["ACCEPT with a rule", rules("ACCEPT", ["peer.test"]), "peer.test", "recipientRefused", "peerRefused"],
  ["a rule for the parent domain", rules("ACCEPT", ["test"]), "peer.test", "accept", "accept"],
  ["REJECT without a rule", rules("REJECT", []), "peer.test", "recipientRefused", "peerRefused"],
  ["REJECT with a rule", rules("REJECT", ["peer.test"]), "peer.test", "accept", "accept"],
  ["a rule for an address", rules("ACCEPT", ["192.0.2.1"]), "[192.0.2.1]", "recipientRefused", "peerRefused"],
  [
    "a rule for an IPv6 address",
    rules("REJECT", ["2001:db8::1"]),
    "[IPv6:2001:db8:0::1]",
    "accept",
    "accept",
  ],
  ["federation is off", rules("ACCEPT", [], false), "peer.test", "federationOff", "federationOff"],
];
for (const [name, given, peer, out, inward] of rows) {
  test(`${name}: mail to ${peer} gets ${out}, mail from it ${inward}`, () => {
    const [toIt, fromIt] = [judgeOutbound(given, domain(peer)), judgeInbound(given, domain(peer))];
    expect(toIt.do === "accept" ? "accept" : toIt.why).toBe(out as never);
    expect(fromIt.do === "accept" ? "accept" : fromIt.why).toBe(inward as never);
  });
}

test("mail to a dismissed server goes nowhere, brackets or not", () => {
  const given = rules("ACCEPT", ["192.0.2.1"]);
  expect(isDismissed(given, domain("192.0.2.1"))).toBe(true);
  expect(isDismissed(given, domain("192.0.2.2"))).toBe(false);
});
