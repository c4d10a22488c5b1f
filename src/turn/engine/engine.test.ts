/** RFC 8656 and RFC 8489 §9.2, rule by rule, on the engine without sockets. */
import { describe, expect, test } from "bun:test";
import { stunCrypto } from "../crypto.ts";
import { EngineLab, onlyAnswer, RELAYED, type Seen, type TestFront } from "../engine-lab.test-help.ts";
import {
  allocateRequest,
  channelBindRequest,
  channelData,
  keyOf,
  readAnswer,
  request,
  sendIndication,
} from "../turn-client.test-help.ts";
import {
  attributeOf,
  attributes,
  fingerprintHolds,
  integrityHolds,
  methods,
  type StunWriter,
} from "./stun.ts";

const PEER = { address: "93.184.216.34", port: 7000 };
const HELLO = new TextEncoder().encode("hello");
const family = (value: number) => (to: StunWriter) =>
  to.attribute(attributes.requestedAddressFamily, Uint8Array.of(value, 0, 0, 0));
const lifetime = (seconds: number) => (to: StunWriter) => to.u32(attributes.lifetime, seconds);
const evenPort = (value: number) => (to: StunWriter) =>
  to.attribute(attributes.evenPort, Uint8Array.of(value));

describe("Binding", () => {
  test("is answered with the address it came from, without credentials", () => {
    const answer = new EngineLab().client("203.0.113.5", 4000).ask(request(methods.binding));
    expect(answer).toMatchObject({ class: "success", mapped: { address: "203.0.113.5", port: 4000 } });
    expect(answer.message.bytes.length).toBe(32);
  });

  test("has a fingerprint if the request had one", () => {
    const { message } = new EngineLab()
      .client("2a01:4f8::1", 1)
      .ask(request(methods.binding, { fingerprint: true }));
    expect(message.fingerprintAt).toBe(44);
    expect(fingerprintHolds(message, stunCrypto)).toBe(true);
  });

  test("with an unknown required attribute is answered 420 and its number", () => {
    const bytes = request(methods.binding, { fill: (to) => to.u32(0x0024, 1).u32(0x8029, 1) });
    const answer = new EngineLab().client().ask(bytes);
    expect(answer.status).toBe(420);
    expect(attributeOf(answer.message, attributes.unknownAttributes)).toEqual(Uint8Array.of(0, 0x24));
  });
});

describe("credentials", () => {
  test("a request without them is answered 401 with realm and nonce, unsigned", () => {
    const answer = new EngineLab().client().ask(allocateRequest());
    expect(answer).toMatchObject({ status: 401, realm: "relay.test" });
    expect(answer.nonce).toMatch(/^[0-9a-z]{7}[0-9a-f]{16}$/);
    expect(answer.message.integrity).toBeUndefined();
  });

  test("a success is signed with the user's key, by the hash that the request used", () => {
    for (const integrity of ["sha1", "sha256"] as const) {
      const client = new EngineLab().client();
      const { message } = client.allocate({ integrity });
      expect(message.integrity?.kind).toBe(integrity);
      expect(integrityHolds(message, keyOf(client.login), stunCrypto)).toBe(true);
    }
  });

  for (const [name, change, status] of [
    ["a wrong password", { login: { username: "1", password: "x", realm: "relay.test" } }, 401],
    ["an unknown user", { login: { username: "nobody", password: "pw-nobody", realm: "relay.test" } }, 401],
    ["another realm", { login: { username: "1", password: "pw-1", realm: "other.test" } }, 401],
    ["a nonce of our own making", { nonce: "0000zzz0123456789abcdef" }, 438],
    ["an empty nonce", { nonce: "" }, 438],
    ["no nonce", { nonce: undefined }, 400],
  ] as const) {
    test(`${name} is answered ${status}, and nothing is kept`, () => {
      const lab = new EngineLab();
      const client = lab.client();
      const answer = client.allocate(change);
      expect(answer.status).toBe(status);
      expect(answer.nonce === undefined).toBe(status === 400);
      expect(answer.message.integrity).toBeUndefined();
      expect(lab.engine.allocations).toBe(0);
    });
  }

  test("an earlier secret still opens the door", () => {
    const client = new EngineLab().client();
    client.login = { ...client.login, password: "old secret" };
    expect(client.allocate().status).toBe(0);
  });

  test("a nonce runs out after an hour, and belongs to one address", () => {
    const lab = new EngineLab();
    const client = lab.client();
    const { signed } = client;
    expect(lab.client("203.0.113.6", 4000).ask(allocateRequest(signed)).status).toBe(438);
    lab.nowMs += 3_601_000;
    const stale = client.ask(allocateRequest(signed));
    expect(stale).toMatchObject({ status: 438, realm: "relay.test" });
    expect(client.ask(allocateRequest({ ...signed, nonce: stale.nonce })).status).toBe(0);
  });

  test("expired ones allocate nothing, but refresh what lives for an hour more", () => {
    const lab = new EngineLab();
    const client = lab.client();
    expect(client.allocate().status).toBe(0);
    lab.secondsLeft = -10;
    expect(lab.client("203.0.113.5", 4001).allocate().status).toBe(401);
    expect(client.refresh().status).toBe(0);
    lab.secondsLeft = -3601;
    expect(client.refresh().status).toBe(401);
  });

  test("another user's are answered 441 for an allocation that is not theirs", () => {
    const lab = new EngineLab();
    const client = lab.client();
    client.allocate();
    client.login = { username: "1700000001", password: "pw-1700000001", realm: "relay.test" };
    expect(client.refresh({ fill: lifetime(0) }).status).toBe(441);
    expect(client.permit(PEER).status).toBe(441);
    expect(client.bind(0x4000, PEER).status).toBe(441);
    expect(lab.engine.allocations).toBe(1);
  });
});

