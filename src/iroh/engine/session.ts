/**
 * One client: from the upgrade over the proof of its key to the end. Bytes, time and the connection's state come in;
 * what is to be done goes out through `Wire`.
 * Invariants: nothing is relayed for a client before it proved its key; what waits for a client is bounded; a session
 * that is over does nothing any more.
 */
import { EMPTY, fromUtf8, toLatin1, fromLatin1 } from "../../core/bytes.ts";
import type { Bucket } from "./bucket.ts";
import type { Counters } from "./counters.ts";
import {
  type Dialect,
  HEALTH,
  isExpectedNoise,
  SERVER_CHALLENGE,
  SERVER_CONFIRMS_AUTH,
  SERVER_DENIES_AUTH,
  STATUS,
  statuses,
} from "./dialect.ts";
import { type Frame, makeFrame } from "./frame.ts";
import type { Framing, FrameSink } from "./framing.ts";
import {
  CHALLENGE_BYTES,
  denial,
  holds,
  KEY_BYTES,
  readClientAuth,
  readClientInfo,
  type RelayCrypto,
} from "./handshake.ts";
import {
  HANDSHAKE_FRAME_MAX_BYTES,
  HANDSHAKE_TIMEOUT_MS,
  KEEPALIVE_JITTER_MAX_MS,
  KEEPALIVE_JITTER_MIN_MS,
  KEEPALIVE_MS,
  MESSAGE_MAX_BYTES,
  OUTPUT_HIGH_WATER_BYTES,
  PONG_TIMEOUT_MS,
  RECONNECT_MAX_MS,
  RECONNECT_TRY_MS,
  WRITE_STALL_MS,
} from "./limits.ts";
import { PacketQueue } from "./packet-queue.ts";
import type { Member, Room } from "./room.ts";

/** What a session does to its connection. */
export interface Wire {
  readonly queuedBytes: number;
  /** Takes the bytes over. */
  write(bytes: Uint8Array): void;
  /** Sends what is queued, then hangs up. */
  end(): void;
  /** Hangs up now. */
  destroy(): void;
  /** Takes no input for so long. */
  pauseFor(ms: number): void;
  /** Calls `tick` at this monotonic time or before. */
  lookAt(ms: number): void;
  /** The peer broke the protocol. */
  fault(what: string): void;
}

export interface SessionParts {
  readonly wire: Wire;
  readonly dialect: Dialect;
  readonly framing: Framing;
  readonly room: Room;
  readonly crypto: RelayCrypto;
  readonly counters: Counters;
  /** The client's own bandwidth, and that of all clients. */
  readonly bandwidth: Bucket;
  readonly allBandwidth: Bucket;
}

export class Session implements Member, FrameSink {
  id = "";
  readonly #parts: SessionParts;
  readonly #wire: Wire;
  readonly #dialect: Dialect;
  readonly #counters: Counters;
  readonly #challenge: Uint8Array;
  readonly #queue = new PacketQueue();
  #key: Uint8Array = EMPTY;
  #stage: "handshake" | "active" | "over" = "handshake";
  #nowMs: number;
  /** Of the handshake. */
  readonly #dueMs: number;
  #lastFrameMs: number;
  #keepaliveMs = KEEPALIVE_MS;
  /** When the ping went out that nothing has answered; 0 when there is none. */
  #pingedMs = 0;
  #pausedUntilMs = 0;
  #throttledBefore = false;
  /** All that was ever written, to tell what has left. */
  #writtenBytes = 0;
  /** What had left, and when, at the last look at output that waits; time 0 when none waits. */
  #leftBytes = 0;
  #leftMs = 0;

  constructor(parts: SessionParts, nowMs: number) {
    this.#parts = parts;
    this.#wire = parts.wire;
    this.#dialect = parts.dialect;
    this.#counters = parts.counters;
    this.#nowMs = nowMs;
    this.#lastFrameMs = nowMs;
    this.#dueMs = nowMs + HANDSHAKE_TIMEOUT_MS;
    this.#challenge = parts.dialect.name === "legacy" ? EMPTY : parts.crypto.random(CHALLENGE_BYTES);
  }

