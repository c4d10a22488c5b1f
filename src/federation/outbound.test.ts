/** The ways out against peers on loopback addresses: our own SMTP server, and scripts that misbehave. */
import { networkInterfaces } from "node:os";
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { DnsServer, type ZoneRecord } from "../../test/support/dns-server.ts";
import { FakeAuthenticator, FakeDoor, FakeLog } from "../../test/talks/smtp/fakes.ts";
import { type Address, parseAddress, parseDomain } from "../core/address.ts";
import { fromLatin1, toLatin1 } from "../core/bytes.ts";
import { ManualClock, systemClock } from "../core/clock.ts";
import type { CourierReport, OutboundMessage } from "../delivery/courier.ts";
import { socketExchange } from "../dns/exchange.ts";
import { StubResolver } from "../dns/stub.ts";
import { ConnectionLimits } from "../net/connection-limits.ts";
import { type Listener, listen } from "../net/listener.ts";
import { SmtpClient } from "../smtp/client.ts";
import { smtpAccept } from "../smtp/server.ts";
import { makeCertificate, makeKey } from "../tls/self-signed.ts";
import { HostFinder } from "./hosts.ts";
import { HttpClient } from "./http-client.ts";
import { MtaSts } from "./mta-sts.ts";
import { Outbound, type OutboundParts } from "./outbound.ts";
import type { RouteSettings } from "./routes.ts";

const clock = systemClock;
const YEAR_MS = 366 * 86_400_000;
const AAAA: ZoneRecord = { type: "AAAA", data: "::1" };
const BODY = "From: me@here.test\r\n\r\nhello\r\n.dot\r\n";
let dns: DnsServer;
let key = "";
let good = "";
let other = "";
let ports = { https: 0, http: 0, smtp: 0 };
const stops: (() => void | Promise<void>)[] = [];

beforeAll(async () => {
  key = await makeKey();
  good = await makeCertificate(["mx.there.test", "mx2.there.test", "mta-sts.there.test"], key, Date.now());
  other = await makeCertificate(["somebody.else.test"], key, Date.now());
  dns = await DnsServer.start();
});
afterAll(() => dns.stop());
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

const addressOf = (text: string): Address => {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error("fixture");
  return parsed;
};