describe("Allocate", () => {
  test("tells the relayed address, the mapped one and the lifetime", () => {
    const lab = new EngineLab();
    const answer = lab.client().allocate();
    expect(answer).toMatchObject({
      class: "success",
      lifetimeS: 600,
      mapped: { address: "203.0.113.5", port: 4000 },
      relayed: { address: RELAYED },
    });
    expect([...lab.open.values()]).toEqual([answer.relayed?.port ?? 0]);
  });

  for (const [wanted, granted] of [
    [0, 600],
    [10, 600],
    [777, 777],
    [3600, 3600],
    [4_294_967_295, 3600],
  ] as const) {
    test(`a wish for ${wanted} s is granted ${granted} s`, () => {
      expect(new EngineLab().client().allocate({ fill: lifetime(wanted) }).lifetimeS).toBe(granted);
    });
  }

  for (const [name, fill, status] of [
    ["no transport", undefined, 400],
    [
      "TCP as transport",
      (to: StunWriter) => to.attribute(attributes.requestedTransport, Uint8Array.of(6, 0, 0, 0)),
      442,
    ],
    [
      "a transport of one byte",
      (to: StunWriter) => to.attribute(attributes.requestedTransport, Uint8Array.of(17)),
      400,
    ],
  ] as const) {
    test(`${name} is answered ${status}`, () => {
      const client = new EngineLab().client();
      const options = fill === undefined ? client.signed : { ...client.signed, fill };
      expect(client.ask(request(methods.allocate, options)).status).toBe(status);
    });
  }

  for (const [name, fill, status] of [
    [
      "DONT-FRAGMENT, which we can't do,",
      (to: StunWriter) => to.attribute(attributes.dontFragment, new Uint8Array(0)),
      420,
    ],
    ["an unknown required attribute", (to: StunWriter) => to.u32(0x7777, 1), 420],
    ["an unknown family", family(7), 440],
    [
      "an unknown reservation",
      (to: StunWriter) => to.attribute(attributes.reservationToken, new Uint8Array(8)),
      508,
    ],
    [
      "a short reservation",
      (to: StunWriter) => to.attribute(attributes.reservationToken, new Uint8Array(4)),
      400,
    ],
    [
      "a reservation with a family",
      (to: StunWriter) => family(1)(to).attribute(attributes.reservationToken, new Uint8Array(8)),
      400,
    ],
    [
      "a reservation with EVEN-PORT",
      (to: StunWriter) => evenPort(0)(to).attribute(attributes.reservationToken, new Uint8Array(8)),
      400,
    ],
    ["EVEN-PORT of two bytes", (to: StunWriter) => to.attribute(attributes.evenPort, new Uint8Array(2)), 400],
    [
      "a lifetime of two bytes",
      (to: StunWriter) => to.attribute(attributes.lifetime, new Uint8Array(2)),
      400,
    ],
    [
      "two families in one",
      (to: StunWriter) =>
        family(1)(to).attribute(attributes.additionalAddressFamily, Uint8Array.of(2, 0, 0, 0)),
      400,
    ],
  ] as const) {
    test(`${name} is answered ${status}, signed`, () => {
      const lab = new EngineLab();
      const client = lab.client();
      const answer = client.allocate({ fill });
      expect(answer.status).toBe(status);
      expect(integrityHolds(answer.message, keyOf(client.login), stunCrypto)).toBe(true);
      expect(lab.engine.allocations).toBe(0);
    });
  }

  test("420 names DONT-FRAGMENT", () => {
    const { message } = new EngineLab()
      .client()
      .allocate({ fill: (to) => to.attribute(attributes.dontFragment, new Uint8Array(0)) });
    expect(attributeOf(message, attributes.unknownAttributes)).toEqual(Uint8Array.of(0, 0x1a));
  });

  test("gives IPv6 where the relay has it, and 440 where it has not", () => {
    expect(new EngineLab().client().allocate({ fill: family(2) }).relayed?.address).toStartWith(
      "2001:db8:ffff",
    );
    const without = new EngineLab({ relayAddresses: { 4: RELAYED } });
    expect(without.client().allocate({ fill: family(2) }).status).toBe(440);
  });

  test("a wish for both families gets IPv4 and word of the other", () => {
    const fill = (to: StunWriter) =>
      to.attribute(attributes.additionalAddressFamily, Uint8Array.of(2, 0, 0, 0));
    const answer = new EngineLab().client().allocate({ fill });
    expect(answer.relayed?.address).toBe(RELAYED);
    expect(attributeOf(answer.message, attributes.addressErrorCode)).toEqual(Uint8Array.of(2, 0, 4, 40));
  });

  test("the same request again gets the same answer, another one 437", () => {
    const lab = new EngineLab();
    const client = lab.client();
    const bytes = allocateRequest(client.signed);
    const first = client.ask(bytes);
    expect(client.ask(bytes).message.bytes).toEqual(first.message.bytes);
    expect(client.allocate().status).toBe(437);
    expect(lab.open.size).toBe(1);
  });

  test("while the socket opens, the same request again is silence, another one 437", () => {
    const lab = new EngineLab();
    lab.holdBinds = true;
    const client = lab.client();
    const bytes = allocateRequest(client.signed);
    expect(client.send(bytes).map((action) => action.do)).toEqual(["bind"]);
    expect(client.send(bytes)).toEqual([]);
    expect(client.allocate().status).toBe(437);
    expect(client.refresh().status).toBe(437);
    expect(onlyAnswer(lab.grant()).status).toBe(0);
  });

  test("EVEN-PORT gets an even port; with its bit the next one waits for its token, 30 s", () => {
    const lab = new EngineLab();
    for (let i = 0; i < 10; i++) {
      const { relayed } = lab.client("203.0.113.9", 100 + i).allocate({ fill: evenPort(0) });
      expect((relayed?.port ?? 1) % 2).toBe(0);
    }
    const pair = lab.client("203.0.113.5", 1).allocate({ fill: evenPort(0x80) });
    const token = attributeOf(pair.message, attributes.reservationToken) ?? new Uint8Array(0);
    expect(token.length).toBe(8);
    const useToken = (to: StunWriter) => to.attribute(attributes.reservationToken, token);
    const next = lab.client("203.0.113.5", 2).allocate({ fill: useToken });
    expect(next.relayed?.port).toBe((pair.relayed?.port ?? 0) + 1);
    expect(lab.client("203.0.113.5", 3).allocate({ fill: useToken }).status).toBe(508);
    const unused = lab.client("203.0.113.5", 4).allocate({ fill: evenPort(0x80) });
    expect(lab.open.size).toBe(14);
    expect(lab.pass(30_000).map((action) => action.do)).toEqual(["unbind"]);
    const late = attributeOf(unused.message, attributes.reservationToken) ?? new Uint8Array(0);
    const tooLate = (to: StunWriter) => to.attribute(attributes.reservationToken, late);
    expect(lab.client("203.0.113.5", 5).allocate({ fill: tooLate }).status).toBe(508);
  });

  test("a port that is taken is passed over; when none is left, 508, and nothing stays", () => {
    const lab = new EngineLab({ ports: { min: 50_000, max: 50_001 } });
    lab.portTaken = (port) => port === 50_000;
    expect(lab.client("203.0.113.5", 1).allocate().relayed?.port).toBe(50_001);
    expect(lab.client("203.0.113.5", 2).allocate().status).toBe(508);
    lab.portTaken = () => true;
    expect(lab.client("203.0.113.5", 3).allocate({ fill: evenPort(0) }).status).toBe(508);
    expect([lab.engine.allocations, lab.open.size]).toEqual([1, 1]);
    lab.portTaken = () => false;
    expect(lab.client("203.0.113.5", 4).allocate().relayed?.port).toBe(50_000);
  });

  test("of a pair whose second port is taken, the first is given back", () => {
    const lab = new EngineLab();
    lab.portTaken = (port) => port % 2 === 1;
    expect(lab.client().allocate({ fill: evenPort(0x80) }).status).toBe(508);
    expect(lab.open.size).toBe(0);
    expect(lab.engine.allocations).toBe(0);
  });

  for (const [name, settings] of [
    ["in all", { allocationsMax: 3 }],
    ["per user", { allocationsPerUserMax: 3 }],
    ["per address", { allocationsPerAddressMax: 3 }],
  ] as const) {
    test(`the quota ${name} is answered 486, and ends with an allocation`, () => {
      const lab = new EngineLab(settings);
      const clients = [1, 2, 3].map((port) => lab.client("203.0.113.5", port));
      for (const client of clients) expect(client.allocate().status).toBe(0);
      const late = lab.client("203.0.113.5", 4);
      expect(late.allocate().status).toBe(486);
      clients[0]?.refresh({ fill: lifetime(0) });
      expect(late.allocate().status).toBe(0);
    });
  }

  test("a relay port is free again after its allocation", () => {
    const lab = new EngineLab({ ports: { min: 50_000, max: 50_000 } });
    const client = lab.client();
    for (let i = 0; i < 5; i++) {
      expect(client.allocate().status).toBe(0);
      expect(client.refresh({ fill: lifetime(0) }).status).toBe(0);
    }
    expect(lab.open.size).toBe(0);
  });
});

