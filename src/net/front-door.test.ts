import { afterEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { type Clock, ManualClock, systemClock } from "../core/clock.ts";
import type { Event, Log } from "../log/events.ts";
import { TlsMaterialStore } from "../tls/material.ts";
import type { Accept, ConnectionHandler } from "./connection.ts";
import { ConnectionLimits } from "./connection-limits.ts";
import { frontDoor, type FrontDoorOptions, type RawRoute } from "./front-door.ts";
import { HttpBackend, type HttpBackendOptions } from "./http-backend.ts";
import { type Listener, listen } from "./listener.ts";

const directory = await mkdtemp(join(tmpdir(), "madmail-door-"));
const material = new TlsMaterialStore(
  { mode: "self-signed", stateDir: directory, names: ["door.test"] },
  systemClock,
);
await material.load();
await rm(directory, { recursive: true });

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const greeter =
  (greeting: string): Accept =>
  (connection) => {
    connection.write(Buffer.from(greeting));
    return { ...silent, data: () => connection.end(), shutdown: () => connection.destroy() };
  };
const silent: ConnectionHandler = {
  data() {},
  drained() {},
  secured() {},
  idle() {},
  shutdown() {},
  closed() {},
};

const bulk = Buffer.alloc(8 << 20);
for (let i = 0; i < bulk.length; i += 4) bulk.writeUInt32LE((i * 2654435761) >>> 0, i);
const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Paths: /who, /bulk, /hash, else an echo of method, path and body. */
async function app(
  request: Request,
  peer: { address: string; port: number; secure: boolean; localPort: number },
) {
  const url = new URL(request.url);
  if (url.pathname === "/who") return Response.json(peer);
  if (url.pathname === "/bulk") return new Response(bulk);
  if (url.pathname === "/hash") return new Response(sha(await request.bytes()));
  return new Response(`${request.method} ${url.pathname} ${await request.text()}\n`);
}

interface Extra {
  clock?: Clock;
  rawRoutes?: RawRoute[];
  door?: Partial<FrontDoorOptions>;
  websocket?: Bun.WebSocketHandler<undefined>;
  fetch?: HttpBackendOptions<undefined>["fetch"];
}

async function open(mode: "none" | "implicit", extra: Extra = {}) {
  const events: Event[] = [];
  const log: Log = { emit: (event) => events.push(event), counts: () => new Map() };
  const clock = extra.clock ?? systemClock;
  const backend = new HttpBackend<undefined>({
    fetch: extra.fetch ?? ((request, _server, peer) => app(request, peer)),
    ...(extra.websocket === undefined ? {} : { websocket: extra.websocket }),
  });
  await backend.start();
  cleanups.push(() => backend.stop());
  const door = frontDoor({
    imap: greeter("* OK imap\r\n"),
    submission: greeter("220 submission\r\n"),
    http: backend,
    rawRoutes: extra.rawRoutes ?? [],
    clock,
    log,
    ...extra.door,
  });
  const listener = await listen({
    address: { host: "127.0.0.1", port: 0 },
    tls: mode,
    getTls: () => material.current(),
    limits: new ConnectionLimits({ total: 100, perAddress: 100 }),
    log,
    clock,
    stopDeadlineMs: 100,
    ...door,
  });
  cleanups.push(() => listener.stop());
  return { listener, backend, events };
}

function dial(
  listener: Listener,
  mode: "none" | "implicit",
  options: tls.ConnectionOptions = {},
): net.Socket {
  const to = { host: "127.0.0.1", port: listener.port };
  const socket =
    mode === "none" ? net.connect(to) : tls.connect({ ...to, rejectUnauthorized: false, ...options });
  socket.on("error", () => {});
  cleanups.push(() => socket.destroy());
  return socket;
}

/** Everything until the text ends with `mark`, or the peer closes. */
async function until(socket: net.Socket, mark: string): Promise<string> {
  let text = "";
  const { promise, resolve } = Promise.withResolvers<string>();
  const onData = (chunk: Buffer) => {
    text += chunk.toString("latin1");
    if (text.includes(mark)) resolve(text);
  };
  socket.on("data", onData);
  socket.on("close", () => resolve(text));
  const result = await promise;
  socket.off("data", onData);
  return result;
}

const ask = async (socket: net.Socket, request: string, mark: string) => {
  socket.write(request);
  return until(socket, mark);
};

describe("frontDoor()", () => {
  for (const [alpn, want] of [
    [["imap"], "* OK imap\r\n"],
    [["smtp"], "220 submission\r\n"],
  ] as const) {
    test(`leads ALPN ${alpn[0]} to its engine`, async () => {
      const { listener, events } = await open("implicit");
      const socket = dial(listener, "implicit", { ALPNProtocols: [...alpn] });
      expect(await until(socket, "\r\n")).toBe(want);
      expect(events[0]).toMatchObject({ kind: "connectionOpened", proto: alpn[0] });
    });
  }

  for (const ALPNProtocols of [undefined, ["h2", "http/1.1"]]) {
    test(`leads ALPN ${ALPNProtocols?.join() ?? "none"} to HTTP, with the client's address`, async () => {
      const { listener, events } = await open("implicit");
      const socket = dial(listener, "implicit", ALPNProtocols === undefined ? {} : { ALPNProtocols });
      const text = await ask(socket, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n", "}");
      expect(JSON.parse(text.slice(text.indexOf("{")))).toEqual({
        address: "127.0.0.1",
        port: socket.localPort,
        secure: true,
        localPort: listener.port,
      });
      expect(events[0]).toMatchObject({ kind: "connectionOpened", proto: "http" });
    });
  }

  test("an absolute-form target reaches the server in origin form", async () => {
    const { listener } = await open("none");
    const request = "POST https://d.test/new HTTP/1.1\r\nHost: d.test\r\nContent-Length: 2\r\n\r\nhi";
    expect(await ask(dial(listener, "none"), request, "hi\n")).toContain("POST /new hi\n");
  });

  test("a head in single bytes is put together", async () => {
    const { listener } = await open("none");
    const socket = dial(listener, "none");
    socket.setNoDelay(true);
    for (const byte of "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n") {
      socket.write(byte);
      await new Promise(setImmediate);
    }
    expect(await until(socket, "/slow")).toContain("GET /slow");
  });

  test("keep-alive and pipelined requests are answered in order", async () => {
    const { listener } = await open("implicit");
    const socket = dial(listener, "implicit");
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const text = await ask(socket, get("/1") + get("/2") + get("/3"), "GET /3");
    expect(text.match(/GET \/\d/g)).toEqual(["GET /1", "GET /2", "GET /3"]);
    expect(await ask(socket, get("/4"), "GET /4")).toContain("GET /4");
  });

  for (const mode of ["none", "implicit"] as const) {
    test(`large bodies pass whole both ways (tls: ${mode})`, async () => {
      const { listener } = await open(mode);
      const url = `${mode === "none" ? "http" : "https"}://127.0.0.1:${listener.port}`;
      const options = { tls: { rejectUnauthorized: false } };
      const up = await fetch(`${url}/hash`, { ...options, method: "POST", body: bulk });
      expect(await up.text()).toBe(sha(bulk));
      const down = await fetch(`${url}/bulk`, options);
      expect(sha(await down.bytes())).toBe(sha(bulk));
    });
  }

  test("a slow reader gets a large answer whole", async () => {
    const { listener } = await open("none");
    const socket = dial(listener, "none");
    socket.write("GET /bulk HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let total = 0;
    let head = -1;
    const hash = createHash("sha256");
    socket.on("data", (chunk: Buffer) => {
      let body = chunk;
      if (head < 0) {
        head = chunk.indexOf("\r\n\r\n") + 4;
        body = chunk.subarray(head);
      }
      total += body.length;
      hash.update(body);
      socket.pause();
      setImmediate(() => socket.resume());
    });
    await once(socket, "close");
    expect([total, hash.digest("hex")]).toEqual([bulk.length, sha(bulk)]);
  });

  test("a websocket goes through", async () => {
    const { listener } = await open("none", {
      fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("no", { status: 400 })),
      websocket: {
        message(socket, message) {
          socket.send(`echo ${message.toString()}`);
        },
      },
    });
    const socket = new WebSocket(`ws://127.0.0.1:${listener.port}/ws`);
    cleanups.push(() => socket.close());
    const answer = Promise.withResolvers<unknown>();
    socket.addEventListener("open", () => socket.send("hello"));
    socket.addEventListener("message", (event) => answer.resolve(event.data));
    expect(await answer.promise).toBe("echo hello");
    const large = Promise.withResolvers<unknown>();
    socket.addEventListener("message", (event) => large.resolve(event.data));
    socket.send("x".repeat(1 << 20));
    expect(await large.promise).toBe(`echo ${"x".repeat(1 << 20)}`);
  });

  test("a raw route takes the connection over, `Connection` header or not", async () => {
    const heads: unknown[] = [];
    const route: RawRoute = {
      matches: (head) => head.path === "/relay",
      accept(connection, head, rest) {
        heads.push(head.target, Buffer.from(rest).toString());
        connection.write(Buffer.from("HTTP/1.1 101 Switching Protocols\r\nUpgrade: iroh derp http\r\n\r\n"));
        return { ...silent, data: (bytes) => connection.write(Buffer.from(bytes)) };
      },
    };
    const { listener } = await open("implicit", { rawRoutes: [route] });
    const socket = dial(listener, "implicit");
    const request = "GET /relay?a HTTP/1.1\r\nHost: a\r\nUpgrade: iroh derp http\r\n\r\nearly";
    expect(await ask(socket, request, "\r\n\r\n")).toContain("101 Switching");
    expect(await ask(socket, "frames", "frames")).toBe("frames");
    expect(heads).toEqual(["/relay?a", "early"]);
    const other = dial(listener, "implicit");
    expect(await ask(other, "GET /other HTTP/1.1\r\nHost: a\r\n\r\n", "/other")).toContain("GET /other");
  });

  for (const [name, sent, want] of [
    ["garbage", "EHLO mail\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"],
    ["a head of 17 kB", `GET / HTTP/1.1\r\nX: ${"y".repeat(17_000)}`, "HTTP/1.1 431 "],
    ["a whole head of 17 kB", `GET / HTTP/1.1\r\nX: ${"y".repeat(17_000)}\r\n\r\n`, "HTTP/1.1 431 "],
  ] as const) {
    test(`${name} is answered and hung up on`, async () => {
      const { listener } = await open("none");
      const socket = dial(listener, "none");
      socket.write(sent);
      expect(await until(socket, "(never)")).toStartWith(want);
    });
  }

  test("a head that trickles in is given up", async () => {
    const clock = new ManualClock();
    const { listener } = await open("none", { clock });
    const socket = dial(listener, "none");
    const answer = until(socket, "(never)");
    socket.write("GET / HTTP/1.1\r\n");
    while (listener.connections === 0) await new Promise(setImmediate);
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
    clock.advance(15_000);
    socket.write("X: y\r\n");
    clock.advance(10_000);
    expect(await answer).toStartWith("HTTP/1.1 408 ");
  });

  test("requests from other local processes are refused", async () => {
    const { backend } = await open("none");
    const direct = await fetch(`http://127.0.0.1:${backend.port}/who`);
    expect(direct.status).toBe(403);
  });

  test("a client that closes its side after the request gets its answer", async () => {
    const clientIsDone = Promise.withResolvers<void>();
    const { listener } = await open("none", {
      fetch: async (request) => {
        await clientIsDone.promise;
        // The FIN is on its way through this process's own loop.
        for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
        return new Response(`late ${new URL(request.url).pathname}`);
      },
    });
    const socket = net.connect({ host: "127.0.0.1", port: listener.port, allowHalfOpen: true });
    cleanups.push(() => socket.destroy());
    socket.on("finish", () => clientIsDone.resolve());
    socket.end("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    expect(await until(socket, "late /x")).toContain("late /x");
  });

  test("a request of a client that left at once is still served", async () => {
    const served = Promise.withResolvers<string>();
    const { listener } = await open("none", {
      fetch: (request, _server, peer) => {
        served.resolve(`${request.method} ${peer.address}`);
        return new Response("nobody hears this");
      },
    });
    const socket = dial(listener, "none");
    socket.end("POST /mxdeliv HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    await once(socket, "finish");
    socket.destroy();
    expect(await served.promise).toBe("POST 127.0.0.1");
  });

  test("without a backend the client is dropped and the fault is told", async () => {
    const { listener, backend, events } = await open("none");
    await backend.stop();
    const socket = dial(listener, "none");
    expect(await ask(socket, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "(never)")).toBe("");
    expect(events).toContainEqual(expect.objectContaining({ kind: "internalFault", where: "net splice" }));
  });
});
