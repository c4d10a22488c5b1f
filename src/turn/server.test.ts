/** TURN over real sockets on loopback: what only sockets can get wrong. */
import { afterEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import net from "node:net";
import { fromLatin1 } from "../core/bytes.ts";
import { ManualClock } from "../core/clock.ts";
import type { Event } from "../log/events.ts";
import { ConnectionLimits } from "../net/connection-limits.ts";
import { ListenError } from "../net/listener.ts";
import type { TurnSettings } from "./engine/actions.ts";
import { FrameReader } from "./engine/frames.ts";
import { methods } from "./engine/stun.ts";
import { TurnServer } from "./server.ts";
import { type LocalAddress, relayHost, spreadWildcard } from "./sockets.ts";
import {
  allocateRequest,
  type Answer,
  channelBindRequest,
  channelData,
  type Login,
  readAnswer,
  request,
  type RequestOptions,
} from "./turn-client.test-help.ts";

const LOOPBACK = "127.0.0.1";
const REALM = "relay.test";
const login: Login = { username: "1700000000", password: "right", realm: REALM };
const events: Event[] = [];
const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close();
  expect(events.splice(0).filter(({ kind }) => kind === "internalFault")).toEqual([]);
});

async function start(
  settings: Partial<TurnSettings> = {},
  listen = [{ host: LOOPBACK, port: 0 }],
): Promise<TurnServer> {
  const server = new TurnServer({
    listen,
    listenTls: [],
    settings: {
      realm: REALM,
      relayAddresses: { 4: LOOPBACK },
      ports: { min: 49_152, max: 65_535 },
      ownAddresses: new Set([LOOPBACK]),
      allowPrivatePeers: true,
      allocationsMax: 10,
      allocationsPerUserMax: 10,
      allocationsPerAddressMax: 10,
      allocationBytesPerSecond: 0,
      totalBytesPerSecond: 0,
      ...settings,
    },
    users: { passwordsOf: (username) => (username === login.username ? ["right"] : []) },
    getTls: () => ({ key: "", cert: "" }),
    limits: new ConnectionLimits({ total: 100, perAddress: 100 }),
    log: { emit: (event) => events.push(event), counts: () => new Map() },
    clock: new ManualClock(),
  });
  await server.start();
  opened.push({ close: () => server.stop() });
  return server;
}

/** A UDP socket that hands out what it gets, in order. */
class Udp {
  readonly #got: { bytes: Uint8Array; port: number }[] = [];
  #waiting: (() => void) | undefined;
  #socket: Bun.udp.Socket<"buffer"> | undefined;

