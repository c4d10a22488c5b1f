/** Where a client wants to go: the SOCKS5 address that opens its stream (RFC 1928 §5). */

/** Type, length of the name, the longest name, port. */
export const TARGET_MAX_BYTES = 1 + 1 + 255 + 2;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;

export type ParsedTarget =
  /** `length` counts the bytes of the address. The host is nobody's business here: all targets are this relay. */
  { kind: "target"; port: number; length: number } | { kind: "more" } | { kind: "bad" };

export function parseTarget(bytes: Uint8Array): ParsedTarget {
  const hostEnd = endOfHost(bytes);
  if (hostEnd === 0) return { kind: "bad" };
  const [high, low] = [bytes[hostEnd], bytes[hostEnd + 1]];
  if (high === undefined || low === undefined) return { kind: "more" };
  return { kind: "target", port: high * 256 + low, length: hostEnd + 2 };
}

/** @returns 0 for an unknown type or an empty name, beyond the end where it is not known yet */
function endOfHost(bytes: Uint8Array): number {
  switch (bytes[0]) {
    case undefined:
      return 1;
    case IPV4:
      return 1 + 4;
    case IPV6:
      return 1 + 16;
    case NAME: {
      const length = bytes[1];
      if (length === 0) return 0;
      return 2 + (length ?? 0);
    }
    default:
      return 0;
  }
}
