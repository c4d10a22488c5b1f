/** Both directions of the engine against a client of its own kind: whole, byte by byte, and cut in two anywhere. */
import { describe, expect, test } from "bun:test";
import { array, assert, integer, property, uint8Array } from "fast-check";
import { methodNames, passwordFor, SsClient, socksAddress, type ClientOptions } from "../client.test-help.ts";
import { primitives } from "../primitives.ts";
import { CountedAead } from "./crypto.ts";
import { masterKey, type MethodName, methods, sessionKey } from "./methods.ts";
import { ReplayFilter } from "./replay.ts";
import { type RequestEffect, RequestReader, type SessionParts, type Times } from "./request.ts";
import { ResponseWriter } from "./response.ts";
import { parseTarget } from "./target.ts";

const NOW_MS = 1_790_000_000_000;
const times: Times = { nowMs: NOW_MS, monotonicMs: 5_000 };
const PORT = 993;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

function session(name: MethodName): SessionParts {
  const method = methods[name];
  const master = masterKey(method, passwordFor(name));
  if (master === undefined) throw new Error("no key");
  return { method, master, primitives, replay: new ReplayFilter({ windowMs: 60_000 }) };
}

function client(method: MethodName, more: Partial<ClientOptions> = {}): SsClient {
  return new SsClient({ method, password: passwordFor(method), nowMs: NOW_MS, ...more });
}

/** What a stream led to, however it was cut. */
function story(effects: readonly RequestEffect[]) {
  const connect = effects.find((effect) => effect.do === "connect");
  const drain = effects.find((effect) => effect.do === "drain");
  const payload = effects.flatMap((effect) => (effect.do === "payload" ? [Buffer.from(effect.bytes)] : []));
  return { port: connect?.port, payload: hex(Buffer.concat(payload)), fault: drain?.why };
}

function feedAll(parts: SessionParts, pieces: readonly Uint8Array[]) {
  const reader = new RequestReader(parts);
  const effects = pieces.flatMap((piece) => {
    const loan = Uint8Array.from(piece);
    const got = reader.feed(loan, times);
    loan.fill(0xee);
    return got;
  });
  return story(effects);
}

describe("keys", () => {
  test("EVP_BytesToKey of SIP004", () => {
    const long = masterKey(methods["aes-256-gcm"], "pw") ?? new Uint8Array(0);
    expect(hex(long)).toBe("8fe4c11451281c094a6578e6ddbf5eedf20d7dd70da901c0c447221c81864826");
    const short = masterKey(methods["aes-128-gcm"], "pw") ?? new Uint8Array(0);
    expect(hex(short)).toBe("8fe4c11451281c094a6578e6ddbf5eed");
  });

  test("HKDF-SHA1 of SIP004, and the first sealed length under it", () => {
    const master = masterKey(methods["aes-128-gcm"], "pw") ?? new Uint8Array(0);
    const salt = Uint8Array.from({ length: 16 }, (_, i) => i);
    const key = sessionKey(methods["aes-128-gcm"], master, salt);
    expect(hex(key)).toBe("95cb710faa002b7b8014aa03a0bcf7bb");
    const sealed = new CountedAead(primitives.aead("aes-gcm", key)).seal(Uint8Array.of(0, 4));
    expect(hex(Buffer.concat(sealed))).toBe("1d41bc55f6e1dac83bfa8207ba56e9657d54");
  });

  test("BLAKE3 of SIP022", () => {
    const counting = (length: number) => Uint8Array.from({ length }, (_, i) => i);
    const ones = (length: number) => new Uint8Array(length).fill(0x11);
    expect(hex(sessionKey(methods["2022-blake3-aes-128-gcm"], ones(16), counting(16)))).toBe(
      "b999850aae57904842f964c8f573dd19",
    );
    expect(hex(sessionKey(methods["2022-blake3-aes-256-gcm"], ones(32), counting(32)))).toBe(
      "347a813145b2e2bbef098f9961d478d851cd189427d2c14cf19974d63e7fd607",
    );
  });

  for (const bad of ["", "short", "not base64 !", Buffer.alloc(16).toString("base64"), "A".repeat(45)]) {
    test(`SIP022 takes no password but a key in base64: ${JSON.stringify(bad)}`, () => {
      expect(masterKey(methods["2022-blake3-aes-256-gcm"], bad)).toBeUndefined();
    });
  }
});

