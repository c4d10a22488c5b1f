/** A TURN client's side of the wire for tests: requests are made here, answers are read by the codec. */
import { randomBytes } from "node:crypto";
import { fromUtf8, toUtf8 } from "../core/bytes.ts";
import { stunCrypto } from "./crypto.ts";
import { parseIp } from "./engine/ip.ts";
import {
  attributeOf,
  attributes,
  methods,
  parseStun,
  readU16,
  readXorAddress,
  type StunMessage,
  StunWriter,
  writeU16,
} from "./engine/stun.ts";

export interface Login {
  username: string;
  password: string;
  realm: string;
}

export interface Endpoint {
  address: string;
  port: number;
}

export interface RequestOptions {
  /** Signs with it, once a nonce is known. */
  login?: Login | undefined;
  nonce?: string | undefined;
  transactionId?: Uint8Array;
  integrity?: "sha1" | "sha256";
  fingerprint?: boolean;
  fill?: (writer: StunWriter) => void;
}

const writer = new StunWriter(stunCrypto);

export function request(method: number, options: RequestOptions = {}): Uint8Array {
  const {
    login,
    nonce,
    transactionId = randomBytes(12),
    integrity = "sha1",
    fingerprint = false,
    fill,
  } = options;
  writer.begin("request", method, transactionId);
  fill?.(writer);
  if (login !== undefined) {
    writer.text(attributes.username, login.username).text(attributes.realm, login.realm);
    if (nonce !== undefined) writer.text(attributes.nonce, nonce);
    writer.sign(integrity, keyOf(login));
  }
  return Uint8Array.from(writer.end(fingerprint));
}

export function allocateRequest(options: RequestOptions = {}): Uint8Array {
  return request(methods.allocate, {
    ...options,
    fill(to) {
      to.attribute(attributes.requestedTransport, Uint8Array.of(17, 0, 0, 0));
      options.fill?.(to);
    },
  });
}

export function peer(endpoint: Endpoint): (to: StunWriter) => void {
  return (to) => to.xorAddress(attributes.xorPeerAddress, ipBytes(endpoint.address), endpoint.port);
}

export function sendIndication(
  to: Endpoint,
  data: Uint8Array,
  fill?: (writer: StunWriter) => void,
): Uint8Array {
  writer.begin("indication", methods.send, randomBytes(12));
  peer(to)(writer);
  fill?.(writer);
  return Uint8Array.from(writer.attribute(attributes.data, data).end(false));
}

export function channelBindRequest(number: number, to: Endpoint, options: RequestOptions): Uint8Array {
  return request(methods.channelBind, {
    ...options,
    fill(out) {
      out.attribute(attributes.channelNumber, Uint8Array.of(number >> 8, number & 0xff, 0, 0));
      peer(to)(out);
    },
  });
}

export function channelData(number: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + data.length);
  writeU16(bytes, 0, number);
  writeU16(bytes, 2, data.length);
  bytes.set(data, 4);
  return bytes;
}

export function keyOf({ username, realm, password }: Login): Uint8Array {
  return stunCrypto.md5(fromUtf8(`${username}:${realm}:${password}`));
}

/** An answer in plain words. */
export interface Answer {
  message: StunMessage;
  class: StunMessage["class"];
  /** 0 for a success. */
  status: number;
  nonce: string | undefined;
  realm: string | undefined;
  lifetimeS: number | undefined;
  relayed: Endpoint | undefined;
  mapped: Endpoint | undefined;
  peer: Endpoint | undefined;
  data: Uint8Array | undefined;
}

/** @throws {Error} when it is no STUN message */
export function readAnswer(bytes: Uint8Array): Answer {
  const message = parseStun(Uint8Array.from(bytes));
  if (message === undefined) throw new Error("no STUN message");
  const of = (type: number) => attributeOf(message, type);
  const error = of(attributes.errorCode);
  const lifetime = of(attributes.lifetime);
  const text = (value: Uint8Array | undefined) => (value === undefined ? undefined : toUtf8(value));
  return {
    message,
    class: message.class,
    status: error === undefined ? 0 : (error[2] ?? 0) * 100 + (error[3] ?? 0),
    nonce: text(of(attributes.nonce)),
    realm: text(of(attributes.realm)),
    lifetimeS: lifetime === undefined ? undefined : readU16(lifetime, 0) * 65536 + readU16(lifetime, 2),
    relayed: endpointOf(message, attributes.xorRelayedAddress),
    mapped: endpointOf(message, attributes.xorMappedAddress),
    peer: endpointOf(message, attributes.xorPeerAddress),
    data: of(attributes.data),
  };
}

function endpointOf(message: StunMessage, type: number): Endpoint | undefined {
  const value = attributeOf(message, type);
  const found = value === undefined ? undefined : readXorAddress(value, message.transactionId);
  return found === undefined ? undefined : { address: formatText(found.ip), port: found.port };
}

function formatText(ip: Uint8Array): string {
  if (ip.length === 4) return ip.join(".");
  return Array.from({ length: 8 }, (_, i) => readU16(ip, i * 2).toString(16)).join(":");
}

function ipBytes(address: string): Uint8Array {
  const ip = parseIp(address);
  if (ip === undefined) throw new Error("not an IP address");
  return ip;
}