describe("Refresh", () => {
  test("prolongs, and with 0 ends the allocation and its socket", () => {
    const lab = new EngineLab();
    const client = lab.client();
    client.allocate();
    lab.pass(590_000);
    expect(client.refresh({ fill: lifetime(1000) }).lifetimeS).toBe(1000);
    lab.pass(990_000);
    expect(lab.engine.allocations).toBe(1);
    expect(client.refresh({ fill: lifetime(0) }).lifetimeS).toBe(0);
    expect(lab.open.size).toBe(0);
    expect(client.refresh().status).toBe(437);
  });

  test("of another family is answered 443, malformed ones 400", () => {
    const client = new EngineLab().client();
    client.allocate();
    expect(client.refresh({ fill: family(2) }).status).toBe(443);
    expect(client.refresh({ fill: family(1) }).status).toBe(0);
    expect(client.refresh({ fill: (to) => to.attribute(attributes.lifetime, HELLO) }).status).toBe(400);
  });

  test("an allocation that nobody refreshes ends on time, also when no tick came", () => {
    const lab = new EngineLab();
    const client = lab.client();
    client.allocate();
    lab.nowMs += 600_000;
    expect(client.refresh().status).toBe(437);
    expect(client.allocate().status).toBe(0);
    expect(lab.engine.allocations).toBe(1);
    expect(lab.open.size).toBe(1);
    lab.pass(600_000);
    expect(lab.open.size).toBe(0);
    expect(lab.engine.isIdle).toBe(true);
  });
});

