/**
 * The compiled relay as an iroh relay: clients of our own in every family and transport, a thousand of them at once,
 * and real iroh 1.x endpoints that have no UDP.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { resolve } from "node:path";
import {
  clientInfo,
  currentFrames,
  encodeFrame,
  IrohClient,
  type IrohFamily,
  irohKey,
  legacyFrames,
  webSocketFrame,
} from "../support/iroh-client.ts";
import { irohCounters } from "../support/iroh-counters.ts";
import type { PairReport } from "../support/iroh-pair.ts";
import { noUdpMissing, withoutUdp } from "../support/no-udp.ts";
import { Relay } from "../support/relay.ts";

const families: readonly IrohFamily[] = ["legacy", "legacy-websocket", "v1", "v2"];
const CROWD = 1000;
const PACKETS_EACH = 20;
const ECHO_BYTES = 300_000;
const ECHO_ROUNDS = 3;
let relay: Relay;
const crowd: IrohClient[] = [];

beforeAll(async () => {
  relay = await Relay.start({
    name: "iroh",
    domain: "[127.0.0.1]",
    config: { iroh: { clients: 3000, clients_per_address: 3000 } },
  });
});

afterAll(() => relay?.dispose());

describe.each([...families])("%s", (family) => {
  test.each([
    ["http", false],
    ["https", true],
  ] as const)("two clients exchange packets over %s", async (listener, tls) => {
    const port = relay.ports[listener];
    const [one, two] = await Promise.all([1, 2].map(() => IrohClient.connect({ family, port, tls })));
    if (one === undefined || two === undefined) throw new Error("no clients");
    for (const size of [0, 1, 125, 126, 1200, 60_000]) {
      const packet = randomBytes(size);
      one.send(two.key.publicKey, packet);
      const { from, packet: got } = await two.receive();
      expect(from).toEqual(one.key.publicKey);
      expect(got).toEqual(packet);
    }
    two.send(one.key.publicKey, Buffer.from("bye"));
    expect((await one.receive()).packet.toString()).toBe("bye");
    two.close();
    // Those it wrote to are told that it left.
    expect((await one.nextOf(one.frames.peerGone)).body).toEqual(two.key.publicKey);
    one.close();
  });
});

test.each(["legacy", "v2"] as const)(`${CROWD / 2} clients write to each other: %s`, async (family) => {
  const port = relay.ports.http;
  const clients: IrohClient[] = [];
  for (let i = 0; i < CROWD / 2; i += 50) {
    clients.push(
      ...(await Promise.all(Array.from({ length: 50 }, () => IrohClient.connect({ family, port })))),
    );
  }
  crowd.push(...clients);
  // Each writes to the next one round the table, and all read.
  const packet = randomBytes(1000);
  const reading = clients.map(async (client, i) => {
    const before = clients.at(i - 1);
    for (let n = 0; n < PACKETS_EACH; n++) {
      const { from, packet: got } = await client.receive();
      if (before === undefined || !from.equals(before.key.publicKey) || !got.equals(packet)) return false;
    }
    return true;
  });
  for (let n = 0; n < PACKETS_EACH; n++) {
    for (const [i, client] of clients.entries()) {
      const next = clients[(i + 1) % clients.length];
      if (next !== undefined) client.send(next.key.publicKey, packet);
    }
  }
  expect((await Promise.all(reading)).every(Boolean)).toBe(true);
});

test(`all ${CROWD} are still there, and each can be reached`, async () => {
  expect(crowd).toHaveLength(CROWD);
  await Promise.all(crowd.map((client) => client.ping()));
  for (const client of crowd.splice(0)) client.close();
});

describe("hostile clients", () => {
  /** What is sent behind the upgrade. */
  const sent: readonly (readonly [what: string, family: IrohFamily, bytes: (replayed: Buffer) => Buffer])[] =
    [
      ["nothing", "legacy", () => Buffer.alloc(0)],
      ["garbage", "legacy", () => randomBytes(5000)],
      ["garbage in messages", "v2", () => webSocketFrame(2, randomBytes(500))],
      ["a frame without end", "legacy", () => Buffer.from("02ffffffff", "hex")],
      ["half a proof", "legacy", (replayed) => encodeFrame("legacy", 2, replayed).subarray(0, 50)],
      ["a spoilt proof", "legacy", (replayed) => encodeFrame("legacy", 2, replayed.fill(7, 60, 70))],
      ["a proof of the other family", "v1", (replayed) => encodeFrame("v1", 1, replayed)],
    ];

  test("of every kind at once do not disturb two that talk", async () => {
    const port = relay.ports.http;
    const key = irohKey();
    const one = await IrohClient.connect({ family: "legacy", port, key });
    const two = await IrohClient.connect({ family: "legacy", port });
    const hostile: IrohClient[] = [];
    for (let round = 0; round < 20; round++) {
      for (const [, family, bytes] of sent) {
        const client = await IrohClient.dial({ family, port });
        client.link.write(bytes(clientInfo(key)));
        hostile.push(client);
      }
      two.send(key.publicKey, Buffer.of(round));
      expect((await one.receive()).packet).toEqual(Buffer.of(round));
    }
    await Promise.all([one.ping(), two.ping()]);
    for (const client of [...hostile, one, two]) client.close();
  });

  test("with a proof that they once received displace its owner, who takes the key back at once", async () => {
    const port = relay.ports.http;
    const key = irohKey();
    const owner = await IrohClient.connect({ family: "legacy", port, key });
    const thief = await IrohClient.dial({ family: "legacy", port });
    thief.write(legacyFrames.clientInfo, clientInfo(key));
    await owner.link.closed;
    const again = await IrohClient.connect({ family: "legacy", port, key });
    await thief.link.closed;
    const friend = await IrohClient.connect({ family: "legacy", port });
    friend.send(key.publicKey, Buffer.from("to the owner"));
    expect((await again.receive()).packet.toString()).toBe("to the owner");
    for (const client of [again, friend]) client.close();
  });
});

