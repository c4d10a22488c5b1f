/** The engine's small parts: addresses, the peer filter, frames of a stream, allowances. */
import { describe, expect, test } from "bun:test";
import { stunCrypto } from "../crypto.ts";
import { FrameReader } from "./frames.ts";
import { canonicalIp, formatIp, parseIp } from "./ip.ts";
import { isForbiddenNetwork } from "./peer-filter.ts";
import { AnswerAllowance, ByteBucket } from "./rate.ts";
import { methods, StunWriter } from "./stun.ts";

describe("addresses", () => {
  for (const [text, want] of [
    ["192.0.2.1", "192.0.2.1"],
    ["2001:DB8::1", "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["fe80::1%eth0", "fe80::1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["256.0.0.1", undefined],
    ["1.2.3", undefined],
    ["1::2::3", undefined],
    ["1:2:3:4:5:6:7", undefined],
    ["1:2:3:4:5:6:7:8:9", undefined],
    ["12345::", undefined],
    ["relay.example", undefined],
    ["", undefined],
  ] as const) {
    test(`${text || "nothing"} is ${want ?? "no address"}`, () => {
      expect(canonicalIp(text)).toBe(want);
    });
  }

  test("text and bytes lead to each other", () => {
    for (const text of ["203.0.113.9", "2001:db8::ff00:42:8329", "64:ff9b::c000:221"]) {
      expect(formatIp(parseIp(text) ?? new Uint8Array(4))).toBe(text);
    }
  });
});

describe("isForbiddenNetwork()", () => {
  for (const [text, want] of [
    ["8.8.8.8", false],
    ["10.255.255.255", true],
    ["11.0.0.0", false],
    ["100.63.255.255", false],
    ["100.64.0.1", true],
    ["127.0.0.1", true],
    ["0.0.0.0", true],
    ["169.254.169.254", true],
    ["172.15.255.255", false],
    ["172.16.0.1", true],
    ["172.32.0.1", false],
    ["192.168.1.1", true],
    ["198.19.255.255", true],
    ["198.20.0.0", false],
    ["223.255.255.255", false],
    ["224.0.0.1", true],
    ["255.255.255.255", true],
    ["::", true],
    ["::1", true],
    ["::127.0.0.1", true],
    ["64:ff9b::7f00:1", true],
    ["64:ff9b::808:808", false],
    ["2002:7f00:1::", true],
    ["2001::1", true],
    ["2001:db8::1", true],
    ["2a01:4f8::1", false],
    ["fc00::1", true],
    ["fe80::1", true],
    ["ff02::1", true],
  ] as const) {
    test(`${text} is ${want ? "forbidden" : "open"}`, () => {
      expect(isForbiddenNetwork(parseIp(text) ?? new Uint8Array(4))).toBe(want);
    });
  }

  test("IPv4 inside IPv6 is judged as IPv4", () => {
    const mapped = Uint8Array.from([...new Uint8Array(10), 0xff, 0xff, 127, 0, 0, 1]);
    expect(isForbiddenNetwork(mapped)).toBe(true);
  });
});

describe("FrameReader", () => {
  const binding = Uint8Array.from(
    new StunWriter(stunCrypto).begin("request", methods.binding, new Uint8Array(12)).end(true),
  );
  const data = Uint8Array.of(0x40, 1, 0, 5, 1, 2, 3, 4, 5);
  const empty = Uint8Array.of(0x40, 2, 0, 0);
  const stream = Uint8Array.from([...binding, ...data, 0, 0, 0, ...empty, ...binding]);
  const want = [binding, data, empty, binding].map((bytes) => Buffer.from(bytes).toString("hex"));

  for (const size of [1, 2, 3, 4, 5, 7, 19, 21, 64, 1000]) {
    test(`finds every frame in pieces of ${size} bytes`, () => {
      const reader = new FrameReader();
      const found: string[] = [];
      for (let at = 0; at < stream.length; at += size) {
        const frames = reader.push(stream.subarray(at, at + size), 2048) ?? [];
        found.push(...frames.map((bytes) => Buffer.from(bytes).toString("hex")));
      }
      expect(found).toEqual(want);
    });
  }

  test("finds every frame, cut in two at each point", () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      const reader = new FrameReader();
      const frames = [stream.subarray(0, cut), stream.subarray(cut)].flatMap((piece) =>
        (reader.push(piece, 2048) ?? []).map((bytes) => Buffer.from(bytes).toString("hex")),
      );
      expect(frames).toEqual(want);
    }
  });

  for (const [name, bytes] of [
    ["another protocol", Buffer.from("GET / HTTP/1.1\r\n")],
    ["a TLS handshake in clear", Uint8Array.of(22, 3, 1, 2, 0)],
    ["set top bits", Uint8Array.of(0x80, 0, 0, 0)],
    ["a STUN length that is no multiple of four", Uint8Array.of(0, 1, 0, 3)],
    ["a frame above the limit", Uint8Array.of(0x40, 0, 0xff, 0xff)],
  ] as const) {
    test(`gives up on ${name}, whole and byte by byte`, () => {
      expect(new FrameReader().push(bytes, 2048)).toBeUndefined();
      const reader = new FrameReader();
      expect([...bytes].some((byte) => reader.push(Uint8Array.of(byte), 2048) === undefined)).toBe(true);
    });
  }
});

describe("allowances", () => {
  test("a bucket gives one second's worth at once, then as time passes", () => {
    const bucket = new ByteBucket(1000, 0);
    expect(bucket.take(1000, 0)).toBe(true);
    expect(bucket.take(1, 0)).toBe(false);
    expect(bucket.take(500, 500)).toBe(true);
    expect(bucket.take(1, 500)).toBe(false);
    expect(bucket.take(1001, 10_000)).toBe(false);
  });

  test("a bucket of 0 is unlimited, and a new limit holds at once", () => {
    const bucket = new ByteBucket(0, 0);
    expect(bucket.take(1e9, 0)).toBe(true);
    bucket.configure(10);
    expect(bucket.take(11, 0)).toBe(false);
  });

  test("a source gets 16 kB of excess at once and 1 kB a second, another one its own", () => {
    const allowance = new AnswerAllowance(12_345);
    let taken = 0;
    while (allowance.take("192.0.2.1", 100, 0)) taken += 100;
    expect(taken).toBe(16_300);
    expect(allowance.take("192.0.2.1", -8, 0)).toBe(true);
    expect(allowance.take("192.0.2.2", 100, 0)).toBe(true);
    expect(allowance.take("192.0.2.1", 1000, 1000)).toBe(true);
    expect(allowance.take("192.0.2.1", 1000, 1000)).toBe(false);
  });
});
