/**
 * Hostile clients of the iroh relay, made from a seed: whatever they send and however it is cut, nothing throws, the
 * answers are the same, two bystanders of the same family stay connected and hear only from keys that were proven,
 * and output stays in bounds.
 */
import { clientAuth, clientInfo, type IrohFamily, irohKey, webSocketFrame } from "../support/iroh-client.ts";
import { CHALLENGE, type FakeClient, FakeRelay } from "../support/iroh-engine.ts";
import { readUpgrade } from "../../src/iroh/engine/upgrade.ts";
import { relayCrypto } from "../../src/iroh/crypto.ts";
import { generator } from "./random.ts";

const families: readonly IrohFamily[] = ["legacy", "legacy-websocket", "v1", "v2"];
const LENGTHS = [
  0, 1, 7, 8, 9, 31, 32, 33, 34, 35, 40, 97, 106, 125, 126, 1024, 1025, 65_535, 65_568, 65_569,
];
const FRAMES_MAX = 30;
const PIECE_MAX_BYTES = 4000;

type Random = () => number;

/** Keys are dear to make; which one a case uses comes from its seed. */
const keys = Array.from({ length: 4 }, (_, i) => irohKey(Buffer.alloc(32, i + 1)));
const [hostileKey, ...bystanderKeys] = keys;

export const irohFuzz: { name: string; run(seed: number): void } = {
  name: "iroh",
  run(seed) {
    const random = generator(seed);
    const family = pick(random, families);
    const stream = makeStream(random, family);
    const whole = converse(family, stream, () => stream.length);
    const cut = converse(family, stream, () => 1 + Math.floor(random() * PIECE_MAX_BYTES));
    if (whole !== cut) throw new Error(`answers of ${family} depend on the cuts`);
    askForUpgrade(random);
  },
};

/** @returns all that anybody heard */
function converse(family: IrohFamily, stream: Buffer, pieceLength: () => number): string {
  const relay = new FakeRelay();
  const bystanders = bystanderKeys.map((key) => relay.enter(family, key));
  const hostile = relay.open(family, hostileKey);
  for (let at = 0; at < stream.length; ) {
    const end = Math.min(stream.length, at + pieceLength());
    hostile.feed(stream.subarray(at, end));
    at = end;
  }
  const said = hostile.takeBytes();
  if (said.length > 10 * stream.length + 1000) throw new Error("more answers than questions");
  const heard = bystanders.map((client) => listen(client));
  if (hostile.session.isOver && !hostile.done.includes("end")) throw new Error("over, but not hung up");
  hostile.session.closed();
  if (relay.legacy.size + relay.current.size !== bystanders.length)
    throw new Error("somebody stayed or left");
  return [said.toString("latin1"), ...heard, hostile.done.join()].join("|");
}

function listen(client: FakeClient): string {
  if (client.session.isOver || client.done.length > 0) throw new Error("a bystander was hung up on");
  const { receive, peerGone } = { receive: client.isLegacy ? 5 : 6, peerGone: 8 };
  return client
    .take()
    .map(({ type, body }) => {
      if (type !== receive && type !== peerGone && type !== 7)
        throw new Error(`a bystander got frame ${type}`);
      const from = body.subarray(0, 32);
      if (!keys.some((key) => key.publicKey.equals(from))) throw new Error("from nobody that was proven");
      return `${type} ${body.toString("latin1")}`;
    })
    .join();
}

function makeStream(random: Random, family: IrohFamily): Buffer {
  const parts: Buffer[] = [];
  const legacy = family.startsWith("legacy");
  const proof = legacy ? clientInfo(hostileKey ?? irohKey()) : clientAuth(hostileKey ?? irohKey(), CHALLENGE);
  const proofType = legacy ? 2 : 1;
  if (random() < 0.8) parts.push(wrap(random, family, proofType, proof));
  for (let left = Math.floor(random() * FRAMES_MAX); left > 0; left--) {
    const type = random() < 0.9 ? Math.floor(random() * 18) : Math.floor(random() * 256);
    parts.push(wrap(random, family, type, makeBody(random, proof)));
  }
  const stream = Buffer.concat(parts);
  // A few bytes turned, so that headers break as well.
  for (
    let turned = random() < 0.5 ? 0 : Math.floor(random() * 4);
    turned > 0 && stream.length > 0;
    turned--
  ) {
    stream[Math.floor(random() * stream.length)] = Math.floor(random() * 256);
  }
  return stream;
}

function makeBody(random: Random, proof: Buffer): Buffer {
  if (random() < 0.1) return proof;
  const length = random() < 0.1 ? pick(random, LENGTHS) : 32 + Math.floor(random() * 80);
  const body = Buffer.alloc(length, Math.floor(random() * 256));
  if (random() < 0.8) pick(random, keys).publicKey.copy(body);
  return body;
}

function wrap(random: Random, family: IrohFamily, type: number, body: Buffer): Buffer {
  if (family === "legacy") {
    const header = Buffer.alloc(5);
    header[0] = type;
    header.writeUInt32BE(random() < 0.95 ? body.length : Math.floor(random() * 2 ** 32), 1);
    return Buffer.concat([header, body]);
  }
  const message = Buffer.concat([Buffer.of(type), body]);
  const opcode = random() < 0.9 ? 2 : Math.floor(random() * 16);
  if (random() < 0.7) return webSocketFrame(opcode, message);
  const at = Math.floor(random() * message.length);
  const between = random() < 0.5 ? webSocketFrame(9, body.subarray(0, 20)) : Buffer.alloc(0);
  return Buffer.concat([
    webSocketFrame(opcode, message.subarray(0, at), false),
    between,
    webSocketFrame(0, message.subarray(at)),
  ]);
}

function askForUpgrade(random: Random): void {
  const values = [
    "websocket",
    "iroh derp http",
    "13",
    "dGhlIHNhbXBsZSBub25jZQ==",
    "iroh-relay-v1, x",
    ",",
    "",
    "\u00ff",
  ];
  const names = ["upgrade", "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol"];
  const fields = names.flatMap((name) => (random() < 0.7 ? [[name, pick(random, values)] as const] : []));
  const { answer } = readUpgrade({ method: "GET", fields }, relayCrypto);
  if (!/^HTTP\/1\.1 (101|400) /.test(Buffer.from(answer).toString("latin1"))) throw new Error("no answer");
}

function pick<T>(random: Random, list: readonly T[]): T {
  const chosen = list[Math.floor(random() * list.length)];
  if (chosen === undefined) throw new Error("an empty list");
  return chosen;
}
