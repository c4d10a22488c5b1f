/**
 * The seam between the queue and the ways to other servers. The queue owns retries; a courier makes one round of
 * attempts (HTTPS, HTTP, SMTP, in the order of DESIGN §6) for the recipients of one domain.
 */
import type { Address, Domain } from "../core/address.ts";

/** A stored message, read in slices. */
export interface MessageSource {
  readonly size: number;
  /** At most `length` bytes from `offset`; callers ask for at most BODY_SLICE_MAX_BYTES. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface OutboundMessage {
  /** null is `<>`. */
  readonly sender: Address | null;
  /** All of `domain`; at least one. */
  readonly recipients: readonly Address[];
  readonly domain: Domain;
  readonly bytes: number;
  open(): Promise<MessageSource>;
}

/** What a peer, or we in its place, said (RFC 5321 §4.2, RFC 3463). */
export interface PeerReply {
  code: number;
  /** Empty when the peer gave none. */
  enhanced: string;
  /** One line, printable; what a bounce quotes. */
  text: string;
}

export type Outcome = { do: "sent" } | { do: "defer" | "fail"; reply: PeerReply };

export type Route = "https" | "http" | "smtp";

/** One attempt that did not carry the message, kept for the operator. */
export interface Attempt {
  route: Route;
  host: string;
  why: string;
}

export interface CourierReport {
  /** One outcome for each recipient. */
  readonly outcomes: ReadonlyMap<Address, Outcome>;
  /** What carried it; undefined when nothing did. */
  readonly route: Route | undefined;
  readonly attempts: readonly Attempt[];
  readonly latencyMs: number;
}

export interface Courier {
  /** Never rejects: what goes wrong is an outcome. Ends soon after `stop` aborts (then: defer). */
  deliver(message: OutboundMessage, stop: AbortSignal): Promise<CourierReport>;
}

/** Header lines to send before the stored message; made anew for each attempt, so that times are fresh. */
export interface Signer {
  /** @returns complete `DKIM-Signature` fields with CRLF; empty where nothing is signed (IP-literal senders) */
  sign(source: MessageSource): Promise<Uint8Array>;
}

/** Operator's routing overrides ("endpoint cache"). */
export interface RouteOverrides {
  /** Host name, or URL, to use instead of what DNS says. */
  lookup(domain: Domain): string | undefined;
}
