/** Certificates from a real authority (pebble), as the compiled relay obtains and renews them. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type DetailedPeerCertificate, type TLSSocket } from "node:tls";
import { cloudflareStandIn, route53StandIn, TextZone } from "../support/dns-providers.ts";
import { DnsServer } from "../support/dns-server.ts";
import { freePorts, hasPebble, Pebble, type PebbleOptions } from "../support/pebble.ts";
import { Relay, type RelayOptions, runMadmail } from "../support/relay.ts";

const OBTAINED = "event=certificateObtained";
const FAILED = "event=certificateFailed";
const PATIENCE_MS = 30_000;

if (!hasPebble) test.skip("ACME with pebble (the Debian package is not installed)", () => {});

describe.if(hasPebble)("ACME with pebble:", () => {
  let dns: DnsServer;
  const dir = mkdtempSync(join(tmpdir(), "madmail-acme-"));
  const running: { dispose(): Promise<void> }[] = [];
  beforeAll(async () => {
    dns = await DnsServer.start({
      "relay.test": [{ type: "A", data: "127.0.0.1" }],
      "mta-sts.relay.test": [{ type: "CNAME", data: "relay.test" }],
      // Somebody else's machine: no name of the certificate.
      "www.relay.test": [{ type: "A", data: "192.0.2.7" }],
    });
  });
  afterEach(async () => {
    for (const each of running.splice(0).toReversed()) await each.dispose();
  });
  afterAll(() => {
    dns.stop();
    rmSync(dir, { recursive: true });
  });

  /** An authority that does not run yet, and the port where it will look for proofs. */
  async function authority(more: Partial<PebbleOptions> = {}) {
    const [http = 0] = await freePorts(1);
    const pebble = await Pebble.prepare({ dns: dns.endpoint, httpPort: http, ...more });
    running.push({ dispose: () => pebble.stop() });
    return { pebble, http };
  }

  async function acmeRelay(
    { pebble, http }: { pebble: Pebble; http: number },
    options: Pick<RelayOptions, "name" | "domain">,
    acme: Record<string, string | string[]> = {},
  ): Promise<Relay> {
    const relay = await Relay.start({
      ...options,
      ports: { http },
      config: {
        tls: { mode: "acme" },
        acme: { directory: pebble.directoryUrl, ca_file: pebble.caFile, ...acme },
        dns: { servers: [dns.endpoint] },
      },
    });
    running.push(relay);
    return relay;
  }

  test("self-signed until it answers; then renewed with the key kept, under open connections", async () => {
    const place = await authority();
    const { pebble } = place;
    const relay = await acmeRelay(place, { name: "acme-http" }, { email: "postmaster@relay.test" });
    await relay.until((output) => output.includes(FAILED));
    expect(await madmail(relay, "certificate", "status")).toMatchObject({
      data: { interim: true, selfSigned: true, acme: { failures: 1, lastFailure: { why: "unreachable" } } },
    });
    const early = await Session.open(relay);

    // One try, and then a pause that only an operator ends.
    await pebble.start();
    expect(await madmail(relay, "certificate", "renew")).toMatchObject({
      ok: false,
      error: expect.stringContaining("--force asks now"),
    });
    expect(await madmail(relay, "certificate", "renew", "--force")).toMatchObject({
      data: {
        outcome: "renewed",
        certificate: { names: expect.arrayContaining(["mta-sts.relay.test", "relay.test"]) },
      },
    });
    const root = await pebble.root();
    const first = await Session.open(relay, root);
    expect(first.names).toEqual(["mta-sts.relay.test", "relay.test"]);
    expect(first.publicKey).toBe(early.publicKey);
    expect(await early.noop()).toContain("OK");

    expect(await madmail(relay, "certificate", "get")).toMatchObject({ data: { outcome: "notDue" } });
    expect(await madmail(relay, "certificate", "renew", "--force")).toMatchObject({
      data: { outcome: "renewed" },
    });
    const second = await Session.open(relay, root);
    expect(second.fingerprint).not.toBe(first.fingerprint);
    expect(second.publicKey).toBe(first.publicKey);
    for (const session of [early, first]) expect(await session.noop()).toContain("OK");

    // Found again at the next start, and not asked for again.
    await relay.stop();
    await relay.restart();
    const afterStart = await Session.open(relay, root);
    expect(afterStart.fingerprint).toBe(second.fingerprint);
    expect(await madmail(relay, "certificate", "status")).toMatchObject({
      data: { interim: false, acme: { failures: 0, lastFailure: null, notBeforeMs: 0 } },
    });
    expect(pebble.issued).toBe(2);

    // A new key is the operator's decision.
    expect(await madmail(relay, "certificate", "regenerate")).toMatchObject({ ok: false });
    expect(await madmail(relay, "certificate", "regenerate", "--yes")).toMatchObject({
      data: { outcome: "renewed" },
    });
    const other = await Session.open(relay, root);
    expect(other.publicKey).not.toBe(first.publicKey);
    for (const file of readdirSync(join(relay.stateDir, "certs"))) {
      expect([file, statSync(join(relay.stateDir, "certs", file)).mode & 0o777]).toEqual([file, 0o600]);
    }
    expect(relay.leaks(["postmaster@relay.test"])).toEqual([]);
    for (const session of [early, first, second, afterStart, other]) session.close();

    await relay.stop();
    expect(await madmail(relay, "certificate", "status")).toMatchObject({
      data: { fingerprint: other.fingerprint.replaceAll(":", "").toLowerCase(), interim: false },
    });
    expect(await madmail(relay, "certificate", "renew", "--force")).toMatchObject({
      ok: false,
      error: expect.stringContaining("does not run"),
    });
  });

  test("turned on from the command line, and off again", async () => {
    const { pebble, http } = await authority();
    await pebble.start();
    const relay = await Relay.start({
      name: "acme-enable",
      ports: { http },
      config: {
        acme: { directory: pebble.directoryUrl, ca_file: pebble.caFile },
        dns: { servers: [dns.endpoint] },
      },
    });
    running.push(relay);
    expect(await madmail(relay, "autocert", "enable", "--email", "nonsense")).toMatchObject({ ok: false });
    const enabled = await madmail(
      relay,
      "autocert",
      "enable",
      "--email",
      "postmaster@relay.test",
      "--obtain",
    );
    expect(enabled).toMatchObject({ ok: true });
    const session = await Session.open(relay, await pebble.root());
    expect(session.names).toContain("relay.test");
    expect(await madmail(relay, "autocert", "disable")).toMatchObject({ data: { enabled: false } });
    expect(await madmail(relay, "certificate", "status")).toMatchObject({ data: { selfSigned: true } });
  });

  test("a directory that has forgotten the account gets it again", async () => {
    const place = await authority();
    await place.pebble.start();
    const relay = await acmeRelay(place, { name: "acme-forgotten" });
    await relay.until((output) => output.includes(OBTAINED), PATIENCE_MS);
    await place.pebble.restart();
    expect(await madmail(relay, "certificate", "renew", "--force")).toMatchObject({
      data: { outcome: "renewed" },
    });
    // Known by its key alone, as after a power cut between registering and writing it down.
    const [account = ""] = readdirSync(join(relay.stateDir, "certs")).filter((file) =>
      file.startsWith("account-"),
    );
    const path = join(relay.stateDir, "certs", account);
    const { url: _, ...rest } = JSON.parse(readFileSync(path, "utf8")) as { url: string };
    writeFileSync(path, JSON.stringify(rest));
    expect(await madmail(relay, "certificate", "renew", "--force")).toMatchObject({
      data: { outcome: "renewed" },
    });
  });

  test("short-lived certificates are renewed by themselves, in time, under an open connection", async () => {
    const place = await authority({ validitySec: 15 });
    await place.pebble.start();
    const relay = await acmeRelay(place, { name: "acme-short" });
    await relay.until((output) => output.includes(OBTAINED), PATIENCE_MS);
    const root = await place.pebble.root();
    const first = await Session.open(relay, root);
    await relay.until((output) => output.split(OBTAINED).length > 2, PATIENCE_MS);
    const second = await Session.open(relay, root);
    expect(second.fingerprint).not.toBe(first.fingerprint);
    expect(second.publicKey).toBe(first.publicKey);
    expect(await first.noop()).toContain("OK");
    expect(relay.output).not.toContain("certificateExpiring");
    for (const session of [first, second]) session.close();
  });

  test("an authority that asks for an external account", async () => {
    const hmacKey = randomBytes(32).toString("base64url");
    const place = await authority({ externalAccounts: { "kid-1": hmacKey } });
    await place.pebble.start();
    const file = join(dir, "eab-key");
    writeFileSync(file, `${hmacKey}\n`, { mode: 0o600 });
    const relay = await acmeRelay(
      place,
      { name: "acme-eab" },
      { eab_key_id: "kid-1", eab_hmac_key_file: file },
    );
    await relay.until((output) => output.includes(OBTAINED), PATIENCE_MS);
  });

  test("an IP address", async () => {
    const place = await authority();
    await place.pebble.start();
    const relay = await acmeRelay(place, { name: "acme-ip", domain: "[127.0.0.1]" });
    await relay.until((output) => output.includes(OBTAINED), PATIENCE_MS);
    const session = await Session.open(relay, await place.pebble.root(), "");
    expect(session.names).toEqual(["127.0.0.1"]);
    session.close();
  });

  describe("dns-01", () => {
    const records = ["_acme-challenge.relay.test", "_acme-challenge.mta-sts.relay.test"];
    const others = "somebody else's record";
    let zone: TextZone;
    beforeAll(() => {
      zone = new TextZone(dns, "relay.test");
    });

    /** A relay that proves its names so; it has a certificate at the end, and its records are gone. */
    async function proves(name: string, acme: Record<string, string | string[]>): Promise<void> {
      const place = await authority();
      await place.pebble.start();
      zone.set(records[0] ?? "", [others]);
      const settings = { challenge: "dns-01", dns_servers: [dns.endpoint], ...acme };
      const relay = await acmeRelay(place, { name: `acme-${name}` }, settings);
      await relay.until((output) => output.includes(OBTAINED), PATIENCE_MS);
      const session = await Session.open(relay, await place.pebble.root());
      expect(session.names).toEqual(["mta-sts.relay.test", "relay.test"]);
      session.close();
      expect(records.map((record) => zone.get(record))).toEqual([[others], []]);
      zone.set(records[0] ?? "", []);
      expect(
        relay.leaks(
          Object.values(acme)
            .flat()
            .filter((value) => value.includes("secret")),
        ),
      ).toEqual([]);
    }

    test("by Cloudflare, with its token from a file", async () => {
      const provider = cloudflareStandIn(zone, "relay.test", "secret-token");
      running.push({ dispose: () => provider.stop() });
      const file = join(dir, "cloudflare-token");
      writeFileSync(file, "secret-token\n", { mode: 0o600 });
      await proves("cloudflare", {
        dns_provider: "cloudflare",
        cloudflare_token_file: file,
        dns_api: `${provider.url}/client/v4`,
      });
      expect(provider.seen.filter((line) => line.startsWith("POST"))).toHaveLength(2);
      expect(provider.seen.filter((line) => / \d{3}$/.test(line))).toEqual([]);
    });

    test("by Route 53, each request signed", async () => {
      const keys = { id: "AKIDEXAMPLE", secret: "secret/of+the=key" };
      const provider = route53StandIn(zone, "relay.test", keys);
      running.push({ dispose: () => provider.stop() });
      await proves("route53", {
        dns_provider: "route53",
        aws_access_key_id: keys.id,
        aws_secret_access_key: keys.secret,
        dns_api: provider.url,
      });
      expect(provider.seen.filter((line) => / \d{3}$/.test(line))).toEqual([]);
    });

    test("by a program of the operator", async () => {
      const hook = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        fetch(request) {
          const [, action, name = "", value = ""] = new URL(request.url).pathname.split("/");
          const rest = zone.get(name).filter((each) => each !== value);
          zone.set(name, action === "present" ? [...rest, value] : rest);
          return new Response();
        },
      });
      running.push({ dispose: () => hook.stop(true) });
      const program = join(dir, "hook");
      writeFileSync(program, '#!/bin/sh\nexec curl -sf "$1/$2/$3/$4"\n', { mode: 0o700 });
      await proves("hook", { dns_provider: "hook", dns_hook: [program, hook.url.origin] });
    });

    test("a provider that refuses leaves the authority unasked, and the reason in the status", async () => {
      const provider = cloudflareStandIn(zone, "relay.test", "secret-token");
      running.push({ dispose: () => provider.stop() });
      const place = await authority();
      await place.pebble.start();
      const relay = await acmeRelay(
        place,
        { name: "acme-refused" },
        {
          challenge: "dns-01",
          dns_provider: "cloudflare",
          cloudflare_token: "another-token",
          dns_api: `${provider.url}/client/v4`,
        },
      );
      await relay.until((output) => output.includes(FAILED), PATIENCE_MS);
      expect(await madmail(relay, "certificate", "status")).toMatchObject({
        data: {
          interim: true,
          acme: {
            lastFailure: { why: "proofFailed", message: "Cloudflare: Invalid access token (9109)" },
          },
        },
      });
      expect(place.pebble.issued).toBe(0);
    });
  });
});