  static async open(): Promise<Udp> {
    const udp = new Udp();
    udp.#socket = await Bun.udpSocket({
      hostname: LOOPBACK,
      socket: {
        data: (_socket, bytes, port) => {
          udp.#got.push({ bytes: Uint8Array.from(bytes), port });
          udp.#waiting?.();
        },
        error() {},
      },
    });
    opened.push({ close: () => udp.close() });
    return udp;
  }

  get port(): number {
    return this.#socket?.port ?? 0;
  }

  send(bytes: Uint8Array, port: number): void {
    this.#socket?.send(bytes, port, LOOPBACK);
  }

  async next(): Promise<{ bytes: Uint8Array; port: number }> {
    const first = this.#got.shift();
    if (first !== undefined) return first;
    await new Promise<void>((resolve) => (this.#waiting = resolve));
    return this.next();
  }

  async ask(bytes: Uint8Array, port: number): Promise<Answer> {
    this.send(bytes, port);
    return readAnswer((await this.next()).bytes);
  }

  close(): void {
    if (this.#socket?.closed === false) this.#socket.close();
  }
}

async function allocated(
  server: TurnServer,
): Promise<{ client: Udp; port: number; signed: RequestOptions; relayPort: number }> {
  const client = await Udp.open();
  const port = server.udpPort ?? 0;
  const { nonce } = await client.ask(allocateRequest(), port);
  const signed = { login, nonce };
  const { relayed } = await client.ask(allocateRequest(signed), port);
  return { client, port, signed, relayPort: relayed?.port ?? 0 };
}

describe("UDP", () => {
  test("data goes from client to peer and back", async () => {
    const { client, port, signed, relayPort } = await allocated(await start());
    const peer = await Udp.open();
    const { status } = await client.ask(
      channelBindRequest(0x4000, { address: LOOPBACK, port: peer.port }, signed),
      port,
    );
    expect(status).toBe(0);
    client.send(channelData(0x4000, fromLatin1("out")), port);
    expect(await peer.next()).toEqual({ bytes: new TextEncoder().encode("out"), port: relayPort });
    peer.send(fromLatin1("back"), relayPort);
    expect((await client.next()).bytes).toEqual(channelData(0x4000, fromLatin1("back")));
  });

  test("a peer that is not there harms neither the allocation nor others", async () => {
    const server = await start();
    const { client, port, signed } = await allocated(server);
    const gone = await Udp.open();
    const nowhere = gone.port;
    gone.close();
    await client.ask(channelBindRequest(0x4000, { address: LOOPBACK, port: nowhere }, signed), port);
    for (let i = 0; i < 20; i++) {
      client.send(channelData(0x4000, fromLatin1("anybody?")), port);
      // An answer means that what was sent before has been handled, ICMP included.
      expect((await client.ask(request(methods.binding), port)).status).toBe(0);
    }
    const peer = await Udp.open();
    await client.ask(channelBindRequest(0x4001, { address: LOOPBACK, port: peer.port }, signed), port);
    client.send(channelData(0x4001, fromLatin1("still here")), port);
    expect((await peer.next()).bytes.length).toBe(10);
    const { allocations, lost, socketErrors } = server.facts();
    expect(allocations).toBe(1);
    expect(lost + socketErrors).toBeGreaterThan(0);
  });

  test("a client that vanishes does not harm the server", async () => {
    const server = await start();
    const { client, relayPort, port, signed } = await allocated(server);
    const peer = await Udp.open();
    await client.ask(channelBindRequest(0x4000, { address: LOOPBACK, port: peer.port }, signed), port);
    client.close();
    for (let i = 0; i < 10; i++) peer.send(fromLatin1("hello?"), relayPort);
    const other = await Udp.open();
    for (let i = 0; i < 3; i++) expect((await other.ask(request(methods.binding), port)).status).toBe(0);
    expect(server.facts().allocations).toBe(1);
  });

  test("Refresh with 0 closes the relay socket, and so does the end", async () => {
    const server = await start();
    const { client, port, signed, relayPort } = await allocated(server);
    expect(await isFree(relayPort)).toBe(false);
    await client.ask(request(methods.refresh, { ...signed, fill: (to) => to.u32(0x000d, 0) }), port);
    expect(await isFree(relayPort)).toBe(true);
    const again = await client.ask(allocateRequest(signed), port);
    await server.stop();
    expect(await isFree(again.relayed?.port ?? 0)).toBe(true);
    expect(await isFree(port)).toBe(true);
  });

  test("without a free port in the range 508", async () => {
    const taken = await Udp.open();
    const server = await start({ ports: { min: taken.port, max: taken.port } });
    const client = await Udp.open();
    const { nonce } = await client.ask(allocateRequest(), server.udpPort ?? 0);
    expect((await client.ask(allocateRequest({ login, nonce }), server.udpPort ?? 0)).status).toBe(508);
    expect(server.facts().allocations).toBe(0);
  });

  test("a port that is taken is told with its section of the configuration", async () => {
    const taken = await Udp.open();
    const failure: unknown = await start({}, [{ host: LOOPBACK, port: taken.port }]).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(ListenError);
    expect(String(failure)).toMatch(/cannot listen on 127\.0\.0\.1:\d+: the port is taken .*\[turn\]$/);
  });

  test("the wildcards of both families share a port", async () => {
    const port = await freePort();
    const server = await start({}, [
      { host: "0.0.0.0", port },
      { host: "::", port },
    ]);
    const client = await Udp.open();
    expect((await client.ask(request(methods.binding), port)).mapped).toEqual({
      address: LOOPBACK,
      port: client.port,
    });
    expect(server.bound().turn.length).toBeGreaterThan(0);
  });
});

describe("TCP", () => {
  test("an allocation lives as long as its connection", async () => {
    const server = await start();
    const tcp = await Tcp.open(server.udpPort ?? 0);
    const { nonce } = await tcp.ask(allocateRequest());
    const { relayed, mapped } = await tcp.ask(allocateRequest({ login, nonce }));
    expect(mapped?.port).toBe(tcp.socket.localPort ?? 0);
    expect(server.facts().allocations).toBe(1);
    tcp.socket.end();
    await tcp.closed;
    expect(server.facts().allocations).toBe(0);
    expect(await isFree(relayed?.port ?? 0)).toBe(true);
  });

  for (const [name, bytes] of [
    ["HTTP", fromLatin1("GET / HTTP/1.1\r\n\r\n")],
    ["a TLS handshake", Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1)],
    ["a frame larger than any request, before there is an allocation", Uint8Array.of(0x40, 0, 0xff, 0xff)],
  ] as const) {
    test(`${name} is hung up on`, async () => {
      const server = await start();
      const tcp = await Tcp.open(server.udpPort ?? 0);
      tcp.socket.write(bytes);
      await tcp.closed;
      expect(server.facts().allocations).toBe(0);
    });
  }

  test("requests byte by byte and in one piece are answered alike", async () => {
    const server = await start();
    const tcp = await Tcp.open(server.udpPort ?? 0);
    const bytes = request(methods.binding);
    for (const byte of bytes) tcp.socket.write(Uint8Array.of(byte));
    const drip = await tcp.next();
    tcp.socket.write(Buffer.concat([bytes, bytes]));
    expect([await tcp.next(), await tcp.next()].map((answer) => answer.message.bytes)).toEqual([
      drip.message.bytes,
      drip.message.bytes,
    ]);
  });
});

class Tcp {
  readonly socket: net.Socket;
  /** A reset counts too. */
  readonly closed: Promise<unknown>;
  readonly #frames = new FrameReader();
  readonly #got: Answer[] = [];
  #waiting: (() => void) | undefined;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      for (const frame of this.#frames.push(bytes, 4096) ?? []) this.#got.push(readAnswer(frame));
      this.#waiting?.();
    });
  }

  static async open(port: number): Promise<Tcp> {
    const tcp = new Tcp(net.connect(port, LOOPBACK));
    await once(tcp.socket, "connect");
    opened.push({ close: () => tcp.socket.destroy() });
    return tcp;
  }

  ask(bytes: Uint8Array): Promise<Answer> {
    this.socket.write(bytes);
    return this.next();
  }

  async next(): Promise<Answer> {
    const first = this.#got.shift();
    if (first !== undefined) return first;
    await new Promise<void>((resolve) => (this.#waiting = resolve));
    return this.next();
  }
}

describe("where sockets bind", () => {
  const local: LocalAddress[] = [
    { address: "127.0.0.1", family: 4, isInner: true },
    { address: "93.184.216.34", family: 4, isInner: false },
    { address: "::1", family: 6, isInner: true },
    { address: "fe80::1", family: 6, isInner: true },
  ];
  const second: LocalAddress = { address: "93.184.216.35", family: 4, isInner: false };
  const any = { host: "0.0.0.0", port: 3478 };

  test("a wildcard stays one where there is one outer address", () => {
    expect(spreadWildcard(any, local)).toEqual([any]);
    expect(spreadWildcard({ host: "::", port: 3478 }, local)).toEqual([{ host: "::", port: 3478 }]);
  });

  test("with two outer addresses each has its socket, and loopback too", () => {
    const hosts = spreadWildcard(any, [...local, second]).map(({ host }) => host);
    expect(hosts).toEqual(["93.184.216.34", "93.184.216.35", "127.0.0.1"]);
    expect(spreadWildcard({ host: "127.0.0.1", port: 1 }, [...local, second])).toEqual([
      { host: "127.0.0.1", port: 1 },
    ]);
  });

  test("a relayed address that is not here (NAT) binds the wildcard", () => {
    expect(relayHost("93.184.216.34", local)).toBe("93.184.216.34");
    expect(relayHost("93.184.216.99", local)).toBe("0.0.0.0");
    expect(relayHost("2a01:4f8::1", local)).toBe("::");
  });
});

async function isFree(port: number): Promise<boolean> {
  try {
    (await Bun.udpSocket({ hostname: LOOPBACK, port })).close();
    return true;
  } catch {
    return false;
  }
}

/** One that is free for TCP and UDP, outside the range that relays draw from. */
async function freePort(): Promise<number> {
  for (let port = 20_000 + (process.pid % 9000); ; port++) {
    if (!(await isFree(port))) continue;
    const server = net.createServer().listen(port);
    const [outcome] = await Promise.race([
      once(server, "listening").then(() => ["free"]),
      once(server, "error").then(() => ["taken"]),
    ]);
    server.close();
    if (outcome === "free") return port;
  }
}
