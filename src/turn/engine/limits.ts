/** Every bound of the engine that the operator does not set. Times in milliseconds unless named otherwise. */

/** RFC 8656 §7.2: what an allocation lives without a wish of the client, and the most it may wish. */
export const LIFETIME_DEFAULT_S = 600;
export const LIFETIME_MAX_S = 3600;
/** RFC 8656 §9. */
export const PERMISSION_LIFETIME_MS = 300_000;
/** RFC 8656 §12. */
export const CHANNEL_LIFETIME_MS = 600_000;
/** RFC 8656 §7.2 wants at least 30 s for the second port of a pair. */
export const RESERVATION_LIFETIME_MS = 30_000;
/** RFC 8656 §12 has 0x4000 to 0x4FFF; clients of RFC 5766 take any up to 0x7FFE. */
export const CHANNEL_MIN = 0x4000;
export const CHANNEL_MAX = 0x7ffe;
/** Peers that one allocation may talk to at once. */
export const PERMISSIONS_MAX = 64;
export const CHANNELS_MAX = 64;
/** Ports tried before an Allocate is refused with 508. */
export const PORT_TRIES_MAX = 16;
/** RFC 8489 §9.2 leaves it to the server; an older nonce is answered with 438, which clients retry by themselves. */
export const NONCE_LIFETIME_MS = 3_600_000;
/** A living allocation may be refreshed this long after its credentials ran out. */
export const CREDENTIALS_GRACE_S = 3600;
/** RFC 8489 §14.3. */
export const USERNAME_MAX_BYTES = 513;
/** How many unknown attributes an answer names; more would let answers outgrow requests. */
export const UNKNOWN_NAMED_MAX = 8;
/** Attributes that are looked at in one message; a message with more is dropped. */
export const ATTRIBUTES_MAX = 64;
/** Largest payload of one UDP datagram over IPv4. */
export const DATAGRAM_MAX_BYTES = 65_507;
