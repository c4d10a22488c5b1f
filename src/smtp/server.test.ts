import { expect, test } from "bun:test";
import { FakeAuthenticator, FakeConnection, FakeDoor, FakeLog } from "../../test/talks/smtp/fakes.ts";
import { fromLatin1, toLatin1 } from "../core/bytes.ts";
import { ManualClock } from "../core/clock.ts";
import type { SmtpMode } from "./engine/effects.ts";
import { HELD_INPUT_PAUSE_BYTES, UNREAD_REPLIES_PAUSE_BYTES } from "./engine/limits.ts";
import { smtpAccept } from "./server.ts";

const LOGIN = "EHLO x\r\nAUTH PLAIN AGFAcmVsYXkudGVzdABzZWNyZXQ=\r\n";
const WRONG_LOGIN = "EHLO x\r\nAUTH PLAIN AGFAcmVsYXkudGVzdAB3cm9uZw==\r\n";
const ENVELOPE = "MAIL FROM:<a@relay.test>\r\nRCPT TO:<b@relay.test>\r\nRCPT TO:<c@relay.test>\r\nDATA\r\n";

function connect(mode: SmtpMode) {
  const clock = new ManualClock();
  const [door, auth, log] = [new FakeDoor(), new FakeAuthenticator(), new FakeLog()];
  auth.add("a@relay.test", "secret");
  const connection = new FakeConnection(clock, mode === "submissions", 465);
  const hostname = "relay.test";
  connection.accept(smtpAccept({ mode, hostname, door, auth, log, clock, tlsAvailable: true }));
  const say = (text: string): void => connection.receive(fromLatin1(text));
  const heard = (): string => toLatin1(connection.output());
  return { clock, door, auth, log, connection, say, heard };
}

/** Lets answers that came in microtasks do their work. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await Promise.resolve();
}

test("a pipelined envelope is answered in one write", async () => {
  const { say, connection, heard } = connect("submissions");
  say(LOGIN);
  await settle();
  const before = connection.writeCount;
  say(ENVELOPE);
  expect(connection.writeCount - before).toBe(1);
  expect(heard()).toEndWith(
    "250 2.1.0 OK\r\n250 2.1.5 OK\r\n250 2.1.5 OK\r\n354 End with <CR><LF>.<CR><LF>\r\n",
  );
});

test("the authenticator is told the peer's address", async () => {
  const { say, auth } = connect("submissions");
  say(LOGIN);
  await settle();
  expect(auth.attempts).toEqual([{ username: "a@relay.test", password: "secret", peerAddress: "192.0.2.1" }]);
});

test("the door is told who speaks", async () => {
  const { say, door } = connect("submissions");
  say(LOGIN);
  await settle();
  say(`${ENVELOPE}x\r\n.\r\n`);
  await settle();
  const { envelope } = door.taken[0] ?? {};
  expect(envelope as unknown).toEqual({
    via: "submission",
    login: "a@relay.test",
    sender: "a@relay.test",
    recipients: ["b@relay.test", "c@relay.test"],
  });
});

test("a peer too far ahead of its answers is paused, and nothing is lost", async () => {
  const { say, connection, door, heard } = connect("smtp");
  say(`EHLO x\r\n${ENVELOPE}`);
  door.hold("delivering");
  say(".\r\n");
  const line = "RCPT TO:<storagefull@relay.test>\r\n";
  const count = Math.ceil((1.5 * HELD_INPUT_PAUSE_BYTES) / line.length);
  say("MAIL FROM:<a@relay.test>\r\n");
  expect(connection.isPaused).toBe(false);
  say(line.repeat(count));
  expect(connection.isPaused).toBe(true);
  say("RSET\r\n");
  door.release();
  await settle();
  expect(connection.isPaused).toBe(false);
  expect(heard().match(/^452 /gm)?.length).toBe(count);
  expect(heard()).toEndWith("452 4.3.1 Insufficient system storage\r\n250 2.0.0 OK\r\n");
});

test("a peer that does not read its replies is paused until it does", () => {
  const { say, connection } = connect("smtp");
  connection.queuedBytes = UNREAD_REPLIES_PAUSE_BYTES + 1;
  say("EHLO x\r\n");
  expect(connection.isPaused).toBe(true);
  connection.drain();
  expect(connection.isPaused).toBe(false);
});

test("a peer that never reads its replies is dropped in the end", () => {
  const { say, connection, clock } = connect("smtp");
  say("EHLO x\r\nMAIL FROM:<a@relay.test>\r\n");
  connection.queuedBytes = UNREAD_REPLIES_PAUSE_BYTES + 1;
  connection.setIdleTimeoutMs(0);
  say("NOOP\r\n");
  connection.setIdleTimeoutMs(0);
  clock.advance(299_999);
  expect(connection.isClosed).toBe(false);
  clock.advance(1);
  expect(connection.isClosed).toBe(true);
});

test("a peer that left during the delay of a wrong password is not answered", async () => {
  const { say, connection, clock } = connect("submissions");
  say(WRONG_LOGIN);
  await settle();
  connection.destroy();
  await settle();
  const before = connection.writeCount;
  clock.advance(60_000);
  expect(connection.writeCount).toBe(before);
});

test("a peer that left before the verdict is not answered, and its message is kept", async () => {
  const { say, connection, door } = connect("smtp");
  door.hold("delivering");
  say(`EHLO x\r\n${ENVELOPE}.\r\n`);
  connection.destroy();
  await settle();
  const before = connection.writeCount;
  door.release();
  await settle();
  expect(connection.writeCount).toBe(before);
  expect(door.taken.length).toBe(1);
  expect(door.abortedCount).toBe(0);
});

test("a peer that closed its side gets the verdict it waits for, then the connection ends", async () => {
  const { say, connection, door, heard } = connect("smtp");
  door.hold("delivering");
  say(`EHLO x\r\n${ENVELOPE}.\r\n`);
  connection.endInput();
  await settle();
  expect(connection.isClosed).toBe(false);
  door.release();
  await settle();
  expect(heard()).toEndWith("250 2.0.0 OK\r\n");
  expect(connection.isClosed).toBe(true);
});

test("a peer that closed its side and waits for nothing is hung up on", async () => {
  const { say, connection, heard } = connect("smtp");
  say("EHLO x\r\nNOOP\r\n");
  connection.endInput();
  await settle();
  expect(heard()).toEndWith("250 2.0.0 OK\r\n");
  expect(connection.isClosed).toBe(true);
});

test("a fault of ours ends this connection and is logged", async () => {
  const { say, connection, door, log } = connect("smtp");
  const error = new Error("a promise of ours is broken");
  door.open = () => ({ write() {}, abort() {}, finish: () => Promise.reject(error) });
  say(`EHLO x\r\n${ENVELOPE}.\r\n`);
  await settle();
  expect(connection.isClosed).toBe(true);
  expect(log.events).toEqual([{ kind: "internalFault", where: "smtp message", error }]);
});

test("no timer is left when the connection is gone", async () => {
  const { say, connection, clock } = connect("smtp");
  say(`EHLO x\r\n${ENVELOPE}`);
  connection.destroy();
  await settle();
  const after = clock.after.bind(clock);
  let armed = 0;
  clock.after = (...args) => {
    armed++;
    return after(...args);
  };
  clock.advance(24 * 3_600_000);
  expect(armed).toBe(0);
});