/** What an HTTP peer does with a whole request: the raw answer, "hang" or "reset". */
type Script = (request: string) => string;
const reply = (status: string, body: string, type = "text/plain"): string =>
  `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

interface PeerOptions {
  host: string;
  https?: Script;
  cert?: string;
  http?: Script;
  /** Our own server behind this door. */
  smtp?: FakeDoor;
  smtpCert?: string;
}

/** Raw HTTP, with or without TLS. */
function rawServer(
  host: string,
  port: number,
  script: Script,
  cert: string | undefined,
  seen: string[],
): number {
  const handlers: Bun.SocketHandler<{ input: string }> = {
    data(socket, bytes) {
      socket.data.input += toLatin1(bytes);
      const { input } = socket.data;
      const length = Number(/content-length: (\d+)/i.exec(input)?.[1] ?? 0);
      const head = input.indexOf("\r\n\r\n");
      if (head < 0 || input.length < head + 4 + length) return;
      socket.data.input = "";
      seen.push(input);
      const answer = script(input);
      if (answer === "reset") socket.terminate();
      else if (answer !== "hang") socket.write(answer);
    },
    error() {},
    drain() {},
  };
  const open = (socket: Bun.Socket<{ input: string }>) => {
    socket.data = { input: "" };
    if (cert !== undefined) socket.upgradeTLS({ data: socket.data, tls: { key, cert }, socket: handlers });
  };
  const plain = cert === undefined ? handlers : { drain() {}, error() {} };
  const server = Bun.listen<{ input: string }>({ hostname: host, port, socket: { ...plain, open } });
  stops.push(() => server.stop(true));
  return server.port;
}

async function peer(options: PeerOptions): Promise<{ requests: string[] }> {
  const { host, https, http, smtp } = options;
  const requests: string[] = [];
  if (https !== undefined) ports.https = rawServer(host, ports.https, https, options.cert ?? good, requests);
  if (http !== undefined) ports.http = rawServer(host, ports.http, http, undefined, requests);
  if (smtp !== undefined) {
    const listener: Listener = await listen({
      address: { host, port: ports.smtp },
      tls: "starttls",
      getTls: () => ({ key, cert: options.smtpCert ?? good }),
      accept: smtpAccept({
        mode: "smtp",
        hostname: "mx.there.test",
        door: smtp,
        auth: new FakeAuthenticator(),
        log: new FakeLog(),
        clock,
        tlsAvailable: true,
      }),
      limits: new ConnectionLimits({ total: 100, perAddress: 100 }),
      log: new FakeLog(),
      clock,
      proto: "smtp",
      stopDeadlineMs: 50,
    });
    stops.push(() => listener.stop());
    ports.smtp = listener.port;
  }
  return { requests };
}

/** A relay of ours, with the zone `there.test → mx.there.test → 127.0.0.1` unless said otherwise. */
async function relay(
  over: Partial<OutboundParts> & {
    route?: Partial<RouteSettings>;
    zone?: Record<string, ZoneRecord[]>;
    guarded?: boolean;
    /** What the DNS cache goes by. */
    cacheClock?: ManualClock;
  } = {},
) {
  const free = () => {
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    server.stop(true);
    return server.port;
  };
  if (ports.https === 0) ports.https = free();
  if (ports.http === 0) ports.http = free();
  if (ports.smtp === 0) ports.smtp = free();
  dns.zone.clear();
  const zone = over.zone ?? {
    "there.test": [{ type: "MX", preference: 10, exchange: "mx.there.test" }],
    "mx.there.test": [{ type: "A", data: "127.0.0.1" }],
  };
  for (const [name, records] of Object.entries(zone)) dns.zone.set(name, records);
  const resolver = new StubResolver({
    servers: () => [{ host: "127.0.0.1", port: dns.port }],
    exchange: socketExchange(clock),
    clock: over.cacheClock ?? clock,
  });
  const hosts = new HostFinder(
    resolver,
    () => ({
      allowPrivateAddresses: over.guarded !== true,
      ownAddresses: [],
    }),
    systemClock,
  );
  const http = new HttpClient(clock);
  const smtp = new SmtpClient({ helloName: () => "here.test", clock, ca: over.ca ?? good });
  stops.push(() => {
    http.stop();
    smtp.stop();
  });
  const used = { ...ports };
  const outbound = new Outbound({
    settings: () => ({ tls: "verified", plainHttp: "relaxed", ports: used, ...over.route }),
    hosts,
    http,
    smtp,
    sts: new MtaSts({ resolver, hosts, http, port: () => used.https, clock, ca: good }),
    overrides: { lookup: () => undefined },
    clock,
    log: new FakeLog(),
    ca: good,
    ...over,
  });
  const send = (
    to: string | string[],
    sender: string | null = "me@here.test",
    stop = new AbortController().signal,
  ) => outbound.deliver(message([to].flat(), sender), stop);
  return { outbound, send, smtp };
}

function message(to: string[], sender: string | null, body = BODY): OutboundMessage {
  const bytes = fromLatin1(body);
  const recipients = to.map(addressOf);
  const domain = parseDomain(recipients[0]?.slice(recipients[0].lastIndexOf("@") + 1) ?? "");
  if (domain === undefined) throw new Error("fixture");
  return {
    sender: sender === null ? null : addressOf(sender),
    recipients,
    domain,
    bytes: bytes.length,
    open: async () => ({
      size: bytes.length,
      read: async (offset, length) => bytes.slice(offset, Math.min(offset + length, offset + 7)),
      close: async () => {},
    }),
  };
}

const said = (report: CourierReport) =>
  [...report.outcomes.values()].map((one) =>
    one.do === "sent" ? "sent" : `${one.do} ${one.reply.code} ${one.reply.enhanced}`.trim(),
  );
const whys = (report: CourierReport) => report.attempts.map(({ route, why }) => `${route}: ${why}`);
const ok: Script = () => reply("200 OK", "250 OK");

afterEach(() => {
  ports = { https: 0, http: 0, smtp: 0 };
});

test("HTTPS to the MX host carries all recipients in one request, the signature first", async () => {
  const { requests } = await peer({ host: "127.0.0.1", https: ok });
  const signer = { sign: async () => fromLatin1("DKIM-Signature: x\r\n") };
  const { send } = await relay({ signer });
  const report = await send(["ada@there.test", "bob@there.test"]);
  expect(said(report)).toEqual(["sent", "sent"]);
  expect(report.route).toBe("https");
  expect(report.attempts).toEqual([]);
  const [head = "", ...body] = (requests[0] ?? "").split("\r\n\r\n");
  expect(head).toStartWith(
    `POST /mxdeliv HTTP/1.1\r\nHost: mx.there.test:${ports.https}\r\nX-Mail-From: me@here.test\r\n`,
  );
  expect(head).toContain("X-Mail-To: ada@there.test\r\nX-Mail-To: bob@there.test\r\n");
  expect(body.join("\r\n\r\n")).toBe(`DKIM-Signature: x\r\n${BODY}`);
});

test("a null sender is no header, and a kept connection carries the next message", async () => {
  const { requests } = await peer({ host: "127.0.0.1", https: ok });
  const { send } = await relay();
  expect(said(await send("ada@there.test", null))).toEqual(["sent"]);
  expect(said(await send("ada@there.test"))).toEqual(["sent"]);
  expect(requests[0]).not.toContain("X-Mail-From");
  expect(requests.length).toBe(2);
});

/** What goes wrong with HTTPS, and what is written down about it. SMTP takes the message every time. */
const fallRows: readonly [name: string, script: Script, why: string][] = [
  ["answers 404", () => reply("404 Not Found", "404 page not found"), "HTTP 404"],
  ["answers 502 in plain text", () => reply("502 Bad Gateway", "502 Bad Gateway"), "HTTP 502"],
  ["redirects", () => "HTTP/1.1 301 M\r\nLocation: https://x/\r\nContent-Length: 0\r\n\r\n", "HTTP 301"],
  ["says 200 with an error inside", () => reply("200 OK", "550 5.1.1 no"), "HTTP 200 with 550 in it"],
  [
    "says 200 with a web page",
    () => reply("200 OK", "<html>hi", "text/html"),
    "HTTP 200 with no reply in it",
  ],
  ["says 200 with an empty page", () => reply("200 OK", "", "text/html"), "HTTP 200 with no reply in it"],
  ["talks garbage", () => "SSH-2.0-x\r\n", "the answer is no HTTP"],
  ["cuts its answer", () => "reset", "connection closed"],
];
for (const [name, script, why] of fallRows) {
  test(`mail falls through to SMTP when HTTPS ${name}`, async () => {
    const door = new FakeDoor();
    await peer({ host: "127.0.0.1", https: script, smtp: door });
    const { send } = await relay({
      zone: {
        "relay.test": [{ type: "MX", preference: 10, exchange: "mx.there.test" }],
        "mx.there.test": [{ type: "A", data: "127.0.0.1" }],
      },
    });
    const report = await send("ada@relay.test");
    expect(said(report)).toEqual(["sent"]);
    expect(report.route).toBe("smtp");
    expect(whys(report)).toEqual([`https: ${why}`]);
    expect(door.taken[0]?.text).toBe(BODY);
  });
}

const refusalRows: readonly [status: string, body: string, want: string][] = [
  ["400 Bad Request", "523 Encryption Needed: Invalid Unencrypted Mail", "fail 523"],
  ["400 Bad Request", "554 5.7.1 No valid DKIM signature found", "fail 554 5.7.1"],
  ["500 Error", "451 4.3.0 Try again later", "defer 451 4.3.0"],
  ["413 Too Large", "552 Message exceeds maximum size", "fail 552"],
  ["429 Slow", "450 4.7.1: Too much mail", "defer 450 4.7.1"],
];
for (const [status, body, want] of refusalRows) {
  test(`HTTP ${status} with "${body}" is the peer's last word`, async () => {
    await peer({ host: "127.0.0.1", https: () => reply(status, body) });
    const { send } = await relay();
    const report = await send("ada@there.test");
    expect(said(report)).toEqual([want]);
    expect(report.attempts.length).toBe(1);
  });
}

