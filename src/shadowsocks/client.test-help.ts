/**
 * A Shadowsocks client for tests, written from SIP004 and SIP022 beside the engine and sharing nothing with it but the
 * table of methods: keys come from node:crypto, the stream is put together by hand.
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { blake3 } from "@noble/hashes/blake3.js";
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from "node:crypto";
import { type MethodName, methods } from "./engine/methods.ts";

const TAG = 16;

export const methodNames = Object.keys(methods) as MethodName[];

/** A password that the method takes. */
export function passwordFor(method: MethodName): string {
  const { family, keyBytes } = methods[method];
  return family === "sip004" ? "correct horse" : Buffer.alloc(keyBytes, 0x5a).toString("base64");
}

/** `ATYP || address || port`, a name unless it looks like an IP address. */
export function socksAddress(host: string, port: number): Buffer {
  const bytes = /^\d+\.\d+\.\d+\.\d+$/.test(host)
    ? Buffer.from([1, ...host.split(".").map(Number)])
    : host === "::1"
      ? Buffer.from([4, ...Buffer.alloc(15), 1])
      : Buffer.concat([Buffer.from([3, host.length]), Buffer.from(host)]);
  return Buffer.concat([bytes, Buffer.from([port >> 8, port & 0xff])]);
}

export interface ClientOptions {
  method: MethodName;
  password: string;
  salt?: Uint8Array;
  /** Of the stream's header in SIP022; default: the machine's clock. */
  nowMs?: number;
}

interface Opening {
  host?: string;
  port: number;
  payload?: Uint8Array;
  /** SIP022: default 0 with payload, 7 without. */
  paddingBytes?: number;
  /** SIP004: the address comes in chunks of this size, the payload in one of its own. */
  addressChunkBytes?: number;
}

export class SsClient {
  readonly salt: Buffer;
  readonly #options: ClientOptions;
  readonly #out: Direction;
  #in: Direction | undefined;
  #held: Buffer = Buffer.alloc(0);
  #chunkBytes = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.salt = Buffer.from(options.salt ?? randomBytes(methods[options.method].keyBytes));
    this.#out = new Direction(options, this.salt);
  }

  /** Salt, address and payload: what begins a stream. */
  open({ host = "mail.invalid", port, payload = new Uint8Array(0), ...more }: Opening): Buffer {
    const address = socksAddress(host, port);
    if (methods[this.#options.method].family === "sip022") {
      const padding = more.paddingBytes ?? (payload.length === 0 ? 7 : 0);
      const variable = Buffer.concat([address, uint16(padding), Buffer.alloc(padding), payload]);
      const seconds = Buffer.alloc(8);
      seconds.writeBigUInt64BE(BigInt(Math.floor((this.#options.nowMs ?? Date.now()) / 1000)));
      const fixed = Buffer.concat([Buffer.from([0]), seconds, uint16(variable.length)]);
      return Buffer.concat([this.salt, this.#out.seal(fixed), this.#out.seal(variable)]);
    }
    const step = more.addressChunkBytes;
    if (step === undefined) {
      const first = Buffer.concat([address, payload.subarray(0, 0x3fff - address.length)]);
      const rest = payload.subarray(0x3fff - address.length);
      return Buffer.concat([this.salt, this.chunks(first), this.chunks(rest)]);
    }
    const parts: Buffer[] = [this.salt];
    for (let at = 0; at < address.length; at += step)
      parts.push(this.chunks(address.subarray(at, at + step)));
    return Buffer.concat([...parts, this.chunks(payload)]);
  }

  /** Payload after the opening. */
  chunks(payload: Uint8Array): Buffer {
    const parts: Buffer[] = [];
    for (let at = 0; at < payload.length; at += 0x3fff) {
      const piece = payload.subarray(at, at + 0x3fff);
      parts.push(this.#out.seal(uint16(piece.length)), this.#out.seal(piece));
    }
    return Buffer.concat(parts);
  }

  /** Any bytes, sealed as one unit: for streams that are wrong inside. */
  sealRaw(plain: Uint8Array): Buffer {
    return this.#out.seal(plain);
  }

  /** Takes the relay's stream. @returns payload. @throws {Error} when it is not authentic */
  take(bytes: Uint8Array): Buffer {
    const { method } = this.#options;
    const { family, keyBytes } = methods[method];
    this.#held = Buffer.concat([this.#held, bytes]);
    const payload: Buffer[] = [];
    if (this.#in === undefined) {
      const headBytes = family === "sip022" ? 1 + 8 + keyBytes + 2 : 2;
      if (this.#held.length < keyBytes + headBytes + TAG) return Buffer.alloc(0);
      this.#in = new Direction(this.#options, this.#cut(keyBytes));
      const head = this.#in.open(this.#cut(headBytes + TAG));
      if (family === "sip022") {
        if (head[0] !== 1) throw new Error(`type ${head[0]}`);
        const skewS = Math.abs(Number(head.readBigUInt64BE(1)) - (this.#options.nowMs ?? Date.now()) / 1000);
        if (skewS > 30) throw new Error(`time off by ${skewS} s`);
        if (!head.subarray(9, 9 + keyBytes).equals(this.salt)) throw new Error("not the answer to this salt");
      }
      this.#chunkBytes = head.readUInt16BE(headBytes - 2);
    }
    for (;;) {
      if (this.#chunkBytes === 0) {
        if (this.#held.length < 2 + TAG) break;
        this.#chunkBytes = this.#in.open(this.#cut(2 + TAG)).readUInt16BE(0);
      }
      if (this.#held.length < this.#chunkBytes + TAG) break;
      payload.push(this.#in.open(this.#cut(this.#chunkBytes + TAG)));
      this.#chunkBytes = 0;
    }
    return Buffer.concat(payload);
  }

  #cut(count: number): Buffer {
    const head = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    return head;
  }
}

class Direction {
  readonly #key: Buffer;
  readonly #isChaCha: boolean;
  #count = 0n;

  constructor({ method, password }: ClientOptions, salt: Uint8Array) {
    const { family, keyBytes, cipher } = methods[method];
    this.#isChaCha = cipher === "chacha20-poly1305";
    if (family === "sip022") {
      const material = Buffer.concat([Buffer.from(password, "base64"), salt]);
      const context = Buffer.from("shadowsocks 2022 session subkey");
      this.#key = Buffer.from(blake3(material, { context, dkLen: keyBytes }));
      return;
    }
    const first = createHash("md5").update(password).digest();
    const second = createHash("md5").update(first).update(password).digest();
    const master = Buffer.concat([first, second]).subarray(0, keyBytes);
    this.#key = Buffer.from(hkdfSync("sha1", master, salt, "ss-subkey", keyBytes));
  }

  seal(plain: Uint8Array): Buffer {
    if (this.#isChaCha) return Buffer.from(chacha20poly1305(this.#key, this.#nonce()).encrypt(plain));
    const cipher = createCipheriv(this.#gcm(), this.#key, this.#nonce());
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  open(sealed: Uint8Array): Buffer {
    if (this.#isChaCha) return Buffer.from(chacha20poly1305(this.#key, this.#nonce()).decrypt(sealed));
    const decipher = createDecipheriv(this.#gcm(), this.#key, this.#nonce());
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG));
    return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - TAG)), decipher.final()]);
  }

  #gcm(): "aes-128-gcm" | "aes-256-gcm" {
    return this.#key.length === 16 ? "aes-128-gcm" : "aes-256-gcm";
  }

  #nonce(): Buffer {
    const nonce = Buffer.alloc(12);
    nonce.writeBigUInt64LE(this.#count++);
    return nonce;
  }
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}
