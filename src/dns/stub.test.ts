import { afterEach, expect, test } from "bun:test";
import * as fc from "fast-check";
import { DnsServer, type Fault, type ZoneRecord } from "../../test/support/dns-server.ts";
import { ManualClock, systemClock } from "../core/clock.ts";
import { socketExchange } from "./exchange.ts";
import { normaliseName, readAnswer, writeQuestion } from "./message.ts";
import type { DnsResult } from "./resolver.ts";
import { parseResolvConf, parseServer } from "./servers.ts";
import { StubResolver } from "./stub.ts";

const LONG = "x".repeat(255);
const zone: Record<string, ZoneRecord[]> = {
  "relay.test": [
    { type: "MX", preference: 20, exchange: "b.relay.test" },
    { type: "MX", preference: 0, exchange: "A.relay.test" },
    { type: "TXT", data: ["v=DKIM1; p=", LONG, "end"] },
    { type: "TXT", data: "second" },
  ],
  "a.relay.test": [
    { type: "A", data: "192.0.2.1", ttl: 100 },
    { type: "AAAA", data: "2001:db8::1" },
  ],
  "nomail.test": [{ type: "MX", preference: 0, exchange: "." }],
  "alias.test": [{ type: "CNAME", data: "alias2.test" }],
  "alias2.test": [{ type: "CNAME", data: "a.relay.test" }],
  "dangling.test": [{ type: "CNAME", data: "gone.test" }],
  "round.test": [{ type: "CNAME", data: "round.test" }],
};

const servers: DnsServer[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.stop();
});

async function setUp(count = 1, clock = new ManualClock()) {
  const started = await Promise.all(Array.from({ length: count }, () => DnsServer.start(zone)));
  servers.push(...started);
  const list = started.map(({ port }) => ({ host: "127.0.0.1", port }));
  const resolver = new StubResolver({ servers: () => list, exchange: socketExchange(clock), clock });
  return { resolver, started, server: started[0] as DnsServer, clock };
}

type Lookup = (resolver: StubResolver) => Promise<DnsResult<unknown>>;
const found = (...records: unknown[]) => ({ kind: "found", records });

const rows: readonly [name: string, lookup: Lookup, want: unknown][] = [
  [
    "mail exchangers, lower case",
    (r) => r.mx("Relay.TEST."),
    found({ preference: 20, exchange: "b.relay.test" }, { preference: 0, exchange: "a.relay.test" }),
  ],
  ["the null MX", (r) => r.mx("nomail.test"), found({ preference: 0, exchange: "" })],
  ["an address", (r) => r.a("a.relay.test"), found("192.0.2.1")],
  ["an IPv6 address", (r) => r.aaaa("a.relay.test"), found("2001:db8::1")],
  [
    "the strings of one TXT record joined",
    (r) => r.txt("relay.test"),
    found(`v=DKIM1; p=${LONG}end`, "second"),
  ],
  ["an alias of an alias", (r) => r.a("alias.test"), found("192.0.2.1")],
  ["a name without such a record", (r) => r.mx("a.relay.test"), { kind: "noData" }],
  ["an alias without such a record", (r) => r.mx("alias.test"), { kind: "noData" }],
  ["a name that does not exist", (r) => r.a("gone.test"), { kind: "noName" }],
  ["an alias of nothing", (r) => r.a("dangling.test"), { kind: "noName" }],
  ["an alias of itself", (r) => r.a("round.test"), { kind: "trouble", why: "malformed" }],
  ["what can't be a name", (r) => r.a("a..b"), { kind: "noName" }],
  ["a label that is too long", (r) => r.a(`${"a".repeat(64)}.test`), { kind: "noName" }],
];
for (const [name, lookup, want] of rows) {
  test(`a lookup finds ${name}`, async () => {
    const { resolver } = await setUp();
    expect(await lookup(resolver)).toEqual(want as DnsResult<unknown>);
  });
}

const faultRows: readonly [fault: Fault, want: unknown][] = [
  ["serverFailure", { kind: "trouble", why: "serverFailure" }],
  ["refused", { kind: "trouble", why: "refused" }],
  ["garbage", { kind: "trouble", why: "malformed" }],
  ["truncated", found("192.0.2.1")],
  ["wrongId", found("192.0.2.1")],
  ["wrongQuestion", found("192.0.2.1")],
  ["noExtensions", found("192.0.2.1")],
];
for (const [fault, want] of faultRows) {
  test(`a server with the fault "${fault}"`, async () => {
    const { resolver, server } = await setUp();
    server.faults.set("a.relay.test", fault);
    expect(await resolver.a("a.relay.test")).toEqual(want as DnsResult<string>);
  });
}

