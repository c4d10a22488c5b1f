/** What the ways to other servers share: the message as it travels, and SMTP as one of the ways. */
import type { Address } from "../core/address.ts";
import type { Outcome, PeerReply } from "./courier.ts";

/** One message on its way, signature lines in front. */
export interface Transfer {
  /** null is `<>`. */
  readonly sender: Address | null;
  /** All that `slices` yields. */
  readonly bytes: number;
  /** The message from its start, at most BODY_SLICE_MAX_BYTES at a time. @throws when it can't be read */
  slices(): AsyncIterable<Uint8Array>;
}

/** A server that takes mail by SMTP, and what it must prove. */
export interface SmtpPeer {
  readonly name: string;
  /** Best first; raced. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** `required`: no mail in clear. */
  readonly tls: "required" | "opportunistic";
  /** Name for SNI; "" sends none. */
  readonly serverName: string;
  /** Whether the certificate must be valid for that name. */
  readonly verify: boolean;
}

export type SmtpResult =
  /** The server spoke about each recipient. */
  | { kind: "answered"; outcomes: ReadonlyMap<Address, Outcome> }
  /** No connection. */
  | { kind: "unreachable"; why: string }
  /** A connection, but no session: TLS, greeting. Another server may do. */
  | { kind: "unusable"; why: string; reply?: PeerReply };

export interface SmtpTransport {
  /** Hands the transfer over. Never rejects. */
  deliver(
    peer: SmtpPeer,
    transfer: Transfer,
    recipients: readonly Address[],
    stop: AbortSignal,
  ): Promise<SmtpResult>;
}
