/** Limits that more than one room must agree on. Each wire room keeps its own `limits` beside its parser. */

export const MIB = 1024 * 1024;
/** Header block of a message; a larger one is refused with `headerTooBig`. */
export const HEADER_MAX_BYTES = 256 * 1024;
/** A message up to this size stays in memory until it is accepted. */
export const SPOOL_MEMORY_MAX_BYTES = 64 * 1024;
/** Largest slice of a stored body that is in memory at once, per connection. */
export const BODY_SLICE_MAX_BYTES = 256 * 1024;
/** RFC 5321 §6.3: more trace headers than this are a loop. */
export const RECEIVED_MAX_COUNT = 50;
