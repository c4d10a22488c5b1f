/** The codec against the vectors of RFC 5769, and against anything else. */
import { describe, expect, test } from "bun:test";
import { assert, property, uint8Array } from "fast-check";
import { fromUtf8 } from "../../core/bytes.ts";
import { stunCrypto } from "../crypto.ts";
import { formatIp } from "./ip.ts";
import {
  attributeOf,
  attributes,
  fingerprintHolds,
  integrityHolds,
  methods,
  parseStun,
  readXorAddress,
  StunWriter,
} from "./stun.ts";

const SHORT_TERM_KEY = fromUtf8("VOkJxbRl1RmTxUk/WvJxBt");

/** RFC 5769 §2.1 to §2.4. */
const vectors = {
  request: `000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff
    80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2
    80280004e57a3bcf`,
  ipv4: `0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643
    000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96`,
  ipv6: `010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179
    bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c`,
  longTerm: `000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b90000
    0015001c662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b6578616d706c652e6f726700
    00080014f67024656dd64a3e02b8e0712e85c9a28ca89666`,
};

describe("RFC 5769", () => {
  for (const [name, key] of [
    ["request", SHORT_TERM_KEY],
    ["ipv4", SHORT_TERM_KEY],
    ["ipv6", SHORT_TERM_KEY],
    ["longTerm", stunCrypto.md5(fromUtf8("マトリックス:example.org:TheMatrIX"))],
  ] as const) {
    test(`${name}: integrity and fingerprint hold, and fail when any byte differs`, () => {
      const bytes = vector(name);
      const message = parseStun(bytes);
      if (message === undefined) throw new Error("not parsed");
      expect(integrityHolds(message, key, stunCrypto)).toBe(true);
      expect(fingerprintHolds(message, stunCrypto)).toBe(true);
      const until = message.integrity?.at ?? 0;
      for (let at = 8; at < until; at++) {
        const spoilt = parseStun(bytes.with(at, (bytes[at] ?? 0) ^ 1));
        if (spoilt !== undefined) expect(integrityHolds(spoilt, key, stunCrypto)).toBe(false);
      }
    });
  }

  test("the request's unknown required attribute is named, the optional ones are not", () => {
    expect(parseStun(vector("request"))?.unknown).toEqual([0x0024]);
  });

  test("the mapped addresses are 192.0.2.1 and 2001:db8:1234:5678:11:2233:4455:6677", () => {
    expect(mappedIn("ipv4")).toBe("192.0.2.1 32853");
    expect(mappedIn("ipv6")).toBe("2001:db8:1234:5678:11:2233:4455:6677 32853");
  });

  test("the writer writes the responses byte by byte", () => {
    for (const [name, ip] of [
      ["ipv4", [192, 0, 2, 1]],
      ["ipv6", [0x20, 1, 0xd, 0xb8, 0x12, 0x34, 0x56, 0x78, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77]],
    ] as const) {
      const wanted = vector(name);
      const written = new StunWriter(stunCrypto)
        .begin("success", methods.binding, wanted.subarray(8, 20))
        .attribute(0x8022, fromUtf8("test vector"))
        .xorAddress(attributes.xorMappedAddress, Uint8Array.from(ip), 32_853)
        .sign("sha1", SHORT_TERM_KEY)
        .end(true);
      // The RFC fills with blanks, we with zeros: what covers the filling differs, nothing before it.
      expect(
        Buffer.from(written)
          .toString("hex")
          .slice(0, 2 * 34),
      ).toBe(
        Buffer.from(wanted)
          .toString("hex")
          .slice(0, 2 * 34),
      );
      const message = parseStun(Uint8Array.from(written));
      if (message === undefined) throw new Error("not parsed");
      expect(integrityHolds(message, SHORT_TERM_KEY, stunCrypto)).toBe(true);
      expect(fingerprintHolds(message, stunCrypto)).toBe(true);
    }
  });
});

