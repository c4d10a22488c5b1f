import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { cpSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Authority } from "../../test/support/authority.ts";
import { type Config, resolveConfig } from "../config/config.ts";
import { configSchema } from "../config/schema.ts";
import { ManualClock } from "../core/clock.ts";
import type { DnsResult } from "../dns/resolver.ts";
import type { Event } from "../log/events.ts";
import { TlsMaterialStore } from "../tls/material.ts";
import { tlsSource } from "../tls/source.ts";
import { Certificates } from "./certificates.ts";

const root = await mkdtemp(join(tmpdir(), "madmail-certificates-"));
afterAll(() => rm(root, { recursive: true }));

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START_MS = 1_790_000_000_000;

/** Time that passes by itself where somebody waits for less than a minute: for an order, that is. */
class HastyClock extends ManualClock {
  override after(delayMs: number, work: () => void) {
    if (delayMs > 30_000) return super.after(delayMs, work);
    const timer = setImmediate(() => {
      this.advance(delayMs);
      work();
    });
    return () => clearImmediate(timer);
  }
}

let clock: HastyClock;
let authority: Authority;
let stateDir: string;
let running: Certificates[] = [];
let events: Event[] = [];
let addresses: Record<string, string[]>;
let trouble: Set<string>;

beforeEach(async () => {
  clock = new HastyClock(START_MS);
  stateDir = await mkdtemp(join(root, "state-"));
  events = [];
  addresses = { "a.example": ["192.0.2.1"], "mta-sts.a.example": ["192.0.2.1"] };
  trouble = new Set();
  authority = await Authority.start({
    validity: () => ({ notBeforeMs: clock.nowMs() - HOUR_MS, notAfterMs: clock.nowMs() + 90 * DAY_MS }),
    date: () => new Date(clock.nowMs()),
  });
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
  await authority.stop();
});

const resolver = {
  a: async (name: string): Promise<DnsResult<string>> => {
    if (trouble.has(name)) return { kind: "trouble", why: "timeout" };
    const records = addresses[name];
    return records === undefined ? { kind: "noName" } : { kind: "found", records };
  },
  aaaa: async (): Promise<DnsResult<string>> => ({ kind: "noData" }),
  mx: async (): Promise<DnsResult<never>> => ({ kind: "noData" }),
  txt: async (): Promise<DnsResult<never>> => ({ kind: "noData" }),
};

function configOf(over: { hostname?: string; mode?: string; acme?: object } = {}): Config {
  const { hostname = "a.example", mode = "acme", acme = {} } = over;
  const file = configSchema.parse({
    state_dir: stateDir,
    hostname,
    domains: [hostname],
    tls: { mode },
    acme,
  });
  const config = resolveConfig(file);
  // Authorities speak HTTPS only; this one is in our hands.
  return { ...config, acme: { ...config.acme, directory: authority.directoryUrl } };
}

async function open(config = configOf()) {
  const tls = new TlsMaterialStore(tlsSource(config), clock);
  await tls.load();
  const log = { emit: (event: Event) => void events.push(event), counts: () => new Map<string, number>() };
  const certificates = new Certificates({ config, tls, resolver, clock, log, random: () => 0.5 });
  running.push(certificates);
  return { certificates, tls };
}

const kinds = () => events.map(({ kind }) => kind);

