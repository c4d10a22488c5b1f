import { describe, expect, test } from "bun:test";
import {
  clientAuth,
  clientInfo,
  currentFrames,
  type IrohFamily,
  irohKey,
  legacyFrames,
  webSocketFrame,
} from "../../../test/support/iroh-client.ts";
import { CHALLENGE, CONTROL, type FakeClient, FakeRelay } from "../../../test/support/iroh-engine.ts";

const families: readonly IrohFamily[] = ["legacy", "legacy-websocket", "v1", "v2"];
const current = ["v1", "v2"] as const;
/** The seed and what real clients make of it. */
const vectorKey = irohKey(Buffer.alloc(32, 0x2a));

/** Every way to cut a stream that matters: not at all, into bytes, and in two at each point. */
function cuts(bytes: Buffer): Buffer[][] {
  const each = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
  const twos = Array.from({ length: bytes.length + 1 }, (_, i) => [bytes.subarray(0, i), bytes.subarray(i)]);
  return [[bytes], each, ...twos];
}

/** As few bytes as real packets have, so that cutting everywhere stays quick. */
function talk(family: IrohFamily, pieces: (stream: Buffer) => Buffer[]) {
  const relay = new FakeRelay();
  const two = relay.enter(family, irohKey(Buffer.alloc(32, 2)));
  const one = relay.open(family, irohKey(Buffer.alloc(32, 1)));
  const { ping } = one.isLegacy ? legacyFrames : currentFrames;
  const stream = Buffer.concat([
    one.proof(),
    one.packetTo(two, "first"),
    one.encode(ping, Buffer.from("12345678")),
    ...(one.isLegacy
      ? [one.encode(99, Buffer.from("who knows")), one.encode(legacyFrames.notePreferred, Buffer.of(1))]
      : []),
    one.packetTo(two, ""),
    one.packetTo(two, "third"),
  ]);
  for (const piece of pieces(stream)) one.feed(piece);
  return { said: one.take(), heard: two.take(), from: one.key.publicKey, counters: relay.counters };
}

