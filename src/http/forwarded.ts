/**
 * Whose request it is. The socket's address, unless that is a proxy which the operator trusts: then what the proxy says
 * in `X-Forwarded-For`, read from its end, as everything before was written by somebody else.
 */
import { isIP } from "node:net";

const HOPS_MAX = 20;

/**
 * @param socketAddress of whoever connected
 * @param forwarded the header `X-Forwarded-For`, or null
 * @param trusted addresses of proxies, as they connect
 */
export function clientAddress(
  socketAddress: string,
  forwarded: string | null,
  trusted: readonly string[],
): string {
  let address = plain(socketAddress);
  if (forwarded === null || trusted.length === 0) return address;
  const hops = forwarded.split(",").slice(-HOPS_MAX);
  while (trusted.includes(address)) {
    const hop = plain(hops.pop()?.trim() ?? "");
    // A proxy that does not say for whom it asks asks for itself.
    if (isIP(hop) === 0) return address;
    address = hop;
  }
  return address;
}

/** Without what IPv6 sockets write around an IPv4 address. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "").toLowerCase();
}
