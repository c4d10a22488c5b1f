/** What Delta Chat does, on the host with fakes around it. */
import { expect, test } from "bun:test";
import { FakePeer, FakeWorld, loggedIn, MANY, settle } from "./fake-peer.test-help.ts";

const MESSAGE =
  "From: <a@relay.example>\r\nMessage-ID: <1@localhost>\r\nSubject: [...]\r\nChat-Version: 1.0\r\n" +
  "Content-Type: multipart/encrypted;\r\n boundary=x\r\n\r\nPGP body\r\n";
const PREFETCH =
  "(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE X-MICROSOFT-ORIGINAL-MESSAGE-ID FROM CONTENT-TYPE " +
  "SECURE-JOIN CHAT-VERSION CHAT-IS-POST-MESSAGE AUTOCRYPT-SETUP-MESSAGE)])";

test("the whole sequence of Delta Chat goes through", async () => {
  const world = new FakeWorld();
  world.values.set("/shared/comment", "hello");
  const peer = new FakePeer(world);
  expect(peer.heard()).toStartWith("* OK [CAPABILITY IMAP4rev1 ");
  expect(await peer.say(`A1 LOGIN "${MANY}" "secret"`)).toMatch(/^A1 OK \[CAPABILITY .*XCHATMAIL.*\] /);
  expect(await peer.say('A2 ID ("name" "Delta Chat")')).toContain("A2 OK");
  expect(await peer.say('A3 GETQUOTAROOT "INBOX"')).toBe(
    '* QUOTAROOT "INBOX" "User quota"\r\n* QUOTA "User quota" (STORAGE 0 1024)\r\nA3 OK Getquotaroot completed\r\n',
  );
  expect(await peer.say('A4 GETMETADATA "" (/shared/comment /shared/admin)')).toBe(
    '* METADATA "" (/shared/comment {5}\r\nhello /shared/admin NIL)\r\nA4 OK Getmetadata completed\r\n',
  );
  const box = world.store.of(MANY).box("INBOX");
  box.add(MESSAGE);
  expect(await peer.say('A5 SELECT "INBOX"')).toContain("* 1 EXISTS\r\n");
  const header =
    "From: <a@relay.example>\r\nMessage-ID: <1@localhost>\r\nChat-Version: 1.0\r\n" +
    "Content-Type: multipart/encrypted;\r\n boundary=x\r\n\r\n";
  expect(await peer.say(`A6 UID FETCH 1:500 ${PREFETCH}`)).toBe(
    `* 1 FETCH (UID 1 RFC822.SIZE ${MESSAGE.length} BODY[HEADER.FIELDS (MESSAGE-ID DATE ` +
      "X-MICROSOFT-ORIGINAL-MESSAGE-ID FROM CONTENT-TYPE SECURE-JOIN CHAT-VERSION CHAT-IS-POST-MESSAGE " +
      `AUTOCRYPT-SETUP-MESSAGE)] {${header.length}}\r\n${header})\r\nA6 OK Fetch completed\r\n`,
  );
  expect(await peer.say("A7 UID FETCH 1 (FLAGS BODY.PEEK[])")).toBe(
    `* 1 FETCH (UID 1 FLAGS () BODY[] {${MESSAGE.length}}\r\n${MESSAGE})\r\nA7 OK Fetch completed\r\n`,
  );
  expect(await peer.say("A8 UID STORE 1 +FLAGS (\\Deleted)")).toBe(
    "* 1 FETCH (UID 1 FLAGS (\\Deleted))\r\nA8 OK Store completed\r\n",
  );
  expect(await peer.say("A9 CLOSE")).toBe("A9 OK Close completed\r\n");
  expect(box.messages).toEqual([]);
  expect(await peer.say('B1 SELECT "INBOX"')).toContain("* OK [UIDNEXT 2]");
  expect(await peer.say("B2 UID FETCH 2:501 (FLAGS BODY.PEEK[])")).toBe("B2 OK Fetch completed\r\n");
  expect(await peer.say("B3 IDLE")).toBe("+ idling\r\n");
  box.add(MESSAGE);
  await settle();
  expect(peer.heard()).toBe("* 1 EXISTS\r\n");
  expect(await peer.say("DONE")).toBe("B3 OK Idle completed\r\n");
});

