import { afterEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { ManualClock, systemClock } from "../core/clock.ts";
import type { Event, Log } from "../log/events.ts";
import type { Connection, ConnectionHandler } from "./connection.ts";
import { ConnectionLimits } from "./connection-limits.ts";
import { Introductions } from "./introductions.ts";
import { type Listener, type ListenOptions, type TlsCredentials, listen } from "./listener.ts";

/** A pair made by openssl for one run. */
function makePair(name: string): TlsCredentials {
  const made = spawnSync(
    "openssl",
    `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout - -days 2 -subj /CN=${name}`.split(
      " ",
    ),
    { encoding: "utf8" },
  );
  const key = /-----BEGIN PRIVATE KEY-----[^]*?-----END PRIVATE KEY-----\n/.exec(made.stdout)?.[0] ?? "";
  const cert = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----\n/.exec(made.stdout)?.[0] ?? "";
  return { key, cert };
}

const pair = makePair("first.test");
const otherPair = makePair("second.test");

class TestLog implements Log {
  readonly events: Event[] = [];
  emit(event: Event): void {
    this.events.push(event);
  }
  counts(): ReadonlyMap<string, number> {
    return new Map();
  }
  kinds(): string[] {
    return this.events.map((event) => event.kind);
  }
}

/** A line protocol: ECHO, STARTTLS, BIG n, QUIT, THROW; records what the handler is told. */
class Toy implements ConnectionHandler {
  readonly told: string[] = [];
  readonly closedOnce = Promise.withResolvers<void>();
  readonly drainedOnce = Promise.withResolvers<void>();
  input = "";

  readonly connection: Connection;

  constructor(connection: Connection, greeting = "* hello") {
    this.connection = connection;
    connection.write(Buffer.from(`${greeting}\r\n`));
  }

  data(bytes: Uint8Array): void {
    this.input += Buffer.from(bytes).toString("latin1");
    for (;;) {
      const end = this.input.indexOf("\r\n");
      if (end < 0) return;
      const line = this.input.slice(0, end);
      this.input = this.input.slice(end + 2);
      this.told.push(line);
      this.#run(line);
    }
  }

  #run(line: string): void {
    const { connection } = this;
    if (line === "STARTTLS") {
      this.input = "";
      connection.startTls(Buffer.from("go ahead\r\n"));
    } else if (line === "QUIT") {
      connection.write(Buffer.from("bye\r\n"));
      connection.end();
    } else if (line === "THROW") throw new Error("planted");
    else if (line.startsWith("BIG ")) connection.write(new Uint8Array(Number(line.slice(4))).fill(120));
    else connection.write(Buffer.from(`${line} ${connection.secure ? "secure" : "plain"}\r\n`));
  }

  drained(): void {
    if (this.told.length > 0) this.drainedOnce.resolve();
  }
  secured(): void {
    this.told.push("(secured)");
    this.connection.write(Buffer.from("* secured\r\n"));
  }
  idle(): void {
    this.told.push("(idle)");
    this.connection.end();
  }
  shutdown(): void {
    this.told.push("(shutdown)");
    this.connection.write(Buffer.from("* BYE\r\n"));
    this.connection.end();
  }
  closed(): void {
    this.told.push("(closed)");
    this.closedOnce.resolve();
  }
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function serve(options: Partial<ListenOptions> = {}) {
  const log = new TestLog();
  const toys: Toy[] = [];
  const limits = options.limits ?? new ConnectionLimits({ total: 100, perAddress: 100 });
  const listener = await listen({
    address: { host: "127.0.0.1", port: 0 },
    tls: "none",
    getTls: () => pair,
    accept: (connection) => {
      const toy = new Toy(connection);
      toys.push(toy);
      return toy;
    },
    limits,
    log,
    clock: systemClock,
    proto: "smtp",
    stopDeadlineMs: 200,
    ...options,
  });
  cleanups.push(() => listener.stop());
  return { listener, log, toys, limits };
}

/** Reads lines and bytes of a client socket as they come. */
class Client {
  #text = "";
  #wake: (() => void) | undefined;
  ended = false;
  readonly closed = Promise.withResolvers<string>();

  readonly socket: net.Socket;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString("latin1");
      this.#wake?.();
    });
    socket.on("end", () => {
      this.ended = true;
      this.#wake?.();
    });
    socket.on("error", (error: Error & { code?: string }) =>
      this.closed.resolve(error.code ?? error.message),
    );
    socket.on("close", () => {
      this.ended = true;
      this.#wake?.();
      this.closed.resolve("closed");
    });
    cleanups.push(() => socket.destroy());
  }

  /** What came until `mark`, which is taken too; all there is when the peer ends first. */
  async until(mark: string): Promise<string> {
    for (;;) {
      const at = this.#text.indexOf(mark);
      if (at >= 0 || this.ended) {
        const end = at >= 0 ? at + mark.length : this.#text.length;
        const text = this.#text.slice(0, end);
        this.#text = this.#text.slice(end);
        return text;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  line(): Promise<string> {
    return this.until("\r\n");
  }

  async ask(line: string): Promise<string> {
    this.socket.write(`${line}\r\n`);
    return this.line();
  }
}

function plainClient(listener: Listener, options: Partial<net.TcpNetConnectOpts> = {}): Client {
  return new Client(net.connect({ host: "127.0.0.1", port: listener.port, ...options }));
}

async function tlsClient(listener: Listener, options: tls.ConnectionOptions = {}): Promise<Client> {
  const socket = tls.connect({
    host: "127.0.0.1",
    port: listener.port,
    rejectUnauthorized: false,
    ...options,
  });
  const client = new Client(socket);
  await Promise.race([once(socket, "secureConnect"), client.closed.promise]);
  return client;
}

/** STARTTLS over a plain client that got its greeting. */
async function upgrade(client: Client, options: tls.ConnectionOptions = {}): Promise<Client> {
  client.socket.removeAllListeners("data");
  const socket = tls.connect({ socket: client.socket, rejectUnauthorized: false, ...options });
  const secured = new Client(socket);
  await Promise.race([once(socket, "secureConnect"), secured.closed.promise]);
  return secured;
}

/** A handler to override. */
const silent: ConnectionHandler = {
  data() {},
  drained() {},
  secured() {},
  idle() {},
  shutdown() {},
  closed() {},
};

describe("listen()", () => {
  test("serves plain connections and closes after QUIT", async () => {
    const { listener, toys, log } = await serve();
    const client = plainClient(listener);
    expect(await client.line()).toBe("* hello\r\n");
    expect(await client.ask("ECHO")).toBe("ECHO plain\r\n");
    expect(await client.ask("QUIT")).toBe("bye\r\n");
    await toys[0]?.closedOnce.promise;
    expect(toys[0]?.told).toEqual(["ECHO", "QUIT", "(closed)"]);
    expect(toys[0]?.connection.peer.address).toBe("127.0.0.1");
    expect(toys[0]?.connection.localPort).toBe(listener.port);
    expect(log.kinds()).toEqual(["connectionOpened", "connectionClosed"]);
  });

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    test(`serves implicit ${version}`, async () => {
      const { listener, log } = await serve({ tls: "implicit" });
      const client = await tlsClient(listener, { minVersion: version, maxVersion: version });
      expect(await client.line()).toBe("* hello\r\n");
      expect(await client.ask("ECHO")).toBe("ECHO secure\r\n");
      expect((client.socket as tls.TLSSocket).getProtocol()).toBe(version);
      expect(log.events[0]).toMatchObject({ kind: "connectionOpened", secure: true });
    });

    test(`upgrades by STARTTLS to ${version}`, async () => {
      const { listener, toys } = await serve({ tls: "starttls" });
      const client = plainClient(listener);
      await client.line();
      expect(await client.ask("ECHO")).toBe("ECHO plain\r\n");
      expect(await client.ask("STARTTLS")).toBe("go ahead\r\n");
      const secured = await upgrade(client, { minVersion: version, maxVersion: version });
      expect(await secured.line()).toBe("* secured\r\n");
      expect(await secured.ask("ECHO")).toBe("ECHO secure\r\n");
      expect(await secured.ask("QUIT")).toBe("bye\r\n");
      await toys[0]?.closedOnce.promise;
      expect(toys[0]?.told).toEqual(["ECHO", "STARTTLS", "(secured)", "ECHO", "QUIT", "(closed)"]);
    });
  }

  test("offers the protocols of ALPN and tells the handler which was taken", async () => {
    const seen: unknown[] = [];
    const { listener } = await serve({
      tls: "implicit",
      alpn: ["http/1.1", "imap", "smtp"],
      accept: (connection) => {
        seen.push(connection.alpn);
        return new Toy(connection);
      },
    });
    for (const ALPNProtocols of [["imap"], ["h2", "http/1.1"], undefined]) {
      const client = await tlsClient(listener, ALPNProtocols === undefined ? {} : { ALPNProtocols });
      await client.line();
    }
    expect(seen).toEqual(["imap", "http/1.1", undefined]);
    const refused = await tlsClient(listener, { ALPNProtocols: ["xmpp-client"] });
    expect(await refused.closed.promise).toContain("NO_APPLICATION_PROTOCOL");
    expect(seen.length).toBe(3);
  });

  test("openssl s_client gets through by implicit TLS and STARTTLS", async () => {
    const implicit = await serve({ tls: "implicit" });
    const starttls = await serve({
      tls: "starttls",
      accept: (connection) => new Toy(connection, "220 what openssl waits for"),
    });
    const run = async (args: string[]) => {
      const child = Bun.spawn(["openssl", "s_client", "-quiet", "-verify_quiet", ...args], {
        stdin: new Blob(["ECHO\r\nQUIT\r\n"]),
        stderr: "ignore",
      });
      return new Response(child.stdout).text();
    };
    const [direct, upgraded] = await Promise.all([
      run(["-connect", `127.0.0.1:${implicit.listener.port}`]),
      run(["-connect", `127.0.0.1:${starttls.listener.port}`, "-starttls", "smtp", "-tls1_2"]),
    ]);
    expect(direct).toBe("* hello\r\nECHO secure\r\nbye\r\n");
    expect(upgraded).toContain("ECHO secure\r\nbye\r\n");
  });

  test("plaintext injected behind STARTTLS is never heard", async () => {
    const { listener, toys } = await serve({ tls: "starttls" });
    const client = plainClient(listener);
    await client.line();
    client.socket.write("STARTTLS\r\nINJECTED\r\n");
    expect(await client.line()).toBe("go ahead\r\n");
    const secured = await upgrade(client);
    expect(await secured.line()).toBe("* secured\r\n");
    expect(await secured.ask("ECHO")).toBe("ECHO secure\r\n");
    expect(toys[0]?.told).toEqual(["STARTTLS", "(secured)", "ECHO"]);
  });

  test("garbage in place of a ClientHello ends that connection only", async () => {
    const { listener, log, toys } = await serve({ tls: "implicit" });
    const client = plainClient(listener);
    client.socket.write("GET / HTTP/1.1\r\n\r\n");
    await client.closed.promise;
    expect(log.kinds()).toEqual(["tlsFailed"]);
    expect(toys.length).toBe(0);
    while (listener.connections > 0) await new Promise(setImmediate);
    const next = await tlsClient(listener);
    expect(await next.line()).toBe("* hello\r\n");
  });

  test("a peer that stays after a failed handshake is dropped", async () => {
    const clock = new ManualClock();
    const { listener, log } = await serve({ tls: "implicit", clock });
    const socket = net.connect({ host: "127.0.0.1", port: listener.port, allowHalfOpen: true });
    cleanups.push(() => socket.destroy());
    socket.on("error", () => {});
    socket.write("GET / HTTP/1.1\r\n\r\n");
    while (log.events.length === 0) await new Promise(setImmediate);
    clock.advance(20_000);
    while (listener.connections > 0) await new Promise(setImmediate);
    expect(log.kinds()).toEqual(["tlsFailed"]);
  });

  test("garbage after STARTTLS ends the connection and tells the handler once", async () => {
    const { listener, toys, log } = await serve({ tls: "starttls" });
    const client = plainClient(listener);
    await client.line();
    await client.ask("STARTTLS");
    client.socket.write("EHLO not tls at all\r\n\r\n");
    await toys[0]?.closedOnce.promise;
    expect(toys[0]?.told).toEqual(["STARTTLS", "(closed)"]);
    expect(log.kinds()).toEqual(["connectionOpened", "tlsFailed", "connectionClosed"]);
  });

  for (const mode of ["none", "implicit"] as const) {
    test(`20 MB reach a slow reader whole, then the connection ends (tls: ${mode})`, async () => {
      const body = Buffer.alloc(20 << 20);
      for (let i = 0; i < body.length; i += 4) body.writeUInt32LE((i * 2654435761) >>> 0, i);
      let most = 0;
      const { listener } = await serve({
        tls: mode,
        outputMaxBytes: 1 << 20,
        accept: (connection) => {
          let at = 0;
          const produce = () => {
            while (at < body.length && connection.queuedBytes < 256 * 1024) {
              const size = at % 3 === 0 ? 100_001 : 501;
              connection.write(body.subarray(at, at + size));
              at += size;
              most = Math.max(most, connection.queuedBytes);
              // Real hosts go on in later turns; one turn here fills the queue to the mark.
            }
            if (at >= body.length) connection.end();
          };
          return { ...silent, data: produce, drained: produce };
        },
      });
      const client =
        mode === "none"
          ? net.connect({ host: "127.0.0.1", port: listener.port })
          : tls.connect({ host: "127.0.0.1", port: listener.port, rejectUnauthorized: false });
      cleanups.push(() => client.destroy());
      const hash = createHash("sha256");
      let total = 0;
      client.write("go");
      client.on("data", (chunk: Buffer) => {
        hash.update(chunk);
        total += chunk.length;
        client.pause();
        setImmediate(() => client.resume());
      });
      await once(client, "end");
      expect(total).toBe(body.length);
      expect(hash.digest("hex")).toBe(createHash("sha256").update(body).digest("hex"));
      expect(most).toBeLessThan(512 * 1024);
    });
  }

  test("a peer that never reads is dropped at the output cap", async () => {
    const { listener, toys, log } = await serve({ outputMaxBytes: 1 << 20 });
    const client = net.connect({ host: "127.0.0.1", port: listener.port });
    cleanups.push(() => client.destroy());
    client.on("error", () => {});
    client.pause();
    client.write("BIG 900000\r\n".repeat(40));
    while (toys.length === 0) await new Promise(setImmediate);
    await toys[0]?.closedOnce.promise;
    expect(log.events).toContainEqual(expect.objectContaining({ what: "output over the cap" }));
    expect(listener.connections).toBe(0);
  });

  test("drained is told when a slow peer caught up", async () => {
    const { listener, toys } = await serve();
    const client = net.connect({ host: "127.0.0.1", port: listener.port });
    cleanups.push(() => client.destroy());
    client.pause();
    client.write("BIG 7000000\r\n");
    while (toys[0]?.told.length !== 1) await new Promise(setImmediate);
    expect(toys[0].connection.queuedBytes).toBeGreaterThan(0);
    client.resume();
    await toys[0].drainedOnce.promise;
    expect(toys[0].connection.queuedBytes).toBe(0);
  });

  test("connections over the limit of an address get one line and are closed", async () => {
    const limits = new ConnectionLimits({ total: 10, perAddress: 2 });
    const { listener, log, toys } = await serve({ limits, refusal: Buffer.from("421 too many\r\n") });
    const first = plainClient(listener);
    const second = plainClient(listener);
    await Promise.all([first.line(), second.line()]);
    const third = plainClient(listener);
    expect(await third.line()).toBe("421 too many\r\n");
    await third.closed.promise;
    expect(log.events).toContainEqual({ kind: "connectionRefused", proto: "smtp", why: "tooManyFromPeer" });
    expect([limits.open, toys.length]).toEqual([2, 2]);
    await first.ask("QUIT");
    await toys[0]?.closedOnce.promise;
    await Promise.resolve();
    expect(await plainClient(listener).line()).toBe("* hello\r\n");
  });

  test("the total limit holds over several listeners, TLS too", async () => {
    const limits = new ConnectionLimits({ total: 1, perAddress: 5 });
    const one = await serve({ limits });
    const two = await serve({ limits, tls: "implicit" });
    await plainClient(one.listener).line();
    const refused = await tlsClient(two.listener);
    await refused.closed.promise;
    expect(two.log.events).toEqual([{ kind: "connectionRefused", proto: "smtp", why: "tooMany" }]);
  });

  test("a new certificate holds for new connections, old ones go on", async () => {
    let current = pair;
    const { listener } = await serve({ tls: "implicit", getTls: () => current });
    const nameOf = (client: Client) => (client.socket as tls.TLSSocket).getPeerCertificate().subject.CN;
    const before = await tlsClient(listener);
    await before.line();
    current = otherPair;
    const after = await tlsClient(listener);
    expect([nameOf(before), nameOf(after)]).toEqual(["first.test", "second.test"]);
    expect(await before.ask("STILL")).toBe("STILL secure\r\n");
  });

  for (const mode of ["implicit", "starttls"] as const) {
    test(`a TLS 1.3 session is resumed (tls: ${mode})`, async () => {
      const { listener } = await serve({ tls: mode });
      const dial = async (options: tls.ConnectionOptions) => {
        if (mode === "implicit") return tlsClient(listener, options);
        const client = plainClient(listener);
        await client.line();
        await client.ask("STARTTLS");
        return upgrade(client, options);
      };
      const first = await dial({ servername: "first.test" });
      const ticket = Promise.withResolvers<Buffer>();
      first.socket.on("session", (session: Buffer) => ticket.resolve(session));
      await first.ask("ECHO");
      const second = await dial({ servername: "first.test", session: await ticket.promise });
      await second.line();
      expect((first.socket as tls.TLSSocket).isSessionReused()).toBe(false);
      expect((second.socket as tls.TLSSocket).isSessionReused()).toBe(true);
    });
  }

  for (const mode of ["none", "implicit"] as const) {
    test(`a peer that closed its side gets its answers (tls: ${mode})`, async () => {
      const { listener, toys } = await serve({ tls: mode });
      const port = listener.port;
      const halfOpen = { allowHalfOpen: true };
      const socket =
        mode === "none"
          ? net.connect({ host: "127.0.0.1", port, allowHalfOpen: true })
          : tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...halfOpen });
      const client = new Client(socket);
      socket.end("ECHO\r\n");
      expect(await client.line()).toBe("* hello\r\n");
      expect(await client.line()).toBe(`ECHO ${mode === "none" ? "plain" : "secure"}\r\n`);
      await toys[0]?.closedOnce.promise;
    });
  }

  test("a handler with `inputEnded` may answer a closed side later", async () => {
    const { listener } = await serve({
      accept: (connection) => ({
        ...silent,
        inputEnded() {
          setTimeout(() => {
            connection.write(Buffer.from("late\r\n"));
            connection.end();
          }, 20);
        },
      }),
    });
    const client = plainClient(listener, { allowHalfOpen: true });
    client.socket.end("x");
    expect(await client.line()).toBe("late\r\n");
  });

  test("pause holds input and the peer's end back until resume", async () => {
    const seen: string[] = [];
    let connection: Connection | undefined;
    const ended = Promise.withResolvers<void>();
    const { listener } = await serve({
      accept: (made) => {
        connection = made;
        return {
          ...silent,
          data(bytes) {
            seen.push(Buffer.from(bytes).toString());
            if (seen.length === 1) {
              made.pause();
              made.write(Buffer.from("paused\r\n"));
            }
          },
          inputEnded() {
            seen.push("(end)");
            ended.resolve();
          },
        };
      },
    });
    const client = plainClient(listener, { allowHalfOpen: true });
    client.socket.write("one");
    await client.line();
    client.socket.end("two");
    await once(client.socket, "finish");
    for (let i = 0; i < 10; i++) await new Promise(setImmediate);
    expect(seen).toEqual(["one"]);
    connection?.resume();
    await ended.promise;
    expect(seen).toEqual(["one", "two", "(end)"]);
    connection?.end();
  });

  for (const [name, plant] of [
    ["data", "THROW\r\n"],
    ["accept", undefined],
  ] as const) {
    test(`a handler that throws in ${name} loses its connection, not the process`, async () => {
      const { listener, log } = await serve(
        plant === undefined
          ? {
              accept: () => {
                throw new Error("planted");
              },
            }
          : {},
      );
      const client = plainClient(listener);
      if (plant !== undefined) client.socket.write(plant);
      await client.closed.promise;
      expect(log.events).toContainEqual(
        expect.objectContaining({ kind: "internalFault", where: `net ${name}` }),
      );
      expect(listener.connections).toBe(0);
    });
  }

  test("silence is told once, after the set time, and input starts it again", async () => {
    const clock = new ManualClock();
    let idles = 0;
    let connection: Connection | undefined;
    const { listener } = await serve({
      clock,
      accept: (made) => {
        connection = made;
        made.setIdleTimeoutMs(60_000);
        return { ...silent, data: (bytes) => made.write(bytes), idle: () => idles++ };
      },
    });
    const client = plainClient(listener);
    client.socket.write("hi\r\n");
    await client.line();
    clock.advance(50_000);
    client.socket.write("again\r\n");
    await client.line();
    clock.advance(59_000);
    expect(idles).toBe(0);
    clock.advance(5000);
    expect(idles).toBe(1);
    clock.advance(600_000);
    expect(idles).toBe(1);
    client.socket.write("more\r\n");
    await client.line();
    clock.advance(64_000);
    expect(idles).toBe(2);
    connection?.setIdleTimeoutMs(0);
    connection?.end();
    clock.advance(60_000);
    await client.closed.promise;
    expect(idles).toBe(2);
  });

  test("a handshake that never ends is given up, trickle or not", async () => {
    const clock = new ManualClock();
    const { listener, log } = await serve({ clock, tls: "implicit" });
    const client = plainClient(listener);
    client.socket.write(Uint8Array.of(22, 3, 1));
    while (listener.connections === 0) await new Promise(setImmediate);
    clock.advance(10_000);
    client.socket.write(Uint8Array.of(2));
    expect(listener.connections).toBe(1);
    clock.advance(10_000);
    await client.closed.promise;
    expect(log.kinds()).toEqual(["tlsFailed"]);
    expect(listener.connections).toBe(0);
  });

  test("a peer that never closes after our goodbye is dropped", async () => {
    const clock = new ManualClock();
    const { listener, toys } = await serve({ clock });
    const client = plainClient(listener, { allowHalfOpen: true });
    await client.line();
    expect(await client.ask("QUIT")).toBe("bye\r\n");
    await client.until("never");
    expect(toys[0]?.told).toEqual(["QUIT"]);
    clock.advance(20_000);
    await toys[0]?.closedOnce.promise;
  });

  test("stop says goodbye, refuses newcomers and drops those that stay", async () => {
    const clock = new ManualClock();
    const { listener, toys } = await serve({ clock, stopDeadlineMs: 3000 });
    const polite = plainClient(listener);
    const stubborn = plainClient(listener, { allowHalfOpen: true });
    await Promise.all([polite.line(), stubborn.line()]);
    const stopped = listener.stop();
    expect(await polite.line()).toBe("* BYE\r\n");
    await polite.closed.promise;
    const late = plainClient(listener);
    expect(await late.closed.promise).toBe("ECONNREFUSED");
    clock.advance(3000);
    await stopped;
    expect(toys.map((toy) => toy.told)).toEqual([
      ["(shutdown)", "(closed)"],
      ["(shutdown)", "(closed)"],
    ]);
  });

  test("stop does not wait for a peer that has our goodbye and keeps its side open", async () => {
    const clock = new ManualClock();
    const { listener, toys } = await serve({ clock, stopDeadlineMs: 3000 });
    const client = plainClient(listener, { allowHalfOpen: true });
    await client.line();
    expect(await client.ask("QUIT")).toBe("bye\r\n");
    const stopped = listener.stop();
    clock.advance(250);
    await stopped;
    expect(toys[0]?.told.at(-1)).toBe("(closed)");
  });

  test("IPv4 and IPv6 share a port number, and peers show as what they are", async () => {
    const four = await serve({ address: { host: "0.0.0.0", port: 0 } });
    const six = await serve({ address: { host: "::", port: four.listener.port } });
    await plainClient(four.listener).line();
    await plainClient(six.listener, { host: "::1" }).line();
    expect(four.toys[0]?.connection.peer.address).toBe("127.0.0.1");
    expect(six.toys[0]?.connection.peer.address).toBe("::1");
  });

  test("a taken port is explained to the operator", async () => {
    const { listener, ...rest } = await serve();
    const reason = (attempt: Promise<unknown>) => attempt.then(String, String);
    const again = serve({ address: { host: "127.0.0.1", port: listener.port }, limits: rest.limits });
    expect(await reason(again)).toContain(
      `cannot listen on 127.0.0.1:${listener.port}: the port is taken by another program`,
    );
    const elsewhere = serve({ address: { host: "192.0.2.55", port: 0 } });
    expect(await reason(elsewhere)).toContain("does not have that address");
  });
});

