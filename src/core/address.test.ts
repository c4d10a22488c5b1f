import { describe, expect, test } from "bun:test";
import { hostOf, parseAddress, parseDomain } from "./address.ts";

const addresses: readonly [input: string, want: string | undefined][] = [
  ["Alice@Relay.Example", "alice@relay.example"],
  [" a@b.example. ", "a@b.example"],
  ["u@1.2.3.4", "u@[1.2.3.4]"],
  ["u@[1.2.3.4]", "u@[1.2.3.4]"],
  ["u@[IPv6:2001:DB8::1]", "u@[ipv6:2001:db8::1]"],
  ["a+tag@b", "a+tag@b"],
  ["SRS1=HHH=x@b.example", "srs1=hhh=x@b.example"],
  ["u@[1.2.3.400]", undefined],
  ["u@[example]", undefined],
  ["@b", undefined],
  ["a@", undefined],
  ["a", undefined],
  ["", undefined],
  ["a b@c", undefined],
  ["x@y@z", undefined],
  [".a@b", undefined],
  ["a.@b", undefined],
  ["a/../b@c", "a/../b@c"],
  ["a@-b.example", undefined],
  ["a@b..example", undefined],
  ["a\u0000@b", undefined],
  ["a<b@c", undefined],
  [`${"a".repeat(65)}@b`, undefined],
  ["ü@b.example", "ü@b.example"],
  ["\u212A@b.example", "\u212A@b.example"],
];
describe("parseAddress()", () => {
  for (const [input, want] of addresses) {
    test(`${JSON.stringify(input)} is ${want ?? "no address"}`, () =>
      expect(parseAddress(input) as string | undefined).toBe(want));
  }
});

test("hostOf() takes the brackets off address literals and leaves names", () => {
  expect(hostOf("[1.2.3.4]")).toBe("1.2.3.4");
  expect(hostOf("[ipv6:2001:db8::1]")).toBe("2001:db8::1");
  expect(hostOf("relay.example")).toBe("relay.example");
});

test("parseDomain() refuses labels beyond 63 characters", () => {
  expect(parseDomain(`${"a".repeat(64)}.example`)).toBeUndefined();
});
