/**
 * `madmail doctor` of the executable: all green on a fresh relay whose DNS is in order, and each failure told when it is
 * provoked.
 */
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { makeCertificate, makeKey } from "../../src/tls/self-signed.ts";
import { DnsServer, type ZoneRecord } from "../support/dns-server.ts";
import { Relay, runMadmail } from "../support/relay.ts";

const LIFETIME_MS = 101 * 365 * 864e5;

interface Told {
  name: string;
  state: "ok" | "warn" | "fail" | "skipped";
  said: string;
  troubles: { what: string; mend: string }[];
}

describe("madmail doctor", () => {
  let dns: DnsServer;
  let relay: Relay;
  let right: Record<string, ZoneRecord[]>;

  const at = () => ["--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir];
  const doctor = async (...words: string[]) => {
    const { code, output } = await runMadmail(["doctor", "--json", ...words, ...at()]);
    const { data } = JSON.parse(output) as { data: { healthy: boolean; checks: Told[] } };
    expect(code).toBe(data.healthy ? 0 : 1);
    return data;
  };
  const troubleOf = async (name: string, ...words: string[]) => {
    const told = (await doctor(...words)).checks.find((check) => check.name === name);
    return `${told?.state}: ${told?.troubles.map(({ what }) => what).join("; ")}`;
  };
  const publish = (zone: Record<string, ZoneRecord[]>) => {
    dns.zone.clear();
    for (const [name, records] of Object.entries(zone)) dns.zone.set(name, records);
  };

  beforeAll(async () => {
    dns = await DnsServer.start({ "relay.test": [{ type: "A", data: "127.0.0.1" }] });
    relay = await Relay.start({
      name: "doctor",
      config: {
        dns: { servers: [dns.endpoint] },
        limits: { connections: 1000 },
        turn: { relay_addresses: ["127.0.0.1"] },
      },
    });
    right = zoneOf(await wantedRecords(at()));
    publish(right);
  });

  afterAll(async () => {
    await relay?.dispose();
    dns?.stop();
  });

  test("is content with a fresh relay, and sends an encrypted message through it", async () => {
    const { healthy, checks } = await doctor();
    expect(checks.filter(({ state }) => state === "warn" || state === "fail")).toEqual([]);
    expect(healthy).toBe(true);
    const skipped = checks.filter(({ state }) => state === "skipped").map(({ name }) => name);
    expect(skipped).toEqual(["peer", "push"]);
    const message = checks.find(({ name }) => name === "message");
    expect(message?.said).toMatch(/pushed in [\d.]+ ms, fetched, decrypted and compared/);
  });

  test("leaves no account behind, also when many look at once", async () => {
    const reports = await Promise.all([doctor("--offline"), doctor("--offline")]);
    expect(reports.map(({ healthy }) => healthy)).toEqual([true, true]);
    const { output } = await runMadmail(["accounts", "list", "--json", ...at()]);
    expect(JSON.parse(output)).toMatchObject({ data: { total: 0 } });
  });

  test("tells it in words, too", async () => {
    const { code, output } = await runMadmail(["doctor", "--offline", ...at()]);
    expect(code).toBe(0);
    expect(output).toMatch(/^ok +Ports +smtp, submission, submissions, imap, imaps, http, https answer$/m);
    expect(output).toMatch(/^\d+ ok, 0 to look at, 0 failed, \d+ skipped$/m);
  });

  test("tells of a wrong MX, a missing DKIM key and a dead name server, with the record to publish", async () => {
    publish({
      ...right,
      "relay.test": [
        { type: "A", data: "127.0.0.1" },
        { type: "MX", preference: 10, exchange: "old.test" },
      ],
    });
    expect(await troubleOf("dns")).toContain("fail: MX relay.test. says 10 old.test");
    publish(
      Object.fromEntries(Object.entries(right).filter(([name]) => !name.startsWith("default._domainkey"))),
    );
    const { checks } = await doctor();
    const dkim = checks.find(({ name }) => name === "dkim");
    expect(dkim?.troubles[0]?.mend).toMatch(
      /^publish: default\._domainkey\.relay\.test\. 3600 IN TXT "v=DKIM1;/,
    );
    publish(right);
    dns.faults.set("relay.test", "serverFailure");
    expect(await troubleOf("dns")).toContain("fail: nobody answers for");
    dns.faults.clear();
  });

  test("tells that a peer can't be reached", async () => {
    expect(await troubleOf("peer", "--peer", "nowhere.test")).toMatch(/^fail: no way to nowhere\.test: ./);
  });

  test("tells of an expired certificate", async () => {
    const key = await makeKey();
    const expired = await makeCertificate(["relay.test"], key, Date.now() - LIFETIME_MS);
    const [keyFile, certFile] = [join(relay.dir, "key.pem"), join(relay.dir, "cert.pem")];
    writeFileSync(keyFile, key);
    writeFileSync(certFile, expired);
    await relay.reload({ tls: { mode: "file", cert: certFile, key: keyFile } });
    expect(await troubleOf("certificate")).toMatch(/^fail: it expired on /);
    await relay.reload({ tls: { mode: "self-signed" } });
    expect(await troubleOf("certificate")).toBe("ok: ");
  });

  test("tells of secrets that others may read", async () => {
    const path = join(relay.stateDir, "dkim", "default.private");
    chmodSync(relay.stateDir, 0o755);
    chmodSync(path, 0o644);
    expect(await troubleOf("state-directory", "--offline")).toMatch(
      /fail: .*others may read dkim\/default\.private/,
    );
    chmodSync(path, 0o600);
    chmodSync(relay.stateDir, 0o700);
  });

  test("of a stopped relay it tells who has its port", async () => {
    await relay.stop();
    const squatter = Bun.listen({ hostname: "127.0.0.1", port: relay.ports.imaps, socket: { data() {} } });
    relay.configure({ listen: { imaps: [`127.0.0.1:${relay.ports.imaps}`] } });
    const told = await troubleOf("ports", "--offline");
    squatter.stop(true);
    expect(told).toContain(`fail: port ${relay.ports.imaps}/tcp for imaps is taken by`);
    expect(told).toContain(`(process ${process.pid})`);
    expect(await troubleOf("ports", "--offline")).toBe("ok: ");
    await relay.restart();
    expect((await doctor("--offline")).healthy).toBe(true);
  });
});

describe("madmail doctor without a relay", () => {
  const dir = mkdtempSync(join(tmpdir(), "madmail-doctor-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test("tells what is wrong with the configuration", async () => {
    const file = join(dir, "bad.toml");
    writeFileSync(file, 'hostnam = "relay.test"\n');
    const { code, output } = await runMadmail(["doctor", "--config", file]);
    expect(code).toBe(1);
    expect(output).toMatch(/^FAIL {2}Configuration$/m);
    expect(output).toContain("did you mean hostname?");
  });

  test("makes nothing where there was never a start", async () => {
    const file = join(dir, "good.toml");
    const stateDir = join(dir, "state");
    writeFileSync(file, `hostname = "relay.test"\nstate_dir = "${stateDir}"\n`);
    const { code, output } = await runMadmail(["doctor", "--config", file]);
    expect(code).toBe(1);
    expect(output).toContain("it does not exist yet: start the relay once");
    expect(existsSync(stateDir)).toBe(false);
  });
});

interface Wanted {
  name: string;
  type: string;
  value?: string;
}

async function wantedRecords(at: readonly string[]): Promise<Wanted[]> {
  const { output } = await runMadmail(["dns", "show", "--json", ...at]);
  return (JSON.parse(output) as { data: { records: Wanted[] } }).data.records;
}

/** As an operator publishes what `madmail dns show` prints; the resolver is not asked for SRV. */
function zoneOf(records: readonly Wanted[]): Record<string, ZoneRecord[]> {
  const zone: Record<string, ZoneRecord[]> = {};
  for (const { name, type, value = "127.0.0.1" } of records) {
    const here = (zone[name.replace(/\.$/, "")] ??= []);
    if (type === "A") here.push({ type, data: value });
    if (type === "TXT") here.push({ type, data: value.match(/.{1,255}/g) ?? [] });
    if (type === "CNAME") here.push({ type, data: value.replace(/\.$/, "") });
    if (type === "MX") here.push({ type, preference: 10, exchange: "relay.test" });
  }
  return zone;
}
