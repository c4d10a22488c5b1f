import { afterEach, describe, expect, test } from "bun:test";
import net from "node:net";
import {
  clientInfo,
  currentFrames,
  encodeFrame,
  IrohClient,
  type IrohClientOptions,
  irohKey,
  legacyFrames,
} from "../../test/support/iroh-client.ts";
import { Link } from "../../test/support/link.ts";
import { type Clock, ManualClock, systemClock } from "../core/clock.ts";
import type { Event, Log } from "../log/events.ts";
import { ConnectionLimits } from "../net/connection-limits.ts";
import { frontDoor } from "../net/front-door.ts";
import { HttpBackend } from "../net/http-backend.ts";
import { listen } from "../net/listener.ts";
import { IrohHost, type IrohSettings } from "./server.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const plenty: IrohSettings = {
  enabled: true,
  clients: 100,
  clientsPerAddress: 100,
  bytesPerSecond: 0,
  totalBytesPerSecond: 0,
};

async function serve(settings: Partial<IrohSettings> = {}, clock: Clock = systemClock) {
  const events: Event[] = [];
  const log: Log = { emit: (event) => events.push(event), counts: () => new Map() };
  const host = new IrohHost({ ...plenty, ...settings }, clock, log);
  const backend = new HttpBackend<undefined>({ fetch: () => new Response("the site\n") });
  await backend.start();
  cleanups.push(() => backend.stop());
  const listener = await listen({
    address: { host: "127.0.0.1", port: 0 },
    tls: "none",
    limits: new ConnectionLimits({ total: 200, perAddress: 200 }),
    log,
    clock,
    stopDeadlineMs: 200,
    ...frontDoor({ http: backend, rawRoutes: host.routes, clock, log }),
  });
  cleanups.push(() => listener.stop());
  const connect = async (options: Omit<IrohClientOptions, "port">) => {
    const client = await IrohClient.connect({ ...options, port: listener.port });
    cleanups.push(() => client.close());
    return client;
  };
  const ask = (request: string) => exchange(listener.port, request);
  return { host, listener, events, connect, ask };
}

/** One request on a connection of its own. @returns all that came until the server hung up */
async function exchange(port: number, request: string): Promise<string> {
  const link = await Link.connect({ port });
  link.write(request);
  const lines: string[] = [];
  try {
    for (;;) lines.push(await link.line());
  } catch {
    return lines.join("\n");
  } finally {
    link.close();
  }
}

describe("the upgrade", () => {
  const websocket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

  test.each([
    ["no Upgrade", "GET", "", "400 Bad Request"],
    ["another Upgrade", "GET", "Upgrade: h2c\r\n", "400 Bad Request"],
    ["the raw one in other letters", "GET", "Upgrade: Iroh DERP http\r\n", "400 Bad Request"],
    ["POST", "POST", "Upgrade: iroh derp http\r\n", "405 Method Not Allowed"],
    ["no WebSocket key", "GET", websocket, "400 Bad Request"],
    ["a short WebSocket key", "GET", `${websocket}Sec-WebSocket-Key: c2hvcnQ=\r\n`, "400 Bad Request"],
    ["WebSocket 8", "GET", `${websocket.replace("13", "8")}${key}`, "400 Bad Request"],
    [
      "an unknown subprotocol",
      "GET",
      `${websocket}${key}Sec-WebSocket-Protocol: iroh-relay-v9\r\n`,
      "400 Bad",
    ],
  ])("with %s is refused", async (_, method, fields, status) => {
    const { ask, host } = await serve();
    const answer = await ask(`${method} /relay HTTP/1.1\r\nHost: x\r\n${fields}\r\n`);
    expect(answer).toStartWith(`HTTP/1.1 ${status}`);
    expect(answer).toContain("Connection: close");
    expect(host.status().counters.upgradesRefused).toBe(1);
  });

  test("to WebSocket echoes the newest subprotocol of those offered, and proves it read the key", async () => {
    const { listener } = await serve();
    const link = await Link.connect({ port: listener.port });
    cleanups.push(() => link.close());
    const offer = "Sec-WebSocket-Protocol: x, iroh-relay-v1\r\nSec-WebSocket-Protocol: iroh-relay-v2\r\n";
    link.write(`GET /relay?a=b HTTP/1.1\r\nHost: x\r\n${websocket}${key}${offer}\r\n`);
    const lines: string[] = [];
    for (let line = await link.line(); line !== ""; line = await link.line()) lines.push(line);
    expect(lines).toEqual([
      "HTTP/1.1 101 Switching Protocols",
      "Connection: Upgrade",
      "Upgrade: websocket",
      // RFC 6455 §1.3 has this key and answer.
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
      "Sec-WebSocket-Protocol: iroh-relay-v2",
    ]);
  });

  test("to the legacy stream works at /derp, and with the first frame in the same segment", async () => {
    const { connect, host } = await serve();
    await connect({ family: "legacy", path: "/derp" });
    expect(host.status()).toMatchObject({ legacyEndpoints: 1, currentEndpoints: 0, connections: 1 });
  });

  test("over the limits is answered 503, and there is room again after a client left", async () => {
    const { connect, listener, host } = await serve({ clients: 10, clientsPerAddress: 2 });
    const one = await connect({ family: "legacy" });
    const two = await connect({ family: "v2" });
    const third = await IrohClient.dial({ family: "v2", port: listener.port });
    expect(third.answer[0]).toBe("HTTP/1.1 503 Service Unavailable");
    two.send(one.key.publicKey, Buffer.of(1));
    one.send(two.key.publicKey, Buffer.of(1));
    two.close();
    await untilGone(host, 1);
    await connect({ family: "v1" });
  });
});