describe("permissions", () => {
  for (const [name, address, status] of [
    ["a public peer", "93.184.216.34", 0],
    ["our relayed address", RELAYED, 0],
    ["another address of ours", "9.9.9.9", 403],
    ["loopback", "127.0.0.1", 403],
    ["a private peer", "10.1.2.3", 403],
    ["link-local, where clouds keep their secrets,", "169.254.169.254", 403],
    ["multicast", "224.0.0.251", 403],
    ["IPv6 for an IPv4 relay", "2a01:4f8::1", 443],
  ] as const) {
    test(`${name} is answered ${status}, and a channel is as well`, () => {
      const client = new EngineLab().client();
      client.allocate();
      expect(client.permit({ address, port: 1 }).status).toBe(status);
      expect(client.bind(0x4000, { address, port: 1 }).status).toBe(status);
    });
  }

  test("IPv4 in the clothes of IPv6 is answered 403", () => {
    const client = new EngineLab().client();
    client.allocate({ fill: family(2) });
    for (const address of ["::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::1"]) {
      expect(client.permit({ address, port: 1 }).status).toBe(403);
    }
  });

  test("private peers are open where the operator says so", () => {
    const client = new EngineLab({ allowPrivatePeers: true }).client();
    client.allocate();
    expect(client.permit({ address: "127.0.0.1", port: 1 }).status).toBe(0);
  });

  test("all of a request or none", () => {
    const lab = new EngineLab();
    const client = lab.client();
    client.allocate();
    expect(client.permit(PEER, { address: "10.0.0.1", port: 1 }).status).toBe(403);
    expect(client.send(sendIndication(PEER, HELLO))).toEqual([]);
    expect(client.ask(request(methods.createPermission, client.signed)).status).toBe(400);
  });

  test("last five minutes and not longer, in both directions", () => {
    const lab = new EngineLab();
    const client = lab.client();
    const port = client.allocate().relayed?.port ?? 0;
    expect(lab.fromPeer(port, PEER.address, PEER.port, HELLO)).toEqual([]);
    client.permit(PEER);
    lab.nowMs += 299_999;
    expect(client.send(sendIndication(PEER, HELLO))).toMatchObject([{ do: "relay", ...PEER }]);
    expect(lab.fromPeer(port, PEER.address, 1234, HELLO)).toMatchObject([{ do: "deliver" }]);
    lab.nowMs += 1;
    expect(client.send(sendIndication(PEER, HELLO))).toEqual([]);
    expect(lab.fromPeer(port, PEER.address, PEER.port, HELLO)).toEqual([]);
    expect(lab.engine.counters.dropped.noPermission).toBe(3);
  });

  test("are 64 at most, and room comes back with time", () => {
    const lab = new EngineLab();
    const client = lab.client();
    client.allocate({ fill: lifetime(3600) });
    for (let i = 0; i < 64; i++)
      expect(client.permit({ address: `93.184.216.${i}`, port: 1 }).status).toBe(0);
    expect(client.permit({ address: "93.184.217.1", port: 1 }).status).toBe(508);
    expect(client.bind(0x4000, { address: "93.184.217.1", port: 1 }).status).toBe(508);
    expect(client.permit({ address: "93.184.216.1", port: 1 }).status).toBe(0);
    lab.nowMs += 300_000;
    expect(client.permit({ address: "93.184.217.1", port: 1 }).status).toBe(0);
  });
});

