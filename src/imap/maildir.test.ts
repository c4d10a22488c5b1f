/** The host on the real store: what the fake promises must hold there too. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromLatin1 } from "../core/bytes.ts";
import { headerLength } from "../mime/header.ts";
import { MaildirStore } from "../storage/maildir.ts";
import { type FakePeer, FakeWorld, loggedIn, MANY, settle } from "./fake-peer.test-help.ts";
import { ImapHost } from "./server.ts";

const MESSAGE = fromLatin1(
  `From: <a@relay.example>\r\nMessage-ID: <1@x>\r\nReferences: <0@x>\r\n\r\n${"PGP ".repeat(20_000)}`,
);

let root: string;
let world: FakeWorld;
let store: MaildirStore;
let host: ImapHost;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "imap-maildir-"));
  mkdirSync(join(root, "mail"));
  mkdirSync(join(root, "spool"));
  world = new FakeWorld();
  const { log, hub, clock } = world.services();
  store = new MaildirStore({
    root: join(root, "mail"),
    spoolDir: join(root, "spool"),
    fsync: "never",
    hub,
    clock,
    log,
  });
  host = new ImapHost({ ...world.services(), store });
});

afterEach(async () => {
  await store.close();
  rmSync(root, { recursive: true });
});

async function deliver(): Promise<void> {
  const spool = store.spool({ maxBytes: 1_000_000 });
  spool.write(MESSAGE);
  const sealed = spool.seal(MESSAGE.subarray(0, headerLength(MESSAGE)));
  await store.deliver(sealed, [{ user: MANY, mailbox: "INBOX" }]);
  sealed.discard();
}

/** Says a command and waits for its end, however long the disk takes. */
async function say(peer: FakePeer, command: string): Promise<string> {
  let heard = await peer.say(command);
  const tag = command.split(" ")[0] ?? "";
  while (!new RegExp(`^${tag} `, "m").test(heard)) {
    await settle();
    heard += peer.heard();
  }
  return heard;
}

test("a message comes, is announced, fetched and deleted, and its quota is free again", async () => {
  const peer = await loggedIn({ host });
  await say(peer, "s SELECT INBOX");
  expect(await peer.say("i IDLE")).toBe("+ idling\r\n");
  await deliver();
  await settle();
  expect(peer.heard()).toBe("* 1 EXISTS\r\n");
  expect(await peer.say("DONE")).toBe("i OK Idle completed\r\n");
  expect(
    await say(peer, "a UID FETCH 1:500 (UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (FROM MESSAGE-ID)])"),
  ).toBe(
    `* 1 FETCH (UID 1 RFC822.SIZE ${MESSAGE.length} BODY[HEADER.FIELDS (FROM MESSAGE-ID)] {46}\r\n` +
      "From: <a@relay.example>\r\nMessage-ID: <1@x>\r\n\r\n)\r\na OK Fetch completed\r\n",
  );
  const body = await say(peer, "b UID FETCH 1 (FLAGS BODY.PEEK[])");
  expect(body).toContain(Buffer.from(MESSAGE).toString("latin1"));
  expect(await say(peer, "c UID STORE 1 +FLAGS (\\Deleted)")).toBe(
    "* 1 FETCH (UID 1 FLAGS (\\Deleted))\r\nc OK Store completed\r\n",
  );
  expect(await say(peer, "d CLOSE")).toBe("d OK Close completed\r\n");
  expect(await say(peer, "e SELECT INBOX")).toContain("* OK [UIDNEXT 2]");
  expect((await store.account(MANY)).usedBytes).toBe(0);
  peer.destroy();
});

test("two sessions see each other's changes, in order and once", async () => {
  for (let i = 0; i < 5; i++) await deliver();
  const one = await loggedIn({ host });
  const two = await loggedIn({ host });
  await say(one, "s SELECT INBOX");
  await say(two, "s SELECT INBOX");
  await one.say("i IDLE");
  one.heard();
  await say(two, "a STORE 2,4 +FLAGS.SILENT (\\Deleted $Work)");
  await say(two, "b EXPUNGE");
  await deliver();
  await settle();
  const heard = one.heard();
  expect(heard).toMatch(/\* 2 EXPUNGE\r\n\* 3 EXPUNGE\r\n(\* FLAGS .*\r\n)?\* 4 EXISTS\r\n$/);
  expect(await say(two, "c UID SEARCH RETURN (ALL COUNT) ALL")).toContain("ALL 1,3,5 COUNT 3");
  expect(await say(two, "d UID FETCH 6 (UID)")).toContain("* 4 FETCH (UID 6)");
  one.destroy();
  two.destroy();
});
