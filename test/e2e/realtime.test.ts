/**
 * Apps in chats that talk peer to peer (webxdc realtime): two real cores on the compiled relay, which finds them
 * each other and carries what they say. UDP is blocked for both, so that no direct path can win.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Core, type Profile } from "../support/delta-chat.ts";
import { ImapClient } from "../support/imap-client.ts";
import { irohCounters } from "../support/iroh-counters.ts";
import { noUdpMissing, withoutUdp } from "../support/no-udp.ts";
import { Relay } from "../support/relay.ts";
import { storedZip } from "../support/zip.ts";

const SCENE_TIMEOUT_MS = 120_000;
/** The core takes up to 128 kB at once. */
const LARGE_BYTES = 120_000;
const skipped = noUdpMissing();
const dir = mkdtempSync(join(tmpdir(), "madmail-realtime-"));

let relay: Relay;
let cores: Core[] = [];
let alice: Profile;
let bob: Profile;
/** The message with the app, as each knows it. */
let app: { alice: number; bob: number };

beforeAll(async () => {
  if (skipped) return;
  // Named by number: the core resolves the host that the relay announces.
  relay = await Relay.start({ name: "realtime", domain: "[127.0.0.1]" });
  cores = await Promise.all(["alice", "bob"].map((name) => Core.start(`realtime-${name}`, withoutUdp)));
}, SCENE_TIMEOUT_MS);

afterAll(async () => {
  await Promise.all(cores.map((core) => core.close()));
  await relay?.dispose();
  rmSync(dir, { recursive: true, force: true });
});

test.skipIf(skipped)(
  "an app reaches the other side of a chat",
  async () => {
    const [first, second] = cores;
    if (first === undefined || second === undefined) throw new Error("no cores");
    [alice, bob] = await Promise.all([
      first.login({ relay, localpart: "alicegamer" }),
      second.login({ relay, localpart: "bobgamer" }),
    ]);
    for (const person of [alice, bob]) await person.rpc.setConfig(person.id, "webxdc_realtime_enabled", "1");
    const code = await alice.rpc.getChatSecurejoinQrCode(alice.id, null);
    await bob.rpc.secureJoin(bob.id, code);
    await Promise.all([
      bob.take("SecurejoinJoinerProgress", (event) => event.progress === 1000),
      alice.take("SecurejoinInviterProgress", (event) => event.progress === 1000),
    ]);
    const path = join(dir, "game.xdc");
    writeFileSync(path, storedZip({ "index.html": "<p>game</p>", "manifest.toml": 'name = "Game"\n' }));
    const chat = await alice.chatWith(bob);
    const [sent] = await alice.rpc.miscSendMsg(alice.id, chat, null, path, "game.xdc", null, null);
    for (;;) {
      const message = await bob.receive();
      if (message.viewType !== "Webxdc") continue;
      app = { alice: sent, bob: message.id };
      return;
    }
  },
  SCENE_TIMEOUT_MS,
);

test.skipIf(skipped)(
  "both join the app's channel",
  async () => {
    await alice.rpc.sendWebxdcRealtimeAdvertisement(alice.id, app.alice);
    await bob.take("WebxdcRealtimeAdvertisementReceived", (event) => event.msgId === app.bob);
    await bob.rpc.sendWebxdcRealtimeAdvertisement(bob.id, app.bob);
    await alice.take("WebxdcRealtimeAdvertisementReceived", (event) => event.msgId === app.alice);
  },
  SCENE_TIMEOUT_MS,
);

test.skipIf(skipped)(
  "data flows both ways, small and large",
  async () => {
    const large = Array.from({ length: LARGE_BYTES }, (_, i) => (i * 7) & 255);
    for (const data of [[1, 2, 3], large]) {
      await alice.rpc.sendWebxdcRealtimeData(alice.id, app.alice, data);
      expect((await bob.take("WebxdcRealtimeData")).data).toEqual(data);
      await bob.rpc.sendWebxdcRealtimeData(bob.id, app.bob, [...data, 9]);
      expect((await alice.take("WebxdcRealtimeData")).data).toEqual([...data, 9]);
    }
  },
  SCENE_TIMEOUT_MS,
);

test.skipIf(skipped)(
  "METADATA names the relay in the form that a self-signed server can offer",
  async () => {
    const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
    await imap.login(alice.address, alice.password);
    const { untagged } = await imap.ok('GETMETADATA "" (/shared/vendor/deltachat/irohrelay)');
    expect(untagged[0]?.literals.map(String)).toEqual([`http://127.0.0.1:${relay.ports.http}`]);
    imap.close();
  },
  SCENE_TIMEOUT_MS,
);

test.skipIf(skipped)(
  "the relay carried all of it, and names nobody",
  async () => {
    await Promise.all([
      alice.rpc.leaveWebxdcRealtime(alice.id, app.alice),
      bob.rpc.leaveWebxdcRealtime(bob.id, app.bob),
    ]);
    expect(cores.flatMap((core) => core.complaints)).toEqual([]);
    await Promise.all(cores.splice(0).map((core) => core.close()));
    expect((await relay.stop()).code).toBe(0);
    const counters = irohCounters(relay);
    expect(counters["clients"]).toBe(2);
    expect(counters["bytesRelayed"]).toBeGreaterThan(2 * LARGE_BYTES);
    expect(counters["protocolErrors"]).toBeUndefined();
    expect(counters["droppedFull"]).toBeUndefined();
    expect(relay.leaks()).toEqual([]);
  },
  SCENE_TIMEOUT_MS,
);
