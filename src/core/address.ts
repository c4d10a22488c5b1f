/**
 * Mail addresses as this relay names them: lower case, an IPv4 domain in brackets.
 * Syntax: RFC 5321 §4.1.2 (`Mailbox`), without quoted local parts for local accounts.
 */
import { lowerAscii } from "./bytes.ts";

/** RFC 5321 §4.5.3.1.1 and §4.5.3.1.2 and §4.5.3.1.3. */
const LOCALPART_MAX_BYTES = 64;
const DOMAIN_MAX_BYTES = 255;
const ADDRESS_MAX_BYTES = 254;

/** A normalised `localpart@domain`: lower case, one `@`, IPv4 domains bracketed. */
export type Address = string & { readonly __brand: "Address" };
/** A normalised domain: lower case, no trailing dot, or an address literal in brackets. */
export type Domain = string & { readonly __brand: "Domain" };

const LOCALPART = /^[^\s@<>()[\]\\,;:"\u0000-\u001f\u007f]+$/u;
const DNS_NAME = /^(?!-)[a-z0-9_\-\u0080-\uffff]{1,63}(?<!-)(\.(?!-)[a-z0-9_\-\u0080-\uffff]{1,63}(?<!-))*$/u;
const IPV4 = /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/;
const IPV6_LITERAL = /^\[ipv6:[0-9a-f:.]{2,45}\]$/;

/** Normalises a mail address. @returns undefined when it is not `localpart@domain` in unquoted form. */
export function parseAddress(text: string): Address | undefined {
  const trimmed = text.trim();
  const at = trimmed.lastIndexOf("@");
  if (at < 1 || trimmed.length > ADDRESS_MAX_BYTES) return undefined;
  const localpart = lowerAscii(trimmed.slice(0, at));
  const domain = parseDomain(trimmed.slice(at + 1));
  if (domain === undefined || localpart.length > LOCALPART_MAX_BYTES) return undefined;
  if (!LOCALPART.test(localpart) || localpart.startsWith(".") || localpart.endsWith(".")) return undefined;
  return `${localpart}@${domain}` as Address;
}

/** Normalises a domain: `Example.ORG.` → `example.org`, `1.2.3.4` → `[1.2.3.4]`. */
export function parseDomain(text: string): Domain | undefined {
  const lower = lowerAscii(text.trim()).replace(/\.$/, "");
  if (lower.length > DOMAIN_MAX_BYTES) return undefined;
  if (IPV4.test(lower)) return `[${lower}]` as Domain;
  if (lower.startsWith("[")) {
    if (lower.endsWith("]") && IPV4.test(lower.slice(1, -1))) return lower as Domain;
    return IPV6_LITERAL.test(lower) ? (lower as Domain) : undefined;
  }
  return DNS_NAME.test(lower) ? (lower as Domain) : undefined;
}

export function domainOf(address: Address): Domain {
  return address.slice(address.lastIndexOf("@") + 1) as Domain;
}

export function localpartOf(address: Address): string {
  return address.slice(0, address.lastIndexOf("@"));
}

/** The part of a domain that a client can connect to: address literals lose their brackets. */
export function hostOf(domain: string): string {
  return domain.replace(/^\[(?:ipv6:)?(.*)\]$/i, "$1");
}