/** Runs a command on a relay. @returns its JSON answer */
async function madmail(relay: Relay, ...args: string[]): Promise<unknown> {
  const place = ["--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir];
  const { output } = await runMadmail([...args, ...place, "--json"]);
  try {
    return JSON.parse(output);
  } catch {
    return output;
  }
}

/** An IMAP connection, which shows the certificate it was opened with and whether it still lives. */
class Session {
  readonly names: string[];
  readonly fingerprint: string;
  readonly publicKey: string;
  readonly #socket: TLSSocket;

  private constructor(socket: TLSSocket) {
    const certificate: DetailedPeerCertificate = socket.getPeerCertificate(true);
    this.#socket = socket;
    this.fingerprint = certificate.fingerprint256;
    this.publicKey = (certificate.pubkey ?? Buffer.alloc(0)).toString("base64");
    this.names = (certificate.subjectaltname ?? "")
      .split(", ")
      .map((name) => name.replace(/^(DNS|IP Address):/, ""))
      .toSorted();
  }

  /** @param root what the certificate must lead to; without it any will do. @throws {Error} when it does not */
  static async open(relay: Relay, root?: string, servername = "relay.test"): Promise<Session> {
    const trust = root === undefined ? { rejectUnauthorized: false } : { ca: root };
    const name = servername === "" ? {} : { servername };
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = connect({ host: "127.0.0.1", port: relay.ports.imaps, ...name, ...trust }, resolve);
    socket.on("error", reject);
    await promise;
    const session = new Session(socket);
    await session.#line();
    return session;
  }

  async noop(): Promise<string> {
    this.#socket.write("a NOOP\r\n");
    return this.#line();
  }

  close(): void {
    this.#socket.destroy();
  }

  async #line(): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const onClose = () => reject(new Error("the connection was closed"));
    this.#socket.once("data", (bytes: Buffer) => resolve(bytes.toString()));
    this.#socket.once("close", onClose);
    try {
      return await promise;
    } finally {
      this.#socket.off("close", onClose);
    }
  }
}
