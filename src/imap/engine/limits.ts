/** Every bound of the IMAP engine, in one place; each is checked before bytes are kept. */

/** RFC 7162 §4 asks for 8192 at least, and for long lines where UID sets are sent; literals are not counted. */
export const LINE_MAX_BYTES = 64 * 1024;
/** Before login nobody needs more than two strings. */
export const LINE_BEFORE_LOGIN_MAX_BYTES = 8 * 1024;
/** One buffered literal: search texts, mailbox names, metadata values. */
export const LITERAL_MAX_BYTES = 64 * 1024;
/** A user name or a password. */
export const LITERAL_BEFORE_LOGIN_MAX_BYTES = 1024;
/** Literals of one command together, and how many. */
export const LITERALS_MAX_BYTES = 256 * 1024;
export const LITERALS_MAX_COUNT = 64;
/** RFC 7888 §5: with LITERAL- alone, 4096; we announce LITERAL+, so this bounds what is skipped of refused ones. */
export const SKIPPED_LITERAL_MAX_BYTES = 4 * 1024 ** 3;
/** Input that waits behind a running command; above it the peer is not read. */
export const PIPELINE_MAX_BYTES = 256 * 1024;
/** Output that waits for the peer; above it no further command is begun, no further body is read. */
export const OUTPUT_HIGH_BYTES = 256 * 1024;
/** Inside a large body: one slice and this wait for a peer that does not read, and the kernel has more to send meanwhile. */
export const BODY_HIGH_BYTES = 32 * 1024;
/** A wall against deep nesting in lists and search keys. */
export const NESTING_MAX = 32;
/** Ranges of one sequence set. */
export const SET_RANGES_MAX = 16 * 1024;
/** Items of one list: fetch items, header fields, metadata entries, search keys. */
export const LIST_MAX_ITEMS = 1024;
/** Commands that are not understood, in a row, before the peer is dismissed. */
export const BAD_COMMANDS_MAX = 20;
/** Before login, all together. */
export const BAD_COMMANDS_BEFORE_LOGIN_MAX = 5;
/** Failed logins on one connection. */
export const FAILED_LOGINS_MAX = 5;
/** Mailbox names, as UTF-8. */
export const MAILBOX_NAME_MAX_BYTES = 512;
/** RFC 5464: one annotation value. Push tokens have at most 4096 characters. */
export const METADATA_VALUE_MAX_BYTES = 32 * 1024;