describe("an order", () => {
  test("brings a certificate for the key that was there, and none is asked for again until it is due", async () => {
    const { certificates, tls } = await open();
    const { key } = tls.current();
    expect((await certificates.status()).interim).toBe(true);
    expect(await certificates.renew()).toMatchObject({ do: "renewed" });
    expect(tls.current().key).toBe(key);
    expect(tls.facts()).toMatchObject({ selfSigned: false, names: ["a.example", "mta-sts.a.example"] });
    expect(await certificates.renew()).toMatchObject({ do: "notDue" });
    clock.advance(55 * DAY_MS);
    expect(await certificates.renew()).toMatchObject({ do: "notDue" });
    clock.advance(5 * DAY_MS + HOUR_MS);
    const { fingerprint } = tls.facts();
    expect(await certificates.renew()).toMatchObject({ do: "renewed" });
    expect(tls.facts().fingerprint).not.toBe(fingerprint);
    expect(tls.current().key).toBe(key);
    expect([authority.orders.length, authority.accounts]).toEqual([2, 1]);
  });

  test("is placed in time for certificates of six days", async () => {
    authority.rules.profiles = { classic: "", shortlived: "" };
    authority.rules.validity = () => ({ notBeforeMs: clock.nowMs(), notAfterMs: clock.nowMs() + 6 * DAY_MS });
    const { certificates, tls } = await open(configOf({ hostname: "[192.0.2.1]" }));
    expect(await certificates.renew()).toMatchObject({ do: "renewed" });
    expect(authority.orders).toEqual([{ names: ["192.0.2.1"], profile: "shortlived" }]);
    for (let hour = 0; hour < 20 * 24; hour++) {
      clock.advance(HOUR_MS);
      await certificates.renew();
      expect(tls.facts().notAfterMs - clock.nowMs()).toBeGreaterThan(1.9 * DAY_MS);
    }
    expect(authority.orders.length).toBeLessThanOrEqual(6);
  });

  test("follows a rehearsal at once when it is over, and what that brought counts as untrusted", async () => {
    authority.rules.issuer = "(STAGING) Test authority";
    const { certificates, tls } = await open();
    await certificates.renew();
    expect(tls.facts()).toMatchObject({ selfSigned: false, trusted: false });
    authority.rules.issuer = "Test authority";
    expect(await certificates.renew()).toMatchObject({ do: "renewed", facts: { trusted: true } });
    expect(await certificates.renew()).toMatchObject({ do: "notDue" });
  });

  test("with a profile that is not offered is not placed", async () => {
    const { certificates } = await open(configOf({ acme: { profile: "tlsserver" } }));
    expect(await certificates.renew()).toMatchObject({
      do: "failed",
      message: expect.stringContaining("tlsserver"),
    });
    expect(authority.orders).toEqual([]);
  });

  test("with a new key changes both, together", async () => {
    const { certificates, tls } = await open();
    await certificates.renew();
    const { key } = tls.current();
    expect(await certificates.renew({ force: true, newKey: true })).toMatchObject({ do: "renewed" });
    expect(tls.current().key).not.toBe(key);
  });

  test("by two at once is one order", async () => {
    const { certificates } = await open();
    const results = await Promise.all([certificates.renew(), certificates.renew({ force: true })]);
    expect(results.map((each) => each.do)).toEqual(["renewed", "renewed"]);
    expect(authority.orders.length).toBe(1);
  });

  test("is not for relays whose certificate comes from elsewhere", async () => {
    const { certificates } = await open(configOf({ mode: "self-signed" }));
    expect(await certificates.renew({ force: true })).toEqual({ do: "notAcme" });
  });
});

