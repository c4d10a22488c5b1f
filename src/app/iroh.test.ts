import { newTrafficBook } from "../net/traffic.ts";
import { afterEach, expect, test } from "bun:test";
import { type Config, resolveConfig } from "../config/config.ts";
import { configSchema } from "../config/schema.ts";
import { systemClock } from "../core/clock.ts";
import type { Event, Log } from "../log/events.ts";
import { ConnectionLimits } from "../net/connection-limits.ts";
import { HttpBackend } from "../net/http-backend.ts";
import { IrohClient } from "../../test/support/iroh-client.ts";
import { IrohService, type SitePlaces } from "./iroh.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function configOf(top: object, iroh: object = {}): Config {
  return resolveConfig(configSchema.parse({ domains: ["relay.example"], state_dir: ".", ...top, iroh }));
}

/** Settings as the database would hold them. */
class FakeSettings {
  readonly values = new Map<string, string>();
  get(key: string): string | undefined {
    return this.values.get(key);
  }
  flag(key: string): boolean | undefined {
    const value = this.get(key);
    return value === undefined ? undefined : value === "true";
  }
}

async function start(config: Config, places: SitePlaces, settings = new FakeSettings()) {
  const events: Event[] = [];
  const log: Log = { emit: (event) => events.push(event), counts: () => new Map() };
  const service = new IrohService({ config, settings, clock: systemClock, log });
  const limits = new ConnectionLimits({ total: 10, perAddress: 10 });
  const http = new HttpBackend<undefined>({ fetch: () => new Response("the site") });
  await http.start();
  cleanups.push(() => http.stop());
  await service.start({ limits, http, traffic: newTrafficBook(), places: () => places });
  cleanups.push(() => service.stop());
  return { service, events };
}

test.each<[string, object, object, SitePlaces, string | undefined]>([
  ["a public certificate", {}, {}, { http: 80, https: 443, trusted: true }, "https://relay.example"],
  ["another https port", {}, {}, { http: 80, https: 8443, trusted: true }, "https://relay.example:8443"],
  ["a self-signed certificate", {}, {}, { http: 80, https: 443, trusted: false }, "http://relay.example"],
  ["another http port", {}, {}, { http: 2080, https: 443, trusted: false }, "http://relay.example:2080"],
  ["no https", {}, {}, { http: 80, https: undefined, trusted: true }, "http://relay.example"],
  ["no http either", {}, {}, { http: undefined, https: 443, trusted: false }, undefined],
  ["the relay off", {}, { enabled: false }, { http: 80, https: 443, trusted: true }, undefined],
  [
    "a URL of its own",
    {},
    { url: "https://iroh.example:8443" },
    { http: 80, https: 443, trusted: false },
    "https://iroh.example:8443",
  ],
  [
    "an IP relay",
    { domains: ["[192.0.2.1]"] },
    {},
    { http: 80, https: 443, trusted: false },
    "http://192.0.2.1",
  ],
  [
    "an IPv6 address",
    { public_address: "2001:db8::1" },
    {},
    { http: 81, https: 443, trusted: false },
    "http://[2001:db8::1]:81",
  ],
])("with %s clients are told what they can use", async (_, top, iroh, places, url) => {
  const { service } = await start(configOf(top, iroh), places);
  expect(service.url()).toBe(url);
});

test("nothing is told before the start", () => {
  const log: Log = { emit() {}, counts: () => new Map() };
  const parts = { config: configOf({}), settings: new FakeSettings(), clock: systemClock, log };
  expect(new IrohService(parts).url()).toBeUndefined();
});

test("its own port serves the relay and nothing else, and is told where the site has no clear port", async () => {
  const config = configOf({ public_address: "127.0.0.1" }, { listen: ["127.0.0.1:0"] });
  const { service, events } = await start(config, { http: undefined, https: 443, trusted: false });
  const url = new URL(service.url() ?? "");
  const client = await IrohClient.connect({ family: "legacy", port: Number(url.port) });
  expect(service.status().legacyEndpoints).toBe(1);
  expect((await fetch(url)).status).toBe(404);
  expect((await fetch(new URL("/ping", url))).status).toBe(200);
  await service.stop();
  await client.link.closed;
  expect(events.find((event) => event.kind === "notice")).toMatchObject({
    text: expect.stringContaining("iroh relay: clients 1"),
  });
});

test("a reload turns it off and on, and says what needs a start", async () => {
  const { service } = await start(configOf({}), { http: 80, https: 443, trusted: false });
  expect(service.reconfigure(configOf({}, { enabled: false }))).toBeUndefined();
  expect(service.url()).toBeUndefined();
  expect(service.reconfigure(configOf({}, { listen: ["127.0.0.1:0"] }))).toBe(
    "iroh.listen changed: takes effect at the next start",
  );
  expect(service.url()).toBe("http://relay.example");
});

test("settings made at run time win", async () => {
  const settings = new FakeSettings();
  const config = configOf({}, { enabled: false });
  const { service } = await start(config, { http: 80, https: 443, trusted: false }, settings);
  expect(service.url()).toBeUndefined();
  settings.values.set("__IROH_ENABLED__", "true");
  service.reconfigure(config);
  expect(service.url()).toBe("http://relay.example");
  settings.values.set("__IROH_RELAY_URL__", "https://elsewhere.example");
  expect(service.url()).toBe("https://elsewhere.example");
  settings.values.set("__IROH_RELAY_URL__", "no URL");
  expect(service.url()).toBe("http://relay.example");
});
