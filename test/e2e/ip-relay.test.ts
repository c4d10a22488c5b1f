/** A relay without a domain: addresses of the form `user@[127.0.0.1]`, kill -9 between the messages. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Core, type Profile } from "../support/delta-chat.ts";
import { Relay } from "../support/relay.ts";

const SCENE_TIMEOUT_MS = 120_000;
let relay: Relay;
let core: Core;
let one: Profile;
let two: Profile;

beforeAll(async () => {
  relay = await Relay.start({ name: "e2e-ip", domain: "[127.0.0.1]" });
  core = await Core.start("e2e-ip");
}, SCENE_TIMEOUT_MS);

afterAll(async () => {
  await core?.close();
  await relay?.dispose();
});

test(
  "two people meet on a relay that has only an IP address",
  async () => {
    [one, two] = await Promise.all([
      core.login({ relay, localpart: "wanderer1" }),
      core.login({ relay, localpart: "wanderer2" }),
    ]);
    expect(one.address).toBe("wanderer1@[127.0.0.1]");
    const code = await one.rpc.getChatSecurejoinQrCode(one.id, null);
    await two.rpc.secureJoin(two.id, code);
    await two.take("SecurejoinJoinerProgress", (event) => event.progress === 1000);
    await one.take("SecurejoinInviterProgress", (event) => event.progress === 1000);
    await two.say(await two.chatWith(one), "Hello by number");
    expect((await receiveFrom(one, "Hello by number")).showPadlock).toBe(true);
  },
  SCENE_TIMEOUT_MS,
);

test(
  "a message accepted before kill -9 is delivered after it",
  async () => {
    await one.rpc.stopIo(one.id);
    two.forget("ImapInboxIdle");
    await two.say(await two.chatWith(one), "sent before the crash");
    await core.excused(async () => {
      await relay.kill();
      await relay.restart();
      await one.rpc.startIo(one.id);
      await core.rpc.maybeNetwork();
      await receiveFrom(one, "sent before the crash");
      await two.take("ImapInboxIdle");
    });
  },
  SCENE_TIMEOUT_MS,
);

test("no warning about the relay, and no name in what it printed", () => {
  expect(core.complaints).toEqual([]);
  expect(relay.leaks()).toEqual([]);
});

async function receiveFrom(person: Profile, text: string) {
  for (;;) {
    const message = await person.receive();
    if (message.text === text) return message;
  }
}
