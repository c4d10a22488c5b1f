import { expect, test } from "bun:test";
import { type Domain, parseDomain } from "../core/address.ts";
import { resolveConfig } from "../config/config.ts";
import { configSchema } from "../config/schema.ts";
import type { DnsResult, MxRecord, Resolver } from "../dns/resolver.ts";
import type { KeyFacts } from "./dkim-keys.ts";
import { checkZone, stsHost, txtStrings, type ZoneFacts, zoneLine, zoneRecords } from "./zone.ts";

const p = "A".repeat(392);
const key: KeyFacts = {
  selector: "default",
  algorithm: "rsa",
  createdAtMs: 0,
  confirmed: [],
  publicBytes: Buffer.from(p, "base64"),
  record: `v=DKIM1; k=rsa; s=email; t=s; p=${p}`,
};
const waiting: KeyFacts = { ...key, selector: "rsa-20231114" };

function facts(file: Record<string, unknown>): ZoneFacts {
  const config = resolveConfig(configSchema.parse({ state_dir: "/x", ...file }));
  return { config, keys: [key, waiting], signing: () => [key] };
}

const named = facts({
  hostname: "mail.relay.test",
  domains: ["relay.test", "[192.0.2.1]"],
  public_address: "192.0.2.1",
  tls: { mode: "file", cert: "c", key: "k" },
  metadata: { admin: "mailto:me@elsewhere.test" },
});

/** A zone as a map of `TYPE name` to answers. */
function dns(zone: Readonly<Record<string, readonly string[] | "trouble">>): Resolver {
  const look = <T>(type: string, name: string, read: (text: string) => T): Promise<DnsResult<T>> => {
    const found = zone[`${type} ${name}`];
    if (found === undefined) return Promise.resolve({ kind: "noName" });
    if (found === "trouble") return Promise.resolve({ kind: "trouble", why: "timeout" });
    return Promise.resolve({ kind: "found", records: found.map(read) });
  };
  const mx = (text: string): MxRecord => {
    const [preference, exchange = ""] = text.split(" ");
    return { preference: Number(preference), exchange };
  };
  return {
    a: (name) => look("A", name, String),
    aaaa: (name) => look("AAAA", name, String),
    txt: (name) => look("TXT", name, String),
    mx: (name) => look("MX", name, mx),
  };
}

const complete = {
  "A mail.relay.test": ["192.0.2.1"],
  "MX relay.test": ["10 mail.relay.test"],
  "TXT relay.test": ["unrelated", "v=spf1 a ~all"],
  "TXT default._domainkey.relay.test": [`v=DKIM1;k=rsa;p=${p}`],
  "TXT rsa-20231114._domainkey.relay.test": [waiting.record],
  "TXT _dmarc.relay.test": ["v=DMARC1; p=none"],
  "TXT _adsp._domainkey.relay.test": ["dkim=all"],
  "A mta-sts.relay.test": ["192.0.2.1"],
  "A autoconfig.relay.test": ["192.0.2.1"],
  "TXT _smtp._tls.relay.test": ["v=TLSRPTv1; rua=mailto:me@elsewhere.test"],
};

async function states(zone: Readonly<Record<string, readonly string[] | "trouble">>, of = named) {
  const { ok, records } = await checkZone(of, dns(zone));
  return {
    ok,
    state: (name: string, type = "TXT") => records.find((r) => r.name === name && r.type === type),
  };
}

test("the zone of a relay with a name: every record of a chatmail relay", () => {
  const lines = zoneRecords(named).map(zoneLine);
  expect(lines).toContain("mail.relay.test. 3600 IN A 192.0.2.1");
  expect(lines).toContain("; mail.relay.test. 3600 IN AAAA <the IPv6 address of this server>");
  expect(lines).toContain("relay.test. 3600 IN MX 10 mail.relay.test.");
  expect(lines).toContain('relay.test. 3600 IN TXT "v=spf1 mx ~all"');
  expect(lines).toContain('_dmarc.relay.test. 3600 IN TXT "v=DMARC1; p=reject; adkim=s; aspf=s"');
  expect(lines).toContain("mta-sts.relay.test. 3600 IN CNAME mail.relay.test.");
  expect(lines).toContain('_smtp._tls.relay.test. 3600 IN TXT "v=TLSRPTv1; rua=mailto:me@elsewhere.test"');
  expect(lines).toContain("_submissions._tcp.relay.test. 3600 IN SRV 0 1 465 mail.relay.test.");
  expect(lines).toContain("_imap._tcp.relay.test. 3600 IN SRV 0 1 143 mail.relay.test.");
  expect(
    lines.some((line) => /^_mta-sts\.relay\.test\. 3600 IN TXT "v=STSv1; id=[0-9a-f]{16}"$/.test(line)),
  ).toBe(true);
  expect(lines.join("\n")).not.toContain("192.0.2.1]");
});

