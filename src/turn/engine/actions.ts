/** What the engine and its host tell each other. */
import type { Family } from "./ip.ts";

/** Where clients come in: a UDP socket, or one TCP connection. Objects are compared by identity. */
export interface Front {
  /** A stream: answers cannot be forged into floods, and ChannelData is filled up to four bytes. */
  readonly reliable: boolean;
}

/** A client at a front, the half of the 5-tuple that differs (RFC 8656 §3.2). */
export interface Client<F extends Front> {
  readonly front: F;
  /** Canonical text. */
  readonly address: string;
  readonly port: number;
}

/** `bytes` hold until the next call into the engine: do the actions at once, and copy what must wait. */
export type Action<F extends Front> =
  /** An answer to a request. */
  | { do: "answer"; to: Client<F>; bytes: Uint8Array }
  /** Data from a peer; may be dropped where the client reads slowly. */
  | { do: "deliver"; to: Client<F>; bytes: Uint8Array }
  /** A datagram to a peer, from the socket of this number. */
  | { do: "relay"; relay: number; address: string; port: number; bytes: Uint8Array }
  /** Opens a UDP socket; `bound` or `bindFailed` tells the engine. */
  | { do: "bind"; relay: number; family: Family; port: number }
  | { do: "unbind"; relay: number }
  /** The allocation of a TCP client is over. */
  | { do: "hangUp"; front: F };

/** What the operator decides; a new object takes effect with the next message. */
export interface TurnSettings {
  readonly realm: string;
  /** As peers are told, canonical text; one for each family that is relayed. */
  readonly relayAddresses: Readonly<Partial<Record<Family, string>>>;
  /** Inclusive. */
  readonly ports: { readonly min: number; readonly max: number };
  /** Canonical addresses of this machine, which no peer may have. */
  readonly ownAddresses: ReadonlySet<string>;
  /** Lets clients reach private networks and this machine. */
  readonly allowPrivatePeers: boolean;
  readonly allocationsMax: number;
  readonly allocationsPerUserMax: number;
  readonly allocationsPerAddressMax: number;
  /** Both directions together, bytes per second; 0 is unlimited. */
  readonly allocationBytesPerSecond: number;
  readonly totalBytesPerSecond: number;
}

/** Counts since the start; numbers only. */
export interface TurnCounters {
  bindings: number;
  allocationsMade: number;
  /** Datagrams and bytes from clients to peers, and back. */
  packetsOut: number;
  bytesOut: number;
  packetsIn: number;
  bytesIn: number;
  /** Answers with an error, by status. */
  refusals: Record<number, number>;
  /** Datagrams thrown away, by reason. */
  dropped: Record<DropReason, number>;
}

export type DropReason =
  | "malformed"
  | "noAllocation"
  | "noPermission"
  | "noChannel"
  | "forbiddenPeer"
  | "bandwidth"
  | "unprovenSource"
  | "tooLarge";

export function newCounters(): TurnCounters {
  return {
    bindings: 0,
    allocationsMade: 0,
    packetsOut: 0,
    bytesOut: 0,
    packetsIn: 0,
    bytesIn: 0,
    refusals: {},
    dropped: {
      malformed: 0,
      noAllocation: 0,
      noPermission: 0,
      noChannel: 0,
      forbiddenPeer: 0,
      bandwidth: 0,
      unprovenSource: 0,
      tooLarge: 0,
    },
  };
}

/** Who may allocate. Passwords and expiry are the host's matter. */
export interface UserBook {
  /**
   * The passwords that are right for a user now.
   * @param graceSeconds how long ago the credentials may have run out
   * @returns an empty list for an unknown or expired user
   */
  passwordsOf(username: string, graceSeconds: number): readonly string[];
}