/** Waits for the event loop, not for time. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((done) => setImmediate(done));
}

async function untilGone(host: IrohHost, connections: number): Promise<void> {
  await until(() => host.status().connections <= connections);
}

describe("what clients ask around it", () => {
  const noContent = "HTTP/1.1 204 No Content\nConnection: close\n";
  const answered = (field: string) => noContent.replace("\n", `\n${field}\n`);

  test.each([
    [
      "a ping, from any page",
      "/ping",
      "",
      "HTTP/1.1 200 OK\nAccess-Control-Allow-Origin: *\nContent-Length: 0\nConnection: close\n",
    ],
    ["whether there is a captive portal", "/generate_204", "", noContent],
    [
      "that with the challenge of today's core",
      "/generate_204",
      "X-Tailscale-Challenge: ts_relay.example-1\r\n",
      answered("X-Tailscale-Response: response ts_relay.example-1"),
    ],
    [
      "that with the challenge of iroh 1.x",
      "/generate_204",
      "X-Iroh-Challenge: abc\r\n",
      answered("X-Iroh-Response: response abc"),
    ],
    ["that with a blank in the challenge", "/generate_204", "X-Iroh-Challenge: a b\r\n", noContent],
    ["that with 64 letters", "/generate_204", `X-Iroh-Challenge: ${"a".repeat(64)}\r\n`, noContent],
  ])("%s", async (_, path, fields, answer) => {
    const { ask } = await serve();
    expect(await ask(`GET ${path} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`)).toBe(answer);
  });

  test("/healthz is JSON", async () => {
    const { listener } = await serve();
    const answer = await fetch(`http://127.0.0.1:${listener.port}/healthz`);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(await answer.json()).toMatchObject({ status: "ok" });
  });

  test("other paths and methods are the site's", async () => {
    const { ask } = await serve();
    for (const request of ["GET / HTTP/1.0", "POST /ping HTTP/1.0", "GET /relays HTTP/1.0"]) {
      expect(await ask(`${request}\r\n\r\n`)).toContain("the site");
    }
  });
});

describe("new settings", () => {
  test("turned off, clients are told to go and the paths are the site's; turned on, it works again", async () => {
    const { host, connect, ask } = await serve();
    const client = await connect({ family: "legacy" });
    host.reconfigure({ ...plenty, enabled: false });
    await client.nextOf(legacyFrames.restarting);
    await client.link.closed;
    expect(await ask("GET /ping HTTP/1.0\r\n\r\n")).toContain("the site");
    host.reconfigure(plenty);
    await connect({ family: "legacy" });
  });

  test("a lower limit counts those who are here, and lets them stay", async () => {
    const { host, connect, listener } = await serve();
    const clients = [await connect({ family: "legacy" }), await connect({ family: "v2" })] as const;
    host.reconfigure({ ...plenty, clients: 1 });
    const late = await IrohClient.dial({ family: "v2", port: listener.port });
    expect(late.answer[0]).toContain("503");
    for (const client of clients) await client.ping();
    for (const client of clients) client.close();
    await untilGone(host, 0);
    await connect({ family: "legacy" });
  });

  test("bandwidth holds for clients that are here", async () => {
    const { host, connect } = await serve();
    const [one, two] = [await connect({ family: "v2" }), await connect({ family: "v2" })];
    host.reconfigure({ ...plenty, bytesPerSecond: 500_000 });
    for (let i = 0; i < 6; i++) one.send(two.key.publicKey, Buffer.alloc(60_000));
    for (let i = 0; i < 6; i++) await two.receive();
    expect((await one.nextOf(currentFrames.status)).body).toEqual(Buffer.of(2));
    expect(host.status().counters.clientsThrottled).toBe(1);
  });
});

test("a silent client is dropped, one that never proves its key too, without a timer of their own", async () => {
  const clock = new ManualClock();
  const { host, connect, listener, events } = await serve({}, clock);
  const lazy = await IrohClient.dial({ family: "v1", port: listener.port });
  cleanups.push(() => lazy.close());
  const { link } = await connect({ family: "v2", key: irohKey() });
  expect(host.status().connections).toBe(2);
  clock.advance(14_000);
  await lazy.link.closed;
  expect(events.map((event) => ("what" in event ? event.what : ""))).toContain(
    "iroh: no proof of a key in time",
  );
  clock.advance(40_000);
  await link.closed;
  await untilGone(host, 0);
  expect(host.status()).toMatchObject({ currentEndpoints: 0, counters: { silent: 1, handshakesFailed: 1 } });
});

test("a client that reads nothing loses packets, then its connection; the sender is not held up", async () => {
  const clock = new ManualClock();
  const { host, connect, listener } = await serve({}, clock);
  const key = irohKey();
  // A paused socket: what the kernel takes is all that it takes.
  const deaf = net.connect({ host: "127.0.0.1", port: listener.port });
  cleanups.push(() => deaf.destroy());
  deaf.on("error", () => {});
  deaf.write("GET /relay HTTP/1.1\r\nupgrade: iroh derp http\r\nhost: x\r\n\r\n");
  deaf.write(encodeFrame("legacy", legacyFrames.clientInfo, clientInfo(key)));
  await until(() => host.status().legacyEndpoints === 1);
  const sender = await connect({ family: "legacy" });
  const packet = Buffer.alloc(60_000);
  while (host.status().counters.droppedFull === 0) {
    for (let i = 0; i < 50; i++) sender.send(key.publicKey, packet);
    await sender.ping();
  }
  for (let step = 0; step < 4; step++) clock.advance(2000);
  await untilGone(host, 1);
  expect(host.status().counters.stalled).toBe(1);
  await sender.ping();
});
