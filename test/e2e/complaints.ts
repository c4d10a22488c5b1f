/** Warnings of the core that do not concern the relay, each with its reason. Everything else fails the suite. */

const expected: readonly [pattern: RegExp, reason: string][] = [
  [
    /Connection (refused|reset)|os error 1(04|11)|unexpected (EOF|end of file)|connection (was )?closed|BYE|421/i,
    "the suite stops the relay in mid-chat",
  ],
  [/Failed to connect|Could not connect|IMAP failed to|SMTP failed to connect/i, "the same"],
  [
    /Cannot login as|Failed to login|wrong password|Authentication failed/i,
    "the suite tries a wrong password",
  ],
  [/iroh|realtime|gossip/i, "no realtime relay is announced to these clients"],
  [/TURN|ICE server|stun:/i, "no TURN server is announced: the fallback's name does not resolve offline"],
  [/DNS|resolve/i, "no name resolution in the test network"],
];

export function isExpectedComplaint(text: string): boolean {
  return expected.some(([pattern]) => pattern.test(text));
}