describe("channels", () => {
  for (const [name, number, status] of [
    ["below the range", 0x3fff, 400],
    ["the first", 0x4000, 0],
    ["RFC 5766's last", 0x7ffe, 0],
    ["above the range", 0x7fff, 400],
  ] as const) {
    test(`${name} is answered ${status}`, () => {
      const client = new EngineLab().client();
      client.allocate();
      expect(client.bind(number, PEER).status).toBe(status);
    });
  }

  test("one number one peer, one peer one number; the same again refreshes", () => {
    const client = new EngineLab().client();
    client.allocate();
    expect(client.bind(0x4000, PEER).status).toBe(0);
    expect(client.bind(0x4000, PEER).status).toBe(0);
    expect(client.bind(0x4000, { ...PEER, port: 7001 }).status).toBe(400);
    expect(client.bind(0x4001, PEER).status).toBe(400);
    expect(client.bind(0x4001, { ...PEER, port: 7001 }).status).toBe(0);
    expect(client.bind(0x4002, { ...PEER, port: 0 }).status).toBe(400);
    expect(client.ask(request(methods.channelBind, client.signed)).status).toBe(400);
  });

  test("carry data both ways; other ports of the peer get indications", () => {
    const lab = new EngineLab();
    const client = lab.client();
    const port = client.allocate().relayed?.port ?? 0;
    client.bind(0x4000, PEER);
    expect(client.send(channelData(0x4000, HELLO))).toMatchObject([{ do: "relay", ...PEER, bytes: HELLO }]);
    // Over UDP what comes behind the data is filling.
    const filled = Uint8Array.from([...channelData(0x4000, HELLO), 0, 0, 0]);
    expect(client.send(filled)).toMatchObject([{ do: "relay", bytes: HELLO }]);
    expect(delivered(lab.fromPeer(port, PEER.address, PEER.port, HELLO))).toEqual(channelData(0x4000, HELLO));
    const other = readAnswer(delivered(lab.fromPeer(port, PEER.address, 7001, HELLO)));
    expect(other).toMatchObject({ class: "indication", peer: { ...PEER, port: 7001 }, data: HELLO });
  });

  test("last ten minutes; a permission alone keeps none alive", () => {
    const lab = new EngineLab();
    const client = lab.client();
    const port = client.allocate({ fill: lifetime(3600) }).relayed?.port ?? 0;
    client.bind(0x4000, PEER);
    lab.pass(599_000);
    client.permit(PEER);
    expect(client.send(channelData(0x4000, HELLO)).length).toBe(1);
    lab.pass(1000);
    expect(client.send(channelData(0x4000, HELLO))).toEqual([]);
    expect(readAnswer(delivered(lab.fromPeer(port, PEER.address, PEER.port, HELLO))).class).toBe(
      "indication",
    );
    expect(client.bind(0x4001, PEER).status).toBe(0);
  });

  test("without a permission carry nothing", () => {
    const lab = new EngineLab();
    const client = lab.client();
    client.allocate({ fill: lifetime(3600) });
    client.bind(0x4000, PEER);
    lab.pass(300_000);
    expect(client.send(channelData(0x4000, HELLO))).toEqual([]);
    expect(client.bind(0x4000, PEER).status).toBe(0);
    expect(client.send(channelData(0x4000, HELLO)).length).toBe(1);
  });

  test("are 64 at most", () => {
    const client = new EngineLab().client();
    client.allocate();
    for (let i = 0; i < 64; i++) expect(client.bind(0x4000 + i, { ...PEER, port: 1 + i }).status).toBe(0);
    expect(client.bind(0x5000, { ...PEER, port: 900 }).status).toBe(508);
  });

  test("over a stream are filled up to four bytes", () => {
    const lab = new EngineLab();
    const tcp: TestFront = { name: "tcp", reliable: true };
    const client = lab.client("203.0.113.5", 4000, tcp);
    const port = client.allocate().relayed?.port ?? 0;
    client.bind(0x4000, PEER);
    const bytes = delivered(lab.fromPeer(port, PEER.address, PEER.port, HELLO));
    expect(bytes).toEqual(Uint8Array.from([...channelData(0x4000, HELLO), 0, 0, 0]));
  });
});

