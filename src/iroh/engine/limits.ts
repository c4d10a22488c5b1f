/** Every bound of the iroh relay. What operators may change comes from the configuration instead. */

/** From the answer to the upgrade to the last byte of the client's proof of its key. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Largest frame before that proof; real ones have 106 and 97 bytes. */
export const HANDSHAKE_FRAME_MAX_BYTES = 1024;
/** A client that was silent for so long, and the jitter on top, is asked whether it is there. */
export const KEEPALIVE_MS = 15_000;
export const KEEPALIVE_JITTER_MIN_MS = 1000;
export const KEEPALIVE_JITTER_MAX_MS = 5000;
/** Patience for an answer to that. */
export const PONG_TIMEOUT_MS = 5000;
/** A client that takes not one byte for so long, while some wait for it, is dropped. */
export const WRITE_STALL_MS = 2000;
/** What one frame carries at most between clients. */
export const PACKET_MAX_BYTES = 65_536;
/** Largest frame of the legacy stream; only frames of unknown types come near, and they are skipped. */
export const FRAME_MAX_BYTES = 1_048_576;
/** Largest message of a WebSocket: type, key and packet of the legacy family. */
export const MESSAGE_MAX_BYTES = 1 + 32 + PACKET_MAX_BYTES;
/** Given to the connection ahead of what the peer reads; what comes on top waits in the session's queue. */
export const OUTPUT_HIGH_WATER_BYTES = 256 * 1024;
/** The session's queue; beyond either bound packets are dropped, as routers do. */
export const QUEUE_MAX_PACKETS = 512;
export const QUEUE_MAX_BYTES = 4 * 1024 * 1024;
/** Peers that an endpoint wrote to, remembered to tell them when it leaves; the oldest are forgotten. */
export const SENT_TO_MAX = 1024;
/** Connections with the key of a newer one that are kept (current family); the oldest is closed. */
export const INACTIVE_MAX = 4;
/** Told to clients when the relay stops: when to come back, spread at random, and for how long to try. */
export const RECONNECT_MAX_MS = 5000;
export const RECONNECT_TRY_MS = 5000;
