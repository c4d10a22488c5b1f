/** What the relay sends back: a salt of its own, then sealed chunks of payload. SIP004 and SIP022, TCP. */
import { concat } from "../../core/bytes.ts";
import { CountedAead } from "./crypto.ts";
import { sessionKey } from "./methods.ts";
import type { SessionParts, Times } from "./request.ts";

const CHUNK_MAX_BYTES = { sip004: 0x3fff, sip022: 0xffff } as const;
const SERVER_STREAM = 1;

export class ResponseWriter {
  readonly #parts: SessionParts;
  readonly #requestSalt: Uint8Array;
  #aead: CountedAead | undefined;

  /** @param requestSalt of the client's stream */
  constructor(parts: SessionParts, requestSalt: Uint8Array) {
    this.#parts = parts;
    this.#requestSalt = requestSalt;
  }

  /** Seals payload. @returns slices for the wire, in order; what the first call gives begins the stream */
  seal(payload: Uint8Array, times: Times): Uint8Array[] {
    const chunkMaxBytes = CHUNK_MAX_BYTES[this.#parts.method.family];
    const slices: Uint8Array[] = [];
    for (let at = 0; at < payload.length; at += chunkMaxBytes) {
      const chunk = payload.subarray(at, at + chunkMaxBytes);
      const head = this.#aead === undefined ? this.#begin(chunk.length, times, slices) : uint16(chunk.length);
      slices.push(...(this.#aead?.seal(head) ?? []), ...(this.#aead?.seal(chunk) ?? []));
    }
    return slices;
  }

  /** @returns what stands before the first chunk: its length, and in SIP022 a header around it */
  #begin(length: number, { nowMs, monotonicMs }: Times, slices: Uint8Array[]): Uint8Array {
    const { method, master, primitives, replay } = this.#parts;
    const salt = primitives.randomBytes(method.keyBytes);
    // What we say must not be taken for a client's stream when somebody sends it back.
    replay.admit(salt, monotonicMs);
    this.#aead = new CountedAead(primitives.aead(method.cipher, sessionKey(method, master, salt)));
    slices.push(salt);
    if (method.family === "sip004") return uint16(length);
    const time = new Uint8Array(8);
    new DataView(time.buffer).setBigUint64(0, BigInt(Math.floor(nowMs / 1000)));
    return concat([Uint8Array.of(SERVER_STREAM), time, this.#requestSalt, uint16(length)]);
  }
}

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}
