/**
 * Networks that a relay on the Internet must not lead into (RFC 8656 §21.1.5): private and local ones, those without
 * hosts, and the ways of writing IPv4 inside IPv6 that would get around the list.
 */
import { parseIp } from "./ip.ts";

/** RFC 6890 and the registries behind it. Everything from 224.0.0.0 on is multicast, reserved or broadcast. */
const forbiddenIpv4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.31.196.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
].map(parseNetwork);

/** Of IPv6 only global unicast is open, less what is for documentation and tunnels (Teredo, ORCHID, 6to4). */
const openIpv6 = parseNetwork("2000::/3");
const forbiddenIpv6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"].map(parseNetwork);
/** RFC 6052 §2.1: an IPv4 address in the last four bytes. */
const nat64 = parseNetwork("64:ff9b::/96");

interface Network {
  readonly ip: Uint8Array;
  readonly bits: number;
}

/** @param ip 4 or 16 bytes */
export function isForbiddenNetwork(ip: Uint8Array): boolean {
  if (ip.length === 4) return forbiddenIpv4.some((network) => contains(network, ip));
  if (contains(nat64, ip)) return isForbiddenNetwork(ip.subarray(12));
  return !contains(openIpv6, ip) || forbiddenIpv6.some((network) => contains(network, ip));
}

function contains({ ip, bits }: Network, other: Uint8Array): boolean {
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (ip[i] !== other[i]) return false;
  const rest = bits & 7;
  return rest === 0 || (ip[whole] ?? 0) >> (8 - rest) === (other[whole] ?? 0) >> (8 - rest);
}

function parseNetwork(text: string): Network {
  const [address = "", bits] = text.split("/");
  const ip = parseIp(address);
  if (ip === undefined) throw new Error(`not a network: ${text}`);
  return { ip, bits: Number(bits) };
}
