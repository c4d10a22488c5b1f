import { expect, test } from "bun:test";
import { canonicalAddress, isPublicAddress } from "./public-address.ts";

const rows: readonly [isPublic: boolean, addresses: readonly string[]][] = [
  [
    true,
    ["1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "192.0.1.1", "223.255.255.254"],
  ],
  [false, ["0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.0.1", "169.254.169.254", "172.16.0.1"]],
  [false, ["172.31.255.255", "192.168.1.1", "192.0.2.1", "198.18.0.1", "198.19.0.1", "198.51.100.1"]],
  [false, ["203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255"]],
  [true, ["2a00:1450::1", "2606:4700:4700::1111", "64:ff9b::1.1.1.1", "::ffff:1.1.1.1", "2002:101:101::"]],
  [false, ["::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "2001::1", "3fff::1"]],
  [
    false,
    ["::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::10.0.0.1", "2002:7f00:1::", "::127.0.0.1", "100::1"],
  ],
  [
    false,
    [
      "",
      "localhost",
      "1.2.3",
      "1.2.3.256",
      "1.2.3.4.5",
      "0x7f.1",
      "2130706433",
      "fe80::1%eth0",
      "1::2::3",
      ":::",
      "g::1",
    ],
  ],
];
for (const [isPublic, addresses] of rows) {
  for (const address of addresses) {
    test(`"${address}" is ${isPublic ? "" : "not "}somewhere in the Internet`, () => {
      expect(isPublicAddress(address)).toBe(isPublic);
    });
  }
}

test("one address has one form", () => {
  expect(canonicalAddress("::FFFF:192.0.2.1")).toBe("192.0.2.1");
  expect(canonicalAddress("2001:DB8:0:0::1")).toBe(canonicalAddress("2001:db8::0001"));
  expect(canonicalAddress("mx.example")).toBeUndefined();
});
