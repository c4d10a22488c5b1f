/**
 * Which addresses are somewhere in the Internet. Names under other people's control may resolve to anything; a relay
 * that connects wherever they say could be sent against its own machine and network (SSRF).
 * RFC 6890 with its successors in the IANA special-purpose registries.
 */

/** Network and prefix length. */
const special4: readonly (readonly [number, number])[] = [
  [ipv4Number(0, 0, 0, 0), 8],
  [ipv4Number(10, 0, 0, 0), 8],
  // Shared with carriers' NAT, RFC 6598.
  [ipv4Number(100, 64, 0, 0), 10],
  [ipv4Number(127, 0, 0, 0), 8],
  [ipv4Number(169, 254, 0, 0), 16],
  [ipv4Number(172, 16, 0, 0), 12],
  [ipv4Number(192, 0, 0, 0), 24],
  [ipv4Number(192, 0, 2, 0), 24],
  [ipv4Number(192, 168, 0, 0), 16],
  [ipv4Number(198, 18, 0, 0), 15],
  [ipv4Number(198, 51, 100, 0), 24],
  [ipv4Number(203, 0, 113, 0), 24],
  // Multicast, reserved, broadcast.
  [ipv4Number(224, 0, 0, 0), 3],
];

/** @param address IPv4 or IPv6 text; anything else is not public */
export function isPublicAddress(address: string): boolean {
  const four = readIpv4(address);
  if (four !== undefined) return isPublicIpv4(four);
  const groups = readIpv6(address);
  if (groups === undefined) return false;
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  const embedded = ((g << 16) | h) >>> 0;
  const isMapped = a === 0 && b === 0 && c === 0 && d === 0 && e === 0 && f === 0xffff;
  // NAT64 (RFC 6052) and 6to4 (RFC 3056) carry an IPv4 address inside.
  if (isMapped || (a === 0x64 && b === 0xff9b && c + d + e + f === 0)) return isPublicIpv4(embedded);
  if (a === 0x2002) return isPublicIpv4(((b << 16) | c) >>> 0);
  // Global unicast is 2000::/3 so far; of it, 2001::/23 are protocols and 2001:db8::/32 and 3fff::/20 documentation.
  if (a >> 13 !== 1) return false;
  return !(a === 0x2001 && (b < 0x200 || b === 0xdb8)) && !(a === 0x3fff && b < 0x1000);
}

/** The same address in one form, for comparing. @returns undefined for what is no address */
export function canonicalAddress(address: string): string | undefined {
  const four = readIpv4(address);
  if (four !== undefined) return address;
  const groups = readIpv6(address);
  if (groups === undefined) return undefined;
  const [a, b, c, d, e, f, g = 0, h = 0] = groups;
  if (a === 0 && b === 0 && c === 0 && d === 0 && e === 0 && f === 0xffff) {
    return [g >> 8, g & 255, h >> 8, h & 255].join(".");
  }
  return groups.map((group) => group.toString(16)).join(":");
}

function isPublicIpv4(value: number): boolean {
  return special4.every(([network, length]) => value >>> (32 - length) !== network >>> (32 - length));
}

function ipv4Number(a: number, b: number, c: number, d: number): number {
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

function readIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  const [a = 256, b = 256, c = 256, d = 256] = match.slice(1).map(Number);
  return Math.max(a, b, c, d) > 255 ? undefined : ipv4Number(a, b, c, d);
}

/** Eight groups; a zone index makes it local, and no address here. */
function readIpv6(text: string): number[] | undefined {
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const four = tail?.[2] === undefined ? undefined : readIpv4(tail[2]);
  if (tail !== null && four === undefined) return undefined;
  const plain =
    four === undefined ? text : `${tail?.[1]}${(four >>> 16).toString(16)}:${(four & 0xffff).toString(16)}`;
  const [front = "", back, ...more] = plain.split("::");
  if (more.length > 0 || !/^[0-9a-fA-F:]+$/.test(plain)) return undefined;
  const left = front === "" ? [] : front.split(":");
  const right = back === undefined || back === "" ? [] : back.split(":");
  const missing = 8 - left.length - right.length;
  if (back === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...left, ...Array.from({ length: missing }, () => "0"), ...right];
  return groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))
    ? groups.map((group) => Number.parseInt(group, 16))
    : undefined;
}
