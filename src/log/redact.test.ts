import { expect, test } from "bun:test";
import { assert, property, string } from "fast-check";
import { redact } from "./redact.ts";

const rows: readonly [name: string, text: string, want: string][] = [
  ["an address", "no mailbox alice@relay.test here", "no mailbox <address> here"],
  ["an address in brackets", "MAIL FROM:<a.b-c_d@relay.test>", "MAIL FROM:<<address>>"],
  ["an address at an IP", "for alice@[192.0.2.1]: full", "for <address>: full"],
  ["an encoded address", "GET /x?u=alice%40relay.test", "GET /x?u=<address>"],
  ["an IPv4 address", "connect ECONNREFUSED 192.0.2.7:993", "connect ECONNREFUSED <ip>:993"],
  ["an IPv4 address at the end", "from 192.0.2.7.", "from <ip>."],
  ["an IPv6 address", "peer 2001:db8::1 left", "peer <ip> left"],
  ["a full IPv6 address", "peer 2001:db8:1:2:3:4:5:6 left", "peer <ip> left"],
  ["a mapped address", "peer ::ffff:192.0.2.7 left", "peer <ip><ip> left"],
  [
    "the path of a mailbox",
    "ENOENT: open '/var/lib/madmail/mail/alice/Maildir/new/1.M2,S=3,U=4'",
    "ENOENT: open '<path>'",
  ],
  [
    "the path of a mailbox named by an address",
    "open /d/mail/alice@relay.test/x failed",
    "open <path> failed",
  ],
  ["a login link", "opened dclogin:a@b.test/?p=pw&v=1 twice", "opened dclogin:<secret> twice"],
  ["several lines", "one\r\ntwo\u2028three", "one two three"],
  [
    "what is no address",
    "expected @ in line 3 at 10:20:30, v1.4.5",
    "expected @ in line 3 at 10:20:30, v1.4.5",
  ],
  ["a place in the program", "at open (src/storage/spool.ts:12:34)", "at open (src/storage/spool.ts:12:34)"],
];
for (const [name, text, want] of rows) {
  test(`redact(): ${name}`, () => {
    expect(redact(text)).toBe(want);
  });
}

test("redact() cuts long text, and a name at the cut does not slip through", () => {
  expect(redact("x ".repeat(10_000))).toHaveLength(500);
  const text = `${"y ".repeat(240)}${"alice".repeat(10)}@relay.test`;
  expect(redact(text)).not.toContain("alice");
});

test("redact() leaves no address in any text", () => {
  assert(
    property(string(), string(), (before, after) => {
      expect(redact(`${before} alice@relay.test ${after}`)).not.toContain("alice@");
    }),
    { numRuns: 300 },
  );
});
