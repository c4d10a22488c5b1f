/**
 * Shadowsocks beside `ss-server` of shadowsocks-libev: the same `ss-local` in front, the same server of bytes behind, one
 * after the other in the same run. Run: `bun test/bench/shadowsocks.ts [MB]`
 */
import { passwordFor } from "../../src/shadowsocks/client.test-help.ts";
import type { MethodName } from "../../src/shadowsocks/engine/methods.ts";
import { Relay } from "../support/relay.ts";
import { type Child, startSsLocal, startSsServer } from "../support/shadowsocks.ts";
import { isMissing } from "../support/tools.ts";
import { cpuMs } from "./lab.ts";

const MEGABYTES = Number(process.argv[2] ?? 200);
const BYTES = MEGABYTES * 1_000_000;
const ROUNDS = 3;
const METHODS: readonly MethodName[] = ["aes-128-gcm", "aes-256-gcm", "chacha20-ietf-poly1305"];
const BLOCK = Buffer.alloc(256 * 1024, 0x5a);
/** First byte of a stream: what the server of bytes shall do. */
const SEND = 1;
const TAKE = 2;

interface Bytes {
  port: number;
  stop(): void;
}

interface PeerState {
  sent: number;
  taken: number;
  mode: number;
}

/** Sends `BYTES` to who asks, or takes them and says so with one byte. */
function serveBytes(): Bytes {
  const pump = (socket: Bun.Socket<PeerState>) => {
    while (socket.data.mode === SEND && socket.data.sent < BYTES) {
      const left = Math.min(BLOCK.length, BYTES - socket.data.sent);
      const taken = Math.max(0, socket.write(BLOCK.subarray(0, left)));
      socket.data.sent += taken;
      if (taken < left) return;
    }
  };
  const listener = Bun.listen<PeerState>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.data = { sent: 0, taken: -1, mode: 0 };
      },
      data(socket, bytes) {
        if (socket.data.mode === 0) socket.data.mode = bytes[0] ?? 0;
        socket.data.taken += bytes.length;
        if (socket.data.mode === SEND) pump(socket);
        else if (socket.data.taken >= BYTES) socket.write(Buffer.from([1]));
      },
      drain: pump,
      error() {},
    },
  });
  return { port: listener.port, stop: () => listener.stop(true) };
}

/** One transfer through a SOCKS5 proxy (RFC 1928). @returns seconds from the first byte asked to the last */
async function transfer(socksPort: number, port: number, mode: typeof SEND | typeof TAKE): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let stage = 0;
  let left = 0;
  let got = 0;
  let startedAt = 0;
  const push = (socket: Bun.Socket) => {
    while (left > 0) {
      const wanted = Math.min(BLOCK.length, left);
      const taken = Math.max(0, socket.write(BLOCK.subarray(0, wanted)));
      left -= taken;
      if (taken < wanted) return;
    }
  };
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: socksPort,
    socket: {
      data(s, bytes) {
        if (stage === 0) {
          stage = 1;
          s.write(Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 0xff]));
        } else if (stage === 1) {
          stage = 2;
          startedAt = performance.now();
          s.write(Buffer.from([mode]));
          if (mode === TAKE) left = BYTES;
          push(s);
        } else {
          got += bytes.length;
          if (got >= (mode === SEND ? BYTES : 1)) resolve();
        }
      },
      drain: push,
      close: () => reject(new Error(`closed after ${got} bytes`)),
      error: (_, error) => reject(error),
    },
  });
  socket.write(Buffer.from([5, 1, 0]));
  await promise;
  const seconds = (performance.now() - startedAt) / 1000;
  socket.end();
  return seconds;
}

async function measure(
  name: string,
  method: MethodName,
  server: Pick<Child, "port" | "pid">,
  port: number,
): Promise<void> {
  const local = await startSsLocal(server.port, method, passwordFor(method));
  try {
    await transfer(local.port, port, SEND);
    for (const [what, mode] of [
      ["down", SEND],
      ["up", TAKE],
    ] as const) {
      const cpuBefore = cpuMs(server.pid);
      const seconds: number[] = [];
      for (let i = 0; i < ROUNDS; i++) seconds.push(await transfer(local.port, port, mode));
      const best = MEGABYTES / Math.min(...seconds);
      const cpu = (cpuMs(server.pid) - cpuBefore) / (ROUNDS * MEGABYTES);
      console.log(
        `${method.padEnd(24)}${name.padEnd(11)}${what.padEnd(6)}${best.toFixed(0).padStart(6)} MB/s   ${cpu.toFixed(2)} ms server CPU per MB`,
      );
    }
  } finally {
    await local.stop();
  }
}

if (isMissing("ss-server")) {
  console.log("skipped: needs the package shadowsocks-libev");
  process.exit(0);
}
const bytes = serveBytes();
for (const method of METHODS) {
  const reference = await startSsServer(method, passwordFor(method));
  await measure("ss-server", method, reference, bytes.port);
  await reference.stop();
  const relay = await Relay.start({
    name: "bench-shadowsocks",
    config: {
      log: { level: "off" },
      shadowsocks: {
        enabled: true,
        cipher: method,
        password: passwordFor(method),
        allowed_ports: [bytes.port],
      },
    },
  });
  await measure("madmail", method, { port: relay.shadowsocksPort, pid: relay.pid }, bytes.port);
  await relay.dispose();
}
bytes.stop();
process.exit(0);
