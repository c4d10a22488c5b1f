/**
 * IP addresses as bytes and as text. The text is canonical (RFC 5952, as the system prints addresses), so that equal
 * addresses are equal strings.
 */

export type Family = 4 | 6;

export function familyOf(text: string): Family {
  return text.includes(":") ? 6 : 4;
}

/** @returns 4 or 16 bytes, or undefined when `text` is no IP address; a zone index is ignored */
export function parseIp(text: string): Uint8Array | undefined {
  if (!text.includes(":")) return parseIpv4(text);
  const [bare = ""] = text.split("%");
  const halves = bare.split("::");
  if (halves.length > 2) return undefined;
  const front = groupsOf(halves[0] ?? "");
  const back = groupsOf(halves[1] ?? "");
  if (front === undefined || back === undefined) return undefined;
  const missing = 16 - front.length - back.length;
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  return Uint8Array.from([...front, ...Array.from({ length: missing }, () => 0), ...back]);
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256))
    return undefined;
  return Uint8Array.from(parts, Number);
}

/** The bytes of `a:b:c` or `a:b:1.2.3.4`. */
function groupsOf(text: string): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [i, group] of groups.entries()) {
    const ipv4 = i === groups.length - 1 && group.includes(".") ? parseIpv4(group) : undefined;
    if (ipv4 !== undefined) bytes.push(...ipv4);
    else if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    } else return undefined;
  }
  return bytes.length <= 16 ? bytes : undefined;
}

/** @param ip 4 or 16 bytes */
export function formatIp(ip: Uint8Array): string {
  if (ip.length === 4) return `${ip[0]}.${ip[1]}.${ip[2]}.${ip[3]}`;
  const groups = Array.from({ length: 8 }, (_, i) => ((ip[i * 2] ?? 0) << 8) | (ip[i * 2 + 1] ?? 0));
  const [start, length] = longestZeros(groups);
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

function longestZeros(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  let length = 0;
  for (const [i, group] of groups.entries()) {
    length = group === 0 ? length + 1 : 0;
    if (length > best[1]) best = [i - length + 1, length];
  }
  return best;
}

/** `text` in its canonical form: IPv4 inside IPv6 is IPv4. @returns undefined when it is no IP address */
export function canonicalIp(text: string): string | undefined {
  const ip = parseIp(text);
  if (ip === undefined) return undefined;
  const mapped =
    ip.length === 16 && ip[10] === 0xff && ip[11] === 0xff && ip.subarray(0, 10).every((b) => b === 0);
  return formatIp(mapped ? ip.subarray(12) : ip);
}
