/** The echo account with the real Delta Chat core: joined by its link, written to, before and after a restart. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { Core, type Profile } from "../support/delta-chat.ts";
import { ImapClient } from "../support/imap-client.ts";
import { Relay, runMadmail } from "../support/relay.ts";

/** Questions to the core, each a round trip. */
const ASKED_MAX = 5000;

const SCENE_TIMEOUT_MS = 60_000;
const EVENT_MAX_MS = 25_000;

interface EchoStatus {
  enabled: boolean;
  running: boolean;
  address: string;
  link: string;
  answered: number;
  ignored: number;
}

describe("the echo account", () => {
  let relay: Relay;
  let core: Core;
  let alice: Profile;
  let chat = 0;
  let link = "";

  const command = (...words: string[]) =>
    runMadmail([...words, "--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir]);
  const status = async (): Promise<EchoStatus> => {
    const { output } = await command("echo", "status", "--json");
    return (JSON.parse(output) as { data: EchoStatus }).data;
  };

  beforeAll(async () => {
    relay = await Relay.start({ name: "echo" });
    core = await Core.start("echo");
    alice = await core.login({ relay, localpart: "alicewonder" });
  }, SCENE_TIMEOUT_MS);

  afterAll(async () => {
    await core?.close();
    await relay?.dispose();
  });

  test(
    "it is off until an operator turns it on, and then shows its invitation",
    async () => {
      expect(await status()).toMatchObject({ enabled: false, running: false, link: null });
      const enabled = await command("echo", "enable", "--json");
      expect(enabled.code).toBe(0);
      const now = await status();
      expect(now).toMatchObject({ enabled: true, running: true, address: "echo@relay.test" });
      link = now.link;
      expect(statSync(join(relay.stateDir, "echo/key.json")).mode & 0o777).toBe(0o600);
      const shown = await command("echo");
      expect(shown.output).toContain(link);
      expect(shown.output).toContain("▄");
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "SecureJoin by its link succeeds",
    async () => {
      chat = await alice.rpc.secureJoin(alice.id, link);
      await alice.take("SecurejoinJoinerProgress", (event) => event.progress === 1000, EVENT_MAX_MS);
      expect((await alice.rpc.getBasicChatInfo(alice.id, chat)).isEncrypted).toBe(true);
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "what is written comes back encrypted, from a verified contact that is known to be a bot",
    async () => {
      await alice.say(chat, "Hörst du mich? 🐇");
      const answer = await alice.receive(EVENT_MAX_MS);
      expect(answer.text).toContain("Hörst du mich? 🐇");
      expect(answer.text).toContain("relay.test");
      expect(answer.showPadlock).toBe(true);
      expect(answer.chatId).toBe(chat);
      // The core shows the message first, and notes what it tells of its author a moment later.
      let contact = await alice.rpc.getContact(alice.id, answer.fromId);
      for (let asked = 0; asked < ASKED_MAX && !contact.isBot; asked++) {
        contact = await alice.rpc.getContact(alice.id, answer.fromId);
      }
      expect(contact).toMatchObject({ address: "echo@relay.test", isVerified: true, isBot: true });
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "the same after a restart, with the same invitation",
    async () => {
      await core.excused(async () => {
        await alice.rpc.stopIo(alice.id);
        alice.forget("ImapInboxIdle");
        await relay.stop();
        await relay.restart();
        await alice.rpc.startIo(alice.id);
        await alice.take("ImapInboxIdle");
      });
      await alice.say(chat, "Still there?");
      expect((await alice.receive(EVENT_MAX_MS)).text).toContain("Still there?");
      expect((await status()).link).toBe(link);
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "a second person joins; a wrong code gets no answer",
    async () => {
      const bob = await core.login({ relay, localpart: "bob4builder" });
      const forged = link.replace(/&s=[^&]+/, "&s=AAAAAAAAAAAAAAAAAAAAAAAA");
      const answeredBefore = (await status()).answered;
      await core.excused(async () => {
        await bob.rpc.secureJoin(bob.id, forged);
        // The request is answered; the proof that follows it is not.
        await bob.take("SecurejoinJoinerProgress", (event) => event.progress === 400, EVENT_MAX_MS);
      });
      await bob.rpc.secureJoin(bob.id, link);
      await bob.take("SecurejoinJoinerProgress", (event) => event.progress === 1000, EVENT_MAX_MS);
      expect((await status()).answered).toBeGreaterThan(answeredBefore);
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "a receipt and a reaction are met with silence, and nothing stays in its mailbox",
    async () => {
      await alice.say(chat, "React to this");
      const answer = await alice.receive(EVENT_MAX_MS);
      const { answered, ignored } = await status();
      await alice.rpc.sendReaction(alice.id, answer.id, ["👍"]);
      await alice.say(chat, "After it");
      expect((await alice.receive(EVENT_MAX_MS)).text).toContain("After it");
      const after = await status();
      expect(after.answered).toBe(answered + 1);
      expect(after.ignored).toBe(ignored + 1);
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "nobody can log in to it",
    async () => {
      const client = await ImapClient.open({ port: relay.ports.imaps, tls: true });
      expect((await client.login("echo@relay.test", "echo-Pass word+1")).status).toBe("NO");
      client.close();
    },
    SCENE_TIMEOUT_MS,
  );

  test("turned off, it is silent; the relay printed nobody's name", async () => {
    await command("echo", "disable");
    expect(await status()).toMatchObject({ enabled: false, running: false, link });
    expect(relay.leaks()).toEqual([]);
  });
});
