/** What the gate finds out about a message from its bytes alone. policy/admit decides what follows from it. */

/** Why a message is not an OpenPGP message in PGP/MIME form (RFC 3156 §4). First fault found. */
export type GateFlaw =
  | "noContentType"
  | "notMultipartEncrypted"
  | "noBoundary"
  | "badMime"
  | "wrongPartCount"
  | "badVersionPart"
  | "badDataPart"
  | "cleartextAround"
  | "badArmor"
  | "armorHeader"
  | "badArmorChecksum"
  | "badPacket"
  | "wrongPacketOrder"
  | "notEncryptedPacket"
  | "truncated";

export type MessageKind =
  | { kind: "encrypted" }
  /** Secure-Join request in clear: exactly what clients send before they have keys. */
  | { kind: "secureJoinRequest" }
  /** Well-formed delivery report from a mailer daemon (RFC 3464, RFC 3834). */
  | { kind: "bounce" }
  | { kind: "cleartext"; flaw: GateFlaw };

export interface MessageFacts {
  /** What the message is, judged as sent out by a client of ours. */
  submitted: MessageKind;
  /** The same, with what peers' software adds and is tolerated: an armor `Version:` line, bounces. */
  received: MessageKind;
  /** Address texts of the From field(s), in order; unparsable ones as they stand. */
  from: readonly string[];
  /** Number of From fields; RFC 5322 §3.6 wants exactly one. */
  fromFieldCount: number;
  receivedCount: number;
  /** True when the header block ended within HEADER_MAX_BYTES. */
  headerComplete: boolean;
  /** Bare CR or LF, or a NUL, in the header block. */
  headerMalformed: boolean;
}

/** Reads a message as it streams by; bounded memory. */
export interface MessageScanner {
  /** `chunk` is borrowed. */
  write(chunk: Uint8Array): void;
  /** The header block with its blank line once complete (it is retained anyway); undefined before. */
  readonly header: Uint8Array | undefined;
  end(): MessageFacts;
}
