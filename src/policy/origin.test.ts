import { expect, test } from "bun:test";
import { fromLatin1 } from "../core/bytes.ts";
import { ManualClock } from "../core/clock.ts";
import { NOW_S, signed, split, testKey } from "../../test/support/dkim.ts";
import type { DnsResult } from "../dns/resolver.ts";
import type { OriginFact } from "./admit.ts";
import { OriginChecker, type OriginFinding, type OriginMode } from "./origin.ts";

const rsa = testKey("rsa", "default");
const ed = testKey("ed25519", "ed25519");
const other = testKey("rsa", "default");
const RSA_NAME = "default._domainkey.peer.test";
const ED_NAME = "ed25519._domainkey.peer.test";

function plain(from = "Bob <bob@peer.test>"): string {
  return `From: ${from}\r\nTo: alice@relay.test\r\nSubject: [...]\r\n\r\nbody\r\n`;
}

/** A DNS made by hand: what is not there does not exist. */
class FakeDns {
  readonly answers = new Map<string, DnsResult<string> | Promise<DnsResult<string>>>();
  readonly asked: string[] = [];

  constructor(records: Readonly<Record<string, string | readonly string[]>> = {}) {
    for (const [name, texts] of Object.entries(records)) this.put(name, texts);
  }

  put(name: string, texts: string | readonly string[]): void {
    this.answers.set(name, { kind: "found", records: typeof texts === "string" ? [texts] : texts });
  }

  async txt(name: string): Promise<DnsResult<string>> {
    this.asked.push(name);
    return await (this.answers.get(name) ?? { kind: "noName" as const });
  }
}

function checker(dns: FakeDns, mode: OriginMode = "strict") {
  const clock = new ManualClock(NOW_S * 1000);
  const origin = new OriginChecker({ resolver: dns, clock, mode: () => mode });
  const find = (text: string): Promise<OriginFinding> => {
    const probe = origin.open();
    const { header, body } = split(fromLatin1(text));
    probe.header(header.bytes);
    probe.body(body);
    return probe.finding();
  };
  return { origin, clock, find };
}

const published = { [RSA_NAME]: rsa.record, [ED_NAME]: ed.record };
const both = await signed(plain(), "peer.test", [rsa, ed]);
const onlyRsa = await signed(plain(), "peer.test", [rsa]);
const bounce = await signed(plain("MAILER-DAEMON@peer.test"), "peer.test", [rsa]);
const below = await signed(plain("bob@sub.peer.test"), "peer.test", [rsa]);
const above = await signed(plain(), "sub.peer.test", [rsa]);
const upper = await signed(plain("Bob@Peer.TEST"), "PEER.test", [rsa]);
const idn = await signed(plain("bob@b\xc3\xbccher.test"), "xn--bcher-kva.test", [rsa]);
const trouble: DnsResult<string> = { kind: "trouble", why: "timeout" };

const rows: readonly (readonly [
  name: string,
  message: string,
  records: Readonly<Record<string, string | readonly string[]>>,
  want: OriginFact,
])[] = [
  ["two valid signatures", both, published, "signed"],
  ["one valid signature, the other key not published", both, { [RSA_NAME]: rsa.record }, "signed"],
  ["one valid signature, the other key revoked", both, { ...published, [ED_NAME]: "v=DKIM1; p=" }, "signed"],
  ["a bounce with a valid signature", bounce, published, "signed"],
  ["capitals in From and d=", upper, published, "signed"],
  [
    "several records of which one is the key",
    onlyRsa,
    { [RSA_NAME]: ["v=spf1 -all", other.record, rsa.record] },
    "signed",
  ],
  ["an internationalised From", idn, { "default._domainkey.xn--bcher-kva.test": rsa.record }, "signed"],
  ["no signature", plain(), published, "unsigned"],
  ["an unsigned bounce", plain("MAILER-DAEMON@peer.test"), published, "unsigned"],
  ["a signature by another domain", both.replaceAll("d=peer.test", "d=evil.test"), published, "badSignature"],
  ["a signature by the domain above", below, published, "badSignature"],
  [
    "a signature by a domain below",
    above,
    { "default._domainkey.sub.peer.test": rsa.record },
    "badSignature",
  ],
  ["a changed body", both.replace("body", "Body"), published, "badSignature"],
  ["a changed From in the same domain", both.replace("bob@", "eve@"), published, "badSignature"],
  ["no key in the DNS", both, {}, "badSignature"],
  ["another key in the DNS", onlyRsa, { [RSA_NAME]: other.record }, "badSignature"],
  ["a From at an IP address", plain("bob@[192.0.2.7]"), {}, "literal"],
  ["a From at a bare IP address", plain("bob@192.0.2.7"), {}, "literal"],
  ["a From that is no address", plain("bob"), {}, "unsigned"],
];

for (const [name, message, records, want] of rows) {
  test(`the origin of mail: ${name}`, async () => {
    expect((await checker(new FakeDns(records)).find(message)).fact).toBe(want);
  });
}

