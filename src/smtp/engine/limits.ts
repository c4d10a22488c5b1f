/** Limits of an SMTP connection. Checked before anything is kept. Message size and recipients come from the mail door. */

/** RFC 5321 §4.5.3.1.4, CRLF included. */
export const COMMAND_LINE_MAX_BYTES = 512;
/** MAIL and RCPT with what the extensions add: RFC 1870, RFC 6152, RFC 6531 §3.4, RFC 4954 §5, RFC 3461 §5. */
export const ENVELOPE_LINE_MAX_BYTES = 1100;
/** AUTH and the lines that answer its challenges: RFC 4954 §4. */
export const AUTH_LINE_MAX_BYTES = 12_288;
/** An over-long line is read to its end, so that it gets one reply; beyond this the peer is not talking SMTP. */
export const LINE_DRAIN_MAX_BYTES = 64 * 1024;
/** A message that is too big is read to its end, so that its rest is never taken for commands; up to this excess. */
export const BODY_DRAIN_MAX_BYTES = 256 * 1024 * 1024;

/** Commands that fail for their form or order; then 421. */
export const BAD_COMMANDS_MAX = 20;
/** Recipients refused on one connection without a login; then 421. Such a peer is trying names out, or relays. */
export const REFUSED_RECIPIENTS_MAX = 100;
/** Commands that move nothing forward (NOOP, RSET, VRFY, EHLO, HELP) since the last accepted message; then 421. */
export const IDLE_COMMANDS_MAX = 200;
/** Failed logins on one connection; then 421. */
export const LOGIN_FAILURES_MAX = 5;

/** Input that waits for an answer; above it the peer is paused. A thousand pipelined RCPT fit. */
export const HELD_INPUT_PAUSE_BYTES = 128 * 1024;
/** Replies that the peer does not read; above it the peer is paused. */
export const UNREAD_REPLIES_PAUSE_BYTES = 64 * 1024;

/** RFC 5321 §4.5.3.2.7: at least 5 minutes between commands. */
export const COMMAND_IDLE_MAX_MS = 5 * 60_000;
/** Between two pieces of a message: RFC 5321 §4.5.3.2.5 and §4.5.3.2.6. */
export const BODY_IDLE_MAX_MS = 10 * 60_000;
/** From connecting to the login, or on port 25 to the first sender: however slowly the peer drips. */
export const PRELUDE_MAX_MS = 5 * 60_000;
/** A whole message: 30 MiB at 64 kbit/s. */
export const BODY_TOTAL_MAX_MS = 70 * 60_000;
/**
 * A verdict that is not there after this is given up, if it still can be: 451, and the peer comes again. Senders wait
 * a minute for the reply and then send again; storage, once it writes, takes 15 s at most for a message and as much
 * for a report about it (storage/landing.ts).
 */
export const VERDICT_MAX_MS = 20_000;
/** A failed login is answered after this, times the failures so far on the connection. */
export const LOGIN_DELAY_STEP_MS = 1000;
export const LOGIN_DELAY_MAX_MS = 5000;