describe("after a failure", () => {
  test("the authority's time is kept, across a restart, and only an operator breaks it", async () => {
    authority.rules.refusal = {
      status: 429,
      type: "rateLimited",
      detail: "too many certificates",
      headers: { "Retry-After": String((30 * HOUR_MS) / 1000) },
    };
    const { certificates, tls } = await open();
    const failed = await certificates.renew();
    expect(failed).toMatchObject({ do: "failed", why: "rateLimited" });
    expect(tls.facts().selfSigned).toBe(true);
    authority.rules.refusal = undefined;
    clock.advance(29 * HOUR_MS);
    const again = await open();
    expect(await again.certificates.renew()).toMatchObject({
      do: "waiting",
      message: "too many certificates (rateLimited)",
    });
    expect(authority.orders.length).toBe(1);
    expect(await again.certificates.renew({ force: true })).toMatchObject({ do: "renewed" });
    expect(kinds()).toEqual(["certificateFailed", "certificateObtained"]);
  });

  test("pauses grow, and an authority hears little of a relay that never succeeds", async () => {
    authority.rules.refusal = { status: 403, type: "rejectedIdentifier" };
    const { certificates } = await open();
    certificates.start();
    for (let minute = 0; minute < 3 * 24 * 60; minute += 5) {
      clock.advance(5 * 60_000);
      await certificates.renew();
    }
    await certificates.stop();
    expect(authority.orders.length).toBeGreaterThan(5);
    expect(authority.orders.length).toBeLessThan(25);
  });

  test("a relay that died in the middle of an order waits at its next start", async () => {
    const snapshot = await mkdtemp(join(root, "killed-"));
    authority.rules.beforeChain = () => cpSync(stateDir, snapshot, { recursive: true });
    const first = await open();
    expect(await first.certificates.renew()).toMatchObject({ do: "renewed" });
    stateDir = snapshot;
    const { certificates } = await open();
    expect(await certificates.renew()).toMatchObject({
      do: "waiting",
      message: "the last order was interrupted",
    });
    expect(authority.orders.length).toBe(1);
  });

  test("a stop in the middle of an order is none: the next start asks again", async () => {
    const first = await open();
    let stopped: Promise<void> | undefined;
    authority.rules.beforeChain = () => {
      stopped = first.certificates.stop();
    };
    expect(await first.certificates.renew()).toMatchObject({ do: "failed" });
    await stopped;
    authority.rules.beforeChain = () => {};
    const { certificates } = await open();
    expect((await certificates.status()).acme).toMatchObject({ failures: 0, notBeforeMs: 0 });
    expect(await certificates.renew()).toMatchObject({ do: "renewed" });
    expect(kinds()).toEqual(["certificateObtained"]);
  });

  test("an optional name that can't be proved is left out of the next order, the host name never", async () => {
    authority.rules.unproved = new Set(["mta-sts.a.example"]);
    const { certificates, tls } = await open();
    const failed = await certificates.renew();
    expect(failed).toMatchObject({ do: "failed", why: "challengeFailed" });
    clock.advance(61_000);
    expect(await certificates.renew()).toMatchObject({ do: "renewed" });
    expect(tls.facts().names).toEqual(["a.example"]);
    expect((await certificates.status()).acme?.leftOut).toEqual(["mta-sts.a.example"]);
    expect(await certificates.renew()).toMatchObject({ do: "notDue" });
    // A week later it may have been mended.
    authority.rules.unproved = new Set();
    clock.advance(8 * DAY_MS);
    expect(await certificates.renew()).toMatchObject({ do: "renewed" });
    expect(tls.facts().names).toEqual(["a.example", "mta-sts.a.example"]);
    authority.rules.unproved = new Set(["a.example"]);
    expect(await certificates.renew({ force: true })).toMatchObject({ do: "failed" });
    expect((await certificates.status()).acme?.leftOut).toEqual([]);
  });

  test("a changed configuration is tried at once", async () => {
    const { certificates } = await open(configOf({ acme: { profile: "wrong" } }));
    expect(await certificates.renew()).toMatchObject({ do: "failed" });
    expect(await certificates.renew()).toMatchObject({ do: "waiting" });
    await certificates.reconfigure(configOf());
    expect(await certificates.renew()).toMatchObject({ do: expect.stringMatching(/renewed|notDue/) });
  });

  test("a disk that takes nothing means no order", async () => {
    const { certificates } = await open();
    // Root may write anywhere: the place of the note is taken by a directory.
    await Bun.write(join(stateDir, "certs", "orders.json.tmp", "x"), "");
    expect(await certificates.renew()).toMatchObject({ do: "failed", why: "storageFailed" });
    expect(authority.orders).toEqual([]);
    expect(await certificates.renew()).toMatchObject({ do: "waiting" });
    expect(kinds()).toContain("storageTrouble");
  });
});

describe("names", () => {
  test("without an address ask no authority", async () => {
    addresses = {};
    const { certificates } = await open();
    expect(await certificates.renew()).toMatchObject({
      do: "failed",
      message: "a.example: the DNS has no address for it; add an A or AAAA record",
    });
    expect(authority.orders).toEqual([]);
  });

  test("that lead elsewhere are left out; one that comes to lead here brings a new order", async () => {
    addresses["www.a.example"] = ["198.51.100.9"];
    const { certificates, tls } = await open();
    await certificates.renew();
    expect(tls.facts().names).toEqual(["a.example", "mta-sts.a.example"]);
    addresses["www.a.example"] = ["192.0.2.1"];
    expect(await certificates.renew()).toMatchObject({ do: "renewed" });
    expect(tls.facts().names.toSorted()).toEqual(["a.example", "mta-sts.a.example", "www.a.example"]);
  });

  test("stay while nobody knows where they lead, and bring no order when they are gone", async () => {
    const { certificates, tls } = await open();
    await certificates.renew();
    trouble.add("mta-sts.a.example");
    await certificates.renew({ force: true });
    expect(tls.facts().names).toEqual(["a.example", "mta-sts.a.example"]);
    trouble.clear();
    delete addresses["mta-sts.a.example"];
    expect(await certificates.renew()).toMatchObject({ do: "notDue" });
  });
});