const zoneOf = (domain: string, ...hosts: string[]): Record<string, ZoneRecord[]> => ({
  [domain]: hosts.map((exchange, i) => ({ type: "MX", preference: i, exchange })),
  "mx.there.test": [{ type: "A", data: "127.0.0.1" }],
  "mx2.there.test": [{ type: "A", data: "127.0.0.2" }],
});

test("a certificate of somebody else is not trusted with mail, by no way", async () => {
  const door = new FakeDoor();
  await peer({ host: "127.0.0.1", https: ok, cert: other, http: ok, smtp: door, smtpCert: other });
  const { send } = await relay({ zone: zoneOf("relay.test", "mx.there.test") });
  const report = await send("ada@relay.test");
  expect(said(report)).toEqual(["defer 421 4.4.1"]);
  expect(whys(report).map((why) => why.replace(/ERR.*|.*SELF.*/, "cert"))).toEqual([
    expect.stringMatching(/https: TLS: |cert/),
    expect.stringMatching(/smtp: TLS: |cert/),
  ] as string[]);
  expect(door.taken.length).toBe(0);
});

test("domains that begin with an underscore and bare addresses may show any certificate", async () => {
  await peer({ host: "127.0.0.1", https: ok, cert: other });
  const { send } = await relay({ zone: { "_b.test": [{ type: "A", data: "127.0.0.1" }] } });
  expect((await send("ada@_b.test")).route).toBe("https");
  expect((await send("ada@[127.0.0.1]")).route).toBe("https");
});

