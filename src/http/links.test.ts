import { expect, test } from "bun:test";
import { assert, property, string } from "fast-check";
import { parseAddress } from "../core/address.ts";
import { dcaccountLink, dcloginLink, type LoginLinkParts, type ServicePorts } from "./links.ts";

const all: ServicePorts = { imaps: 993, imap: 143, submissions: 465, submission: 587, https: 443 };

function link(address: string, over: Partial<LoginLinkParts> = {}): string {
  const parsed = parseAddress(address);
  if (parsed === undefined) throw new Error(`not an address: ${address}`);
  return dcloginLink({
    address: parsed,
    password: "pw",
    host: "relay.test",
    ports: all,
    trusted: false,
    ...over,
  });
}

const rows: readonly [name: string, link: string, want: string][] = [
  [
    "a domain with a self-signed certificate",
    link("user@relay.test"),
    "dclogin:user@relay.test/?p=pw&v=1&ih=relay.test&ip=993&is=ssl&sh=relay.test&sp=465&ss=ssl&ic=3",
  ],
  [
    "a trusted certificate",
    link("user@relay.test", { trusted: true }),
    "dclogin:user@relay.test/?p=pw&v=1&ih=relay.test&ip=993&is=ssl&sh=relay.test&sp=465&ss=ssl",
  ],
  [
    "an IP relay, brackets in the address only",
    link("user@192.0.2.1", { host: "192.0.2.1" }),
    "dclogin:user@[192.0.2.1]/?p=pw&v=1&ih=192.0.2.1&ip=993&is=ssl&sh=192.0.2.1&sp=465&ss=ssl&ic=3",
  ],
  [
    "an IPv6 host",
    link("user@relay.test", { host: "2001:db8::1" }),
    "dclogin:user@relay.test/?p=pw&v=1&ih=2001%3Adb8%3A%3A1&ip=993&is=ssl&sh=2001%3Adb8%3A%3A1&sp=465&ss=ssl&ic=3",
  ],
  [
    "a password of all sorts",
    link("user@relay.test", { password: "p@ w+&=#%/?!'()*~é" }),
    "dclogin:user@relay.test/?p=p%40%20w%2B%26%3D%23%25%2F%3F%21%27%28%29%2A~%C3%A9&v=1" +
      "&ih=relay.test&ip=993&is=ssl&sh=relay.test&sp=465&ss=ssl&ic=3",
  ],
  [
    "STARTTLS only",
    link("user@relay.test", { ports: { imap: 1143, submission: 1587 } }),
    "dclogin:user@relay.test/?p=pw&v=1&ih=relay.test&ip=1143&is=starttls&sh=relay.test&sp=1587&ss=starttls&ic=3",
  ],
  [
    "port 443 only",
    link("user@relay.test", { ports: { https: 443 } }),
    "dclogin:user@relay.test/?p=pw&v=1&ih=relay.test&ip=443&is=ssl&sh=relay.test&sp=443&ss=ssl&ic=3",
  ],
  [
    "IMAP only",
    link("user@relay.test", { ports: { imaps: 993 } }),
    "dclogin:user@relay.test/?p=pw&v=1&ih=relay.test&ip=993&is=ssl&ic=3",
  ],
  ["an account page", dcaccountLink("relay.test"), "dcaccount:https://relay.test/new"],
  ["an account page on 443", dcaccountLink("relay.test", 443), "dcaccount:https://relay.test/new"],
  [
    "an account page on another port",
    dcaccountLink("relay.test", 8443),
    "dcaccount:https://relay.test:8443/new",
  ],
  ["an account page at an IPv6 address", dcaccountLink("2001:db8::1"), "dcaccount:https://[2001:db8::1]/new"],
  [
    "an account page with a token",
    dcaccountLink("relay.test", 443, "a b&c"),
    "dcaccount:https://relay.test/new?token=a%20b%26c",
  ],
];
for (const [name, got, want] of rows) {
  test(`the link of ${name}`, () => {
    expect(got).toBe(want);
  });
}

test("any password comes back from the link", () => {
  assert(
    property(string({ unit: "grapheme" }), (password) => {
      const query = link("user@relay.test", { password }).split("/?")[1] ?? "";
      expect(new URLSearchParams(query).get("p")).toBe(password);
    }),
    { numRuns: 200 },
  );
});

const wishRows: readonly [wish: "default" | "ssl" | "starttls", ports: ServicePorts, want: string][] = [
  ["default", { imaps: 993, imap: 143 }, "ip=993&is=ssl"],
  ["ssl", { imaps: 993, imap: 143 }, "ip=993&is=ssl"],
  ["starttls", { imaps: 993, imap: 143 }, "ip=143&is=starttls"],
  ["starttls", { imaps: 993 }, "ip=993&is=ssl"],
  ["ssl", { imap: 143 }, "ip=143&is=starttls"],
  ["ssl", { imap: 143, https: 443 }, "ip=443&is=ssl"],
];
for (const [wish, ports, want] of wishRows) {
  test(`a link where the operator wants ${wish} and there is ${Object.keys(ports).join(", ")}`, () => {
    const address = parseAddress("somebody@relay.test");
    if (address === undefined) throw new Error("fixture");
    const parts = { address, password: "p", host: "relay.test", ports, trusted: true };
    expect(dcloginLink({ ...parts, security: { imap: wish, smtp: "default" } })).toContain(want);
  });
}
