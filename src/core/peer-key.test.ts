import { expect, test } from "bun:test";
import { peerKey } from "./peer-key.ts";

const rows: readonly [text: string, want: string | undefined][] = [
  ["Peer.Example.", "peer.example"],
  [" peer.example ", "peer.example"],
  ["[192.0.2.1]", "192.0.2.1"],
  ["192.0.2.1", "192.0.2.1"],
  ["[IPv6:2001:DB8:0:0::1]", "2001:db8::1"],
  ["[2001:db8::1]", "2001:db8::1"],
  ["2001:db8:0::1", "2001:db8::1"],
  ["_odd.example", "_odd.example"],
  ["", undefined],
  ["not a domain", undefined],
  ["a@b.example", undefined],
  ["[IPv6:zz]", undefined],
];
for (const [text, want] of rows) {
  test(`peerKey(${JSON.stringify(text)}) is ${want}`, () => {
    expect(peerKey(text)).toBe(want as never);
  });
}
