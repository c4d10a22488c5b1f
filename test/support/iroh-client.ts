/**
 * A client of the iroh relay, written apart from the relay's own codec: both families, every transport. Frames are
 * kept in order; reads wait for data, never for time alone.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import { blake3 } from "@noble/hashes/blake3.js";
import { Link, type LinkOptions } from "./link.ts";

const READ_TIMEOUT_MS = 30_000;
/** RFC 8410 §7: what stands before the 32 bytes of a private key. */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const PUBLIC_KEY_BYTES = 32;
const MAGIC = Buffer.from("52454c4159f09f9491", "hex");
const CONTEXT = Buffer.from("iroh-relay handshake v1 challenge signature");

export type IrohFamily = "legacy" | "legacy-websocket" | "v1" | "v2";

/** Frame numbers, by family. */
export const legacyFrames = {
  clientInfo: 2,
  send: 4,
  receive: 5,
  notePreferred: 7,
  peerGone: 8,
  ping: 12,
  pong: 13,
  health: 14,
  restarting: 15,
} as const;
export const currentFrames = {
  challenge: 0,
  auth: 1,
  confirms: 2,
  denies: 3,
  send: 4,
  sendBatch: 5,
  receive: 6,
  receiveBatch: 7,
  peerGone: 8,
  ping: 9,
  pong: 10,
  health: 11,
  restarting: 12,
  status: 13,
} as const;

export interface IrohFrame {
  type: number;
  body: Buffer;
}

export interface IrohKey {
  readonly secret: KeyObject;
  readonly publicKey: Buffer;
}

/** @param seed 32 bytes; random by default */
export function irohKey(seed: Uint8Array = randomBytes(32)): IrohKey {
  const secret = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, seed]),
    format: "der",
    type: "pkcs8",
  });
  const spki = createPublicKey(secret).export({ format: "der", type: "spki" });
  return { secret, publicKey: spki.subarray(spki.length - PUBLIC_KEY_BYTES) };
}

export function clientInfo(key: IrohKey, version = 3): Buffer {
  const message = Buffer.of(version);
  return Buffer.concat([MAGIC, key.publicKey, sign(null, message, key.secret), message]);
}

export function clientAuth(key: IrohKey, challenge: Uint8Array): Buffer {
  const message = blake3(challenge, { context: CONTEXT });
  return Buffer.concat([key.publicKey, Buffer.of(64), sign(null, message, key.secret)]);
}

export interface IrohClientOptions extends Pick<LinkOptions, "host" | "port" | "tls" | "readTimeoutMs"> {
  family: IrohFamily;
  key?: IrohKey;
  path?: string;
}

export class IrohClient {
  readonly family: IrohFamily;
  readonly key: IrohKey;
  readonly link: Link;
  /** The answer to the upgrade, status line and fields. */
  answer: string[] = [];

  private constructor(link: Link, options: IrohClientOptions) {
    this.link = link;
    this.family = options.family;
    this.key = options.key ?? irohKey();
  }

  /** Connects and asks for the upgrade, no more. */
  static async dial(options: IrohClientOptions): Promise<IrohClient> {
    const link = await Link.connect({ readTimeoutMs: READ_TIMEOUT_MS, ...options });
    const client = new IrohClient(link, options);
    link.write(upgradeRequest(options));
    for (;;) {
      const line = await link.line();
      if (line === "") return client;
      client.answer.push(line);
    }
  }

  /** Connects and proves the key. */
  static async connect(options: IrohClientOptions): Promise<IrohClient> {
    const client = await IrohClient.dial(options);
    await client.prove();
    return client;
  }

  get isLegacy(): boolean {
    return isLegacy(this.family);
  }

  get frames(): { send: number; receive: number; peerGone: number; ping: number; pong: number } {
    return this.isLegacy ? legacyFrames : currentFrames;
  }

  async prove(): Promise<void> {
    if (this.isLegacy) {
      this.write(legacyFrames.clientInfo, clientInfo(this.key));
      // No frame tells of success; an answered ping does.
      await this.ping();
      return;
    }
    const { type, body } = await this.next();
    if (type !== currentFrames.challenge) throw new Error(`expected a challenge, got frame ${type}`);
    this.write(currentFrames.auth, clientAuth(this.key, body));
    const answer = await this.next();
    if (answer.type !== currentFrames.confirms) {
      throw new Error(`denied: frame ${answer.type} ${answer.body.toString("latin1")}`);
    }
  }

  /** Sends a packet. */
  send(to: Uint8Array, packet: Uint8Array): void {
    const parts = this.isLegacy ? [to, packet] : [to, Buffer.of(0), packet];
    this.write(this.frames.send, Buffer.concat(parts));
  }

