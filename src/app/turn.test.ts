/** What the configuration means for TURN, and what clients are told. */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configFromText } from "../config/read.ts";
import type { Config } from "../config/config.ts";
import { ManualClock } from "../core/clock.ts";
import { ConnectionLimits } from "../net/connection-limits.ts";
import { methods } from "../turn/engine/stun.ts";
import type { LocalAddress } from "../turn/sockets.ts";
import { allocateRequest, readAnswer, request, type RequestOptions } from "../turn/turn-client.test-help.ts";
import { relayAddress, TurnService } from "./turn.ts";

const START_MS = 1_758_000_000_000;
const undo: (() => unknown)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

function stateDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "madmail-turn-"));
  undo.push(() => rmSync(dir, { recursive: true }));
  return dir;
}

function configOf(turn: string, top = 'domains = ["relay.test"]', dir = stateDir()): Config {
  return configFromText(`${top}\nstate_dir = ${JSON.stringify(dir)}\n[turn]\n${turn}`, "m.toml");
}

function serviceOf(config: Config, clock = new ManualClock(START_MS)): TurnService {
  const service = new TurnService({
    config,
    getTls: () => ({ key: "", cert: "" }),
    limits: new ConnectionLimits({ total: 10, perAddress: 10 }),
    log: { emit() {}, counts: () => new Map() },
    clock,
  });
  undo.push(() => service.stop());
  return service;
}

const LISTEN = 'listen = ["127.0.0.1:0"]';

describe("METADATA", () => {
  test("is HOST:PORT:TS:PASSWORD once TURN listens, and nothing before or after", async () => {
    const service = serviceOf(configOf(`${LISTEN}\nsecret = "test-secret-of-16"`));
    expect(service.metadata()).toBeUndefined();
    const { turn } = await service.start();
    const port = turn[0]?.split(":")[1];
    const expiry = START_MS / 1000 + 5 * 86_400;
    expect(service.metadata()).toMatch(new RegExp(`^relay\\.test:${port}:${expiry}:[A-Za-z0-9+/]{27}=$`));
    await service.stop();
    expect(service.metadata()).toBeUndefined();
  });

  for (const [name, top, host] of [
    ["a domain", 'domains = ["relay.test"]', "relay.test"],
    ["an IP relay, bare", 'domains = ["[127.0.0.1]"]', "127.0.0.1"],
    ["its public address", 'domains = ["relay.test"]\npublic_address = "192.0.2.7"', "192.0.2.7"],
    [
      "nothing for IPv6 literals, which the core would split",
      'hostname = "[ipv6:::1]"\ndomains = ["relay.test"]',
      undefined,
    ],
  ] as const) {
    test(`names ${name}`, async () => {
      const service = serviceOf(configOf(LISTEN, top));
      await service.start();
      expect(service.metadata()?.split(":")[0]).toBe(host);
    });
  }

  test("has the password that coturn's scheme gives", async () => {
    const service = serviceOf(configOf(`${LISTEN}\nsecret = "0123456789abcdef"`));
    await service.start();
    const [, , username = "", password = ""] = (service.metadata() ?? "").split(":");
    const hmac = new Bun.CryptoHasher("sha1", "0123456789abcdef").update(username).digest("base64");
    expect(password).toBe(hmac);
  });
});

test("the secret is made once, for the owner only, and kept", async () => {
  const dir = stateDir();
  const secrets: string[] = [];
  for (let i = 0; i < 2; i++) {
    const service = serviceOf(configOf(LISTEN, 'domains = ["relay.test"]', dir));
    await service.start();
    await service.stop();
    secrets.push(readFileSync(join(dir, "turn-secret"), "utf8"));
  }
  expect(secrets[0]).toBe(secrets[1] ?? "");
  expect(secrets[0]?.trim()).toMatch(/^[\w-]{43}$/);
  expect(statSync(join(dir, "turn-secret")).mode & 0o777).toBe(0o600);
});

test("a reload turns it off and on, and takes limits while it runs", async () => {
  const dir = stateDir();
  const of = (turn: string) => configOf(`${LISTEN}\n${turn}`, 'domains = ["relay.test"]', dir);
  const service = serviceOf(of(""));
  await service.start();
  const before = service.metadata()?.split(":")[1];
  expect(await service.reconfigure(of("allocations = 5"))).toBeUndefined();
  expect(service.metadata()?.split(":")[1]).toBe(before);
  expect(await service.reconfigure(of("enabled = false"))).toBeUndefined();
  expect(service.metadata()).toBeUndefined();
  expect(service.facts()).toBeUndefined();
  expect(await service.reconfigure(of("enabled = true"))).toBeUndefined();
  expect(service.metadata()).toBeString();
  const taken = Number(service.metadata()?.split(":")[1]);
  const other = await Bun.udpSocket({ hostname: "127.0.0.1" });
  undo.push(() => other.close());
  const unusable = configOf(
    `listen = ["127.0.0.1:${other.port}"]\nrelay_port_min = 1\nrelay_port_max = 2`,
    undefined,
    dir,
  );
  expect(taken).toBeGreaterThan(0);
  const kept = await service.reconfigure(unusable);
  expect(kept?.notice).toStartWith("turn listens where it did: cannot listen");
  expect(kept?.config.turn.listen).toEqual(of("").turn.listen);
  expect(Number(service.metadata()?.split(":")[1])).toBe(taken);
  await service.reconfigure(of("enabled = false"));
  expect((await service.reconfigure(unusable))?.notice).toStartWith("turn is off: cannot listen");
  expect(service.metadata()).toBeUndefined();
});