describe.each([...families])("%s", (family) => {
  test("a client proves its key and its packets arrive, however the stream is cut", () => {
    const whole = talk(family, (stream) => [stream]);
    const isLegacy = family.startsWith("legacy");
    const { receive, pong } = isLegacy ? legacyFrames : currentFrames;
    const ecn = isLegacy ? [] : [Buffer.of(2)];
    expect(whole.heard).toEqual(
      ["first", "", "third"].map((text) => ({
        type: receive,
        body: Buffer.concat([whole.from, ...ecn, Buffer.from(text)]),
      })),
    );
    const expected = [{ type: pong as number, body: Buffer.from("12345678") }];
    if (!isLegacy) {
      expected.unshift(
        { type: currentFrames.challenge, body: CHALLENGE },
        { type: currentFrames.confirms, body: Buffer.alloc(0) },
      );
    }
    expect(whole.said).toEqual(expected);
    expect(whole.counters.framesSkipped).toBe(isLegacy ? 1 : 0);
    // The masks differ from run to run, what comes out does not.
    let ways = 0;
    talk(family, (stream) => {
      ways = cuts(stream).length;
      return [stream];
    });
    for (let way = 0; way < ways; way++) {
      const cut = talk(family, (stream) => cuts(stream)[way] ?? []);
      expect(cut.heard).toEqual(whole.heard);
      expect(cut.said).toEqual(whole.said);
    }
  });

  test("the largest packet passes, a byte more ends the connection", () => {
    const relay = new FakeRelay();
    const [one, two] = [relay.enter(family), relay.enter(family)];
    const most = one.isLegacy ? 65_536 : 65_536 - 33;
    one.feed(one.packetTo(two, "x".repeat(most)));
    expect(two.take()[0]?.body.length).toBe(one.isLegacy ? most + 32 : most + 33);
    one.feed(one.packetTo(two, "x".repeat(most + 1)));
    expect(one.session.isOver).toBe(true);
    expect(one.done.at(-1)).toBe("end");
    expect(two.take().map(({ type }) => type)).toEqual([8]);
    expect(two.session.isOver).toBe(false);
  });

  test("a packet to nobody, or to the other family, is dropped without a word", () => {
    const relay = new FakeRelay();
    const one = relay.enter(family);
    const other = relay.enter(one.isLegacy ? "v2" : "legacy");
    one.feed(one.packetTo(other, "you cannot read this"));
    expect(one.take()).toEqual([]);
    expect(other.take()).toEqual([]);
    expect(relay.counters).toMatchObject({ droppedAbsent: 1, droppedOtherFamily: 1, packetsRelayed: 0 });
  });

  test("those it wrote to are told when an endpoint leaves, and nobody else", () => {
    const relay = new FakeRelay();
    const [one, two, three] = [relay.enter(family), relay.enter(family), relay.enter(family)];
    one.feed(one.packetTo(two, "a"));
    three.feed(three.packetTo(one, "b"));
    two.take();
    one.session.closed();
    one.session.closed();
    expect(two.take()).toEqual([{ type: 8, body: one.key.publicKey }]);
    expect(three.take()).toEqual([]);
  });

  test("silence is asked about after 16 to 20 seconds, and ends the connection 5 seconds later", () => {
    const relay = new FakeRelay();
    const one = relay.enter(family);
    one.wait(15_900);
    expect(one.take()).toEqual([]);
    one.wait(4100);
    const { ping, pong } = one.isLegacy ? legacyFrames : currentFrames;
    const [asked] = one.take();
    expect(asked?.type).toBe(ping);
    expect(asked?.body).toHaveLength(8);
    one.feed(one.encode(pong, asked?.body ?? Buffer.alloc(8)));
    one.wait(10_000);
    expect(one.session.isOver).toBe(false);
    one.wait(20_000);
    expect(one.session.isOver).toBe(true);
    expect(relay.counters).toMatchObject({ silent: 1, pingsSent: 2 });
  });

  test("without a proof of its key a client is gone after 10 seconds, however it drips", () => {
    const relay = new FakeRelay();
    const one = relay.open(family);
    for (const byte of one.proof().subarray(0, 9)) {
      one.feed(Buffer.of(byte));
      one.wait(1000);
    }
    expect(one.session.isOver).toBe(false);
    one.wait(1000);
    expect(one.session.isOver).toBe(true);
    expect(relay.counters).toMatchObject({ handshakesFailed: 1, clients: 0 });
  });

  test("512 packets wait for a slow reader, the next are dropped, and order holds", () => {
    const relay = new FakeRelay();
    const [one, two] = [relay.enter(family), relay.enter(family)];
    two.blocked = true;
    const ahead = Math.ceil(
      (256 * 1024) / (two.packetTo(one, "x".repeat(1000)).length - (family === "legacy" ? 0 : 4)),
    );
    for (let i = 0; i < ahead + 520; i++) {
      one.feed(one.packetTo(two, `${i} `.padEnd(1000, "x")));
    }
    expect(relay.counters.droppedFull).toBe(8);
    while (two.queuedBytes > 0) two.unblock();
    const numbers = two
      .take()
      .map(({ body }) => Number.parseInt(body.toString("latin1", two.isLegacy ? 32 : 33)));
    expect(numbers).toEqual(Array.from({ length: ahead + 512 }, (_, i) => i));
    expect(one.session.isOver).toBe(false);
  });

  test("a reader that takes nothing for two seconds is dropped, one that takes a little is not", () => {
    const relay = new FakeRelay();
    const [one, two] = [relay.enter(family), relay.enter(family)];
    two.blocked = true;
    for (let i = 0; i < 300; i++) one.feed(one.packetTo(two, "x".repeat(1000)));
    two.wait(1900);
    two.queuedBytes -= 1;
    two.wait(2000);
    expect(two.session.isOver).toBe(false);
    two.wait(4000);
    expect(two.done).toEqual(["destroy"]);
    expect(relay.counters.stalled).toBe(1);
    expect(one.take().map(({ type }) => type)).toEqual([]);
  });

  test("a client above its bandwidth is not read for a while, and loses nothing", () => {
    const relay = new FakeRelay({ bytesPerSecond: 200_000 });
    const [one, two] = [relay.enter(family), relay.enter(family)];
    for (let i = 0; i < 4; i++) one.feed(one.packetTo(two, "x".repeat(50_000)));
    const pauses = one.done.map((what) => Number(what.replace("pause ", "")));
    expect(pauses.length).toBeGreaterThan(0);
    // What went beyond the burst of 131072 bytes, at 200 bytes a millisecond.
    expect(pauses.at(-1)).toBeCloseTo((200_000 - 131_072) / 200, -2);
    expect(two.take()).toHaveLength(4);
    expect(relay.counters).toMatchObject({ clientsThrottled: 1, droppedFull: 0 });
    const told = one.take();
    expect(told).toEqual(family === "v2" ? [{ type: currentFrames.status, body: Buffer.of(2) }] : []);
    one.wait(pauses.at(-1) ?? 0);
    expect(one.session.isOver).toBe(false);
  });

  test("all clients together have a bandwidth, too", () => {
    const relay = new FakeRelay({ totalBytesPerSecond: 100_000 });
    const three = [relay.enter(family), relay.enter(family), relay.enter(family)] as const;
    const [one, two, to] = three;
    one.feed(one.packetTo(to, "x".repeat(60_000)));
    two.feed(two.packetTo(to, "x".repeat(60_000)));
    expect([one.done, two.done]).toEqual([[], []]);
    one.feed(one.packetTo(to, "x".repeat(60_000)));
    expect(one.done[0]).toStartWith("pause ");
  });

  test("a relay that stops tells when to come back", () => {
    const relay = new FakeRelay();
    const one = relay.enter(family);
    one.session.shutdown();
    const [restarting, goodbye] = one.take();
    expect(restarting?.type).toBe(one.isLegacy ? legacyFrames.restarting : currentFrames.restarting);
    expect(restarting?.body.readUInt32BE(0)).toBeLessThan(5000);
    expect(restarting?.body.readUInt32BE(4)).toBe(5000);
    expect(goodbye).toEqual(
      family === "legacy" ? undefined : { type: CONTROL + 8, body: Buffer.from("03e9", "hex") },
    );
    expect(one.done).toEqual(["end"]);
  });
});

