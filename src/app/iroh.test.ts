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

async function start(config: Config, places: SitePlaces) {
  const events: Event[] = [];
  const log: Log = { emit: (event) => events.push(event), counts: () => new Map() };
  const service = new IrohService({ config, clock: systemClock, log });
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
  const parts = { config: configOf({}), clock: systemClock, log };
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

test("a reload turns it off and on, and moves its own ports", async () => {
  const top = { public_address: "127.0.0.1" };
  const { service } = await start(configOf(top), { http: undefined, https: 443, trusted: false });
  expect(await service.reconfigure(configOf(top, { enabled: false }))).toBeUndefined();
  expect(service.url()).toBeUndefined();
  expect(await service.reconfigure(configOf(top, { listen: ["127.0.0.1:0"] }))).toBeUndefined();
  const [bound = ""] = service.bound();
  expect(service.url()).toBe(`http://${bound}`);
  expect(await service.reconfigure(configOf(top))).toBeUndefined();
  expect(service.bound()).toEqual([]);
});

test("a port that can't be had leaves the one it has", async () => {
  const holder = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  cleanups.push(() => holder.stop(true));
  const had = configOf({}, { listen: ["127.0.0.1:0"] });
  const { service } = await start(had, { http: 80, https: 443, trusted: false });
  const before = service.bound();
  const kept = await service.reconfigure(configOf({}, { listen: [`127.0.0.1:${holder.port}`] }));
  expect(kept?.notice).toStartWith(`iroh listens where it did: cannot listen on 127.0.0.1:${holder.port}`);
  expect(kept?.config.iroh.listen).toEqual(had.iroh.listen);
  expect(service.bound()).toEqual(before);
});
