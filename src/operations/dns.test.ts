import { expect, test } from "bun:test";
import type { DnsReport, LiveRelay, OperationContext } from "./context.ts";
import { dnsOperations } from "./dns.ts";

const run = (live: Pick<LiveRelay, "checkDns"> | undefined) =>
  dnsOperations["dns.check"].run(
    { live } as OperationContext,
    {},
    { onProgress: () => {}, signal: undefined },
  );

const record: DnsReport["records"][number] = {
  name: "relay.test.",
  type: "A",
  value: undefined,
  need: "required",
  why: "where clients find this one",
  state: "different",
  found: ["192.0.2.1"],
  line: "; relay.test. 3600 IN A <the IPv4 address of this server>",
};

test("dns.check gives every record with what the DNS says instead", async () => {
  const { found: _, ...plain } = record;
  const report = {
    ok: false,
    records: [record, { ...plain, value: "192.0.2.2", state: "missing" as const }],
  };
  const result = await run({ checkDns: () => Promise.resolve(report) });
  expect(dnsOperations["dns.check"].output.parse(result)).toEqual({
    ok: false,
    records: [
      { ...record, value: null, found: ["192.0.2.1"] },
      { ...plain, value: "192.0.2.2", state: "missing", found: [] },
    ],
  });
});

test("dns.check of a stopped relay names the command that needs none", async () => {
  expect(run(undefined)).rejects.toThrow("madmail dns check");
});
