/**
 * Two real iroh endpoints (1.x) that know each other by key and relay only: one echoes what the other sends.
 * A program of its own, so that it can be run without UDP. Usage: iroh-pair.ts URL BYTES ROUNDS; prints JSON.
 */
import { Endpoint, EndpointAddr, presetMinimal, RelayMap, RelayMode } from "@number0/iroh";

/** What is printed. */
export interface PairReport {
  /** Everything came back as it was sent. */
  whole: boolean;
  /** Paths that do not lead over the relay. */
  direct: number;
  onlineMs: number;
  ms: number;
}

const [url = "", bytes = "0", rounds = "1"] = process.argv.slice(2);
const PROTOCOL = [...Buffer.from("echo/0")];
const READ_MAX_BYTES = 16 * 1024 * 1024;

async function open(): Promise<Endpoint> {
  const builder = Endpoint.builder();
  presetMinimal(builder);
  builder.alpns([PROTOCOL]);
  const relays = RelayMap.empty();
  // Without a QUIC port: the relay offers no address discovery, and nobody waits for it.
  relays.insert({ url });
  builder.relayMode(RelayMode.custom(relays));
  const endpoint = await builder.bind();
  await endpoint.online();
  return endpoint;
}

async function echo(endpoint: Endpoint): Promise<void> {
  const incoming = await endpoint.acceptNext();
  if (incoming === null) throw new Error("nobody came");
  const connection = await (await incoming.accept()).connect();
  for (let round = 0; round < Number(rounds); round++) {
    const stream = await connection.acceptBi();
    const got = await stream.recv.readToEnd(READ_MAX_BYTES);
    await stream.send.writeAll(got);
    await stream.send.finish();
  }
}

const startedAt = performance.now();
const [server, client] = await Promise.all([open(), open()]);
const onlineMs = performance.now() - startedAt;
const serving = echo(server);
const connection = await client.connect(new EndpointAddr(server.id(), url, []), PROTOCOL);
const sent = Array.from({ length: Number(bytes) }, (_, i) => (i * 31) & 255);
let whole = true;
for (let round = 0; round < Number(rounds); round++) {
  const stream = await connection.openBi();
  await stream.send.writeAll(sent);
  await stream.send.finish();
  const got = await stream.recv.readToEnd(READ_MAX_BYTES);
  whole &&= Buffer.from(got).equals(Buffer.from(sent));
}
const ms = performance.now() - startedAt - onlineMs;
const direct = connection.paths().filter((path) => path.isIp).length;
await serving;
// Not only manners: an endpoint that nothing names any more is collected, and its connections end.
await Promise.all([client.close(), server.close()]);
console.log(JSON.stringify({ whole, direct, onlineMs, ms } satisfies PairReport));
process.exit(0);
