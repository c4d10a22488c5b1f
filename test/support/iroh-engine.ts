/** The iroh relay's engine without sockets: time by hand, a repeatable source of randomness, wires that can block. */
import { relayCrypto } from "../../src/iroh/crypto.ts";
import { Bucket } from "../../src/iroh/engine/bucket.ts";
import { newCounters } from "../../src/iroh/engine/counters.ts";
import { dialects } from "../../src/iroh/engine/dialect.ts";
import type { RelayCrypto } from "../../src/iroh/engine/handshake.ts";
import { RawFraming } from "../../src/iroh/engine/raw-framing.ts";
import { Room } from "../../src/iroh/engine/room.ts";
import { Session, type Wire } from "../../src/iroh/engine/session.ts";
import { WebSocketFraming } from "../../src/iroh/engine/websocket.ts";
import {
  clientAuth,
  clientInfo,
  currentFrames,
  encodeFrame,
  type IrohFamily,
  type IrohFrame,
  type IrohKey,
  irohKey,
  isLegacy,
  legacyFrames,
} from "./iroh-client.ts";

/** Every challenge here; real ones are random. */
export const CHALLENGE = Buffer.from("000102030405060708090a0b0c0d0e0f", "hex");

export interface FakeRelayOptions {
  bytesPerSecond?: number;
  totalBytesPerSecond?: number;
}

export class FakeRelay {
  readonly counters = newCounters();
  readonly legacy = new Room("close", this.counters);
  readonly current = new Room("keep", this.counters);
  readonly crypto: RelayCrypto = {
    ...relayCrypto,
    random: (count) => Uint8Array.from(CHALLENGE.subarray(0, count)),
  };
  readonly allBandwidth: Bucket;
  readonly bytesPerSecond: number;
  nowMs = 1_000_000;

  constructor({ bytesPerSecond = 0, totalBytesPerSecond = 0 }: FakeRelayOptions = {}) {
    this.legacy.beside(this.current);
    this.current.beside(this.legacy);
    this.bytesPerSecond = bytesPerSecond;
    this.allBandwidth = new Bucket(totalBytesPerSecond, this.nowMs);
  }

  /** A connection whose upgrade was answered. */
  open(family: IrohFamily, key: IrohKey = irohKey()): FakeClient {
    return new FakeClient(this, family, key);
  }

  /** A connection that proved its key; what the relay said so far is taken. */
  enter(family: IrohFamily, key?: IrohKey): FakeClient {
    const client = this.open(family, key);
    client.feed(client.proof());
    client.take();
    return client;
  }
}

export class FakeClient implements Wire {
  readonly family: IrohFamily;
  readonly key: IrohKey;
  readonly session: Session;
  readonly #relay: FakeRelay;
  /** What the session did to its wire, but for writing. */
  readonly done: string[] = [];
  /** While true, what is written waits. */
  blocked = false;
  queuedBytes = 0;
  lookAtMs = 0;
  #output: Uint8Array[] = [];

  constructor(relay: FakeRelay, family: IrohFamily, key: IrohKey) {
    this.#relay = relay;
    this.family = family;
    this.key = key;
    this.session = new Session(
      {
        wire: this,
        dialect: dialects[family === "v1" || family === "v2" ? family : "legacy"],
        framing: family === "legacy" ? new RawFraming() : new WebSocketFraming(),
        room: family === "v1" || family === "v2" ? relay.current : relay.legacy,
        crypto: relay.crypto,
        counters: relay.counters,
        bandwidth: new Bucket(relay.bytesPerSecond, relay.nowMs),
        allBandwidth: relay.allBandwidth,
      },
      relay.nowMs,
    );
    this.session.begin();
  }

  get isLegacy(): boolean {
    return isLegacy(this.family);
  }

  /** The frame that proves the key. */
  proof(): Buffer {
    return this.isLegacy
      ? this.encode(legacyFrames.clientInfo, clientInfo(this.key))
      : this.encode(currentFrames.auth, clientAuth(this.key, CHALLENGE));
  }

  packetTo(to: FakeClient, text: string): Buffer {
    const parts = [to.key.publicKey, ...(this.isLegacy ? [] : [Buffer.of(2)]), Buffer.from(text)];
    return this.encode(currentFrames.send, Buffer.concat(parts));
  }

  encode(type: number, body: Uint8Array): Buffer {
    return encodeFrame(this.family, type, body);
  }

  /** Feeds a copy that is spoilt afterwards: what the session keeps must be its own. */
  feed(bytes: Uint8Array): void {
    const lent = Uint8Array.from(bytes);
    this.session.feed(lent, this.#relay.nowMs);
    lent.fill(0xee);
  }

  /** Lets time pass, and looks when the session asked for it. */
  wait(ms: number): void {
    const untilMs = this.#relay.nowMs + ms;
    while (this.lookAtMs > 0 && this.lookAtMs <= untilMs) {
      this.#relay.nowMs = Math.max(this.#relay.nowMs, this.lookAtMs);
      this.lookAtMs = this.session.tick(this.#relay.nowMs);
    }
    this.#relay.nowMs = untilMs;
  }

  /** The peer reads everything that waits. */
  unblock(): void {
    this.blocked = false;
    this.queuedBytes = 0;
    this.session.drained();
  }

  /** All bytes written since the last take. */
  takeBytes(): Buffer {
    const bytes = Buffer.concat(this.#output);
    this.#output = [];
    return bytes;
  }

  /** Frames since the last take; WebSocket control frames have the type 1000 and their opcode. */
  take(): IrohFrame[] {
    const bytes = this.takeBytes();
    return this.family === "legacy" ? parseRaw(bytes) : parseWebSocket(bytes);
  }

  write(bytes: Uint8Array): void {
    this.#output.push(bytes);
    if (this.blocked) this.queuedBytes += bytes.length;
  }
  end(): void {
    this.done.push("end");
  }
  destroy(): void {
    this.done.push("destroy");
  }
  pauseFor(ms: number): void {
    this.done.push(`pause ${Math.round(ms)}`);
  }
  lookAt(ms: number): void {
    if (this.lookAtMs === 0 || ms < this.lookAtMs) this.lookAtMs = ms;
  }
  fault(what: string): void {
    this.done.push(what);
  }
}

export const CONTROL = 1000;

function parseRaw(bytes: Buffer): IrohFrame[] {
  const frames: IrohFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) throw new Error("a frame without its end");
    frames.push({ type: bytes[at] ?? 0, body: bytes.subarray(at + 5, end) });
    at = end;
  }
  return frames;
}

function parseWebSocket(bytes: Buffer): IrohFrame[] {
  const frames: IrohFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [first = 0, second = 0] = bytes.subarray(at, at + 2);
    if ((second & 0x80) !== 0 || (first & 0xf0) !== 0x80)
      throw new Error("servers send whole frames unmasked");
    let from = at + 2;
    let length = second;
    if (second === 126) {
      length = bytes.readUInt16BE(from);
      from += 2;
    } else if (second === 127) {
      length = Number(bytes.readBigUInt64BE(from));
      from += 8;
    }
    if (from + length > bytes.length) throw new Error("a frame without its end");
    const payload = bytes.subarray(from, from + length);
    const opcode = first & 0x0f;
    frames.push(
      opcode === 2
        ? { type: payload[0] ?? 0, body: payload.subarray(1) }
        : { type: CONTROL + opcode, body: payload },
    );
    at = from + length;
  }
  return frames;
}