test("an idling session hears of flags and expunges of others", async () => {
  const world = new FakeWorld();
  const box = world.store.of(MANY).box("INBOX");
  for (let i = 0; i < 3; i++) box.add(MESSAGE);
  const idler = await loggedIn(world, true);
  const other = await loggedIn(world, true);
  await idler.say("i IDLE");
  idler.heard();
  await other.say("a UID STORE 2 +FLAGS (\\Seen)");
  expect(idler.heard()).toBe("* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n");
  await other.say("b UID STORE 1,3 +FLAGS.SILENT (\\Deleted)", "c EXPUNGE");
  await settle();
  expect(idler.heard()).toContain("* 1 EXPUNGE\r\n* 2 EXPUNGE\r\n");
  expect(await idler.say("DONE")).toBe("i OK Idle completed\r\n");
});

test("a slow idler is told once, when it has read", async () => {
  const world = new FakeWorld();
  const box = world.store.of(MANY).box("INBOX");
  const peer = await loggedIn(world, true);
  await peer.say("i IDLE");
  peer.heard();
  peer.slow = true;
  box.add(MESSAGE);
  await settle();
  expect(peer.heard()).toBe("* 1 EXISTS\r\n");
  for (let i = 0; i < 5; i++) {
    box.add(MESSAGE);
    await settle();
  }
  world.clock.advance(600_000);
  expect(peer.heard()).toBe("");
  peer.read();
  expect(peer.heard()).toBe("* 6 EXISTS\r\n");
});

test("keepalives come in IDLE only, one per interval", async () => {
  const world = new FakeWorld();
  const peer = await loggedIn(world, true);
  world.clock.advance(300_000);
  expect(peer.heard()).toBe("");
  await peer.say("i IDLE");
  peer.heard();
  world.clock.advance(116_000);
  expect(peer.heard()).toBe("* OK Still here\r\n");
  world.clock.advance(115_000);
  expect(peer.heard()).toBe("* OK Still here\r\n");
  await peer.say("DONE");
  peer.heard();
  world.clock.advance(300_000);
  expect(peer.heard()).toBe("");
});

test("a wrong password is answered late, with the word that clients look for; trouble is without it", async () => {
  const world = new FakeWorld();
  const peer = new FakePeer(world);
  peer.heard();
  expect(await peer.say(`a LOGIN ${MANY} wrong`)).toBe("");
  world.clock.advance(1000);
  await settle();
  expect(peer.heard()).toBe("a NO [AUTHENTICATIONFAILED] Authentication failed\r\n");
  expect(await peer.say(`b LOGIN ${MANY} later`)).toMatch(/^b NO \[UNAVAILABLE\] (?!.*authentication)/i);
  expect(await peer.say(`c LOGIN ${MANY} secret`)).toStartWith("c OK [CAPABILITY");
});

test("the fifth wrong password ends the connection", async () => {
  const world = new FakeWorld();
  const peer = new FakePeer(world);
  for (let i = 0; i < 5; i++) {
    await peer.say(`a LOGIN ${MANY} wrong`);
    world.clock.advance(10_000);
    await settle();
  }
  expect(peer.heard()).toContain("* BYE");
  expect(peer.closed).toBe(true);
});

test("a user's sessions can be ended from outside", async () => {
  const world = new FakeWorld();
  const peer = await loggedIn(world, true);
  const other = new FakePeer(world);
  await other.say("l LOGIN other@relay.example secret");
  world.host.disconnect(MANY, "Account is blocked");
  expect(peer.heard()).toBe("* BYE Account is blocked\r\n");
  expect(peer.closed).toBe(true);
  expect(other.closed).toBe(false);
  other.destroy();
  expect(world.host.sessions.size).toBe(0);
});