describe("addresses", () => {
  for (const [name, bytes, want] of [
    ["IPv4", socksAddress("192.0.2.1", 465), { kind: "target", port: 465, length: 7 }],
    ["IPv6", socksAddress("::1", 993), { kind: "target", port: 993, length: 19 }],
    ["a name", socksAddress("mail.invalid", 443), { kind: "target", port: 443, length: 16 }],
    ["the longest name", socksAddress("x".repeat(255), 1), { kind: "target", port: 1, length: 259 }],
    ["an empty name", Uint8Array.of(3, 0, 1, 2), { kind: "bad" }],
    ["an unknown type", Uint8Array.of(2, 1, 2, 3, 4, 5, 6), { kind: "bad" }],
    ["nothing", new Uint8Array(0), { kind: "more" }],
  ] as const) {
    test(name, () => expect(parseTarget(bytes)).toEqual(want));
  }

  test("every beginning of an address asks for more", () => {
    for (const host of ["192.0.2.1", "::1", "mail.invalid"]) {
      const whole = socksAddress(host, PORT);
      for (let end = 0; end < whole.length; end++) {
        expect(parseTarget(whole.subarray(0, end))).toEqual({ kind: "more" });
      }
    }
  });
});

for (const name of methodNames) {
  describe(name, () => {
    const payload = Buffer.from("a1 NOOP\r\n");
    const want = { port: PORT, payload: hex(payload), fault: undefined };
    const flights: [string, () => Buffer][] = [
      ["address and payload together", () => client(name).open({ port: PORT, payload })],
      [
        "the payload later",
        () => {
          const ours = client(name);
          return Buffer.concat([ours.open({ port: PORT }), ours.chunks(payload)]);
        },
      ],
      [
        "the address in chunks of three bytes",
        () => client(name).open({ port: PORT, payload, addressChunkBytes: 3 }),
      ],
    ];
    for (const [what, make] of flights) {
      test(`${what}: whole, byte by byte, and cut in two anywhere`, () => {
        const flight = make();
        expect(feedAll(session(name), [flight])).toEqual(want);
        expect(
          feedAll(
            session(name),
            [...flight].map((byte) => Uint8Array.of(byte)),
          ),
        ).toEqual(want);
        for (let cut = 0; cut <= flight.length; cut++) {
          expect(feedAll(session(name), [flight.subarray(0, cut), flight.subarray(cut)])).toEqual(want);
        }
      });
    }

    test("100 kB arrive as they were sent", () => {
      const big = Buffer.alloc(100_000, "0123456789");
      const flight = client(name).open({ port: PORT, payload: big.subarray(0, 5_000) });
      const ours = client(name);
      const two = Buffer.concat([
        ours.open({ port: PORT, payload: big.subarray(0, 9) }),
        ours.chunks(big.subarray(9)),
      ]);
      expect(feedAll(session(name), [two])).toEqual({ port: PORT, payload: hex(big), fault: undefined });
      expect(feedAll(session(name), [flight]).payload).toBe(hex(big.subarray(0, 5_000)));
    });

    test("a changed bit anywhere ends the stream, and what was before it stays", () => {
      const flight = client(name).open({ port: PORT, payload });
      for (let at = 0; at < flight.length; at++) {
        const changed = Buffer.from(flight);
        changed[at] = (changed[at] ?? 0) ^ 0x10;
        expect(feedAll(session(name), [changed]).fault).toBe("notAuthentic");
      }
    });

    test("nothing is read after the fault", () => {
      const reader = new RequestReader(session(name));
      const garbage = Buffer.alloc(200, 7);
      expect(story(reader.feed(garbage, times)).fault).toBe("notAuthentic");
      expect(reader.feed(client(name).open({ port: PORT, payload }), times)).toEqual([]);
      expect(reader.heldBytes).toBe(0);
    });

    test("the same stream again is a replay, and so is what we said ourselves", () => {
      const parts = session(name);
      const flight = client(name).open({ port: PORT, payload });
      expect(feedAll(parts, [flight]).fault).toBeUndefined();
      expect(feedAll(parts, [flight]).fault).toBe("replayed");
      const said = Buffer.concat(new ResponseWriter(parts, new Uint8Array(16)).seal(payload, times));
      expect(feedAll(parts, [said]).fault).toBeOneOf(["replayed", "notAuthentic", "malformed"]);
    });

    test("a salt that did not authenticate is not remembered", () => {
      const parts = session(name);
      const flight = client(name).open({ port: PORT, payload });
      const broken = Buffer.from(flight);
      broken[methods[name].keyBytes] = (broken[methods[name].keyBytes] ?? 0) ^ 1;
      expect(feedAll(parts, [broken]).fault).toBe("notAuthentic");
      expect(feedAll(parts, [flight]).fault).toBeUndefined();
    });

    test("answers open for the client, from one byte to many chunks", () => {
      const parts = session(name);
      const ours = client(name);
      const reader = new RequestReader(parts);
      reader.feed(ours.open({ port: PORT, payload }), times);
      const writer = new ResponseWriter(parts, reader.salt);
      for (const length of [1, 0x3fff, 0x4000, 70_000, 200_000]) {
        const said = Buffer.alloc(length, "abc");
        const wire = Buffer.concat(writer.seal(said, times));
        expect(ours.take(wire).equals(said)).toBe(true);
      }
      expect(writer.seal(new Uint8Array(0), times)).toEqual([]);
    });

    test("however a stream is cut, its payload is the same", () => {
      const cuts = array(integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 60 });
      assert(
        property(uint8Array({ minLength: 1, maxLength: 300 }), cuts, (bytes, steps) => {
          const flight = client(name).open({ port: PORT, payload: bytes });
          const pieces: Uint8Array[] = [];
          for (let at = 0, i = 0; at < flight.length; i++) {
            const step = steps[i % steps.length] ?? 1;
            pieces.push(flight.subarray(at, at + step));
            at += step;
          }
          expect(feedAll(session(name), pieces)).toEqual({
            port: PORT,
            payload: hex(bytes),
            fault: undefined,
          });
        }),
        { numRuns: 30 },
      );
    });
  });
}

