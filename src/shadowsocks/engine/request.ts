/**
 * What a client sends: salt, sealed chunks, and at the front of them the address it wants. SIP004 and SIP022, TCP.
 *
 * Invariants
 * - Nothing is given out that was not authenticated, and no salt opens two streams.
 * - After the first fault nothing is read any more, and every fault looks the same from outside.
 * - At most one chunk is held.
 */
import { concat, EMPTY } from "../../core/bytes.ts";
import { CountedAead, type Primitives, TAG_BYTES } from "./crypto.ts";
import { type Method, sessionKey } from "./methods.ts";
import { Pieces } from "./pieces.ts";
import type { ReplayFilter } from "./replay.ts";
import { parseTarget, TARGET_MAX_BYTES } from "./target.ts";

const LENGTH_BYTES = 2;
/** SIP004: the two upper bits are reserved and zero. */
const SIP004_CHUNK_MAX_BYTES = 0x3fff;
/** SIP022: type, time, length. */
const FIXED_HEADER_BYTES = 1 + 8 + 2;
const CLIENT_STREAM = 0;
const PADDING_MAX_BYTES = 900;
/** SIP022: how far the clocks of client and relay may be apart. */
const CLOCK_SKEW_MAX_S = 30;

/** Why a stream was given up. */
export type RequestFault = "notAuthentic" | "replayed" | "clockSkew" | "malformed";

export type RequestEffect =
  /** Once, before any payload. */
  | { do: "connect"; port: number }
  | { do: "payload"; bytes: Uint8Array }
  /** From now on: take no notice of what comes. */
  | { do: "drain"; why: RequestFault };

/** What both directions of a session need. */
export interface SessionParts {
  method: Method;
  /** From `masterKey`. */
  master: Uint8Array;
  primitives: Primitives;
  replay: ReplayFilter;
}

/** The engine's only view of time. */
export interface Times {
  /** Wall clock, milliseconds since 1970. */
  nowMs: number;
  monotonicMs: number;
}

type Step = "salt" | "fixedHeader" | "variableHeader" | "length" | "payload" | "given up";

export class RequestReader {
  readonly #parts: SessionParts;
  readonly #pieces = new Pieces();
  #step: Step = "salt";
  #want: number;
  #salt: Uint8Array = EMPTY;
  #aead: CountedAead | undefined;
  #admitted = false;
  /** Address bytes so far; undefined once the target is known. */
  #address: Uint8Array | undefined = EMPTY;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#want = parts.method.keyBytes;
  }

  /** The client's salt, which answers of SIP022 repeat. Empty until it is there. */
  get salt(): Uint8Array {
    return this.#salt;
  }

  /** Bytes kept until a chunk is complete. */
  get heldBytes(): number {
    return this.#pieces.heldBytes;
  }

  /** Takes any slice of the stream. `bytes` is borrowed. */
  feed(bytes: Uint8Array, times: Times): RequestEffect[] {
    const effects: RequestEffect[] = [];
    if (this.#step === "given up") return effects;
    this.#pieces.push(bytes);
    for (;;) {
      const piece = this.#pieces.take(this.#want);
      if (piece === undefined) return effects;
      const fault = this.#take(piece, times, effects);
      if (fault === undefined) continue;
      this.#step = "given up";
      effects.push({ do: "drain", why: fault });
      return effects;
    }
  }

  #take(piece: Uint8Array, times: Times, effects: RequestEffect[]): RequestFault | undefined {
    if (this.#step === "salt") {
      this.#begin(piece);
      return undefined;
    }
    const plain = this.#aead?.open(piece);
    if (plain === undefined) return "notAuthentic";
    switch (this.#step) {
      case "fixedHeader":
        return this.#takeFixedHeader(plain, times);
      case "variableHeader":
        return this.#takeVariableHeader(plain, effects);
      case "length":
        return this.#takeLength(plain, times);
      case "payload":
        this.#expect("length", LENGTH_BYTES);
        return this.#takePayload(plain, effects);
      default:
        return undefined;
    }
  }

  #begin(salt: Uint8Array): void {
    const { method, master, primitives } = this.#parts;
    this.#salt = Uint8Array.from(salt);
    this.#aead = new CountedAead(primitives.aead(method.cipher, sessionKey(method, master, this.#salt)));
    if (method.family === "sip022") this.#expect("fixedHeader", FIXED_HEADER_BYTES);
    else this.#expect("length", LENGTH_BYTES);
  }

  #expect(step: Step, plainBytes: number): void {
    this.#step = step;
    this.#want = plainBytes + TAG_BYTES;
  }

  #takeFixedHeader(plain: Uint8Array, times: Times): RequestFault | undefined {
    const view = new DataView(plain.buffer, plain.byteOffset, plain.length);
    const skewS = Math.abs(Number(view.getBigUint64(1)) - Math.floor(times.nowMs / 1000));
    if (view.getUint8(0) !== CLIENT_STREAM) return "malformed";
    if (skewS > CLOCK_SKEW_MAX_S) return "clockSkew";
    if (!this.#parts.replay.admit(this.#salt, times.monotonicMs)) return "replayed";
    this.#expect("variableHeader", view.getUint16(9));
    return undefined;
  }

  #takeVariableHeader(plain: Uint8Array, effects: RequestEffect[]): RequestFault | undefined {
    const target = parseTarget(plain);
    if (target.kind !== "target") return "malformed";
    const [high, low] = [plain[target.length], plain[target.length + 1]];
    if (high === undefined || low === undefined) return "malformed";
    const paddingBytes = high * 256 + low;
    const payload = plain.subarray(target.length + 2 + paddingBytes);
    if (paddingBytes > PADDING_MAX_BYTES || target.length + 2 + paddingBytes > plain.length)
      return "malformed";
    // SIP022: a request without either would be known by its length.
    if (paddingBytes === 0 && payload.length === 0) return "malformed";
    this.#address = undefined;
    effects.push({ do: "connect", port: target.port });
    if (payload.length > 0) effects.push({ do: "payload", bytes: payload });
    this.#expect("length", LENGTH_BYTES);
    return undefined;
  }

  #takeLength(plain: Uint8Array, times: Times): RequestFault | undefined {
    const length = (plain[0] ?? 0) * 256 + (plain[1] ?? 0);
    const isSip004 = this.#parts.method.family === "sip004";
    if (isSip004 && !this.#admitted && !this.#parts.replay.admit(this.#salt, times.monotonicMs)) {
      return "replayed";
    }
    this.#admitted = true;
    if (length === 0 || (isSip004 && length > SIP004_CHUNK_MAX_BYTES)) return "malformed";
    this.#expect("payload", length);
    return undefined;
  }

  #takePayload(plain: Uint8Array, effects: RequestEffect[]): RequestFault | undefined {
    if (this.#address === undefined) {
      effects.push({ do: "payload", bytes: plain });
      return undefined;
    }
    const joined = this.#address.length === 0 ? plain : concat([this.#address, plain]);
    const target = parseTarget(joined);
    if (target.kind === "bad") return "malformed";
    if (target.kind === "more") {
      // No type of address needs more, so this never grows.
      this.#address = joined.slice(0, TARGET_MAX_BYTES);
      return undefined;
    }
    this.#address = undefined;
    effects.push({ do: "connect", port: target.port });
    const payload = joined.subarray(target.length);
    if (payload.length > 0) effects.push({ do: "payload", bytes: payload });
    return undefined;
  }
}