describe("data", () => {
  test("between two clients stays inside, and never leaves for our own address", () => {
    const lab = new EngineLab();
    const [one, two] = [lab.client("203.0.113.5", 1), lab.client("203.0.113.6", 2)];
    const onePort = one.allocate().relayed?.port ?? 0;
    const twoPort = two.allocate().relayed?.port ?? 0;
    one.permit({ address: RELAYED, port: twoPort });
    expect(one.send(sendIndication({ address: RELAYED, port: twoPort }, HELLO))).toEqual([]);
    two.bind(0x4000, { address: RELAYED, port: onePort });
    const [action] = one.send(sendIndication({ address: RELAYED, port: twoPort }, HELLO));
    expect(action).toMatchObject({ do: "deliver", to: { address: "203.0.113.6", port: 2 } });
    expect(one.send(sendIndication({ address: RELAYED, port: 25 }, HELLO))).toEqual([]);
    expect(lab.engine.counters.dropped.forbiddenPeer).toBe(1);
  });

  for (const [name, bytes] of [
    ["to port 0", sendIndication({ ...PEER, port: 0 }, HELLO)],
    [
      "with DONT-FRAGMENT",
      sendIndication(PEER, HELLO, (to) => to.attribute(attributes.dontFragment, new Uint8Array(0))),
    ],
    ["with an unknown required attribute", sendIndication(PEER, HELLO, (to) => to.u32(0x7777, 1))],
    ["ChannelData of an unbound number", channelData(0x4001, HELLO)],
    ["ChannelData that is cut", channelData(0x4000, HELLO).subarray(0, 6)],
    ["ChannelData without a length", Uint8Array.of(0x40, 0)],
  ] as const) {
    test(`${name} is dropped in silence`, () => {
      const client = new EngineLab().client();
      client.allocate();
      client.bind(0x4000, PEER);
      expect(client.send(bytes)).toEqual([]);
    });
  }

  test("empty datagrams pass", () => {
    const client = new EngineLab().client();
    client.allocate();
    client.bind(0x4000, PEER);
    expect(client.send(channelData(0x4000, new Uint8Array(0)))).toMatchObject([{ do: "relay" }]);
  });

  test("above the bandwidth of an allocation or of all is dropped", () => {
    for (const settings of [{ allocationBytesPerSecond: 1000 }, { totalBytesPerSecond: 1000 }]) {
      const lab = new EngineLab(settings);
      const client = lab.client();
      const port = client.allocate().relayed?.port ?? 0;
      client.bind(0x4000, PEER);
      const packet = channelData(0x4000, new Uint8Array(400));
      expect([1, 2, 3].map(() => client.send(packet).length)).toEqual([1, 1, 0]);
      lab.nowMs += 1000;
      expect(lab.fromPeer(port, PEER.address, PEER.port, new Uint8Array(900)).length).toBe(1);
      expect(client.send(packet)).toEqual([]);
      expect(lab.engine.counters.dropped.bandwidth).toBe(2);
    }
  });
});

