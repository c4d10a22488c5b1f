/**
 * Delta Chat's core against the compiled relay: the scenes of one day of three people, in order.
 * The relay prints all it ever prints (log level debug), and in the end none of it names them.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { C, type T } from "@deltachat/jsonrpc-client";
import { Core, type Profile, secureJoin } from "../support/delta-chat.ts";
import { ImapClient } from "../support/imap-client.ts";
import { Relay } from "../support/relay.ts";
import { SmtpClient } from "../support/smtp-client.ts";

const SCENE_TIMEOUT_MS = 120_000;
const FILE_BYTES = 15 * 1024 * 1024;
const OFFLINE_MESSAGES = 50;

describe("three people on one relay", () => {
  let relay: Relay;
  let core: Core;
  let alice: Profile;
  let bob: Profile;
  let carol: Profile;
  const dir = mkdtempSync(join(tmpdir(), "madmail-e2e-"));

  beforeAll(async () => {
    relay = await Relay.start({ name: "e2e" });
    core = await Core.start("e2e");
  }, SCENE_TIMEOUT_MS);

  afterAll(async () => {
    await core?.close();
    await relay?.dispose();
    rmSync(dir, { recursive: true, force: true });
  });

  test(
    "each makes an account by logging in: over TLS, over STARTTLS, and on port 443 by ALPN",
    async () => {
      [alice, bob, carol] = await Promise.all([
        core.login({ relay, localpart: "alicewonder" }),
        core.login({ relay, localpart: "bob4builder", via: "starttls" }),
        core.login({ relay, localpart: "carolsinger", via: "443" }),
      ]);
      for (const person of [alice, bob, carol]) {
        expect(await person.rpc.getConfig(person.id, "is_chatmail")).toBe("1");
      }
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "SecureJoin works both ways: each has shown a code and each has scanned one",
    async () => {
      for (const [inviter, joiner] of [
        [alice, bob],
        [carol, alice],
        [bob, carol],
      ] as const) {
        await secureJoin(inviter, joiner);
      }
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "a 1:1 chat is encrypted both ways",
    async () => {
      await exchange(alice, bob, "Hello Bob, grüße!");
      await exchange(bob, alice, "Hello Alice 🐇");
      await exchange(carol, alice, "."); // a line that is a dot alone must survive dot-stuffing
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "a group of three hears everyone",
    async () => {
      const chat = await alice.rpc.createGroupChat(alice.id, "Tea party", false);
      for (const guest of [bob, carol]) {
        await alice.rpc.addContactToChat(alice.id, chat, await alice.contactOf(guest));
      }
      await alice.say(chat, "Welcome to the table");
      const arrived = await Promise.all(
        [bob, carol].map((guest) => receiveText(guest, "Welcome to the table")),
      );
      for (const [guest, message] of [
        [bob, arrived[0]],
        [carol, arrived[1]],
      ] as const) {
        if (message === undefined) throw new Error("no message");
        expect(message.showPadlock).toBe(true);
        await guest.rpc.acceptChat(guest.id, message.chatId);
        const text = `Thanks from ${guest.id}`;
        await guest.say(message.chatId, text);
        const others = [alice, bob, carol].filter((person) => person !== guest);
        await Promise.all(others.map((other) => receiveText(other, text)));
      }
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "a read receipt comes back",
    async () => {
      const chat = await alice.chatWith(bob);
      const sent = await alice.say(chat, "Have you read this?");
      const message = await receiveText(bob, "Have you read this?");
      await bob.rpc.markseenMsgs(bob.id, [message.id]);
      await alice.take("MsgRead", (event) => event.msgId === sent);
      expect((await alice.message(sent)).state).toBe(C.DC_STATE_OUT_MDN_RCVD);
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "a reaction comes back",
    async () => {
      const chat = await alice.chatWith(bob);
      const sent = await alice.say(chat, "React to this");
      const message = await receiveText(bob, "React to this");
      await bob.rpc.sendReaction(bob.id, message.id, ["👍"]);
      const { reaction } = await alice.take("IncomingReaction", (event) => event.msgId === sent);
      expect(reaction).toBe("👍");
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "a file of 15 MB arrives byte for byte",
    async () => {
      const path = join(dir, "film.bin");
      const bytes = Buffer.alloc(FILE_BYTES);
      for (let at = 0; at < bytes.length; at += 65_536)
        crypto.getRandomValues(bytes.subarray(at, at + 65_536));
      writeFileSync(path, bytes);
      const chat = await alice.chatWith(bob);
      const [sent] = await alice.rpc.miscSendMsg(alice.id, chat, "the film", path, "film.bin", null, null);
      // Until the file is there, the core adds its name and size to the text.
      const message = await receiveText(bob, "the film", (text) => text.startsWith("the film"));
      const whole = await bob.eventually(async () => {
        const now = await bob.message(message.id);
        return now.downloadState === "Done" && now.file !== null ? now : undefined;
      }, "the downloaded file");
      if (whole.file === null) throw new Error("no file");
      expect(sha256(readFileSync(whole.file))).toBe(sha256(bytes));
      await alice.eventually(
        async () => ((await alice.message(sent)).state >= C.DC_STATE_OUT_DELIVERED ? true : undefined),
        "delivery of the file",
      );
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "downloaded messages are gone from the server, and their quota is released",
    async () => {
      for (const person of [alice, bob, carol]) expect(await emptyMailbox(relay, person)).toBe(0);
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "messages sent while the other side is away arrive once and in order",
    async () => {
      const chat = await alice.chatWith(bob);
      const hisChat = await bob.chatWith(alice);
      await bob.rpc.stopIo(bob.id);
      // Queued before the sender is online, they go in one sweep instead of one a second.
      await alice.rpc.stopIo(alice.id);
      const texts = Array.from({ length: OFFLINE_MESSAGES }, (_, i) => `letter ${i + 1}`);
      const ids: number[] = [];
      for (const text of texts) ids.push(await alice.rpc.miscSendTextMessage(alice.id, chat, text));
      await alice.rpc.startIo(alice.id);
      for (const id of ids) await alice.take("MsgDelivered", (event) => event.msgId === id);
      await bob.rpc.startIo(bob.id);
      const letters = async () => (await bob.texts(hisChat)).filter((text) => text.startsWith("letter "));
      await bob.eventually(
        async () => ((await letters()).length >= OFFLINE_MESSAGES ? true : undefined),
        `${OFFLINE_MESSAGES} messages`,
      );
      expect(await emptyMailbox(relay, bob)).toBe(0);
      expect(await letters()).toEqual(texts);
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "a chat goes on after the relay was stopped and started again",
    async () => {
      const chat = await alice.chatWith(bob);
      await exchange(alice, bob, "before the restart");
      await core.excused(async () => {
        const { code, ms } = await relay.stop();
        expect(code).toBe(0);
        expect(ms).toBeLessThan(10_000);
        const sent = await alice.rpc.miscSendTextMessage(alice.id, chat, "written while the relay was down");
        await relay.restart();
        await core.rpc.maybeNetwork();
        await receiveText(bob, "written while the relay was down");
        expect((await alice.message(sent)).state).toBeGreaterThanOrEqual(C.DC_STATE_OUT_DELIVERED);
        await exchange(bob, alice, "after the restart");
        // Everyone is connected again before complaints count again.
        await exchange(alice, carol, "are you there, too?");
      });
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "an address in upper case is the same account",
    async () => {
      const dora = await core.login({ relay, localpart: "DoraExplore", typed: "DORAEXPLORE@RELAY.TEST" });
      for (const spelling of ["doraexplore@relay.test", "DORAexplore@Relay.Test"]) {
        const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
        expect((await imap.login(spelling, dora.password)).status).toBe("OK");
        imap.close();
      }
      const smtp = await SmtpClient.open({ port: relay.ports.submissions, tls: true });
      expect((await smtp.auth("DORAEXPLORE@relay.test", dora.password)).code).toBe(235);
      await smtp.quit();
    },
    SCENE_TIMEOUT_MS,
  );

  test(
    "a wrong password is refused, and the client says so",
    async () => {
      const error = await core.excused(() =>
        core.login({ relay, localpart: "alicewonder", password: "not her password" }).then(
          () => undefined,
          (reason: { message: string }) => reason.message,
        ),
      );
      // The core's own text for a tagged NO that speaks of authentication.
      expect(error).toMatch(/Cannot login as|authentication|password/i);
    },
    SCENE_TIMEOUT_MS,
  );

  test("the core's log holds no warning about the relay", () => {
    expect(core.complaints).toEqual([]);
  });

  test("nothing the relay printed names a user", () => {
    expect(relay.leaks()).toEqual([]);
  });
});

async function exchange(from: Profile, to: Profile, text: string): Promise<void> {
  await from.say(await from.chatWith(to), text);
  const message = await receiveText(to, text);
  expect(message.showPadlock).toBe(true);
  expect(message.error).toBeNull();
}

/** Takes incoming messages until one has this text. */
async function receiveText(
  person: Profile,
  text: string,
  matches = (found: string) => found === text,
): Promise<T.Message> {
  for (;;) {
    const message = await person.receive();
    if (matches(message.text)) return message;
  }
}

/** Waits, by IDLE, until the INBOX is empty. @returns used quota in KiB then */
async function emptyMailbox(relay: Relay, person: Profile): Promise<number> {
  const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true, readTimeoutMs: 60_000 });
  try {
    expect((await imap.login(person.address, person.password)).status).toBe("OK");
    let { exists } = await imap.select();
    while (exists > 0) {
      const tag = await imap.idle();
      await imap.next();
      await imap.done(tag);
      ({ exists } = await imap.select());
    }
    return (await imap.quotaKib()).used;
  } finally {
    imap.close();
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