describe.skipIf(noUdpMissing())("real iroh 1.x endpoints without UDP exchange data through the relay", () => {
  test("with the newest protocol", async () => {
    expect(await exchangeOfRealOnes(relay.ports.http)).toMatchObject({ whole: true, direct: 0 });
  });

  test("with v1, when that is all they are offered", async () => {
    const seen: string[] = [];
    const between = await offerOnlyV1(relay.ports.http, seen);
    try {
      expect(await exchangeOfRealOnes(between.port)).toMatchObject({ whole: true, direct: 0 });
      expect(seen).toContain("sec-websocket-protocol: iroh-relay-v1");
    } finally {
      between.close();
    }
  });
});

async function exchangeOfRealOnes(port: number): Promise<PairReport> {
  const program = resolve(import.meta.dir, "../support/iroh-pair.ts");
  const url = `http://127.0.0.1:${port}`;
  const command = [...withoutUdp, process.execPath, program, url, String(ECHO_BYTES), String(ECHO_ROUNDS)];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  expect(err).toBe("");
  return JSON.parse(out) as PairReport;
}

/** Stands before the relay and takes v2 out of what clients offer. @param seen lines of the relay's answers */
async function offerOnlyV1(port: number, seen: string[]): Promise<{ port: number; close(): void }> {
  const server = createServer((client) => {
    const upstream = connect({ host: "127.0.0.1", port });
    client.once("data", (head: Buffer) => {
      upstream.write(head.toString("latin1").replace("iroh-relay-v2, ", ""), "latin1");
      client.pipe(upstream);
    });
    upstream.once("data", (head: Buffer) => {
      seen.push(...head.toString("latin1").toLowerCase().split("\r\n"));
      client.write(head);
      upstream.pipe(client);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

test("the relay counted what it carried, and a stop tells the clients when to come back", async () => {
  const port = relay.ports.http;
  const legacy = await IrohClient.connect({ family: "legacy", port });
  const current = await IrohClient.connect({ family: "v2", port });
  const [stopped, ...restarting] = await Promise.all([
    relay.stop(),
    legacy.nextOf(legacyFrames.restarting),
    current.nextOf(currentFrames.restarting),
  ]);
  expect(stopped.code).toBe(0);
  for (const { body } of restarting) {
    expect(body.readUInt32BE(0)).toBeLessThan(5000);
    expect(body.readUInt32BE(4)).toBe(5000);
  }
  const counters = irohCounters(relay);
  expect(counters["packetsRelayed"]).toBeGreaterThan(CROWD * PACKETS_EACH);
  // More than went through our own clients: the real ones sent theirs, there and back.
  const real = noUdpMissing() ? 0 : 2 * 2 * ECHO_ROUNDS * ECHO_BYTES;
  expect(counters["bytesRelayed"]).toBeGreaterThan(CROWD * PACKETS_EACH * 1000 + real);
  expect(counters["droppedFull"]).toBeUndefined();
  expect(counters["protocolErrors"]).toBeUndefined();
  expect(counters["displaced"]).toBe(2);
});
