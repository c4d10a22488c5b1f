import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { DnsServer } from "../../test/support/dns-server.ts";
import { systemClock } from "../core/clock.ts";
import { type AuthorityParts, showsText } from "./authority.ts";
import { socketExchange } from "./exchange.ts";
import type { DnsResult } from "./resolver.ts";

const NAME = "_acme-challenge.mail.a.example";
const [first, second, elsewhere] = await Promise.all([
  DnsServer.start(),
  DnsServer.start(),
  DnsServer.start(),
]);
afterAll(() => [first, second, elsewhere].forEach((server) => server.stop()));

/** Name servers by host, and what stands behind each address. */
const zones: Record<string, string[]> = {
  "a.example": ["ns1.a.example", "ns2.a.example"],
  "proofs.example": ["ns.proofs.example"],
};
const hosts: Record<string, string> = {
  "ns1.a.example": "192.0.2.1",
  "ns2.a.example": "192.0.2.2",
  "ns.proofs.example": "192.0.2.3",
};
const behind: Record<string, DnsServer> = { "192.0.2.1": first, "192.0.2.2": second, "192.0.2.3": elsewhere };
const asked: string[] = [];

const found = (records: string[] | undefined): DnsResult<string> =>
  records === undefined ? { kind: "noData" } : { kind: "found", records };
const exchange = socketExchange(systemClock);
const parts: AuthorityParts = {
  resolver: {
    ns: async (zone) => {
      asked.push(zone);
      return found(zones[zone]);
    },
    a: async (host) => found(hosts[host] === undefined ? undefined : [hosts[host]]),
    aaaa: async () => found(undefined),
  },
  exchange: (server, question, options) => {
    expect(server.port).toBe(53);
    const port = behind[server.host]?.port ?? 9;
    return exchange({ host: "127.0.0.1", port }, question, options);
  },
};

beforeEach(() => {
  for (const server of [first, second, elsewhere]) {
    server.zone.clear();
    server.faults.clear();
  }
  asked.length = 0;
});
const has = (server: DnsServer, ...values: string[]) =>
  server.zone.set(
    NAME,
    values.map((data) => ({ type: "TXT", data })),
  );

describe("a TXT record", () => {
  test("is shown when every server of the zone has it, among others", async () => {
    has(first, "other", "value");
    has(second, "value");
    expect(await showsText(parts, NAME, "value")).toEqual({ do: "shown" });
    expect(asked).toEqual([NAME, "mail.a.example", "a.example"]);
    expect([first.asked.at(-1), second.asked.at(-1)]).toEqual([`TXT ${NAME}`, `TXT ${NAME}`]);
  });

  test("is missing as long as one server lacks it", async () => {
    has(first, "value");
    has(second, "an older one");
    expect(await showsText(parts, NAME, "value")).toEqual({ do: "missing", missing: 1, asked: 2 });
    second.zone.clear();
    expect(await showsText(parts, NAME, "value")).toEqual({ do: "missing", missing: 1, asked: 2 });
  });

  test("is looked for at the servers that answer", async () => {
    has(first, "value");
    second.faults.set(NAME, "refused");
    expect(await showsText(parts, NAME, "value")).toEqual({ do: "shown" });
    first.faults.set(NAME, "serverFailure");
    expect(await showsText(parts, NAME, "value")).toMatchObject({ do: "unknown" });
  });

  test("may come by TCP or without extensions", async () => {
    for (const server of [first, second]) has(server, "value");
    first.faults.set(NAME, "truncated");
    second.faults.set(NAME, "noExtensions");
    expect(await showsText(parts, NAME, "value")).toEqual({ do: "shown" });
  });

  test("is looked for in the zone that its name is delegated to", async () => {
    for (const server of [first, second]) {
      server.zone.set(NAME, [{ type: "CNAME", data: "relay.proofs.example" }]);
      server.zone.set("relay.proofs.example", []);
      server.faults.set(NAME, "openChain");
    }
    elsewhere.zone.set("relay.proofs.example", [{ type: "TXT", data: "value" }]);
    expect(await showsText(parts, NAME, "value")).toEqual({ do: "shown" });
  });

  test("of a zone without name servers is not known", async () => {
    expect(await showsText(parts, "_acme-challenge.none.test", "value")).toEqual({
      do: "unknown",
      why: "no name servers found for _acme-challenge.none.test",
    });
  });
});
