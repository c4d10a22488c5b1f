/**
 * TURN: packets relayed through a channel, and what the relay adds to a round trip, beside coturn's turnserver (Debian
 * package coturn) in the same run. `bun test/bench/turn.ts` prints the table. The load generator is this process; where
 * `taskset` is there, the servers have a CPU of their own.
 * The capacity of one core is the number of packets over the server's CPU time: the generator's speed is not in it.
 */
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { methods } from "../../src/turn/engine/stun.ts";
import {
  allocateRequest,
  type Answer,
  channelBindRequest,
  channelData,
  type Login,
  readAnswer,
  type RequestOptions,
} from "../../src/turn/turn-client.test-help.ts";
import { Relay } from "../support/relay.ts";
import { isMissing } from "../support/tools.ts";
import { cpuMs, percentile } from "./lab.ts";

const SECRET = "a secret for measurements";
const REALM = "relay.test";
const CHANNEL = 0x4001;
const ROUNDS = 3;
const ROUND_MS = 1500;
const PINGS = 2000;
/** Packets on their way at once; kept below what a socket's receive buffer holds. */
const WINDOW = 96;
const BATCH = 16;
const STALL_MS = 200;
const SIZES = [200, 1200] as const;

interface Server {
  name: string;
  port: number;
  pid: number;
}

interface Flow {
  packetsPerSecond: number;
  cpuMicros: number;
  lost: number;
}

if (import.meta.main) {
  const rows = [await withMadmail(measure)];
  if (isMissing("turnserver")) console.log("coturn: not installed (Debian package coturn)");
  else rows.push(await withCoturn(measure));
  for (const row of rows) for (const line of row) console.log(line);
}

async function measure(server: Server): Promise<string[]> {
  const lab = await Lab.open(server);
  const lines: string[] = [];
  for (const bytes of SIZES) {
    for (const direction of ["out", "back"] as const) {
      const flows: Flow[] = [];
      for (let i = 0; i <= ROUNDS; i++) flows.push(await lab.flood(direction, bytes));
      // The first round only warms up.
      const [best] = flows.slice(1).sort((a, b) => a.cpuMicros - b.cpuMicros);
      if (best === undefined) continue;
      const { packetsPerSecond, cpuMicros, lost } = best;
      const capacity = Math.round(1e6 / cpuMicros);
      lines.push(
        `${server.name}, ${bytes} B ${direction === "out" ? "client to peer" : "peer to client"}: ${capacity} packets/s a core (${cpuMicros.toFixed(2)} µs each), seen ${Math.round(packetsPerSecond)} packets/s, ${lost} lost`,
      );
    }
  }
  const direct = await lab.roundTrips("direct");
  const relayed = await lab.roundTrips("relayed");
  const added = (part: number) => Math.round((percentile(relayed, part) - percentile(direct, part)) * 1000);
  lines.push(`${server.name}, added to a round trip: p50 ${added(0.5)} µs, p99 ${added(0.99)} µs`);
  lab.close();
  return lines;
}

/** One client with one channel to one peer. */
class Lab {
  readonly #server: Server;
  readonly #client: Bun.udp.Socket<"buffer">;
  readonly #peer: Bun.udp.Socket<"buffer">;
  relayPort = 0;
  #onClient: (bytes: Uint8Array) => void = () => {};
  #onPeer: (bytes: Uint8Array, port: number) => void = () => {};

  private constructor(server: Server, client: Bun.udp.Socket<"buffer">, peer: Bun.udp.Socket<"buffer">) {
    this.#server = server;
    this.#client = client;
    this.#peer = peer;
  }

  static async open(server: Server): Promise<Lab> {
    let lab: Lab | undefined;
    const client = await Bun.udpSocket({
      hostname: "127.0.0.1",
      socket: { data: (_s, bytes) => lab?.fromServer(bytes), error() {} },
    });
    const peer = await Bun.udpSocket({
      hostname: "127.0.0.1",
      socket: { data: (_s, bytes, port) => lab?.fromRelay(bytes, port), error() {} },
    });
    lab = new Lab(server, client, peer);
    await lab.#connect();
    return lab;
  }

  fromServer(bytes: Uint8Array): void {
    this.#onClient(bytes);
  }

  fromRelay(bytes: Uint8Array, port: number): void {
    this.#onPeer(bytes, port);
  }

  close(): void {
    this.#client.close();
    this.#peer.close();
  }