describe("one key, several connections", () => {
  test.each(["legacy", "legacy-websocket"] as const)("%s: the newer one replaces the older", (family) => {
    const relay = new FakeRelay();
    const key = irohKey();
    const [old, two] = [relay.enter(family, key), relay.enter(family)];
    two.feed(two.packetTo(old, "to the old one"));
    expect(old.take()).toHaveLength(1);
    const fresh = relay.enter(family, key);
    expect(old.done).toEqual(["end"]);
    expect(old.take()).toEqual([]);
    // The late end of the old connection must not take the new one away.
    old.session.closed();
    two.feed(two.packetTo(fresh, "to the new one"));
    expect(fresh.take()).toHaveLength(1);
    expect(relay.counters.displaced).toBe(1);
  });

  test.each([...current])("%s: the older one is kept, and is back when the newer ends", (family) => {
    const relay = new FakeRelay();
    const key = irohKey();
    const [old, two] = [relay.enter(family, key), relay.enter(family)];
    const fresh = relay.enter(family, key);
    const health = (status: number, text: string) =>
      family === "v1"
        ? { type: currentFrames.health, body: Buffer.from(text) }
        : { type: currentFrames.status, body: Buffer.of(status) };
    expect(old.take()).toEqual([health(1, "the same endpoint connected again elsewhere")]);
    two.feed(two.packetTo(fresh, "a"));
    expect([fresh.take().length, old.take().length]).toEqual([1, 0]);
    old.feed(old.packetTo(two, "b"));
    expect(two.take()).toHaveLength(1);
    fresh.session.closed();
    expect(two.take()).toEqual([]);
    expect(old.take()).toEqual([health(0, "")]);
    two.feed(two.packetTo(old, "c"));
    expect(old.take()).toHaveLength(1);
    old.session.closed();
    expect(two.take()).toEqual([{ type: 8, body: key.publicKey }]);
  });

  test("of many with one key the oldest are closed", () => {
    const relay = new FakeRelay();
    const key = irohKey();
    const all = Array.from({ length: 7 }, () => relay.enter("v2", key));
    expect(all.map((client) => client.session.isOver)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
    expect(relay.current.size).toBe(1);
    for (const client of all) client.session.closed();
    expect(relay.current.size).toBe(0);
  });
});

describe("vectors of real clients", () => {
  test("ClientInfo of the legacy family", () => {
    const proof = Buffer.from(
      `020000006a52454c4159f09f9491${vectorKey.publicKey.toString("hex")}` +
        "88e77b22f292ab37435da8de0bc8cb84e288f4e73b3582a52731e9ff9865465c" +
        "87e05e8d427df422bb6e85e1c05f6f749837baa4a5c7eba3230d77569910430e03",
      "hex",
    );
    const relay = new FakeRelay();
    const client = relay.open("legacy", vectorKey);
    expect(client.proof()).toEqual(proof);
    client.feed(proof);
    expect(relay.counters.clients).toBe(1);
  });

  test("ClientAuth of the current family", () => {
    const body = Buffer.concat([
      vectorKey.publicKey,
      Buffer.from(
        "40a28b5ebc6a930b5d80ad5aca2a8e48ad4a064e699c0866674c8b8e61a5f4ea94" +
          "0ee8b9f06732930250ac0735555abe77e8df740165edc3163be432f0e4f3cf0f",
        "hex",
      ),
    ]);
    expect(clientAuth(vectorKey, CHALLENGE)).toEqual(body);
    const relay = new FakeRelay();
    const client = relay.open("v2", vectorKey);
    client.feed(client.encode(currentFrames.auth, body));
    expect(relay.counters.clients).toBe(1);
  });
});

describe("false proofs", () => {
  const spoil = (bytes: Buffer, at: number) => {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };
  /** The neutral point: anyone can sign for it. */
  const weak = Buffer.concat([Buffer.of(1), Buffer.alloc(31)]);
  const anySignature = Buffer.concat([weak, Buffer.alloc(32)]);
  const info = clientInfo(vectorKey);
  const auth = clientAuth(vectorKey, CHALLENGE);

  test.each<[string, number, Buffer]>([
    ["a wrong magic", 2, spoil(info, 0)],
    ["another key", 2, spoil(info, 10)],
    ["a wrong signature", 2, spoil(info, 60)],
    ["protocol version 2", 2, clientInfo(vectorKey, 2)],
    ["a byte too few", 2, info.subarray(0, -1)],
    ["a byte too many", 2, Buffer.concat([info, Buffer.of(0)])],
    ["a key of small order", 2, Buffer.concat([info.subarray(0, 9), weak, anySignature, Buffer.of(3)])],
    ["a packet before the proof", 4, Buffer.alloc(40)],
    ["a frame beyond the bound", 2, Buffer.alloc(1025)],
    ["nothing", 2, Buffer.alloc(0)],
  ])("legacy: %s ends the connection without a word", (_, type, body) => {
    for (const family of ["legacy", "legacy-websocket"] as const) {
      const relay = new FakeRelay();
      const client = relay.open(family);
      client.feed(client.encode(type, body));
      expect(client.session.isOver).toBe(true);
      expect(client.take().filter(({ type }) => type < CONTROL)).toEqual([]);
      expect(relay.counters).toMatchObject({ clients: 0, handshakesFailed: 1 });
      expect(relay.legacy.size).toBe(0);
    }
  });

  test.each<[string, number, Buffer, boolean]>([
    ["a wrong signature", 1, spoil(auth, 50), true],
    ["another key", 1, spoil(auth, 3), true],
    ["the signature of another challenge", 1, clientAuth(vectorKey, Buffer.alloc(16)), true],
    ["a key of small order", 1, Buffer.concat([weak, Buffer.of(64), anySignature]), true],
    ["a wrong length of the signature", 1, spoil(auth, 32), false],
    ["a byte too few", 1, auth.subarray(0, -1), false],
    ["a packet before the proof", 4, Buffer.alloc(40), false],
    ["a message beyond the bound", 1, Buffer.alloc(1024), false],
  ])("current: %s ends the connection", (_, type, body, denied) => {
    const relay = new FakeRelay();
    const client = relay.open("v2");
    client.take();
    client.feed(client.encode(type, body));
    expect(client.session.isOver).toBe(true);
    const said = client.take().map((frame) => [frame.type, frame.body.toString("latin1")]);
    expect(said).toEqual([
      ...(denied ? [[currentFrames.denies, "\x11signature invalid"]] : []),
      [CONTROL + 8, "\x03\xea"],
    ]);
    expect(relay.current.size).toBe(0);
  });
});

describe("broken protocol after the proof", () => {
  const frame = (type: number, bytes: number) => (client: FakeClient) =>
    client.encode(type, Buffer.alloc(bytes));
  const announced = (hex: string) => () => Buffer.from(hex, "hex");

  test.each<[string, IrohFamily, (client: FakeClient) => Buffer]>([
    ["a packet without a whole key", "legacy", frame(4, 31)],
    ["a ping of 7 bytes", "legacy", frame(12, 7)],
    ["a pong of 9 bytes", "legacy", frame(13, 9)],
    ["a packet that announces too much", "legacy", announced("0400010021")],
    ["an unknown frame that announces more than 1 MiB", "legacy", announced("6300100001")],
    ["four gigabytes", "legacy", announced("63ffffffff")],
    ["a datagram without ecn", "v2", frame(4, 32)],
    ["a batch without a size", "v2", frame(5, 34)],
    ["a frame that only servers send", "v2", frame(6, 40)],
    ["an unknown frame", "v2", frame(14, 8)],
    ["a type of two bytes", "v2", frame(0x40, 8)],
    ["a second proof", "v2", frame(1, 97)],
    ["a ping of 7 bytes", "v1", frame(9, 7)],
    ["an empty message", "v2", () => webSocketFrame(2, Buffer.alloc(0))],
    ["a frame without a mask", "v2", announced("820109")],
    ["reserved bits", "v2", announced("c28000000000")],
    ["an opcode that nobody defined", "v2", announced("838000000000")],
    ["a control opcode that nobody defined", "v2", announced("8b8000000000")],
    ["a ping in pieces", "v2", announced("098000000000")],
    ["a ping of 126 bytes", "v2", announced("89fe007e00000000")],
    ["a continuation of nothing", "v2", announced("808000000000")],
    ["a message inside a message", "v2", announced("02810000000009028100000000")],
    ["a message of eight exabytes", "v2", announced("82ff7fffffffffffffff00000000")],
    ["a text of a megabyte", "v2", announced("81ff000000000010000000000000")],
  ])("%s (%s) ends this connection and no other", (_, family, make) => {
    const relay = new FakeRelay();
    const [one, two] = [relay.enter(family), relay.enter(family)];
    one.feed(make(one));
    expect(one.session.isOver).toBe(true);
    expect(one.done.at(-1)).toBe("end");
    expect(relay.counters.protocolErrors).toBe(1);
    one.feed(one.packetTo(two, "after the end"));
    expect(two.take()).toEqual([]);
    expect(two.session.isOver).toBe(false);
  });

  test("an unknown frame of 1 MiB is passed over, and the next is understood", () => {
    const relay = new FakeRelay();
    const one = relay.enter("legacy");
    one.feed(one.encode(99, Buffer.alloc(1_048_576)));
    one.feed(one.encode(legacyFrames.ping, Buffer.from("abcdefgh")));
    expect(one.take()).toEqual([{ type: legacyFrames.pong, body: Buffer.from("abcdefgh") }]);
  });

  test("pings of a client that reads nothing are not answered for ever", () => {
    for (const family of families) {
      const relay = new FakeRelay();
      const one = relay.enter(family);
      one.blocked = true;
      const { ping } = one.isLegacy ? legacyFrames : currentFrames;
      const flood = Buffer.concat(Array.from({ length: 40_000 }, () => one.encode(ping, Buffer.alloc(8))));
      one.feed(flood);
      expect(one.queuedBytes).toBeLessThan(300 * 1024);
    }
  });
});

describe("WebSocket (RFC 6455)", () => {
  test("messages come in pieces, with control frames between them", () => {
    const relay = new FakeRelay();
    const [one, two] = [relay.enter("v2"), relay.enter("v2")];
    const message = Buffer.concat([Buffer.of(4), two.key.publicKey, Buffer.of(0), Buffer.from("in pieces")]);
    const stream = Buffer.concat([
      webSocketFrame(2, message.subarray(0, 1), false),
      webSocketFrame(9, Buffer.from("are you there")),
      webSocketFrame(0, Buffer.alloc(0), false),
      webSocketFrame(0, message.subarray(1, 36), false),
      webSocketFrame(10, Buffer.alloc(0)),
      webSocketFrame(0, message.subarray(36)),
    ]);
    for (const pieces of cuts(stream)) {
      for (const piece of pieces) one.feed(piece);
      expect(one.take()).toEqual([{ type: CONTROL + 10, body: Buffer.from("are you there") }]);
      expect(two.take()).toEqual([
        { type: 6, body: Buffer.concat([one.key.publicKey, Buffer.of(0), Buffer.from("in pieces")]) },
      ]);
    }
  });

  test("text is passed over, in pieces, too", () => {
    const relay = new FakeRelay();
    const one = relay.enter("v2");
    one.feed(webSocketFrame(1, Buffer.from("hello"), false));
    one.feed(webSocketFrame(0, Buffer.from("there")));
    one.feed(one.encode(currentFrames.ping, Buffer.from("abcdefgh")));
    expect(one.take()).toEqual([{ type: currentFrames.pong, body: Buffer.from("abcdefgh") }]);
  });

  test("a close is answered with its code, and nothing is heard after it", () => {
    const relay = new FakeRelay();
    const one = relay.enter("v2");
    one.feed(
      Buffer.concat([
        webSocketFrame(8, Buffer.from("03e8627965", "hex")),
        one.encode(currentFrames.ping, Buffer.alloc(8)),
      ]),
    );
    expect(one.take()).toEqual([{ type: CONTROL + 8, body: Buffer.from("03e8", "hex") }]);
    expect(one.done).toEqual(["end"]);
    expect(relay.counters.protocolErrors).toBe(0);
  });
});

test.each([
  ["keeps its size", 500, currentFrames.receiveBatch],
  ["without a size is a datagram", 0, currentFrames.receive],
])("a batch %s", (_, size, type) => {
  const relay = new FakeRelay();
  const [one, two] = [relay.enter("v1"), relay.enter("v2")];
  const sizeBytes = Buffer.of(size >> 8, size & 255);
  one.feed(
    one.encode(
      currentFrames.sendBatch,
      Buffer.concat([two.key.publicKey, Buffer.of(3), sizeBytes, Buffer.from("datagrams")]),
    ),
  );
  const kept = size === 0 ? Buffer.alloc(0) : sizeBytes;
  expect(two.take()).toEqual([
    { type, body: Buffer.concat([one.key.publicKey, Buffer.of(3), kept, Buffer.from("datagrams")]) },
  ]);
});

test("a packet crosses from the legacy stream to a legacy WebSocket and back", () => {
  const relay = new FakeRelay();
  const [one, two] = [relay.enter("legacy"), relay.enter("legacy-websocket")];
  for (const [from, to] of [
    [one, two],
    [two, one],
  ] as const) {
    for (const bytes of [0, 90, 93, 94, 200, 65_500, 65_536]) {
      from.feed(from.packetTo(to, "y".repeat(bytes)));
      expect(to.take()).toEqual([
        { type: 5, body: Buffer.concat([from.key.publicKey, Buffer.alloc(bytes, "y")]) },
      ]);
    }
  }
});
