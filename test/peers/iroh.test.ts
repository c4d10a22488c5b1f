/** The compiled relay as an iroh relay, with clients of our own: every family and transport, many at once. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { IrohClient, type IrohFamily } from "../support/iroh-client.ts";
import { Relay } from "../support/relay.ts";

const families: readonly IrohFamily[] = ["legacy", "legacy-websocket", "v1", "v2"];
let relay: Relay;

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
