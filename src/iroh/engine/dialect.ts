/**
 * The two families of the relay protocol, and what differs between versions: numbers of frames, and which may come.
 * `legacy`: iroh up to 0.90, which Delta Chat speaks. `v1` and `v2`: iroh from 0.91 and from 0.98 on.
 */
import type { Frame } from "./frame.ts";
import { KEY_BYTES } from "./handshake.ts";
import { PACKET_MAX_BYTES } from "./limits.ts";

const PING_BYTES = 8;
/** Explicit congestion notification, copied through. */
const ECN_BYTES = 1;
const SEGMENT_SIZE_BYTES = 2;

export type DialectName = "legacy" | "v1" | "v2";

export interface Dialect {
  readonly name: DialectName;
  /** The first frame of a client: its claim to a key. */
  readonly claim: number;
  readonly ping: number;
  readonly pong: number;
  readonly peerGone: number;
  readonly restarting: number;
  /** Whether a frame may come after the handshake, by type and length of its body. */
  judge(type: number, bodyBytes: number): "take" | "skip" | "refuse";
  /** Whether the frame carries a packet; the receiver's key then begins its body. */
  isPacket(type: number): boolean;
  /** Makes a packet of a client what its receiver gets, but for the key. */
  turn(frame: Frame): void;
}

const CLIENT_INFO = 2;
const SEND_PACKET = 4;
const RECV_PACKET = 5;
const NOTE_PREFERRED = 7;

const legacy: Dialect = {
  name: "legacy",
  claim: CLIENT_INFO,
  peerGone: 8,
  ping: 12,
  pong: 13,
  restarting: 15,
  judge(type, bodyBytes) {
    if (type === SEND_PACKET) {
      return bodyBytes >= KEY_BYTES && bodyBytes <= KEY_BYTES + PACKET_MAX_BYTES ? "take" : "refuse";
    }
    if (type === this.ping || type === this.pong) return bodyBytes === PING_BYTES ? "take" : "refuse";
    return "skip";
  },
  isPacket: (type) => type === SEND_PACKET,
  turn(frame) {
    frame.type = RECV_PACKET;
  },
};

/** Says nothing new: a client tells which relay it likes. */
export function isExpectedNoise(dialect: Dialect, type: number): boolean {
  return dialect === legacy && type === NOTE_PREFERRED;
}

export const SERVER_CHALLENGE = 0;
const CLIENT_AUTH = 1;
export const SERVER_CONFIRMS_AUTH = 2;
export const SERVER_DENIES_AUTH = 3;
const DATAGRAM_TO_RELAY = 4;
const BATCH_TO_RELAY = 5;
const DATAGRAM_TO_CLIENT = 6;
const BATCH_TO_CLIENT = 7;
/** v1 only: text; empty when all is well again. */
export const HEALTH = 11;
/** v2 only: one byte. */
export const STATUS = 13;
export const statuses = { healthy: 0, sameKeyElsewhere: 1, rateLimited: 2 } as const;

const current: Omit<Dialect, "name"> = {
  claim: CLIENT_AUTH,
  peerGone: 8,
  ping: 9,
  pong: 10,
  restarting: 12,
  judge(type, bodyBytes) {
    if (type === this.ping || type === this.pong) return bodyBytes === PING_BYTES ? "take" : "refuse";
    if (!this.isPacket(type) || bodyBytes > PACKET_MAX_BYTES) return "refuse";
    const header = KEY_BYTES + ECN_BYTES + (type === BATCH_TO_RELAY ? SEGMENT_SIZE_BYTES : 0);
    return bodyBytes >= header ? "take" : "refuse";
  },
  isPacket: (type) => type === DATAGRAM_TO_RELAY || type === BATCH_TO_RELAY,
  turn(frame) {
    if (frame.type === DATAGRAM_TO_RELAY) {
      frame.type = DATAGRAM_TO_CLIENT;
      return;
    }
    const sizeAt = frame.bodyAt + KEY_BYTES + ECN_BYTES;
    if (frame.space[sizeAt] !== 0 || frame.space[sizeAt + 1] !== 0) {
      frame.type = BATCH_TO_CLIENT;
      return;
    }
    // A batch without a size of its parts is one datagram: key and ECN move over the size.
    frame.type = DATAGRAM_TO_CLIENT;
    frame.space.copyWithin(frame.bodyAt + SEGMENT_SIZE_BYTES, frame.bodyAt, sizeAt);
    frame.bodyAt += SEGMENT_SIZE_BYTES;
  },
};

export const dialects: Readonly<Record<DialectName, Dialect>> = {
  legacy,
  v1: { ...current, name: "v1" },
  v2: { ...current, name: "v2" },
};
