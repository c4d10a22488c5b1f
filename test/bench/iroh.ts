/**
 * The iroh relay in the compiled binary: MB/s through it with its CPU per MB, by family and packet size, delay of one
 * packet, and memory of idle clients. The clients are this process, on the same machine.
 */
import { IrohClient, type IrohFamily } from "../support/iroh-client.ts";
import { Relay } from "../support/relay.ts";
import { cpuMs, inParallel, percentile, pssKb } from "./lab.ts";

const TOTAL_BYTES = Number(process.env["BENCH_BYTES"] ?? 200e6);
const IDLE_CLIENTS = Number(process.env["BENCH_CONNECTIONS"] ?? 2000);
/** The first of them fill what earlier work left free in the heap. */
const UNWEIGHED_PART = 0.2;
/** Several packets are sent at once, as a busy client does; so many such runs may be on their way. */
const RUN_BYTES = 64 * 1024;
const WINDOW_RUNS = 3;
const PAIRS = 2;
const ROUND_TRIPS = 500;
const cases: readonly (readonly [family: IrohFamily, packetBytes: number, tls: boolean])[] = [
  ["legacy", 1200, false],
  ["legacy", 16_000, false],
  ["legacy", 1200, true],
  ["v2", 1200, false],
  ["v2", 16_000, false],
  ["v2", 1200, true],
];

interface Pair {
  from: IrohClient;
  to: IrohClient;
}

let relay: Relay;
// Fresh relays for memory: garbage of other measurements would weigh more than the clients.
for (const family of ["legacy", "v2"] as const)
  await onFreshRelay(async () => console.log(await idle(family)));
await onFreshRelay(async () => {
  for (const [family, packetBytes, tls] of cases) console.log(await throughput(family, packetBytes, tls));
  for (const family of ["legacy", "v2"] as const) console.log(await delay(family));
});

async function onFreshRelay(measure: () => Promise<void>): Promise<void> {
  const most = 10_000;
  const iroh = { clients: most, clients_per_address: most, bytes_per_second: 0, total_bytes_per_second: 0 };
  const config = { log: { level: "off" }, iroh };
  relay = await Relay.start({ name: "bench-iroh", domain: "[127.0.0.1]", config });
  try {
    await measure();
  } finally {
    await relay.stop();
    await relay.dispose();
  }
}

async function throughput(family: IrohFamily, packetBytes: number, tls: boolean): Promise<string> {
  const pairs = await Promise.all(Array.from({ length: PAIRS }, () => openPair(family, tls)));
  await Promise.all(pairs.map((pair) => stream(pair, packetBytes, TOTAL_BYTES / 10)));
  const cpuBefore = cpuMs(relay.pid);
  const startedAt = performance.now();
  await Promise.all(pairs.map((pair) => stream(pair, packetBytes, TOTAL_BYTES / PAIRS)));
  const seconds = (performance.now() - startedAt) / 1000;
  const cpu = cpuMs(relay.pid) - cpuBefore;
  for (const { from, to } of pairs) {
    from.close();
    to.close();
  }
  const what = `${family.padEnd(6)} ${String(packetBytes).padStart(6)}-byte packets${tls ? ", TLS" : ""}`;
  const megabytes = TOTAL_BYTES / 1e6;
  return `${what}: ${(megabytes / seconds).toFixed(0)} MB/s, ${(cpu / megabytes).toFixed(2)} ms CPU per MB`;
}

async function openPair(family: IrohFamily, tls: boolean): Promise<Pair> {
  const port = tls ? relay.ports.https : relay.ports.http;
  const [from, to] = await Promise.all([
    IrohClient.connect({ family, port, tls }),
    IrohClient.connect({ family, port, tls }),
  ]);
  return { from, to };
}

/** Sends so many bytes of packets, no more on their way than the relay is sure to hold. */
async function stream({ from, to }: Pair, packetBytes: number, totalBytes: number): Promise<void> {
  const body = Buffer.concat([to.key.publicKey, Buffer.alloc(packetBytes + (from.isLegacy ? 0 : 1))]);
  const packets = Math.ceil(RUN_BYTES / packetBytes);
  const run = Buffer.concat(Array.from({ length: packets }, () => from.encode(from.frames.send, body)));
  // The relay's frames are as long as the client's, but for the mask.
  const arriving = run.length - (from.isLegacy ? 0 : 4 * packets);
  const runs = Math.ceil(totalBytes / (packets * packetBytes));
  let sent = 0;
  const sendOne = () => {
    if (sent++ < runs) from.link.write(run);
  };
  for (let i = 0; i < WINDOW_RUNS; i++) sendOne();
  for (let i = 0; i < runs; i++) {
    await to.link.bytes(arriving);
    sendOne();
  }
}

/** One packet at a time, there and back. */
async function delay(family: IrohFamily): Promise<string> {
  const { from, to } = await openPair(family, false);
  const packet = Buffer.alloc(1200);
  const times: number[] = [];
  for (let i = 0; i < ROUND_TRIPS; i++) {
    const startedAt = performance.now();
    from.send(to.key.publicKey, packet);
    await to.receive();
    times.push(performance.now() - startedAt);
  }
  from.close();
  to.close();
  const [p50, p99] = [0.5, 0.99].map((part) => percentile(times, part).toFixed(2));
  return `${family.padEnd(6)} one packet through: p50 ${p50} ms, p99 ${p99} ms`;
}

async function idle(family: IrohFamily): Promise<string> {
  const clients: IrohClient[] = [];
  const open = (count: number) =>
    inParallel(16, Array.from({ length: count }), async () => {
      clients.push(await IrohClient.connect({ family, port: relay.ports.http }));
    });
  const unweighed = Math.round(IDLE_CLIENTS * UNWEIGHED_PART);
  await open(unweighed);
  const before = pssKb(relay.pid);
  await open(IDLE_CLIENTS - unweighed);
  const each = (pssKb(relay.pid) - before) / (IDLE_CLIENTS - unweighed);
  for (const client of clients) client.close();
  return `${family.padEnd(6)} ${IDLE_CLIENTS} idle clients: ${each.toFixed(1)} kB each, ${Math.round(1024 / each)} per MB`;
}
