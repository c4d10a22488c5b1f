/**
 * Two relays and a name server of their own: people on both write to each other with Delta Chat's core, by HTTPS, by
 * SMTP, while one relay is away, and between relays that have only an IP address.
 */
import { createPublicKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { T } from "@deltachat/jsonrpc-client";
import { Core, type Profile } from "../support/delta-chat.ts";
import { DnsServer } from "../support/dns-server.ts";
import { freePort } from "../support/free-port.ts";
import { sha256, writeRandomFile } from "../support/random-file.ts";
import { Relay, type RelayOptions } from "../support/relay.ts";

const SCENE_TIMEOUT_MS = 120_000;
const FILE_BYTES = 15 * 1024 * 1024;
const [HERE, THERE] = ["127.0.0.1", "127.0.0.2"] as const;

/** Both relays use the same three ports, as they would on machines of their own. */
interface Ports {
  https: number;
  http: number;
  smtp: number;
}

function freePorts(): Ports {
  const [https = 0, http = 0, smtp = 0] = Array.from({ length: 3 }, () => freePort([HERE, THERE]));
  return { https, http, smtp };
}

/** A port where nobody listens is as good as a firewall, and answers at once. */
const blocked = { https_port: 1, http_port: 1 };

function startRelay(
  name: string,
  domain: string,
  address: string,
  dns: DnsServer,
  ports: Ports,
): Promise<Relay> {
  const options: RelayOptions = {
    name,
    domain,
    address,
    ports,
    config: {
      dns: { servers: [dns.endpoint] },
      federation: federation(ports),
      queue: { retry_first: "1s", retry_factor: 1, per_destination: 1 },
    },
  };
  return Relay.start(options);
}

function federation(ports: Ports, over: Partial<typeof blocked> = {}) {
  const { https, http, smtp } = ports;
  return { allow_private_addresses: true, https_port: https, http_port: http, smtp_port: smtp, ...over };
}

/** What the relay's operator would put into DNS: address and DKIM key. */
function publish(dns: DnsServer, relay: Relay): void {
  dns.zone.set(relay.domain, [{ type: "A", data: relay.host }]);
  const pem = readFileSync(join(relay.stateDir, "dkim/default.private"));
  const key = createPublicKey(pem).export({ format: "der", type: "spki" }).toString("base64");
  const halves = [`v=DKIM1; k=rsa; p=${key.slice(0, 200)}`, key.slice(200)];
  dns.zone.set(`default._domainkey.${relay.domain}`, [{ type: "TXT", data: halves }]);
}

/** Messages that came to this relay that way, from its own log. */
function arrivals(relay: Relay, via: "http" | "smtp"): number {
  return relay.output.split(`event=messageAccepted via=${via} `).length - 1;
}

async function secureJoin(inviter: Profile, joiner: Profile): Promise<void> {
  const code = await inviter.rpc.getChatSecurejoinQrCode(inviter.id, null);
  await joiner.rpc.secureJoin(joiner.id, code);
  await joiner.take("SecurejoinJoinerProgress", (event) => event.progress === 1000);
  await inviter.take("SecurejoinInviterProgress", (event) => event.progress === 1000);
}

async function receiveText(person: Profile, text: string): Promise<T.Message> {
  for (;;) {
    const message = await person.receive();
    // Until a file is there, the core adds its name and size to the text.
    if (message.text.startsWith(text)) return message;
  }
}

async function exchange(from: Profile, to: Profile, text: string): Promise<void> {
  await from.say(await from.chatWith(to), text);
  expect((await receiveText(to, text)).showPadlock).toBe(true);
}

describe("two relays with names", () => {
  const ports = freePorts();
  let dns: DnsServer;
  let here: Relay;
  let there: Relay;
  let cores: Core[] = [];
  let alice: Profile;
  let carol: Profile;
  let bob: Profile;
  const dir = mkdtempSync(join(tmpdir(), "madmail-e2e-"));

  beforeAll(async () => {
    dns = await DnsServer.start();
    here = await startRelay("e2e-fed-a", "_a.test", HERE, dns, ports);
    there = await startRelay("e2e-fed-b", "_b.test", THERE, dns, ports);
    publish(dns, here);
    publish(dns, there);
    cores = [await Core.start("e2e-fed-a"), await Core.start("e2e-fed-b")];
    const [one, other] = cores as [Core, Core];
    [alice, carol, bob] = await Promise.all([
      one.login({ relay: here, localpart: "alicewonder" }),
      one.login({ relay: here, localpart: "carolsinger" }),
      other.login({ relay: there, localpart: "bob4builder" }),
    ]);
  }, SCENE_TIMEOUT_MS);

  afterAll(async () => {
    for (const core of cores) await core.close();
    await here?.dispose();
    await there?.dispose();
    dns?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  test(
    "SecureJoin and messages both ways, by HTTPS",
    async () => {
      await secureJoin(alice, bob);
      await exchange(alice, bob, "Hello over there");
      await exchange(bob, alice, "Hello over here");
      expect(arrivals(there, "http")).toBeGreaterThan(0);
      expect(arrivals(here, "http")).toBeGreaterThan(0);
      expect(arrivals(here, "smtp") + arrivals(there, "smtp")).toBe(0);
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "a file of 15 MB arrives byte for byte",
    async () => {
      const path = join(dir, "film.bin");
      const digest = writeRandomFile(path, FILE_BYTES);
      const chat = await alice.chatWith(bob);
      await alice.rpc.miscSendMsg(alice.id, chat, "the film", path, "film.bin", null, null);
      const message = await receiveText(bob, "the film");
      const whole = await bob.eventually(async () => {
        const now = await bob.message(message.id);
        return now.downloadState === "Done" && now.file !== null ? now : undefined;
      }, "the file");
      expect(sha256(readFileSync(whole.file ?? ""))).toBe(digest);
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "a group of people on both hears everyone",
    async () => {
      await secureJoin(carol, alice);
      const chat = await alice.rpc.createGroupChat(alice.id, "Bridge", false);
      for (const guest of [bob, carol]) {
        await alice.rpc.addContactToChat(alice.id, chat, await alice.contactOf(guest));
      }
      await alice.say(chat, "Welcome to both sides");
      const [atBob] = await Promise.all([bob, carol].map((one) => receiveText(one, "Welcome to both sides")));
      if (atBob === undefined) throw new Error("no message");
      await bob.rpc.acceptChat(bob.id, atBob.chatId);
      await bob.say(atBob.chatId, "Thanks from the other side");
      await Promise.all([alice, carol].map((one) => receiveText(one, "Thanks from the other side")));
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "with HTTP and HTTPS blocked, mail goes by SMTP",
    async () => {
      for (const relay of [here, there]) await relay.reload({ federation: federation(ports, blocked) });
      const before = [arrivals(here, "http"), arrivals(there, "http")];
      await exchange(alice, bob, "By the old way");
      await exchange(bob, alice, "And back");
      expect(arrivals(there, "smtp")).toBe(1);
      expect(arrivals(here, "smtp")).toBe(1);
      expect([arrivals(here, "http"), arrivals(there, "http")]).toEqual(before);
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "what was sent while the other relay was away arrives once it is back, each message once",
    async () => {
      const texts = ["first while away", "second while away", "third while away"];
      const chat = await alice.chatWith(bob);
      const mine = await bob.chatWith(alice);
      const [, core] = cores;
      await core?.excused(async () => {
        await there.stop();
        for (const text of texts) await alice.say(chat, text);
        await there.restart();
        await core.rpc.maybeNetwork();
        for (const _ of texts) await bob.receive();
        // Mail to one domain keeps its order here: whatever came twice came before this.
        await exchange(alice, bob, "that was all");
      });
      const heard = (await bob.texts(mine)).filter((text) => text.endsWith("while away"));
      expect(heard.toSorted()).toEqual(texts.toSorted());
    },
    SCENE_TIMEOUT_MS,
  );

  test("no warning about the relays, and no name in what they printed", () => {
    expect(cores.flatMap((core) => core.complaints)).toEqual([]);
    for (const relay of [here, there]) {
      expect(relay.leaks(["alicewonder", "carolsinger", "bob4builder"])).toEqual([]);
      expect(relay.output).not.toContain("internalFault");
    }
  });
});

describe("two relays that have only an IP address", () => {
  const ports = freePorts();
  let dns: DnsServer;
  let here: Relay;
  let there: Relay;
  let core: Core;

  beforeAll(async () => {
    dns = await DnsServer.start();
    here = await startRelay("e2e-fed-ip1", `[${HERE}]`, HERE, dns, ports);
    there = await startRelay("e2e-fed-ip2", `[${THERE}]`, THERE, dns, ports);
    core = await Core.start("e2e-fed-ip");
  }, SCENE_TIMEOUT_MS);

  afterAll(async () => {
    await core?.close();
    await here?.dispose();
    await there?.dispose();
    dns?.stop();
  });

  test(
    "their people meet and write, without a name server and without signatures",
    async () => {
      const [one, two] = await Promise.all([
        core.login({ relay: here, localpart: "wanderer1" }),
        core.login({ relay: there, localpart: "wanderer2" }),
      ]);
      await secureJoin(one, two);
      await exchange(two, one, "Hello by number");
      await exchange(one, two, "Hello, number");
      expect(arrivals(here, "http")).toBeGreaterThan(0);
      expect(dns.asked).toEqual([]);
      expect(core.complaints).toEqual([]);
      expect([...here.leaks(["wanderer2"]), ...there.leaks(["wanderer1"])]).toEqual([]);
    },
    SCENE_TIMEOUT_MS,
  );
});