  /** Sends as fast as the window allows for one round. */
  async flood(direction: "out" | "back", bytes: number): Promise<Flow> {
    const payload = new Uint8Array(bytes).fill(7);
    const [from, to, packet] =
      direction === "out"
        ? [this.#client, this.#server.port, channelData(CHANNEL, payload)]
        : [this.#peer, this.relayPort, payload];
    const batch = Array.from({ length: BATCH }, () => [packet, to, "127.0.0.1"]).flat();
    let sent = 0;
    let received = 0;
    let lost = 0;
    let progressMs = performance.now();
    const state = { running: true };
    const fill = () => {
      while (state.running && sent - received - lost + BATCH <= WINDOW) sent += from.sendMany(batch);
    };
    const arrived = () => {
      received++;
      if (sent - received - lost <= WINDOW - 2 * BATCH) fill();
    };
    this.#onClient = direction === "back" ? arrived : () => {};
    this.#onPeer = direction === "out" ? arrived : () => {};
    const cpuBefore = cpuMs(this.#server.pid);
    const startedAt = performance.now();
    let before = 0;
    const watch = setInterval(() => {
      if (received === before && performance.now() - progressMs > STALL_MS) {
        lost = sent - received;
        fill();
      }
      if (received !== before) progressMs = performance.now();
      before = received;
    }, STALL_MS / 4);
    fill();
    await Bun.sleep(ROUND_MS);
    state.running = false;
    const tookMs = performance.now() - startedAt;
    await Bun.sleep(STALL_MS);
    clearInterval(watch);
    const usedMs = cpuMs(this.#server.pid) - cpuBefore;
    return {
      packetsPerSecond: (received / tookMs) * 1000,
      cpuMicros: (usedMs * 1000) / received,
      lost: sent - received,
    };
  }

  /** Milliseconds from the client to the peer and back, one after the other. */
  async roundTrips(way: "direct" | "relayed"): Promise<number[]> {
    const payload = new Uint8Array(200).fill(7);
    const packet = way === "direct" ? payload : channelData(CHANNEL, payload);
    const port = way === "direct" ? this.#peer.port : this.#server.port;
    this.#onPeer = (bytes, from) => void this.#peer.send(bytes, from, "127.0.0.1");
    const times: number[] = [];
    for (let i = 0; i < PINGS; i++) {
      const startedAt = performance.now();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onClient = () => resolve();
      this.#client.send(packet, port, "127.0.0.1");
      await promise;
      times.push(performance.now() - startedAt);
    }
    return times;
  }

  async #connect(): Promise<void> {
    const username = String(Math.floor(Date.now() / 1000) + 3600);
    const login: Login = {
      username,
      password: createHmac("sha1", SECRET).update(username).digest("base64"),
      realm: REALM,
    };
    const { nonce } = await this.#ask(allocateRequest());
    const signed: RequestOptions = { login, nonce };
    const { relayed, status } = await this.#ask(allocateRequest(signed));
    if (relayed === undefined) throw new Error(`Allocate was answered ${status}`);
    this.relayPort = relayed.port;
    const to = { address: "127.0.0.1", port: this.#peer.port };
    const bound = await this.#ask(channelBindRequest(CHANNEL, to, signed));
    if (bound.class !== "success" || bound.message.method !== methods.channelBind) {
      throw new Error(`ChannelBind was answered ${bound.status}`);
    }
  }

  #ask(bytes: Uint8Array): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#onClient = (answer) => resolve(readAnswer(answer));
    this.#client.send(bytes, this.#server.port, "127.0.0.1");
    return promise;
  }
}

async function withMadmail<R>(use: (server: Server) => Promise<R>): Promise<R> {
  const relay = await Relay.start({
    name: "bench-turn",
    domain: REALM,
    config: {
      log: { level: "off" },
      turn: { secret: SECRET, allow_private_peers: true, allocation_bandwidth: 0, bandwidth: 0 },
    },
  });
  try {
    pin(relay.pid);
    return await use({ name: "madmail", port: relay.turnPort, pid: relay.pid });
  } finally {
    await relay.dispose();
  }
}

async function withCoturn<R>(use: (server: Server) => Promise<R>): Promise<R> {
  const dir = mkdtempSync(join(tmpdir(), "madmail-coturn-"));
  const port = await freePort();
  const child = Bun.spawn(
    [
      ...["turnserver", "-n", "-L", "127.0.0.1", "-E", "127.0.0.1", "-p", String(port), "-r", REALM],
      ...[
        "--use-auth-secret",
        `--static-auth-secret=${SECRET}`,
        "--allow-loopback-peers",
        "--no-tls",
        "--no-dtls",
      ],
      ...[
        "--no-cli",
        "--userdb",
        join(dir, "db"),
        "--pidfile",
        join(dir, "pid"),
        "-l",
        join(dir, "log"),
        "-m",
        "1",
      ],
    ],
    { stdin: "ignore", stdout: "ignore", stderr: "ignore", cwd: dir },
  );
  try {
    pin(child.pid);
    await untilBindingAnswered(port);
    return await use({ name: "coturn", port, pid: child.pid });
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The generator on the first CPU, the server on the last. */
function pin(pid: number): void {
  if (isMissing("taskset") || cpus().length < 2) return;
  Bun.spawnSync(["taskset", "-a", "-p", "-c", String(cpus().length - 1), String(pid)]);
  Bun.spawnSync(["taskset", "-a", "-p", "-c", "0", String(process.pid)]);
}

async function freePort(): Promise<number> {
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1" });
  const { port } = socket;
  socket.close();
  return port;
}

async function untilBindingAnswered(port: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: { data: () => resolve(), error() {} },
  });
  const probe = allocateRequest();
  const timer = setInterval(() => {
    try {
      socket.send(probe, port, "127.0.0.1");
    } catch {
      // Refused while nobody listens yet.
    }
  }, 50);
  await promise;
  clearInterval(timer);
  socket.close();
}
