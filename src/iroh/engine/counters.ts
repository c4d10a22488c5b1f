/** What the relay counts: numbers only, never keys or addresses. */

export interface Counters {
  /** Clients that proved their key. */
  clients: number;
  /** Upgrades that never got so far: bad signature, wrong version, silence. */
  handshakesFailed: number;
  /** Packets from clients. */
  packetsIn: number;
  /** Packets handed on, and their bytes without headers and keys. */
  packetsRelayed: number;
  bytesRelayed: number;
  /** The receiver is not here; `droppedOtherFamily` of these speaks the other protocol. */
  droppedAbsent: number;
  droppedOtherFamily: number;
  /** The receiver reads too slowly. */
  droppedFull: number;
  pingsAnswered: number;
  pingsSent: number;
  /** Frames of the legacy family that this relay has no use for. */
  framesSkipped: number;
  /** Times a client was not read for a while, and clients that this happened to. */
  throttled: number;
  clientsThrottled: number;
  /** Connections whose key came again on a newer one. */
  displaced: number;
  /** Clients dropped for breaking the protocol, for silence, for not reading. */
  protocolErrors: number;
  silent: number;
  stalled: number;
  /** Upgrades refused: malformed, or over the limits. */
  upgradesRefused: number;
}

export function newCounters(): Counters {
  return {
    clients: 0,
    handshakesFailed: 0,
    packetsIn: 0,
    packetsRelayed: 0,
    bytesRelayed: 0,
    droppedAbsent: 0,
    droppedOtherFamily: 0,
    droppedFull: 0,
    pingsAnswered: 0,
    pingsSent: 0,
    framesSkipped: 0,
    throttled: 0,
    clientsThrottled: 0,
    displaced: 0,
    protocolErrors: 0,
    silent: 0,
    stalled: 0,
    upgradesRefused: 0,
  };
}