test("plain HTTP is for those only, and comes before SMTP", async () => {
  await peer({ host: "127.0.0.1", http: ok });
  const { send } = await relay({
    zone: { "_b.test": [{ type: "A", data: "127.0.0.1" }], ...zoneOf("there.test", "mx.there.test") },
  });
  expect((await send("ada@_b.test")).route).toBe("http");
  const strict = await send("ada@there.test");
  expect(strict.route).toBeUndefined();
  expect(strict.attempts.map(({ route }) => route)).toEqual(["https", "smtp"]);
});

test("the next MX host is tried, and SMTP tells recipients apart", async () => {
  const door = new FakeDoor();
  await peer({ host: "127.0.0.2", smtp: door });
  const { send } = await relay({ zone: zoneOf("relay.test", "mx.there.test", "mx2.there.test") });
  const report = await send(["ada@relay.test", "mailboxfull@relay.test", "storagefailed@relay.test"]);
  expect(said(report)).toEqual(["sent", "fail 552 5.2.2", "defer 451 4.3.0"]);
  expect(door.taken[0]?.envelope.recipients).toEqual([addressOf("ada@relay.test")]);
  expect(report.attempts.map(({ host, route }) => `${route} ${host}`)).toEqual([
    "https mx.there.test",
    "smtp mx.there.test",
    "https mx2.there.test",
    "smtp mx2.there.test",
    "smtp mx2.there.test",
  ]);
});

