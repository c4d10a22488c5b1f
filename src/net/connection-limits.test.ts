import { describe, expect, test } from "bun:test";
import { ConnectionLimits, networkOf, normaliseAddress } from "./connection-limits.ts";

describe("networkOf()", () => {
  for (const [address, want] of [
    ["192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:DB8:0001:2::9", "2001:db8:1:2"],
    ["2001:db8::9", "2001:db8:0:0"],
    ["2001:db8::1:2:3:4:5", "2001:db8:0:1"],
    ["::1", "0:0:0:0"],
    ["::", "0:0:0:0"],
    ["64:ff9b::192.0.2.1", "64:ff9b:0:0"],
    ["fe80::1", "fe80:0:0:0"],
  ] as const) {
    test(`${address} counts as ${want}`, () => expect(networkOf(address)).toBe(want));
  }
});

describe("normaliseAddress()", () => {
  for (const [address, want] of [
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:192.0.2.1", "192.0.2.1"],
    ["fe80::1%eth0", "fe80::1"],
    ["2001:db8::1", "2001:db8::1"],
    ["192.0.2.1", "192.0.2.1"],
  ] as const) {
    test(`${address} is ${want}`, () => expect(normaliseAddress(address)).toBe(want));
  }
});

describe("ConnectionLimits", () => {
  test("counts per address, per /64 and in total, and forgets who left", () => {
    const limits = new ConnectionLimits({ total: 4, perAddress: 2 });
    expect(limits.take("2001:db8::1")).toBe("ok");
    expect(limits.take("2001:db8::2")).toBe("ok");
    expect(limits.take("2001:db8::3")).toBe("tooManyFromPeer");
    expect(limits.take("192.0.2.1")).toBe("ok");
    expect(limits.take("192.0.2.2")).toBe("ok");
    expect(limits.take("192.0.2.3")).toBe("tooMany");
    expect([limits.open, limits.addresses]).toEqual([4, 3]);
    for (const address of ["2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"]) limits.release(address);
    expect([limits.open, limits.addresses]).toEqual([0, 0]);
    expect(() => limits.release("192.0.2.1")).toThrow("release without take");
  });
});