test("a TCP client that hangs up frees its sockets; one whose time is over is hung up on", () => {
  const lab = new EngineLab();
  const tcp: TestFront = { name: "tcp", reliable: true };
  lab.client("203.0.113.5", 4000, tcp).allocate();
  expect(lab.engine.hasAllocation(tcp)).toBe(true);
  expect(lab.close(tcp).map((action) => action.do)).toEqual(["unbind"]);
  expect(lab.engine.hasAllocation(tcp)).toBe(false);
  lab.client("203.0.113.5", 4001, tcp).allocate();
  expect(lab.pass(600_000).map((action) => action.do)).toEqual(["unbind", "hangUp"]);
});

test("a client that goes while its socket opens leaves nothing", () => {
  for (const fill of [() => {}, evenPort(0x80)] as const) {
    const lab = new EngineLab();
    lab.holdBinds = true;
    const tcp: TestFront = { name: "tcp", reliable: true };
    const client = lab.client("203.0.113.5", 4000, tcp);
    client.send(allocateRequest({ ...client.signed, fill }));
    lab.close(tcp);
    lab.grant();
    lab.grant();
    expect(lab.open.size).toBe(0);
    expect(lab.engine.isIdle).toBe(true);
  }
});

test("a new configuration holds for living allocations", () => {
  const lab = new EngineLab();
  const client = lab.client();
  client.allocate();
  client.bind(0x4000, PEER);
  lab.engine.configure({ ...lab.settings, allocationBytesPerSecond: 10 });
  expect(client.send(channelData(0x4000, new Uint8Array(11)))).toEqual([]);
});

test("before the sender is known, answers to one address are bounded, whoever forges it", () => {
  const lab = new EngineLab();
  const floods = [
    allocateRequest(),
    request(methods.binding),
    request(methods.refresh, {
      login: { username: "1", password: "x", realm: "relay.test" },
      nonce: "stale",
    }),
    request(methods.binding, {
      fill: (to) => Array.from({ length: 30 }, (_, i) => to.attribute(0x100 + i, new Uint8Array(0))),
    }),
  ];
  let excess = 0;
  for (let i = 0; i < 4000; i++) {
    const bytes = floods[i % floods.length] ?? new Uint8Array(0);
    const answers = lab.client("203.0.113.77", 1 + i).send(bytes);
    for (const action of answers)
      if ("bytes" in action) excess += Math.max(0, action.bytes.length - bytes.length);
  }
  expect(excess).toBeLessThanOrEqual(16_384);
  expect(lab.engine.counters.dropped.unprovenSource).toBeGreaterThan(1000);
  expect(lab.client("203.0.113.78").allocate().status).toBe(0);
});

test("indications, successes and errors are never answered", () => {
  const lab = new EngineLab();
  const client = lab.client();
  client.allocate();
  const bytes = allocateRequest(client.signed);
  for (const high of [0x00, 0x01]) {
    for (const low of [0x13, 0x03]) {
      if (high === 0 && low === 0x03) continue;
      const other = bytes.with(0, high).with(1, low);
      expect(client.send(other)).toEqual([]);
    }
  }
  expect(client.send(channelBindRequest(0x4000, PEER, client.signed).with(1, 0x0a))).toEqual([]);
});

function delivered(actions: readonly Seen[]): Uint8Array {
  const [action] = actions;
  if (action?.do !== "deliver") throw new Error(`expected data, found ${action?.do ?? "nothing"}`);
  return action.bytes;
}