describe("connections that this process makes for others", () => {
  const behind = { address: "192.0.2.7", port: 4711 };

  for (const [what, tlsMode] of [
    ["in clear", "none"],
    ["by TLS", "implicit"],
  ] as const) {
    test(`a stranger that connects ${what} while somebody is dialled waits, and loses nothing`, async () => {
      const asked = Promise.withResolvers<void>();
      const introductions = new (class extends Introductions {
        override whose(...args: Parameters<Introductions["whose"]>): void {
          super.whose(...args);
          asked.resolve();
        }
      })();
      const { listener, toys } = await serve({ tls: tlsMode, introductions });
      const dial = introductions.dial("127.0.0.1", behind);
      const coming = tlsMode === "none" ? plainClient(listener) : tlsClient(listener);
      if (coming instanceof Client) coming.socket.write("ECHO\r\n");
      await asked.promise;
      // What was sent meanwhile is in the kernel, or was read: nobody may drop it.
      for (let i = 0; i < 20; i++) await new Promise((done) => setImmediate(done));
      expect(toys.length).toBe(0);
      dial.retract();
      const client = await coming;
      if (tlsMode === "implicit") client.socket.write("ECHO\r\n");
      expect(await client.line()).toBe("* hello\r\n");
      expect(await client.line()).toBe(`ECHO ${tlsMode === "none" ? "plain" : "secure"}\r\n`);
      expect(toys[0]?.connection.peer.address).toBe("127.0.0.1");
    });

    test(`one that is announced ${what} is who is behind it, for the handler and for the limits`, async () => {
      const introductions = new Introductions();
      const taken: string[] = [];
      const limits = new (class extends ConnectionLimits {
        override take(address: string) {
          taken.push(address);
          return super.take(address);
        }
      })({ total: 10, perAddress: 10 });
      const { listener, toys } = await serve({ tls: tlsMode, introductions, limits });
      const dial = introductions.dial("127.0.0.1", behind);
      const socket = net.connect({ host: "127.0.0.1", port: listener.port });
      await once(socket, "connect");
      dial.announce(socket.localPort ?? 0);
      const client = tlsMode === "none" ? new Client(socket) : await tlsClient(listener, { socket });
      expect(await client.line()).toBe("* hello\r\n");
      expect(toys[0]?.connection.peer).toEqual(behind);
      expect(taken).toEqual([behind.address]);
    });
  }
});
