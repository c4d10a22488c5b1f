/** The service on real sockets, with a clock that is moved by hand: tunnels to a listener of ours, and probers. */
import { afterEach, describe, expect, test } from "bun:test";
import { ManualClock } from "../core/clock.ts";
import { createLog } from "../log/log.ts";
import type { Peer } from "../net/connection.ts";
import { ConnectionLimits } from "../net/connection-limits.ts";
import { Introductions } from "../net/introductions.ts";
import { listen } from "../net/listener.ts";
import { methodNames, passwordFor, SsClient } from "./client.test-help.ts";
import type { MethodName } from "./engine/methods.ts";
import { ShadowsocksServer } from "./server.ts";

const METHOD = "aes-128-gcm";
const LIMITS = { connections: 50, connectionsPerAddress: 50, perMinute: 0, burst: 1 };
const undo: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

/** A service whose only allowed port answers with what it hears, in upper case. */
async function start(method: MethodName = METHOD, more: Partial<typeof LIMITS> = {}) {
  const clock = new ManualClock();
  const log = createLog("off", () => {});
  const introductions = new Introductions();
  const peers: Peer[] = [];
  const ended: number[] = [];
  const echo = await listen({
    address: { host: "127.0.0.1", port: 0 },
    tls: "none",
    introductions,
    limits: new ConnectionLimits({ total: 100, perAddress: 100 }),
    log,
    clock,
    proto: "imap",
    accept: (connection) => {
      peers.push(connection.peer);
      return {
        data: (bytes) =>
          connection.write(Buffer.from(Buffer.from(bytes).toString("latin1").toUpperCase(), "latin1")),
        drained() {},
        secured() {},
        idle() {},
        inputEnded() {
          connection.write(Buffer.from(" bye"));
          connection.end();
        },
        shutdown: () => connection.end(),
        closed: () => ended.push(connection.id),
      };
    },
  });
  const server = new ShadowsocksServer({
    options: {
      listen: [{ host: "127.0.0.1", port: 0 }],
      method,
      password: passwordFor(method),
      ...LIMITS,
      ...more,
    },
    introductions,
    hostOf: (port) => (port === echo.port ? "127.0.0.1" : undefined),
    log,
    clock,
  });
  await server.start();
  undo.push(
    () => server.stop(),
    () => echo.stop(),
  );
  return { server, echo, clock, log, peers, ended };
}

/** A TCP client that keeps what it hears. */
class Wire {
  heard: Buffer = Buffer.alloc(0);
  over = false;
  localPort = 0;
  #socket: Bun.Socket | undefined;
  #waiters: (() => void)[] = [];
  #queue: Buffer[] = [];

  static async to(port: number): Promise<Wire> {
    const wire = new Wire();
    wire.#socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      allowHalfOpen: true,
      socket: {
        data: (_, bytes) => {
          wire.heard = Buffer.concat([wire.heard, bytes]);
          wire.#wake();
        },
        drain: () => wire.#flush(),
        end: (socket) => {
          socket.end();
          wire.#close();
        },
        close: () => wire.#close(),
        error: () => {},
      },
    });
    wire.localPort = wire.#socket.localPort;
    undo.push(() => wire.#socket?.terminate());
    return wire;
  }

  write(bytes: Uint8Array): void {
    this.#queue.push(Buffer.from(bytes));
    this.#flush();
  }

  /** Closes our side only. */
  finish(): void {
    this.#socket?.shutdown();
  }

  async until(enough: () => boolean): Promise<void> {
    while (!enough()) {
      if (this.over) throw new Error(`over after ${this.heard.length} bytes`);
      await this.change();
    }
  }

  async change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.push(resolve);
    await promise;
  }

  #flush(): void {
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const taken = Math.max(0, this.#socket?.write(first) ?? 0);
      if (taken < first.length) {
        this.#queue[0] = first.subarray(taken);
        return;
      }
      this.#queue.shift();
    }
  }

  #close(): void {
    this.over = true;
    this.#wake();
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}

const clientOf = (method: MethodName, clock: ManualClock) =>
  new SsClient({ method, password: passwordFor(method), nowMs: clock.nowMs() });

for (const method of methodNames) {
  test(`${method}: bytes go both ways, and an end of one side reaches the other`, async () => {
    const { server, echo, clock, peers } = await start(method);
    const wire = await Wire.to(server.port ?? 0);
    const client = clientOf(method, clock);
    wire.write(client.open({ port: echo.port, payload: Buffer.from("hello") }));
    wire.write(client.chunks(Buffer.from(" there")));
    wire.finish();
    await wire.until(() => wire.over).catch(() => {});
    expect(client.take(wire.heard).toString()).toBe("HELLO THERE bye");
    expect(peers).toEqual([{ address: "127.0.0.1", port: wire.localPort }]);
  });
}

test("4 MB go through both ways at once, unchanged", async () => {
  const { server, echo, clock } = await start();
  const wire = await Wire.to(server.port ?? 0);
  const client = clientOf(METHOD, clock);
  const big = Buffer.alloc(4_000_000, "0123456789abcdef");
  wire.write(client.open({ port: echo.port }));
  wire.write(client.chunks(big));
  let got = 0;
  const heard: Buffer[] = [];
  while (got < big.length) {
    await wire.until(() => wire.heard.length > 0);
    const piece = client.take(wire.heard);
    wire.heard = Buffer.alloc(0);
    got += piece.length;
    heard.push(piece);
  }
  expect(Buffer.concat(heard).equals(Buffer.from(big.toString().toUpperCase()))).toBe(true);
});