test("DNS trouble leaves the origin open, unless another signature decides", async () => {
  const dns = new FakeDns({ [ED_NAME]: ed.record });
  dns.answers.set(RSA_NAME, trouble);
  expect(await checker(dns).find(onlyRsa)).toEqual({ fact: "unclear", outcomes: ["dnsTrouble"] });
  expect((await checker(dns).find(both)).fact).toBe("signed");
  // A body that was changed is told whatever the DNS says.
  expect((await checker(dns).find(onlyRsa.replace("body", "Body"))).fact).toBe("badSignature");
});

test("a resolver that rejects or never answers is trouble, not a refusal", async () => {
  const dns = new FakeDns();
  dns.answers.set(RSA_NAME, Promise.reject(new Error("broken")));
  expect((await checker(dns).find(onlyRsa)).fact).toBe("unclear");
  dns.answers.set(RSA_NAME, new Promise(() => {}));
  const { find, clock } = checker(dns);
  const finding = find(onlyRsa);
  clock.advance(20_000);
  expect((await finding).fact).toBe("unclear");
});

test("a key that hangs does not hold up a signature that is valid", async () => {
  const dns = new FakeDns({ [ED_NAME]: ed.record });
  dns.answers.set(RSA_NAME, new Promise(() => {}));
  expect((await checker(dns).find(both)).fact).toBe("signed");
});

test("keys are asked for when the header is complete, before the body", () => {
  const dns = new FakeDns(published);
  const probe = checker(dns).origin.open();
  const { header } = split(fromLatin1(both));
  probe.header(header.bytes);
  expect(dns.asked).toEqual([RSA_NAME, ED_NAME]);
});

test("a key is remembered, and asked for again when it does not fit or is old", async () => {
  const dns = new FakeDns({ [RSA_NAME]: rsa.record });
  const { find, clock } = checker(dns);
  for (let i = 0; i < 3; i++) expect((await find(onlyRsa)).fact).toBe("signed");
  expect(dns.asked).toHaveLength(1);
  // The peer replaced its key under the same selector.
  dns.put(RSA_NAME, other.record);
  const renewed = await signed(plain(), "peer.test", [other]);
  expect((await find(renewed)).fact).toBe("signed");
  expect(dns.asked).toHaveLength(2);
  clock.advance(10 * 60_000);
  expect((await find(renewed)).fact).toBe("signed");
  expect(dns.asked).toHaveLength(3);
});

test("a forged signature asks the DNS once more, not for ever, and leaves no key out", async () => {
  const dns = new FakeDns({ [RSA_NAME]: rsa.record });
  const { find } = checker(dns);
  await find(onlyRsa);
  const forged = await signed(plain(), "peer.test", [other]);
  expect((await find(forged)).fact).toBe("badSignature");
  expect(dns.asked).toHaveLength(2);
  expect((await find(onlyRsa)).fact).toBe("signed");
  expect(dns.asked).toHaveLength(2);
});

test("a missing key is not remembered: a domain that publishes is heard at once", async () => {
  const dns = new FakeDns();
  const { find } = checker(dns);
  expect((await find(onlyRsa)).fact).toBe("badSignature");
  dns.put(RSA_NAME, rsa.record);
  expect((await find(onlyRsa)).fact).toBe("signed");
});

test("the memory of keys is bounded, and the key in use stays", async () => {
  const dns = new FakeDns({ [RSA_NAME]: rsa.record });
  const { find } = checker(dns);
  await find(onlyRsa);
  const tiny = testKey("ed25519", "k");
  for (let i = 0; i < 1100; i++) {
    const domain = `d${i}.test`;
    dns.put(`k._domainkey.${domain}`, tiny.record);
    await find(await signed(plain(`bob@${domain}`), domain, [tiny]));
    if (i % 500 === 0) await find(onlyRsa);
  }
  const before = dns.asked.length;
  await find(onlyRsa);
  expect(dns.asked).toHaveLength(before);
  expect((await find(await signed(plain("bob@d0.test"), "d0.test", [tiny]))).fact).toBe("signed");
  expect(dns.asked).toHaveLength(before + 1);
});

test("messages from one domain at the same time share a lookup", async () => {
  const dns = new FakeDns({ [RSA_NAME]: rsa.record });
  const { find } = checker(dns);
  const facts = await Promise.all(Array.from({ length: 20 }, () => find(onlyRsa)));
  expect(facts.map(({ fact }) => fact)).toEqual(Array(20).fill("signed"));
  expect(dns.asked).toHaveLength(1);
});

test("turned off, nothing is asked and nothing is found", async () => {
  const dns = new FakeDns();
  expect((await checker(dns, "off").find(onlyRsa)).fact).toBe("unasked");
  expect(dns.asked).toEqual([]);
});

test("a message whose header never ended has no origin", async () => {
  const { origin } = checker(new FakeDns());
  expect((await origin.open().finding()).fact).toBe("unsigned");
});
