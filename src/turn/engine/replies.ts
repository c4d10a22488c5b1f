/** Answers to requests: the errors with their texts, signed and checksummed as the request was (RFC 8489 §9.2.4, §14.7). */
import type { Client, Front } from "./actions.ts";
import { parseIp } from "./ip.ts";
import { UNKNOWN_NAMED_MAX } from "./limits.ts";
import { attributes, type StunMessage, type StunWriter } from "./stun.ts";

/** RFC 8489 §14.8, RFC 8656 §19. */
export const reasons = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  420: "Unknown Attribute",
  437: "Allocation Mismatch",
  438: "Stale Nonce",
  440: "Address Family not Supported",
  441: "Wrong Credentials",
  442: "Unsupported Transport Protocol",
  443: "Peer Address Family Mismatch",
  486: "Allocation Quota Reached",
  508: "Insufficient Capacity",
} as const;
export type Status = keyof typeof reasons;

/** A request whose sender is known. */
export interface SignedRequest<F extends Front> {
  readonly message: StunMessage;
  readonly client: Client<F>;
  readonly username: string;
  readonly key: Uint8Array;
}

/** The results hold until the next answer is written. */
export class Replies {
  readonly #writer: StunWriter;

  constructor(writer: StunWriter) {
    this.#writer = writer;
  }

  /** To a Binding request (RFC 8489 §3); no SOFTWARE, so that it stays small. */
  binding({ method, transactionId, fingerprintAt }: StunMessage, address: string, port: number): Uint8Array {
    return this.#writer
      .begin("success", method, transactionId)
      .xorAddress(attributes.xorMappedAddress, ipOf(address), port)
      .end(fingerprintAt !== undefined);
  }

  /** Before the sender is known: unsigned and without text, for it may go to somebody who asked nothing. */
  unsigned(
    { method, transactionId, fingerprintAt, unknown }: StunMessage,
    status: Status,
    challenge?: { realm: string; nonce: string },
  ): Uint8Array {
    const writer = this.#writer.begin("error", method, transactionId).error(status, "");
    if (status === 420) writer.types(attributes.unknownAttributes, unknown.slice(0, UNKNOWN_NAMED_MAX));
    if (challenge !== undefined) {
      writer.text(attributes.realm, challenge.realm).text(attributes.nonce, challenge.nonce);
    }
    return writer.end(fingerprintAt !== undefined);
  }

  /** @param unknown the attributes that a 420 names */
  error<F extends Front>(
    request: SignedRequest<F>,
    status: Status,
    unknown: readonly number[] = [],
  ): Uint8Array {
    const { method, transactionId } = request.message;
    const writer = this.#writer.begin("error", method, transactionId).error(status, reasons[status]);
    if (status === 420) writer.types(attributes.unknownAttributes, unknown.slice(0, UNKNOWN_NAMED_MAX));
    return this.#sign(request, writer);
  }

  /** @param fill writes the attributes */
  success<F extends Front>(request: SignedRequest<F>, fill?: (writer: StunWriter) => void): Uint8Array {
    const { method, transactionId } = request.message;
    const writer = this.#writer.begin("success", method, transactionId);
    fill?.(writer);
    return this.#sign(request, writer);
  }

  #sign<F extends Front>({ message, key }: SignedRequest<F>, writer: StunWriter): Uint8Array {
    return writer.sign(message.integrity?.kind ?? "sha1", key).end(message.fingerprintAt !== undefined);
  }
}

/** @param address canonical text of an IP address */
export function ipOf(address: string): Uint8Array {
  const ip = parseIp(address);
  if (ip === undefined) throw new Error("not an IP address");
  return ip;
}