describe("a prober", () => {
  const probes: [string, (port: number, clock: ManualClock) => Buffer | Promise<Buffer>, string][] = [
    ["50 random bytes", () => Buffer.alloc(50, 0xa7), "notAuthentic"],
    ["1000 random bytes", () => Buffer.alloc(1000, 0x3c), "notAuthentic"],
    ["an HTTP request", () => Buffer.from(`GET / HTTP/1.1\r\nHost: relay.test\r\n\r\n`), "notAuthentic"],
    ["half a salt", () => Buffer.alloc(8, 1), "incomplete"],
    ["a forbidden port", (port, clock) => clientOf(METHOD, clock).open({ port: port ^ 1 }), "portNotAllowed"],
    ["port 25", (_, clock) => clientOf(METHOD, clock).open({ port: 25 }), "portNotAllowed"],
    [
      "another password",
      (port) => new SsClient({ method: METHOD, password: "wrong" }).open({ port }),
      "notAuthentic",
    ],
  ];
  for (const [what, make, why] of probes) {
    test(`sees silence, then a quiet end after 30 to 60 s: ${what}`, async () => {
      const { server, echo, clock, log, peers } = await start();
      const wire = await Wire.to(server.port ?? 0);
      wire.write(await make(echo.port, clock));
      if (why !== "incomplete") await counted(log, `tunnelRefused.${why}`);
      else await connectionsOf(server, 1);
      clock.advance(29_000);
      if (why !== "incomplete") wire.write(Buffer.alloc(70_000, 9));
      expect({ heard: wire.heard.length, over: wire.over }).toEqual({ heard: 0, over: false });
      clock.advance(36_000);
      await wire.until(() => wire.over).catch(() => {});
      expect(wire.heard.length).toBe(0);
      expect(log.counts().get(`tunnelRefused.${why}`)).toBe(1);
      expect(peers).toEqual([]);
    });
  }

  test("who repeats a recorded stream sees the same", async () => {
    const { server, echo, clock, log, peers } = await start();
    const flight = clientOf(METHOD, clock).open({ port: echo.port, payload: Buffer.from("x") });
    const first = await Wire.to(server.port ?? 0);
    first.write(flight);
    await first.until(() => first.heard.length > 0);
    const second = await Wire.to(server.port ?? 0);
    second.write(flight);
    await counted(log, "tunnelRefused.replayed");
    clock.advance(29_000);
    expect({ heard: second.heard.length, over: second.over }).toEqual({ heard: 0, over: false });
    expect(peers.length).toBe(1);
  });

  test("who changes a running stream ends the session behind, and sees silence", async () => {
    const { server, echo, clock, log, ended } = await start();
    const wire = await Wire.to(server.port ?? 0);
    const client = clientOf(METHOD, clock);
    wire.write(client.open({ port: echo.port, payload: Buffer.from("x") }));
    await wire.until(() => wire.heard.length > 0);
    const heard = wire.heard.length;
    wire.write(Buffer.alloc(100, 5));
    await counted(log, "tunnelRefused.notAuthentic");
    await eventually(() => ended.length === 1);
    clock.advance(29_000);
    expect({ heard: wire.heard.length, over: wire.over }).toEqual({ heard, over: false });
    clock.advance(36_000);
    await wire.until(() => wire.over).catch(() => {});
  });

  test("who closes is closed", async () => {
    const { server } = await start();
    const wire = await Wire.to(server.port ?? 0);
    wire.write(Buffer.alloc(100, 5));
    wire.finish();
    await wire.until(() => wire.over).catch(() => {});
    await connectionsOf(server, 0);
    expect(wire.heard.length).toBe(0);
  });
});

test("more tunnels than the rate allows lead nowhere", async () => {
  const { server, echo, clock, log } = await start(METHOD, { perMinute: 1, burst: 2 });
  const wires: Wire[] = [];
  for (let i = 0; i < 3; i++) {
    const wire = await Wire.to(server.port ?? 0);
    wires.push(wire);
    wire.write(clientOf(METHOD, clock).open({ port: echo.port, payload: Buffer.from("x") }));
  }
  await counted(log, "tunnelRefused.tooFast");
  await eventually(() => wires.filter((wire) => wire.heard.length > 0).length === 2);
});

test("one address has no more connections than it may", async () => {
  const { server } = await start(METHOD, { connectionsPerAddress: 2 });
  const wires = [await Wire.to(server.port ?? 0), await Wire.to(server.port ?? 0)];
  const third = await Wire.to(server.port ?? 0);
  await third.until(() => third.over).catch(() => {});
  expect(wires.map((wire) => wire.over)).toEqual([false, false]);
});

test("a stop ends everybody", async () => {
  const { server, echo, clock } = await start();
  const wire = await Wire.to(server.port ?? 0);
  wire.write(clientOf(METHOD, clock).open({ port: echo.port, payload: Buffer.from("x") }));
  await wire.until(() => wire.heard.length > 0);
  await echo.stop();
  await server.stop();
  await wire.until(() => wire.over).catch(() => {});
  expect(server.connections).toBe(0);
});

async function counted(log: { counts(): ReadonlyMap<string, number> }, name: string): Promise<void> {
  await eventually(() => (log.counts().get(name) ?? 0) > 0);
}

async function connectionsOf(server: ShadowsocksServer, count: number): Promise<void> {
  await eventually(() => server.connections === count);
}

/** Looks again after each round of the event loop. */
async function eventually(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 10_000 && !holds(); i++) await new Promise((done) => setImmediate(done));
  if (!holds()) throw new Error("it never came to that");
}