/** One client with one call. */
async function call(service: TurnService) {
  const [, port, username = "", password = ""] = (service.metadata() ?? "").split(":");
  const answers: ((bytes: Uint8Array) => void)[] = [];
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: { data: (_socket, bytes) => answers.shift()?.(Uint8Array.from(bytes)) },
  });
  undo.push(() => socket.close());
  const login = { username, password, realm: "relay.test" };
  const ask = async (make: (options: RequestOptions) => Uint8Array, options: RequestOptions) => {
    const heard = new Promise<Uint8Array>((resolve) => answers.push(resolve));
    socket.send(make(options), Number(port), "127.0.0.1");
    return readAnswer(await heard);
  };
  const { nonce } = await ask(allocateRequest, {});
  return {
    allocate: () => ask(allocateRequest, { login, nonce }),
    refresh: () => ask((options) => request(methods.refresh, options), { login, nonce }),
  };
}

test("turned off, calls go on and no new ones come, until the limit cuts them", async () => {
  const dir = stateDir();
  const clock = new ManualClock(START_MS);
  const base = `${LISTEN}\nallow_private_peers = true\nrelay_addresses = ["127.0.0.1"]`;
  const of = (turn: string) => configOf(`${base}\n${turn}`, 'domains = ["relay.test"]', dir);
  const service = serviceOf(of(""), clock);
  await service.start();
  const one = await call(service);
  const two = await call(service);
  expect((await one.allocate()).status).toBe(0);
  await service.reconfigure(of("enabled = false"));
  expect([service.metadata(), service.endingAllocations]).toEqual([undefined, 1]);
  expect((await one.refresh()).status).toBe(0);
  expect((await two.allocate()).status).toBe(486);
  await service.reconfigure(of("enabled = true"));
  expect([service.endingAllocations, service.facts()?.allocations]).toEqual([0, 1]);
  expect((await two.allocate()).status).toBe(0);
  await service.reconfigure(of("enabled = false"));
  clock.advance(10 * 60_000);
  expect(service.endingAllocations).toBe(0);
});

test("off by configuration it makes no secret and binds nothing", async () => {
  const dir = stateDir();
  const service = serviceOf(configOf("enabled = false", undefined, dir));
  expect(await service.start()).toEqual({ turn: [], turns: [] });
  expect(() => statSync(join(dir, "turn-secret"))).toThrow();
});

describe("the relayed address", () => {
  const outer = (address: string): LocalAddress => ({
    address,
    family: address.includes(":") ? 6 : 4,
    isInner: false,
  });
  const lan = [outer("192.168.1.5"), outer("fd00::5")];
  const server = [outer("10.0.0.2"), outer("93.184.216.34"), outer("2a01:4f8::1")];
  const domain = 'domains = ["relay.test"]';

  for (const [name, top, turn, local, resolved, v4, v6] of [
    [
      "is what the operator says",
      domain,
      'relay_addresses = ["192.0.2.1"]',
      server,
      undefined,
      "192.0.2.1",
      undefined,
    ],
    ["is a public one of the machine", domain, "", server, undefined, "93.184.216.34", "2a01:4f8::1"],
    [
      "is the IP relay's name",
      'domains = ["[192.0.2.7]"]',
      "",
      server,
      undefined,
      "192.0.2.7",
      "2a01:4f8::1",
    ],
    [
      "is the public address",
      `${domain}\npublic_address = "192.0.2.8"`,
      "",
      lan,
      undefined,
      "192.0.2.8",
      "fd00::5 (guess)",
    ],
    [
      "is private until the name resolves",
      domain,
      "",
      lan,
      undefined,
      "192.168.1.5 (guess)",
      "fd00::5 (guess)",
    ],
    [
      "behind a NAT is what the name resolves to",
      domain,
      "",
      lan.slice(0, 1),
      "192.0.2.9",
      "192.0.2.9",
      undefined,
    ],
    ["is the listener's own", domain, 'listen = ["127.0.0.1:3478"]', lan, undefined, "127.0.0.1", undefined],
  ] as const) {
    test(name, () => {
      const text = (family: 4 | 6, answer: string | undefined) => {
        const { address, isGuess } = relayAddress(configOf(turn, top), family, local, answer);
        return isGuess ? `${address} (guess)` : address;
      };
      expect([text(4, resolved), text(6, undefined)]).toEqual([v4, v6]);
    });
  }
});

describe("[turn]", () => {
  for (const [name, turn, message] of [
    [
      "a range that is upside down",
      "relay_port_min = 60000\nrelay_port_max = 50000",
      "turn: relay_port_min 60000",
    ],
    ["a listener inside the range", 'listen = ["0.0.0.0:50000"]', "turn.listen: port 50000 is inside"],
    [
      "two addresses of a family",
      'relay_addresses = ["192.0.2.1", "192.0.2.2"]',
      "turn.relay_addresses: expected one",
    ],
    ["a name as relayed address", 'relay_addresses = ["relay.test"]', "turn.relay_addresses: expected one"],
    ["a short secret", 'secret = "short"', "turn.secret"],
  ] as const) {
    test(`refuses ${name}`, () => {
      expect(() => configOf(turn)).toThrow(message);
    });
  }
});