  /** Says the first word, where it is ours. */
  begin(): void {
    if (this.#dialect.name !== "legacy") this.#send(makeFrame(SERVER_CHALLENGE, this.#challenge));
    this.#wire.lookAt(this.#dueMs);
  }

  get isOver(): boolean {
    return this.#stage === "over";
  }

  // The connection's events.

  /** Takes any slice of the stream. `bytes` is borrowed. @param nowMs monotonic */
  feed(bytes: Uint8Array, nowMs: number): void {
    if (this.isOver) return;
    this.#nowMs = nowMs;
    const fault = this.#parts.framing.push(bytes, this);
    if (fault !== undefined && !this.isOver) this.#break(fault);
    if (!this.isOver) this.#spend(bytes.length);
  }

  /** The output queue is empty. */
  drained(): void {
    while (this.#wire.queuedBytes < OUTPUT_HIGH_WATER_BYTES) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      this.#write(next);
    }
    if (this.#queue.isEmpty) this.#leftMs = 0;
  }

  /** Moves timers. @returns when to look again, monotonic milliseconds; 0 for never */
  tick(nowMs: number): number {
    this.#nowMs = nowMs;
    if (this.#stage === "over") return 0;
    if (this.#stage === "handshake") {
      if (nowMs >= this.#dueMs) this.#break("no proof of a key in time");
      return this.isOver ? 0 : this.#dueMs;
    }
    if (this.#isStalled()) {
      this.#counters.stalled++;
      this.#wire.destroy();
      this.#finish();
      return 0;
    }
    const nextMs = this.#keepalive();
    return this.#leftMs === 0 ? nextMs : Math.min(nextMs, nowMs + WRITE_STALL_MS);
  }

  /** The relay stops: tells the client when to come back, each at another time. */
  shutdown(): void {
    if (this.#stage === "active") {
      const body = new Uint8Array(8);
      const view = new DataView(body.buffer);
      const [a = 0, b = 0] = this.#parts.crypto.random(2);
      view.setUint32(0, ((a * 256 + b) / 65_536) * RECONNECT_MAX_MS);
      view.setUint32(4, RECONNECT_TRY_MS);
      this.#send(makeFrame(this.#dialect.restarting, body));
    }
    this.#hangUp("goingAway");
  }

  /** The connection is gone. */
  closed(): void {
    this.#finish();
  }

  // What the framing gives.

  get messageMaxBytes(): number {
    return this.#stage === "active" ? MESSAGE_MAX_BYTES : HANDSHAKE_FRAME_MAX_BYTES;
  }

  judge(type: number, bodyBytes: number): "take" | "skip" | "refuse" {
    if (this.#stage === "handshake") {
      return type === this.#dialect.claim && bodyBytes <= HANDSHAKE_FRAME_MAX_BYTES ? "take" : "refuse";
    }
    const verdict = this.#dialect.judge(type, bodyBytes);
    if (verdict === "skip") {
      this.#heard();
      if (!isExpectedNoise(this.#dialect, type)) this.#counters.framesSkipped++;
    }
    return verdict;
  }

  frame(frame: Frame): boolean {
    if (this.#stage === "handshake") this.#readClaim(frame);
    else if (this.#stage === "active") this.#read(frame);
    return !this.isOver;
  }

  reply(bytes: Uint8Array): void {
    // One that does not read our answers gets none, rather than an ever longer queue.
    if (this.#wire.queuedBytes < OUTPUT_HIGH_WATER_BYTES) this.#write(bytes);
    this.#heard();
  }

  ended(): void {
    this.#finish();
    this.#wire.end();
  }

  #heard(): void {
    this.#lastFrameMs = this.#nowMs;
    this.#pingedMs = 0;
  }

  #readClaim(frame: Frame): void {
    const { crypto } = this.#parts;
    const legacy = this.#dialect.name === "legacy";
    const claim = legacy ? readClientInfo(frame.body) : readClientAuth(frame.body, this.#challenge);
    if (claim === undefined) {
      this.#break("malformed proof of a key");
      return;
    }
    if (!holds(claim, crypto)) {
      if (!legacy) this.#send(makeFrame(SERVER_DENIES_AUTH, denial("signature invalid")));
      this.#break("signature invalid");
      return;
    }
    this.#key = claim.key;
    this.id = toLatin1(claim.key);
    this.#stage = "active";
    this.#counters.clients++;
    this.#heard();
    this.#drawKeepalive();
    if (!legacy) this.#send(makeFrame(SERVER_CONFIRMS_AUTH));
    this.#parts.room.enter(this);
  }

  #read(frame: Frame): void {
    this.#heard();
    if (this.#dialect.isPacket(frame.type)) {
      this.#counters.packetsIn++;
      const { space, bodyAt } = frame;
      const to = toLatin1(space.subarray(bodyAt, bodyAt + KEY_BYTES));
      space.set(this.#key, bodyAt);
      this.#dialect.turn(frame);
      this.#parts.room.forward(this, to, frame, this.#nowMs);
    } else if (frame.type === this.#dialect.ping) {
      if (this.#wire.queuedBytes >= OUTPUT_HIGH_WATER_BYTES) return;
      this.#counters.pingsAnswered++;
      frame.type = this.#dialect.pong;
      this.#send(frame);
    }
  }

  // What the room tells.

  deliver(frame: Frame, nowMs: number): void {
    if (this.#stage !== "active") return;
    this.#nowMs = nowMs;
    const packetBytes = frame.bodyBytes - KEY_BYTES;
    const bytes = this.#parts.framing.seal(frame);
    if (this.#queue.isEmpty && this.#wire.queuedBytes < OUTPUT_HIGH_WATER_BYTES) this.#write(bytes);
    else if (!this.#queue.push(bytes)) {
      this.#counters.droppedFull++;
      return;
    } else if (this.#leftMs === 0) this.#watchOutput();
    this.#counters.packetsRelayed++;
    this.#counters.bytesRelayed += packetBytes;
  }

  peerGone(id: string): void {
    if (this.#stage !== "active" || this.#wire.queuedBytes >= OUTPUT_HIGH_WATER_BYTES) return;
    this.#send(makeFrame(this.#dialect.peerGone, fromLatin1(id)));
  }

  displaced(): void {
    this.#tellHealth(statuses.sameKeyElsewhere, "the same endpoint connected again elsewhere");
  }

  restored(): void {
    this.#tellHealth(statuses.healthy, "");
  }

  replaced(): void {
    this.#finish();
    this.#wire.end();
  }

  /** v1 knows a text, v2 a number, and either fails on the other's frame. */
  #tellHealth(status: number, text: string): void {
    if (this.#dialect.name === "v1") this.#send(makeFrame(HEALTH, fromUtf8(text)));
    else if (this.#dialect.name === "v2") this.#send(makeFrame(STATUS, Uint8Array.of(status)));
  }

  // Time and amounts.

  /** @returns when to look again */
  #keepalive(): number {
    const nowMs = this.#nowMs;
    // What we do not read cannot answer.
    if (nowMs < this.#pausedUntilMs) return this.#pausedUntilMs + PONG_TIMEOUT_MS;
    if (this.#pingedMs > 0) {
      const patienceMs = this.#pingedMs + PONG_TIMEOUT_MS;
      if (nowMs < patienceMs) return patienceMs;
      this.#counters.silent++;
      this.#hangUp("goingAway");
      return 0;
    }
    const dueMs = this.#lastFrameMs + this.#keepaliveMs;
    if (nowMs < dueMs) return dueMs;
    this.#pingedMs = nowMs;
    this.#counters.pingsSent++;
    this.#drawKeepalive();
    this.#send(makeFrame(this.#dialect.ping, this.#parts.crypto.random(8)));
    return nowMs + PONG_TIMEOUT_MS;
  }

  #drawKeepalive(): void {
    const [byte = 0] = this.#parts.crypto.random(1);
    const span = KEEPALIVE_JITTER_MAX_MS - KEEPALIVE_JITTER_MIN_MS;
    this.#keepaliveMs = KEEPALIVE_MS + KEEPALIVE_JITTER_MIN_MS + (byte / 256) * span;
  }

  #watchOutput(): void {
    this.#leftBytes = this.#writtenBytes - this.#wire.queuedBytes;
    this.#leftMs = this.#nowMs;
    this.#wire.lookAt(this.#nowMs + WRITE_STALL_MS);
  }

  /** Whether output waits of which nothing left for too long. */
  #isStalled(): boolean {
    if (this.#leftMs === 0) return false;
    const left = this.#writtenBytes - this.#wire.queuedBytes;
    if (left > this.#leftBytes) {
      this.#leftBytes = left;
      this.#leftMs = this.#nowMs;
      return false;
    }
    return this.#nowMs - this.#leftMs >= WRITE_STALL_MS;
  }

  #spend(bytes: number): void {
    const { bandwidth, allBandwidth } = this.#parts;
    const waitMs = Math.max(bandwidth.take(bytes, this.#nowMs), allBandwidth.take(bytes, this.#nowMs));
    if (waitMs === 0) return;
    this.#counters.throttled++;
    this.#pausedUntilMs = this.#nowMs + waitMs;
    this.#wire.pauseFor(waitMs);
    if (this.#throttledBefore) return;
    this.#throttledBefore = true;
    this.#counters.clientsThrottled++;
    if (this.#dialect.name === "v2" && this.#stage === "active") {
      this.#send(makeFrame(STATUS, Uint8Array.of(statuses.rateLimited)));
    }
  }

  // The end.

  #break(what: string): void {
    if (this.#stage === "handshake") this.#counters.handshakesFailed++;
    else this.#counters.protocolErrors++;
    this.#wire.fault(what);
    this.#hangUp("protocolError");
  }

  #hangUp(why: "goingAway" | "protocolError"): void {
    const farewell = this.#parts.framing.farewell(why);
    if (farewell !== undefined) this.#write(farewell);
    this.#finish();
    this.#wire.end();
  }

  #finish(): void {
    const wasActive = this.#stage === "active";
    this.#stage = "over";
    this.#queue.clear();
    if (wasActive) this.#parts.room.leave(this);
  }

  #send(frame: Frame): void {
    this.#write(this.#parts.framing.seal(frame));
  }

  #write(bytes: Uint8Array): void {
    this.#writtenBytes += bytes.length;
    this.#wire.write(bytes);
  }
}
