/**
 * Hostile TURN traffic, made from a seed: whatever clients and peers send, the engine does not throw, sends nothing to
 * forbidden peers, ends nobody else's allocation, keeps its bounds, and finds the same frames in a stream however it is
 * cut.
 */
import { attributes, methods, StunWriter } from "../../src/turn/engine/stun.ts";
import { FrameReader } from "../../src/turn/engine/frames.ts";
import { formatIp, parseIp } from "../../src/turn/engine/ip.ts";
import { isForbiddenNetwork } from "../../src/turn/engine/peer-filter.ts";
import { stunCrypto } from "../../src/turn/crypto.ts";
import { EngineLab, type LabClient, RELAYED, type Seen } from "../../src/turn/engine-lab.test-help.ts";
import { channelData, keyOf, peer, sendIndication } from "../../src/turn/turn-client.test-help.ts";
import { generator } from "./random.ts";

const STEPS_MAX = 60;
const FRAME_MAX_BYTES = 2048;
const ALLOCATIONS_MAX = 5;
const PEERS = [
  "93.184.216.34",
  "10.0.0.1",
  RELAYED,
  "127.0.0.1",
  "9.9.9.9",
  "2a01:4f8::1",
  "::ffff:10.0.0.1",
];
const PORTS = [0, 1, 25, 7000, 50_000, 65_535];
const METHODS = [...Object.values(methods), 0x00a, 0xfff];
const TYPES = [...Object.values(attributes), 0x0000, 0x7fff, 0x8022, 0xffff];

export const turnFuzz: { name: string; run(seed: number): void } = {
  name: "turn",
  run(seed) {
    const random = generator(seed);
    converse(random);
    cutStream(random);
  },
};

function converse(random: () => number): void {
  const lab = new EngineLab({ allocationsMax: ALLOCATIONS_MAX });
  lab.portTaken = () => random() < 0.2;
  const witness = lab.client("198.18.0.1", 9);
  const port = witness.allocate().relayed?.port ?? 0;
  const others = [1, 2, 3].map((n) => lab.client(`203.0.113.${n}`, n));
  const steps = 1 + below(random, STEPS_MAX);
  for (let i = 0; i < steps; i++) {
    lab.holdBinds = random() < 0.2;
    judge(lab, step(lab, others, random));
    judge(lab, lab.grant());
    if (lab.engine.allocations > ALLOCATIONS_MAX) throw new Error("more allocations than the quota");
  }
  const { nowMs } = lab;
  if (port !== 0 && nowMs < 1_000_000 + 500_000 && witness.refresh().status !== 0) {
    throw new Error("somebody else's allocation was ended");
  }
}

function step(lab: EngineLab, others: readonly LabClient[], random: () => number): Seen[] {
  const client = pick(others, random);
  switch (below(random, 8)) {
    case 0:
      return lab.pass(below(random, 40_000));
    case 1:
      return client.send(randomBytes(random, 80));
    case 2:
      return client.send(channelData(0x3ffe + below(random, 6), randomBytes(random, 30)));
    case 3: {
      const to = { address: pick(PEERS, random), port: pick(PORTS, random) };
      return client.send(sendIndication(to, randomBytes(random, 30)));
    }
    case 4: {
      const relayPort = pick([...lab.open.values(), 1], random);
      return lab.fromPeer(relayPort, pick(PEERS, random), pick(PORTS, random), randomBytes(random, 60));
    }
    default:
      return client.send(spoil(message(client, random), random));
  }
}

/** A message that may be right: attributes of all kinds, mostly signed. */
function message(client: LabClient, random: () => number): Uint8Array {
  const kind = random() < 0.9 ? "request" : pick(["indication", "success", "error"] as const, random);
  const writer = new StunWriter(stunCrypto).begin(kind, pick(METHODS, random), randomBytes(random, 0, 12));
  if (random() < 0.8) writer.attribute(attributes.requestedTransport, Uint8Array.of(17, 0, 0, 0));
  if (random() < 0.6) peer({ address: pick(PEERS, random), port: pick(PORTS, random) })(writer);
  if (random() < 0.5) writer.attribute(attributes.channelNumber, Uint8Array.of(0x40, below(random, 3), 0, 0));
  if (random() < 0.3) writer.u32(attributes.lifetime, below(random, 5000));
  if (random() < 0.2) writer.attribute(attributes.evenPort, Uint8Array.of(pick([0, 0x80], random)));
  for (let i = below(random, 4); i > 0; i--) writer.attribute(pick(TYPES, random), randomBytes(random, 24));
  if (random() < 0.8) {
    const { login, nonce = "" } = client.signed;
    const { username = "", realm = "" } = login ?? {};
    writer.text(attributes.username, username).text(attributes.realm, realm).text(attributes.nonce, nonce);
    writer.sign(pick(["sha1", "sha256"] as const, random), keyOf(client.login));
  }
  return Uint8Array.from(writer.end(random() < 0.3));
}

function judge(lab: EngineLab, actions: readonly Seen[]): void {
  for (const action of actions) {
    if (action.do === "relay") {
      const ip = parseIp(action.address);
      if (ip === undefined || isForbiddenNetwork(ip) || lab.settings.ownAddresses.has(formatIp(ip))) {
        throw new Error(`data to ${action.address}`);
      }
      if (!lab.open.has(action.relay)) throw new Error("data from a socket that is not open");
    }
    if ("bytes" in action && action.bytes.length > 65_507) throw new Error("a datagram that is too long");
  }
}

/** Frames of a stream are the same whole and cut, up to where it turns out to be none. */
function cutStream(random: () => number): void {
  const pieces = Array.from({ length: below(random, 8) }, () =>
    random() < 0.8
      ? padded(channelData(0x4000 + below(random, 9), randomBytes(random, 40)))
      : randomBytes(random, 20),
  );
  const stream = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
  const whole = framesOf(stream, () => stream.length);
  const cut = framesOf(stream, () => 1 + below(random, 9));
  if (JSON.stringify(whole) !== JSON.stringify(cut)) throw new Error("frames depend on the cuts");
}

function framesOf(stream: Uint8Array, size: () => number): string[] {
  const reader = new FrameReader();
  const found: string[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = Math.min(stream.length, at + Math.max(1, size()));
    const frames = reader.push(stream.subarray(at, end), FRAME_MAX_BYTES);
    // What stood before the fault counts only if it came in an earlier piece: both readings end here.
    if (frames === undefined) return [];
    found.push(...frames.map((frame) => Buffer.from(frame).toString("hex")));
    at = end;
  }
  return found;
}

function padded(bytes: Uint8Array): Uint8Array {
  const filled = new Uint8Array((bytes.length + 3) & ~3);
  filled.set(bytes);
  return filled;
}

function spoil(bytes: Uint8Array, random: () => number): Uint8Array {
  if (random() < 0.7) return bytes;
  if (random() < 0.5) return bytes.with(below(random, bytes.length), below(random, 256));
  return bytes.subarray(0, below(random, bytes.length));
}

/** @param length a random one up to `maxBytes` if not given */
function randomBytes(random: () => number, maxBytes: number, length = below(random, maxBytes)): Uint8Array {
  return Uint8Array.from({ length }, () => below(random, 256));
}

function below(random: () => number, limit: number): number {
  return Math.floor(random() * limit);
}

function pick<T>(values: readonly T[], random: () => number): T {
  return values[below(random, values.length)] as T;
}