test("a host that took mail by SMTP is not asked by HTTPS for a while; SMTP sessions are used again", async () => {
  const door = new FakeDoor();
  const { requests } = await peer({ host: "127.0.0.1", https: () => reply("404 Not Found", ""), smtp: door });
  const { send, smtp } = await relay({ zone: zoneOf("relay.test", "mx.there.test") });
  for (let i = 0; i < 3; i++) expect(said(await send("ada@relay.test"))).toEqual(["sent"]);
  expect(requests.length).toBe(1);
  expect(door.taken.length).toBe(3);
  expect(smtp.idleSessions).toBe(1);
});

test("recipients beyond the server's number go in further transactions of the same session", async () => {
  const door = new FakeDoor();
  await peer({ host: "127.0.0.1", smtp: door });
  const { send } = await relay({ zone: zoneOf("relay.test", "mx.there.test") });
  const report = await send(Array.from({ length: 12 }, (_, i) => `user${i}@relay.test`));
  expect(said(report)).toEqual(Array.from({ length: 12 }, () => "sent"));
  expect(door.taken.map(({ envelope }) => envelope.recipients.length)).toEqual([5, 5, 2]);
});

test("the memory that a host has no HTTP lasts half an hour", async () => {
  const { requests } = await peer({
    host: "127.0.0.1",
    https: () => reply("404 Not Found", ""),
    smtp: new FakeDoor(),
  });
  const time = new ManualClock();
  const { send } = await relay({ zone: zoneOf("relay.test", "mx.there.test"), clock: time });
  const asked: number[] = [];
  for (const minutes of [0, 15, 14.9, 0.2, 29.9]) {
    time.advance(minutes * 60_000);
    expect(said(await send("ada@relay.test"))).toEqual(["sent"]);
    asked.push(requests.length);
  }
  // Mail in between does not prolong it.
  expect(asked).toEqual([1, 1, 1, 2, 2]);
});

test("a host that is not reached by SMTP either is asked by HTTPS again at once", async () => {
  const { requests } = await peer({
    host: "127.0.0.1",
    https: () => reply("404 Not Found", ""),
    smtp: new FakeDoor(),
  });
  const { send, smtp } = await relay({ zone: zoneOf("relay.test", "mx.there.test") });
  await send("ada@relay.test");
  smtp.stop();
  // The SMTP server goes, the other stays.
  await stops.splice(1, 1)[0]?.();
  for (let i = 0; i < 2; i++) expect(said(await send("ada@relay.test"))).toEqual(["defer 421 4.4.1"]);
  expect(requests.length).toBe(2);
});

test("no redirect is followed, wherever it leads", async () => {
  for (const status of ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"]) {
    ports = { https: 0, http: 0, smtp: 0 };
    const { requests } = await peer({
      host: "127.0.0.1",
      https: () =>
        `HTTP/1.1 ${status}\r\nLocation: https://mx.there.test:${ports.https}/mxdeliv/\r\nContent-Length: 0\r\n\r\n`,
    });
    const { send } = await relay();
    const report = await send("ada@there.test");
    expect(said(report)).toEqual(["defer 421 4.4.1"]);
    expect(whys(report)[0]).toBe(`https: HTTP ${status.slice(0, 3)}`);
    expect(requests.length).toBe(1);
    for (const stop of stops.splice(0).toReversed()) await stop();
  }
});

test("a certificate that ran out is not trusted with mail, by no way", async () => {
  const door = new FakeDoor();
  const expired = await makeCertificate(["mx.there.test"], key, Date.now() - 101 * YEAR_MS);
  await peer({ host: "127.0.0.1", https: ok, cert: expired, smtp: door, smtpCert: expired });
  const { send } = await relay({ zone: zoneOf("relay.test", "mx.there.test"), ca: expired });
  const report = await send("ada@relay.test");
  expect(said(report)).toEqual(["defer 421 4.4.1"]);
  expect(whys(report)).toEqual(["https: TLS: CERT_HAS_EXPIRED", "smtp: TLS: CERT_HAS_EXPIRED"]);
  expect(door.taken).toEqual([]);
});

