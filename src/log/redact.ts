/**
 * The safety net under the log: takes out of free text what could name a person. Events carry none of it by design;
 * error texts of the runtime may (a path of a mailbox, the address of a peer).
 */

const ADDRESS = /[^\s<>"'`()[\],;:=/\\]+(?:@|%40)(?:\[[^\]\s]*\]|[^\s<>"'`()[\],;:/\\]+)/gi;
/** A mailbox's files lie below `mail/<user>/`; whatever stands around that goes with it. */
const MAIL_PATH = /[^\s"'`<>]*[/\\](?:mail|Maildir)[/\\][^\s"'`<>]*/gi;
const IPV4 = /(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)/g;
/** Candidates only: at least two colons between hexadecimal groups; `isIpv6` leaves out clock times and positions. */
const IPV6 = /(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])/gi;
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;
/** Credentials in links and headers. */
const SECRET = /\b(dclogin|dcaccount|openpgp4fpr|openpgp|basic|bearer)(:|\s+)\S+/gi;

/** @returns one line of at most `maxChars`, without addresses, IP addresses, mail paths and credentials */
export function redact(text: string, maxChars = 500): string {
  // Cut first: the cost of what follows then has a bound, whatever text comes. Twice, because markers may be longer.
  return text
    .slice(0, maxChars * 4)
    .replace(CONTROL, " ")
    .replace(SECRET, "$1$2<secret>")
    .replace(MAIL_PATH, "<path>")
    .replace(ADDRESS, "<address>")
    .replace(IPV4, "<ip>")
    .replace(IPV6, (found) => (isIpv6(found) ? "<ip>" : found))
    .slice(0, maxChars);
}

function isIpv6(text: string): boolean {
  const groups = text.split(":");
  return text.includes("::") ? text.length > 2 : groups.length === 8;
}
