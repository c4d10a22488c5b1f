/** Short addresses that lead to a Delta Chat invitation: what may be one, and what an invitation looks like. */

export const SLUG_MIN_CHARS = 3;
export const SLUG_MAX_CHARS = 32;
export const CONTACT_NAME_MAX_CHARS = 80;
/** Fits a QR code with room to spare; invitations have about 300. */
const INVITE_MAX_CHARS = 1200;
const INVITE_PREFIX = "https://i.delta.chat/#";
const OPENPGP_PREFIX = "openpgp4fpr:";
/** Fingerprint, then parameters of unreserved, percent-encoded and the few other characters that links have. */
const INVITE = /^[0-9A-F]{40}(?:[#&][A-Za-z0-9%&=+.,_~@!*'()/:;?$-]*)?$/i;
const SLUG = /^[a-z0-9]{3,32}$/;
/** `url` of a slug that the operator keeps free. */
export const RESERVED_URL = "reserved";

/** First parts of paths that mean something already, here or in the predecessors. */
const reserved: ReadonlySet<string> = new Set(
  (
    "share new inv qr madmail mxdeliv info privacy security docs deploy help app apps admin api rest relay ping " +
    "webimap websmtp static assets index home site mail metrics healthz generate favicon robots login logout " +
    "account accounts register invite test about contact support status"
  ).split(" "),
);

/** A slug as it is kept: lower case. @returns undefined for what can be none */
export function parseSlug(text: string): string | undefined {
  const slug = text.trim().toLowerCase();
  return SLUG.test(slug) ? slug : undefined;
}

export function isReservedSlug(slug: string): boolean {
  return reserved.has(slug);
}

/**
 * An invitation as `openpgp4fpr:FINGERPRINT#…`, from that form or from the link that apps share.
 * @returns undefined for anything else
 */
export function parseInvite(text: string): string | undefined {
  const link = text.trim();
  if (link.length > INVITE_MAX_CHARS) return undefined;
  const prefix = [INVITE_PREFIX, OPENPGP_PREFIX].find((each) => link.toLowerCase().startsWith(each));
  if (prefix === undefined) return undefined;
  const rest = link.slice(prefix.length);
  return INVITE.test(rest) ? OPENPGP_PREFIX + rest.replace(/[#&]/, "#") : undefined;
}