const isIpv6Missing = !Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === "::1"),
);

test.skipIf(isIpv6Missing)(
  "IPv6 (needs ::1): by HTTPS and SMTP, found by name and as a literal",
  async () => {
    const door = new FakeDoor();
    const { requests } = await peer({ host: "::1", https: ok, http: ok });
    const zone = { ...zoneOf("relay.test", "mx.there.test"), "mx.there.test": [AAAA] };
    const { send } = await relay({ zone });
    expect((await send("ada@relay.test")).route).toBe("https");
    expect((await send("ada@[IPv6:::1]")).route).toBe("https");
    expect(requests[1]).toContain(`\r\nHost: [::1]:${ports.https}\r\n`);
    for (const stop of stops.splice(0).toReversed()) await stop();
    ports = { https: 0, http: 0, smtp: 0 };
    await peer({ host: "::1", smtp: door });
    const other = await relay({ zone });
    const report = await other.send("ada@relay.test");
    expect([said(report), report.route]).toEqual([["sent"], "smtp"]);
    expect(door.taken).toHaveLength(1);
  },
);

test.skipIf(isIpv6Missing)(
  "of a host with both, IPv6 (needs ::1) is first, and IPv4 takes over where it fails",
  async () => {
    await peer({ host: "127.0.0.1", https: ok });
    const both = [AAAA, { type: "A", data: "127.0.0.1" }] satisfies ZoneRecord[];
    const { send } = await relay({
      zone: { ...zoneOf("there.test", "mx.there.test"), "mx.there.test": both },
    });
    expect((await send("ada@there.test")).route).toBe("https");
  },
);

const dnsRows: readonly [name: string, zone: Record<string, ZoneRecord[]>, want: string][] = [
  ["a domain that does not exist", {}, "fail 512 5.1.2"],
  ["a null MX", { "there.test": [{ type: "MX", preference: 0, exchange: "." }] }, "fail 556 5.1.10"],
  ["a domain with neither MX nor address", { "there.test": [{ type: "TXT", data: "x" }] }, "fail 550 5.1.2"],
  [
    "an MX host without an address",
    { "there.test": [{ type: "MX", preference: 0, exchange: "gone.test" }] },
    "defer 421 4.4.1",
  ],
];
for (const [name, zone, want] of dnsRows) {
  test(`mail to ${name}`, async () => {
    const { send } = await relay({ zone });
    expect(said(await send("ada@there.test"))).toEqual([want]);
  });
}

test("DNS trouble defers", async () => {
  const { send } = await relay();
  dns.faults.set("there.test", "serverFailure");
  const report = await send("ada@there.test");
  dns.faults.clear();
  expect(said(report)).toEqual(["defer 451 4.4.3"]);
});

test("names that lead to private addresses are not followed, unless the operator says where", async () => {
  await peer({ host: "127.0.0.1", https: ok });
  const { send } = await relay({ guarded: true });
  const refused = await send("ada@there.test");
  expect(said(refused)).toEqual(["defer 421 4.4.1"]);
  expect(whys(refused)).toEqual(["https: the host's addresses are private, or this server's own"]);
  expect((await send("ada@[127.0.0.1]")).route).toBeUndefined();
  const overridden = await relay({ guarded: true, overrides: { lookup: () => "mx.there.test" } });
  expect((await overridden.send("ada@anything.test")).route).toBe("https");
});

test("a URL instead of DNS is the only way, with its port and path", async () => {
  const { requests } = await peer({ host: "127.0.0.1", http: ok });
  const { send } = await relay({
    guarded: true,
    overrides: { lookup: () => `http://127.0.0.1:${ports.http}/in?x=1` },
  });
  expect((await send("ada@anything.test")).route).toBe("http");
  expect(requests[0]).toStartWith("POST /in?x=1 HTTP/1.1\r\n");
});