  /** The next packet; other frames before it are passed over. */
  async receive(): Promise<{ from: Buffer; packet: Buffer }> {
    const { body } = await this.nextOf(this.frames.receive);
    return { from: body.subarray(0, 32), packet: body.subarray(this.isLegacy ? 32 : 33) };
  }

  /** Asks, and waits for the answer. */
  async ping(): Promise<void> {
    const payload = randomBytes(8);
    this.write(this.frames.ping, payload);
    const { body } = await this.nextOf(this.frames.pong);
    if (!body.equals(payload)) throw new Error("the pong answers another ping");
  }

  write(type: number, body: Uint8Array): void {
    this.link.write(this.encode(type, body));
  }

  encode(type: number, body: Uint8Array): Buffer {
    return encodeFrame(this.family, type, body);
  }

  /** The next frame; a server's ping is answered on the way. @throws {Error} when the connection ends */
  async next(): Promise<IrohFrame> {
    for (;;) {
      const frame = this.family === "legacy" ? await this.#nextRaw() : await this.#nextMessage();
      if (frame.type !== this.frames.ping) return frame;
      this.write(this.frames.pong, frame.body);
    }
  }

  async nextOf(type: number): Promise<IrohFrame> {
    for (;;) {
      const frame = await this.next();
      if (frame.type === type) return frame;
    }
  }

  close(): void {
    this.link.close();
  }

  async #nextRaw(): Promise<IrohFrame> {
    const header = await this.link.bytes(5);
    return { type: header[0] ?? 0, body: await this.link.bytes(header.readUInt32BE(1)) };
  }

  async #nextMessage(): Promise<IrohFrame> {
    const { opcode, payload } = await this.nextWebSocketFrame();
    if (opcode === 8) throw new Error(`closed with ${payload.readUInt16BE(0)}`);
    if (opcode !== 2) return this.#nextMessage();
    return { type: payload[0] ?? 0, body: payload.subarray(1) };
  }

  /** One frame as it came. @throws {Error} when it breaks RFC 6455 §5.1 or §5.2 */
  async nextWebSocketFrame(): Promise<{ opcode: number; payload: Buffer }> {
    const [first = 0, second = 0] = await this.link.bytes(2);
    if ((first & 0xf0) !== 0x80) throw new Error("expected one whole frame without extensions");
    if ((second & 0x80) !== 0) throw new Error("servers do not mask");
    let length = second;
    if (length === 126) length = (await this.link.bytes(2)).readUInt16BE(0);
    else if (length === 127) length = Number((await this.link.bytes(8)).readBigUInt64BE(0));
    return { opcode: first & 0x0f, payload: await this.link.bytes(length) };
  }
}

/** A frame as clients of the family send it. */
export function encodeFrame(family: IrohFamily, type: number, body: Uint8Array): Buffer {
  if (family !== "legacy") return webSocketFrame(2, Buffer.concat([Buffer.of(type), body]));
  const header = Buffer.alloc(5);
  header[0] = type;
  header.writeUInt32BE(body.length, 1);
  return Buffer.concat([header, body]);
}

export function isLegacy(family: IrohFamily): boolean {
  return family === "legacy" || family === "legacy-websocket";
}

/** A masked frame, as clients send it. */
export function webSocketFrame(opcode: number, payload: Uint8Array, fin = true): Buffer {
  const mask = randomBytes(4);
  const { length } = payload;
  const header = [(fin ? 0x80 : 0) | opcode];
  if (length < 126) header.push(0x80 | length);
  else if (length < 65_536) header.push(0x80 | 126, length >> 8, length & 255);
  else
    header.push(
      0x80 | 127,
      0,
      0,
      0,
      0,
      length >>> 24,
      (length >>> 16) & 255,
      (length >>> 8) & 255,
      length & 255,
    );
  const masked = Buffer.from(payload);
  for (let i = 0; i < length; i++) masked[i] = (masked[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return Buffer.concat([Buffer.from(header), mask, masked]);
}

/** As the real clients write it: the legacy one sends no `Connection`. */
function upgradeRequest({ family, path = "/relay" }: IrohClientOptions): string {
  const fields =
    family === "legacy"
      ? ["upgrade: iroh derp http"]
      : [
          "Connection: Upgrade",
          "Upgrade: websocket",
          "Sec-WebSocket-Version: 13",
          `Sec-WebSocket-Key: ${createHash("md5").update(randomBytes(8)).digest("base64")}`,
        ];
  if (family === "v1" || family === "v2") fields.push(`Sec-WebSocket-Protocol: iroh-relay-${family}`);
  return `GET ${path} HTTP/1.1\r\nhost: relay.test\r\n${fields.join("\r\n")}\r\n\r\n`;
}