describe("the operator hears", () => {
  test("of a certificate that runs out, once a day, as long as it does", async () => {
    const { certificates } = await open();
    await certificates.renew();
    authority.rules.refusal = { status: 500, type: "serverInternal" };
    certificates.start();
    const daysUntilAlarm = 72;
    for (let hour = 0; hour < (daysUntilAlarm + 3) * 24; hour++) {
      clock.advance(HOUR_MS);
      await certificates.renew();
      for (let turn = 0; turn < 5; turn++) await Bun.sleep(0);
    }
    const alarms = events.flatMap((event) => (event.kind === "certificateExpiring" ? [event.hoursLeft] : []));
    expect(alarms.length).toBeGreaterThanOrEqual(2);
    expect(alarms.length).toBeLessThanOrEqual(4);
    expect(alarms[0]).toBeLessThanOrEqual(18 * 24);
  });

  test("of a clock that is wrong, once", async () => {
    authority.rules.date = () => new Date(clock.nowMs() + 3 * HOUR_MS);
    const { certificates } = await open();
    await certificates.renew();
    const notices = events.flatMap((event) => (event.kind === "notice" ? [event.text] : []));
    expect(notices).toEqual(["this machine's clock is 180 minutes behind the certificate authority's"]);
    expect((await certificates.status()).clockAheadMs).toBeLessThan(-2.9 * HOUR_MS);
  });
});

describe("the pair on disk", () => {
  test("of the time before ACME goes on with its key", async () => {
    const before = await open(configOf({ mode: "self-signed" }));
    const { key } = before.tls.current();
    const { certificates, tls } = await open();
    expect(tls.current().key).toBe(key);
    await certificates.renew();
    expect(tls.current().key).toBe(key);
  });

  test("is made again when the chain is damaged", async () => {
    const first = await open();
    await first.certificates.renew();
    await writeFile(join(stateDir, "certs", "fullchain.pem"), "garbage");
    const { certificates, tls } = await open();
    expect(tls.facts().selfSigned).toBe(true);
    expect(await certificates.renew()).toMatchObject({ do: "renewed" });
    expect(tls.current().key).toBe(first.tls.current().key);
  });

  test("is not touched by a reload in the middle of an order, and the one in use stays", async () => {
    const { certificates, tls } = await open();
    await certificates.renew();
    const before = tls.facts().fingerprint;
    const reloads: Promise<unknown>[] = [];
    authority.rules.beforeChain = () => {
      for (let i = 0; i < 5; i++) reloads.push(certificates.reconfigure(configOf()));
    };
    expect(await certificates.renew({ force: true, newKey: true })).toMatchObject({ do: "renewed" });
    expect(await Promise.all(reloads)).toHaveLength(5);
    expect(tls.facts()).toMatchObject({ selfSigned: false });
    expect(tls.facts().fingerprint).not.toBe(before);
    expect((await tls.reload()).do).toBe("unchanged");
  });

  test("is kept when its files are damaged under a running relay", async () => {
    const { certificates, tls } = await open();
    await certificates.renew();
    const before = tls.current();
    await writeFile(join(stateDir, "certs", "fullchain.pem"), "garbage");
    expect(await certificates.reconfigure(configOf())).toContain("certificate not replaced");
    expect(tls.current()).toBe(before);
  });

  test("of an RSA key brought along is renewed for that key", async () => {
    const { privateKey: key } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    await Bun.write(join(stateDir, "certs", "privkey.pem"), key);
    await chmod(join(stateDir, "certs", "privkey.pem"), 0o600);
    const { certificates, tls } = await open();
    expect(await certificates.renew()).toMatchObject({ do: "renewed" });
    expect(tls.current().key).toBe(key);
    expect(await readFile(join(stateDir, "certs", "privkey.pem"), "utf8")).toBe(key);
  });
});