describe("SIP004 refuses", () => {
  const name = "aes-128-gcm";
  for (const [what, plain] of [
    ["a length of zero", Uint8Array.of(0, 0)],
    ["reserved bits in a length", Uint8Array.of(0x40, 1)],
  ] as const) {
    test(what, () => {
      const ours = client(name);
      expect(feedAll(session(name), [ours.salt, ours.sealRaw(plain)]).fault).toBe("malformed");
    });
  }

  test("an unknown type of address", () => {
    const ours = client(name);
    expect(feedAll(session(name), [ours.salt, ours.chunks(Uint8Array.of(9, 9, 9))]).fault).toBe("malformed");
  });
});

describe("SIP022 refuses", () => {
  const name = "2022-blake3-aes-256-gcm";
  for (const [skewS, fault] of [
    [-31, "clockSkew"],
    [-30, undefined],
    [30, undefined],
    [31, "clockSkew"],
  ] as const) {
    test(`a clock that is off by ${skewS} s: ${fault ?? "not yet"}`, () => {
      const ours = client(name, { nowMs: NOW_MS + skewS * 1000 });
      expect(feedAll(session(name), [ours.open({ port: PORT })]).fault).toBe(fault);
    });
  }

  for (const [what, options] of [
    ["a request without padding and payload", { paddingBytes: 0 }],
    ["more than 900 bytes of padding", { paddingBytes: 901 }],
  ] as const) {
    test(what, () => {
      const flight = client(name).open({ port: PORT, ...options });
      expect(feedAll(session(name), [flight])).toEqual({ port: undefined, payload: "", fault: "malformed" });
    });
  }

  for (const [what, fixed, variable] of [
    ["the type of a relay's stream", [1], []],
    ["an address that is cut short", [0], [3, 50, 65]],
    ["padding beyond the end", [0], [1, 127, 0, 0, 1, 3, 225, 0, 99]],
    ["an empty header", [0], []],
  ] as const) {
    test(what, () => {
      const ours = client(name);
      const seconds = Buffer.alloc(8);
      seconds.writeBigUInt64BE(BigInt(NOW_MS / 1000));
      const head = Buffer.concat([Buffer.from(fixed), seconds, Buffer.from([0, variable.length])]);
      const pieces = [ours.salt, ours.sealRaw(head), ours.sealRaw(Buffer.from(variable))];
      expect(feedAll(session(name), pieces).fault).toBe("malformed");
    });
  }
});

describe("ReplayFilter", () => {
  const salt = (n: number) => Uint8Array.of(n >> 8, n & 0xff);

  test("without a window the latest are remembered, and memory stays bounded", () => {
    const filter = new ReplayFilter({ windowMs: 0, saltsMax: 10 });
    for (let i = 0; i < 100; i++) expect(filter.admit(salt(i), 0)).toBe(true);
    expect(filter.size).toBeLessThanOrEqual(20);
    for (let i = 90; i < 100; i++) expect(filter.admit(salt(i), 0)).toBe(false);
  });

  test("with a window a salt is remembered at least that long, then forgotten", () => {
    const filter = new ReplayFilter({ windowMs: 60_000 });
    expect(filter.admit(salt(1), 1_000)).toBe(true);
    expect(filter.admit(salt(1), 60_999)).toBe(false);
    expect(filter.admit(salt(2), 120_000)).toBe(true);
    expect(filter.admit(salt(2), 179_999)).toBe(false);
    expect(filter.admit(salt(1), 500_000)).toBe(true);
  });

  test("with a window a full filter lets nothing new in rather than something old", () => {
    const filter = new ReplayFilter({ windowMs: 60_000, saltsMax: 3 });
    for (let i = 0; i < 3; i++) expect(filter.admit(salt(i), 0)).toBe(true);
    expect(filter.admit(salt(9), 1)).toBe(false);
    expect(filter.admit(salt(9), 60_000)).toBe(true);
    expect(filter.admit(salt(1), 60_001)).toBe(false);
  });
});