test("long texts are cut into strings of at most 255 bytes, which joined are the text", () => {
  const strings = txtStrings(key.record);
  expect(strings.map((text) => text.length)).toEqual([255, key.record.length - 255]);
  expect(strings.join("")).toBe(key.record);
  const record = zoneRecords(named).find(({ name }) => name.startsWith("default."));
  expect(record === undefined ? "" : zoneLine(record)).toEndWith(
    strings.map((text) => `"${text}"`).join(" "),
  );
});

test("a relay that is only an IP address has nothing to publish, and its check is fine", async () => {
  const bare = facts({ hostname: "[192.0.2.1]" });
  expect(zoneRecords(bare)).toEqual([]);
  expect(await checkZone(bare, dns({}))).toEqual({ records: [], ok: true });
});

test("no MTA-STS with a certificate that nobody trusts, no TLS reports without a mailbox elsewhere", () => {
  const names = zoneRecords(facts({ hostname: "relay.test" })).map(({ name }) => name);
  expect(names.filter((name) => /sts|_tls/.test(name))).toEqual([]);
  const domain = (text: string): Domain => parseDomain(text) ?? ("" as Domain);
  expect(stsHost(domain("relay.test"), true)).toBe("relay.test");
  expect(stsHost(domain("relay.test"), false)).toBeUndefined();
  expect(stsHost(domain("[192.0.2.1]"), true)).toBeUndefined();
});

test("services that are turned off and internationalised names", () => {
  const records = zoneRecords(
    facts({ hostname: "bücher.test", listen: { imap: [], imaps: ["0.0.0.0:10993"] } }),
  );
  const srv = records.filter(({ type }) => type === "SRV").map((record) => zoneLine(record));
  expect(srv).toContain("_imaps._tcp.xn--bcher-kva.test. 3600 IN SRV 0 1 10993 xn--bcher-kva.test.");
  expect(srv.some((line) => line.startsWith("_imap."))).toBe(false);
});

test("a complete zone is fine, and SRV says that nobody looked", async () => {
  const { ok, state } = await states(complete);
  expect(ok).toBe(true);
  expect(state("mail.relay.test.", "AAAA")).toMatchObject({ state: "missing", need: "optional" });
  expect(state("relay.test.", "MX")?.state).toBe("ok");
  expect(state("relay.test.")?.state).toBe("ok");
  expect(state("mta-sts.relay.test.", "CNAME")?.state).toBe("ok");
  expect(state("_mta-sts.relay.test.")?.state).toBe("missing");
  expect(state("_imaps._tcp.relay.test.", "SRV")?.state).toBe("unchecked");
});

const wrong: readonly (readonly [
  name: string,
  change: Record<string, readonly string[] | "trouble" | undefined>,
  record: readonly [name: string, type: string],
  state: string,
  ok: boolean,
])[] = [
  ["no address", { "A mail.relay.test": undefined }, ["mail.relay.test.", "A"], "missing", false],
  ["another address", { "A mail.relay.test": ["192.0.2.9"] }, ["mail.relay.test.", "A"], "different", false],
  ["no MX", { "MX relay.test": undefined }, ["relay.test.", "MX"], "missing", false],
  [
    "mail goes elsewhere",
    { "MX relay.test": ["10 mx.elsewhere.test"] },
    ["relay.test.", "MX"],
    "different",
    false,
  ],
  ["the null MX", { "MX relay.test": ["0 "] }, ["relay.test.", "MX"], "different", false],
  [
    "no key",
    { "TXT default._domainkey.relay.test": undefined },
    ["default._domainkey.relay.test.", "TXT"],
    "missing",
    false,
  ],
  [
    "another key",
    { "TXT default._domainkey.relay.test": ["v=DKIM1; p=BBBB"] },
    ["default._domainkey.relay.test.", "TXT"],
    "different",
    false,
  ],
  ["DNS trouble", { "MX relay.test": "trouble" }, ["relay.test.", "MX"], "trouble", false],
  [
    "a waiting key not there",
    { "TXT rsa-20231114._domainkey.relay.test": undefined },
    ["rsa-20231114._domainkey.relay.test.", "TXT"],
    "missing",
    true,
  ],
  ["no SPF", { "TXT relay.test": ["other"] }, ["relay.test.", "TXT"], "missing", true],
  ["SPF twice", { "TXT relay.test": ["v=spf1 a", "v=spf1 mx"] }, ["relay.test.", "TXT"], "different", true],
  [
    "an old MTA-STS id",
    { "TXT _mta-sts.relay.test": ["v=STSv1; id=1"] },
    ["_mta-sts.relay.test.", "TXT"],
    "different",
    true,
  ],
  [
    "mta-sts elsewhere",
    { "A mta-sts.relay.test": ["192.0.2.9"] },
    ["mta-sts.relay.test.", "CNAME"],
    "different",
    true,
  ],
];

for (const [name, change, [record, type], want, ok] of wrong) {
  test(`the check finds: ${name}`, async () => {
    const zone = Object.fromEntries(
      Object.entries({ ...complete, ...change }).flatMap(([where, what]) =>
        what === undefined ? [] : [[where, what]],
      ),
    );
    const found = await states(zone);
    expect(found.state(record, type)?.state).toBe(want as never);
    expect(found.ok).toBe(ok);
  });
}
