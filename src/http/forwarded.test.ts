import { expect, test } from "bun:test";
import { clientAddress } from "./forwarded.ts";

const proxy = "127.0.0.1";
const trusted = [proxy, "10.0.0.1"];

test.each([
  ["nobody's word counts without a trusted proxy", "192.0.2.1", "198.51.100.1", [], "192.0.2.1"],
  ["a stranger's word does not count", "192.0.2.1", "198.51.100.1", trusted, "192.0.2.1"],
  ["a trusted proxy says for whom it asks", proxy, "198.51.100.1", trusted, "198.51.100.1"],
  [
    "only its own word counts, not what the client wrote before",
    proxy,
    "1.1.1.1, 198.51.100.1",
    trusted,
    "198.51.100.1",
  ],
  ["proxies behind one another", proxy, "1.1.1.1, 198.51.100.1, 10.0.0.1", trusted, "198.51.100.1"],
  ["a proxy that says nothing asks for itself", proxy, null, trusted, proxy],
  ["nonsense is nobody", proxy, "somebody", trusted, proxy],
  ["all of them trusted", proxy, "10.0.0.1", trusted, "10.0.0.1"],
  ["an IPv4 address seen by an IPv6 socket", "::ffff:127.0.0.1", "2001:DB8::1", trusted, "2001:db8::1"],
] as const)("%s", (_, socket, forwarded, proxies, want) => {
  expect(clientAddress(socket, forwarded, proxies)).toBe(want);
});

test("a long header costs no more than its end", () => {
  expect(clientAddress(proxy, `${"1.1.1.1,".repeat(100_000)}198.51.100.1`, trusted)).toBe("198.51.100.1");
});
