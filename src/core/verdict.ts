/**
 * Every reason for which this relay refuses or drops mail, and its text on each wire.
 * The name is also the counter's label. Syntax replies live in smtp/engine/replies.ts.
 * Enhanced codes: RFC 3463. Texts that clients look for are kept to the letter:
 * "Invalid Unencrypted Mail", "4.7.1: Too much mail from".
 */
export const refusals = {
  // biome-ignore format: a table reads best aligned
  //                     SMTP  enhanced  HTTP  text for the peer
  encryptionNeeded:     [523, "5.7.1", 403, "Encryption Needed: Invalid Unencrypted Mail"],
  senderRefused: [554, "5.7.1", 403, "Policy Rejection"],
  senderNotYours: [553, "5.7.1", 403, "Sender address is not the one you are logged in as"],
  fromMismatch: [500, "5.7.1", 403, "Invalid FROM: the header does not match the envelope sender"],
  fromUnusable: [500, "5.6.0", 400, "Invalid FROM header: exactly one address is needed"],
  authRequired: [530, "5.7.0", 401, "Authentication required"],
  relayDenied: [550, "5.7.1", 403, "Relaying denied"],
  recipientUnknown: [550, "5.1.1", 404, "No such mailbox here"],
  recipientSyntax: [501, "5.1.3", 400, "Bad recipient address syntax"],
  recipientBlocked: [550, "5.2.1", 403, "Mailbox is disabled"],
  federationOff: [550, "5.7.1", 403, "This relay does not exchange mail with other servers"],
  recipientRefused: [
    550,
    "5.7.1",
    403,
    "This relay sends no mail to that server: its operator's federation policy",
  ],
  peerRefused: [
    550,
    "5.7.1",
    403,
    "This relay takes no mail from your server: its operator's federation policy",
  ],
  queueFull: [451, "4.3.2", 503, "Too much mail waits for other servers, try again later"],
  mailboxFull: [552, "5.2.2", 507, "Quota exceeded (mailbox for user is full)"],
  messageTooBig: [552, "5.3.4", 413, "Message exceeds maximum size"],
  headerTooBig: [552, "5.3.4", 413, "Message header exceeds maximum size"],
  tooManyRecipients: [452, "4.5.3", 429, "Too many recipients"],
  tooMuchMail: [450, "4.7.1", 429, "4.7.1: Too much mail from this account, wait a little"],
  mailLoop: [554, "5.4.6", 400, "Too many Received headers: mail loop"],
  malformedMessage: [554, "5.6.0", 400, "Message is malformed"],
  storageFull: [452, "4.3.1", 507, "Insufficient system storage"],
  storageFailed: [451, "4.3.0", 500, "Try again later"],
  shuttingDown: [421, "4.3.2", 503, "Service shutting down"],
  unsigned: [554, "5.7.1", 400, "No DKIM signature found"],
  badSignature: [554, "5.7.1", 400, "No valid DKIM signature found"],
  signatureUnclear: [451, "4.7.5", 503, "DKIM key could not be looked up, try again later"],
  silentlyDismissed: [250, "2.0.0", 200, "OK"],
} as const satisfies Record<string, readonly [smtp: number, enhanced: string, http: number, text: string]>;

export type Refusal = keyof typeof refusals;

/** `drop`: accepted on the wire, delivered nowhere. */
export type Verdict = { do: "accept" } | { do: "refuse" | "drop"; why: Refusal };

export const accept: Verdict = { do: "accept" };
export function refuse(why: Refusal): Verdict {
  return { do: "refuse", why };
}