describe("parseStun()", () => {
  const good = vector("request");
  for (const [name, bytes] of [
    ["nothing", new Uint8Array(0)],
    ["a header that is cut", good.subarray(0, 19)],
    ["a message that is cut", good.subarray(0, -4)],
    ["bytes behind the message", Uint8Array.from([...good, 0, 0, 0, 0])],
    ["another cookie", good.with(4, 0)],
    ["set top bits", good.with(0, 0x40)],
    ["an attribute beyond the end", good.with(23, 0xff)],
    ["an attribute behind FINGERPRINT", behindFingerprint()],
    ["an integrity of 16 bytes", changedLength(0x0008, 16)],
  ] as const) {
    test(`refuses ${name}`, () => {
      expect(parseStun(bytes)).toBeUndefined();
    });
  }

  test("ignores attributes between integrity and fingerprint", () => {
    const writer = new StunWriter(stunCrypto).begin("request", methods.allocate, new Uint8Array(12));
    const bytes = writer.sign("sha1", SHORT_TERM_KEY).text(attributes.username, "late").end(true);
    const message = parseStun(Uint8Array.from(bytes));
    expect(message?.attributes).toEqual([]);
  });

  test("takes any bytes without a throw, and what it returns lies inside them", () => {
    assert(
      property(uint8Array({ maxLength: 200 }), (bytes) => {
        const framed = Uint8Array.from([
          0,
          1,
          0,
          bytes.length & ~3,
          0x21,
          0x12,
          0xa4,
          0x42,
          ...new Uint8Array(12),
          ...bytes,
        ]);
        const message = parseStun(framed.subarray(0, 20 + (bytes.length & ~3)));
        if (message === undefined) return;
        fingerprintHolds(message, stunCrypto);
        integrityHolds(message, SHORT_TERM_KEY, stunCrypto);
        for (const { value } of message.attributes) {
          expect(value.byteOffset + value.length).toBeLessThanOrEqual(
            message.bytes.byteOffset + message.bytes.length,
          );
          readXorAddress(value, message.transactionId);
        }
      }),
      { numRuns: 500 },
    );
  });
});

for (const size of [16, 20, 32]) {
  test(`MESSAGE-INTEGRITY-SHA256 of ${size} bytes holds`, () => {
    const writer = new StunWriter(stunCrypto).begin("request", methods.refresh, new Uint8Array(12));
    writer.attribute(attributes.messageIntegritySha256, new Uint8Array(size));
    const bytes = Uint8Array.from(writer.end(false));
    bytes.set(stunCrypto.hmacSha256(SHORT_TERM_KEY, bytes.subarray(0, 20)).subarray(0, size), 24);
    const message = parseStun(bytes);
    if (message === undefined) throw new Error("not parsed");
    expect(message.integrity?.kind).toBe("sha256");
    expect(integrityHolds(message, SHORT_TERM_KEY, stunCrypto)).toBe(true);
    expect(integrityHolds(message, fromUtf8("another key"), stunCrypto)).toBe(false);
  });
}

function vector(name: keyof typeof vectors): Uint8Array {
  return Uint8Array.from(Buffer.from(vectors[name].replace(/\s/g, ""), "hex"));
}

function mappedIn(name: "ipv4" | "ipv6"): string {
  const message = parseStun(vector(name));
  const value = message === undefined ? undefined : attributeOf(message, attributes.xorMappedAddress);
  const found =
    value === undefined || message === undefined ? undefined : readXorAddress(value, message.transactionId);
  return found === undefined ? "" : `${formatIp(found.ip)} ${found.port}`;
}

function behindFingerprint(): Uint8Array {
  const writer = new StunWriter(stunCrypto).begin("request", methods.binding, new Uint8Array(12));
  return Uint8Array.from(writer.u32(attributes.fingerprint, 1).u32(attributes.lifetime, 1).end(false));
}

function changedLength(type: number, length: number): Uint8Array {
  const writer = new StunWriter(stunCrypto).begin("request", methods.binding, new Uint8Array(12));
  return Uint8Array.from(writer.attribute(type, new Uint8Array(length)).end(false));
}