test("an open chain of aliases is followed with new questions", async () => {
  const { resolver, server } = await setUp();
  server.faults.set("alias.test", "openChain");
  expect(await resolver.a("alias.test")).toEqual({ kind: "found", records: ["192.0.2.1"] });
  expect(server.asked).toEqual(["A alias.test", "A alias2.test"]);
});

test("a silent server is asked again, then the next one; later questions go to the one that answers", async () => {
  const { resolver, started, clock } = await setUp(2);
  const [mute, good] = started as [DnsServer, DnsServer];
  mute.faults.set("a.relay.test", "silence");
  const asked = resolver.a("a.relay.test");
  await mute.questions(1);
  clock.advance(2000);
  expect(await asked).toEqual({ kind: "found", records: ["192.0.2.1"] });
  await resolver.aaaa("a.relay.test");
  expect([mute.asked.length, good.asked.length]).toEqual([1, 2]);
});

test("silence of all servers is trouble, in bounded time", async () => {
  const { resolver, server, clock } = await setUp();
  server.faults.set("a.relay.test", "silence");
  const asked = resolver.a("a.relay.test");
  await server.questions(1);
  clock.advance(2000);
  await server.questions(2);
  clock.advance(4000);
  expect(await asked).toEqual({ kind: "trouble", why: "timeout" });
});

test("a port where nobody listens is trouble", async () => {
  const { server } = await setUp();
  const port = server.port;
  server.stop();
  const resolver = new StubResolver({
    servers: () => [{ host: "127.0.0.1", port }],
    exchange: socketExchange(systemClock),
    clock: systemClock,
  });
  expect(await resolver.a("a.relay.test")).toMatchObject({ kind: "trouble" });
});

test("without servers there is trouble, not a hang", async () => {
  const resolver = new StubResolver({
    servers: () => [],
    exchange: socketExchange(systemClock),
    clock: systemClock,
  });
  expect(await resolver.a("a.relay.test")).toEqual({ kind: "trouble", why: "unreachable" });
});

test("answers are remembered as long as they say, and asked once at a time", async () => {
  const { resolver, server, clock } = await setUp();
  await Promise.all([resolver.a("a.relay.test"), resolver.a("A.relay.test")]);
  clock.advance(99_000);
  await resolver.a("a.relay.test");
  expect(server.asked.length).toBe(1);
  clock.advance(1001);
  await resolver.a("a.relay.test");
  expect(server.asked.length).toBe(2);
});

test("what does not exist is remembered for the SOA's time, trouble for seconds", async () => {
  const { resolver, server, clock } = await setUp();
  server.faults.set("relay.test", "serverFailure");
  for (const [waitMs, want] of [
    [0, 2],
    [5001, 3],
    [25_000, 5],
  ] as const) {
    clock.advance(waitMs);
    await resolver.a("gone.test");
    await resolver.mx("relay.test");
    expect(server.asked.length).toBe(want);
  }
});

test("no bytes make the reader throw", () => {
  const question = { id: 7, name: "a.test", type: "TXT" as const };
  const asked = writeQuestion(question, true);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (noise, at) => {
      const bytes = Uint8Array.from([...asked.subarray(0, at), ...noise]);
      bytes[2] = (bytes[2] ?? 0) | 0x80;
      readAnswer(bytes, question);
    }),
    { numRuns: 2000 },
  );
});

const serverRows: readonly [text: string, want: unknown][] = [
  ["192.0.2.1", { host: "192.0.2.1", port: 53 }],
  ["192.0.2.1:5353", { host: "192.0.2.1", port: 5353 }],
  ["2001:db8::1", { host: "2001:db8::1", port: 53 }],
  ["[2001:db8::1]:5353", { host: "2001:db8::1", port: 5353 }],
  ["dns.example", undefined],
  ["192.0.2.1:0", undefined],
  ["192.0.2.1:70000", undefined],
  ["", undefined],
];
for (const [text, want] of serverRows) {
  test(`a name server written as "${text}"`, () => {
    expect(parseServer(text)).toEqual(want as ReturnType<typeof parseServer>);
  });
}

test("resolv.conf's first three servers count", () => {
  const text =
    "# c\nsearch x\nnameserver 192.0.2.1\nnameserver\tfe80::1%eth0 # x\nnameserver ::1\nnameserver 192.0.2.3\n";
  expect(parseResolvConf(text).map((server) => server.host)).toEqual(["192.0.2.1", "fe80::1", "::1"]);
});

test("names are compared without case and root dot", () => {
  expect(normaliseName("Relay.TEST.")).toBe("relay.test");
});