test("an enforced MTA-STS policy keeps mail from hosts it does not name", async () => {
  const policy = (mx: string) => `version: STSv1\nmode: enforce\nmx: ${mx}\nmax_age: 86400\n`;
  for (const [mx, want] of [
    ["mx.there.test", "sent"],
    ["*.elsewhere.test", "defer 421 4.4.1"],
  ] as const) {
    ports = { https: 0, http: 0, smtp: 0 };
    await peer({
      host: "127.0.0.1",
      https: (request) => reply("200 OK", request.startsWith("GET") ? policy(mx) : "OK"),
    });
    const { send } = await relay({
      zone: {
        ...zoneOf("there.test", "mx.there.test"),
        "_mta-sts.there.test": [{ type: "TXT", data: "v=STSv1; id=1;" }],
        "mta-sts.there.test": [{ type: "A", data: "127.0.0.1" }],
      },
    });
    expect(said(await send("ada@there.test"))).toEqual([want]);
    for (const stop of stops.splice(0).toReversed()) await stop();
  }
});

test("a policy with a new id takes the place of the old one; the same id is not fetched again", async () => {
  let mx = "mx.there.test";
  const { requests } = await peer({
    host: "127.0.0.1",
    https: (request) =>
      reply(
        "200 OK",
        request.startsWith("GET") ? `version: STSv1\nmode: enforce\nmx: ${mx}\nmax_age: 86400\n` : "OK",
      ),
  });
  const idIs = (id: string): ZoneRecord[] => [{ type: "TXT", data: `v=STSv1; id=${id};`, ttl: 60 }];
  const cacheClock = new ManualClock();
  const { send } = await relay({
    cacheClock,
    zone: {
      ...zoneOf("there.test", "mx.there.test"),
      "_mta-sts.there.test": idIs("1"),
      "mta-sts.there.test": [{ type: "A", data: "127.0.0.1" }],
    },
  });
  const fetches = () => requests.filter((request) => request.startsWith("GET")).length;
  expect(said(await send("ada@there.test"))).toEqual(["sent"]);
  mx = "mx.elsewhere.test";
  expect(said(await send("ada@there.test"))).toEqual(["sent"]);
  expect(fetches()).toBe(1);
  dns.zone.set("_mta-sts.there.test", idIs("2"));
  cacheClock.advance(61_000);
  expect(said(await send("ada@there.test"))).toEqual(["defer 421 4.4.1"]);
  expect(fetches()).toBe(2);
  // The record going away does not end the policy (RFC 8461 §10.2).
  dns.zone.delete("_mta-sts.there.test");
  cacheClock.advance(61_000);
  expect(said(await send("ada@there.test"))).toEqual(["defer 421 4.4.1"]);
});

test("stopping ends a delivery that hangs, and defers it", async () => {
  const asked = Promise.withResolvers<void>();
  await peer({
    host: "127.0.0.1",
    https: () => {
      asked.resolve();
      return "hang";
    },
  });
  const { send } = await relay();
  const controller = new AbortController();
  const sending = send("ada@there.test", null, controller.signal);
  await asked.promise;
  controller.abort();
  expect(said(await sending)).toEqual(["defer 421 4.3.2"]);
});

test("a message that can't be read is deferred, and no server gets half of it", async () => {
  const { requests } = await peer({ host: "127.0.0.1", https: ok });
  const { outbound } = await relay();
  const broken = message(["ada@there.test"], null);
  const report = await outbound.deliver(
    {
      ...broken,
      open: async () => {
        const source = await broken.open();
        return {
          ...source,
          read: async (at, length) => (at > 10 ? new Uint8Array(0) : source.read(at, length)),
        };
      },
    },
    new AbortController().signal,
  );
  expect(said(report)).toEqual(["defer 421 4.4.1"]);
  expect(requests).toEqual([]);
});
