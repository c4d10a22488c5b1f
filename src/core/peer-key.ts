/** The name under which a server is known in rules and counters: `[192.0.2.1]` and `192.0.2.1` are one server. */
import { hostOf, parseDomain } from "./address.ts";

declare const brand: unique symbol;

/** Lower case, no brackets, IPv6 in its shortest form. */
export type PeerKey = string & { readonly [brand]: "PeerKey" };

/** @returns undefined for what is no domain and no IP address */
export function peerKey(text: string): PeerKey | undefined {
  const bare = text.trim().replace(/^\[(.*)\]$/, "$1");
  const ipv6 = shortestIpv6(bare.replace(/^ipv6:/i, ""));
  if (ipv6 !== undefined) return ipv6 as PeerKey;
  const domain = parseDomain(bare);
  return domain === undefined ? undefined : (hostOf(domain) as PeerKey);
}

/** RFC 5952, as every URL parser writes it. */
function shortestIpv6(text: string): string | undefined {
  if (!text.includes(":") || !/^[0-9a-f:.]+$/i.test(text)) return undefined;
  return URL.parse(`http://[${text}]/`)?.hostname.slice(1, -1);
}
