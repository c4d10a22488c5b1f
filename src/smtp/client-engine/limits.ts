/** Limits of an SMTP connection that this relay opens. */

/** RFC 5321 §4.5.3.1.5 says 512; servers with long help links go beyond. */
export const REPLY_LINE_MAX_BYTES = 4096;
/** Lines of one reply; EHLO has some twenty. */
export const REPLY_LINES_MAX = 128;
/** Of a reply, what a bounce quotes. */
export const REPLY_TEXT_MAX_CHARS = 500;

/**
 * Until the session is open. RFC 5321 §4.5.3.2.1 would wait five minutes for the greeting: a server that hangs is
 * better left for the next one, and tried again later.
 */
export const OPENING_MAX_MS = 60_000;
/** RFC 5321 §4.5.3.2.2 and §4.5.3.2.3. */
export const COMMAND_MAX_MS = 5 * 60_000;
/** RFC 5321 §4.5.3.2.4. */
export const DATA_MAX_MS = 2 * 60_000;
/** RFC 5321 §4.5.3.2.5. */
export const BODY_STALL_MAX_MS = 3 * 60_000;
/** RFC 5321 §4.5.3.2.6. */
export const BODY_REPLY_MAX_MS = 10 * 60_000;
/** RSET and QUIT; nothing hangs on them. */
export const COURTESY_MAX_MS = 10_000;
