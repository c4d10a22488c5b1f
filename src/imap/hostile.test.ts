/** Clients that are hostile, slow, gone or far ahead of their answers. */
import { describe, expect, test } from "bun:test";
import { imapFuzz, makeStream } from "../../test/fuzz/imap.ts";
import { Random } from "../../test/fuzz/random.ts";
import { fromLatin1 } from "../core/bytes.ts";
import { StorageError } from "../storage/store.ts";
import { OUTPUT_HIGH_BYTES, PIPELINE_MAX_BYTES } from "./engine/limits.ts";
import { FakePeer, FakeWorld, loggedIn, MANY, settle } from "./fake-peer.test-help.ts";

test("a few hundred seeds of the fuzzer", () => {
  for (let seed = 1; seed <= 300; seed++) imapFuzz.run(seed);
});

test("nonsense of a user that is logged in is answered the same however it is cut", async () => {
  for (let seed = 1; seed <= 120; seed++) {
    const random = new Random(seed);
    // A command that is known to work in front and behind shows what state the nonsense left.
    const nonsense = Array.from(
      { length: 6 },
      (_, i) => `t${i} ${makeStream(random).replaceAll("\0", "")}\r\n`,
    );
    const bytes = fromLatin1(`x SELECT INBOX\r\n${nonsense.join("")}DONE\r\ny NOOP\r\n`);
    const whole = await converse(bytes, () => bytes.length);
    const cut = await converse(bytes, () => 1 + random.below(80));
    expect(cut).toBe(whole);
  }
});

async function converse(bytes: Uint8Array, pieceLength: () => number): Promise<string> {
  const world = new FakeWorld();
  const box = world.store.of(MANY).box("INBOX");
  for (let i = 0; i < 3; i++)
    box.add(`From: a${i}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nbody\r\n--b--\r\n`);
  const peer = await loggedIn(world);
  for (let at = 0; at < bytes.length && !peer.closed; ) {
    const end = Math.min(bytes.length, at + pieceLength());
    peer.send(bytes.subarray(at, end));
    await settle();
    at = end;
  }
  await settle();
  expect(world.events.filter(({ kind }) => kind === "internalFault")).toEqual([]);
  const heard = peer.heard();
  peer.destroy();
  await settle();
  expect(world.store.of(MANY).box("INBOX")).toMatchObject({ opened: 0, openBodies: 0 });
  return heard;
}

describe("a client that does not read", () => {
  test("gets a large body slice by slice", async () => {
    const world = new FakeWorld();
    const box = world.store.of(MANY).box("INBOX");
    const size = 3 * 1024 * 1024;
    box.add(`A: b\r\n\r\n${"x".repeat(size - 8)}`);
    const peer = await loggedIn(world, true);
    peer.slow = true;
    await peer.say("a UID FETCH 1 (BODY.PEEK[])", "b NOOP");
    expect(peer.queuedBytes).toBeLessThan(2 * OUTPUT_HIGH_BYTES + 1000);
    for (let i = 0; i < 20 && !peer.closed; i++) {
      peer.read();
      await settle();
    }
    const heard = peer.heard();
    expect(heard.length).toBeGreaterThan(size - OUTPUT_HIGH_BYTES * 2);
    expect(heard).toEndWith("a OK Fetch completed\r\nb OK Noop completed\r\n");
    expect(box.openBodies).toBe(0);
  });

  test("has nothing of its pipeline begun, and is not read either", async () => {
    const world = new FakeWorld();
    const box = world.store.of(MANY).box("INBOX");
    box.add(`A: b\r\n\r\n${"x".repeat(1024 * 1024)}`);
    const peer = await loggedIn(world, true);
    peer.slow = true;
    await peer.say("a UID FETCH 1 (BODY.PEEK[])");
    peer.send(fromLatin1("b NOOP\r\n".repeat(PIPELINE_MAX_BYTES / 4)));
    expect(peer.paused).toBe(true);
    for (let i = 0; i < 20; i++) {
      peer.read();
      await settle();
    }
    expect(peer.paused).toBe(false);
    expect(peer.heard().match(/b OK Noop/g)).toHaveLength(PIPELINE_MAX_BYTES / 4);
  });

  test("and leaves in mid-body holds no file open", async () => {
    const world = new FakeWorld();
    const box = world.store.of(MANY).box("INBOX");
    box.add(`A: b\r\n\r\n${"x".repeat(1024 * 1024)}`);
    for (let i = 0; i < 20; i++) box.add("A: b\r\n\r\nsmall");
    const peer = await loggedIn(world, true);
    peer.slow = true;
    await peer.say("a UID FETCH 1:* (BODY.PEEK[])");
    expect(box.openBodies).toBe(1);
    peer.destroy();
    await settle();
    expect(box).toMatchObject({ openBodies: 0, opened: 0 });
  });
});

test.each([
  "SELECT INBOX",
  "CLOSE",
  "EXPUNGE",
  "FETCH 1:* BODY[]",
  "UID FETCH 1:* (ENVELOPE)",
  "STORE 1:* +FLAGS (\\Seen)",
  "SEARCH BODY x",
  "COPY 1:* Sent",
  "MOVE 1:* Sent",
  "STATUS Sent (MESSAGES)",
  'LIST "" * RETURN (STATUS (MESSAGES))',
  "GETMETADATA INBOX /private/devicetoken",
  "APPEND INBOX {3+}\r\nPGP",
])("a client that leaves during %s is no fault, and nothing stays open", async (command) => {
  const world = new FakeWorld();
  const account = world.store.of(MANY);
  await account.create("Sent");
  for (let i = 0; i < 3; i++) account.box("INBOX").add("A: b\r\n\r\nx", { flags: 8 });
  const peer = await loggedIn(world, true);
  peer.send(fromLatin1(`a ${command}\r\nb NOOP\r\nc SELECT Sent\r\n`));
  peer.destroy();
  await settle();
  await settle();
  expect(world.events.filter(({ kind }) => kind === "internalFault")).toEqual([]);
  expect([account.box("INBOX").opened, account.box("Sent").opened]).toEqual([0, 0]);
  expect(account.box("INBOX").openBodies).toBe(0);
});

test("a client that goes away in mid-APPEND leaves no message", async () => {
  const world = new FakeWorld();
  const peer = await loggedIn(world);
  await peer.say("a APPEND INBOX {1000}");
  peer.send(fromLatin1("PGP"));
  peer.destroy();
  await settle();
  expect(world.appends.map(({ aborted }) => aborted)).toEqual([true]);
});

test("storage trouble is a temporary answer and the session goes on", async () => {
  const world = new FakeWorld();
  const peer = await loggedIn(world);
  world.store.fault = new StorageError("failed", "disk on fire");
  expect(await peer.say("a SELECT INBOX")).toMatch(/^a NO \[UNAVAILABLE\] (?!.*authentication)/i);
  world.store.fault = undefined;
  expect(await peer.say("b SELECT INBOX")).toContain("b OK [READ-WRITE]");
  expect(world.events).toContainEqual({ kind: "storageTrouble", what: "failed" });
});

test("a fault of ours ends this session only", async () => {
  const world = new FakeWorld();
  const peer = await loggedIn(world);
  const other = await loggedIn(world);
  world.store.fault = new Error("a bug");
  expect(await peer.say("a SELECT INBOX")).toBe("* BYE Internal error\r\n");
  world.store.fault = undefined;
  expect(peer.closed).toBe(true);
  expect(await other.say("a NOOP")).toBe("a OK Noop completed\r\n");
});

test("a body that can't be read ends the session rather than shift the stream", async () => {
  const world = new FakeWorld();
  const box = world.store.of(MANY).box("INBOX");
  box.add(`A: b\r\n\r\n${"x".repeat(100_000)}`);
  const peer = await loggedIn(world, true);
  box.onRead = () => Promise.reject(new StorageError("failed", "gone"));
  expect(await peer.say("a UID FETCH 1 (BODY.PEEK[])")).not.toContain("a NO");
  expect(peer.closed).toBe(true);
});

test("silence and dripping before login end the connection; a login lifts the deadline", async () => {
  const world = new FakeWorld({ loginTimeoutMs: 60_000 });
  const silent = new FakePeer(world);
  expect(silent.idleTimeoutMs).toBe(60_000);
  silent.handler.idle();
  expect(silent.heard()).toContain("* BYE Idle for too long");
  const dripping = new FakePeer(world);
  const user = await loggedIn(world);
  expect(user.idleTimeoutMs).toBe(1_800_000);
  world.clock.advance(180_000);
  expect([silent.closed, dripping.closed, user.closed]).toEqual([true, true, false]);
});

test("silence in IDLE is no reason to hang up, silence after it is", async () => {
  const peer = await loggedIn(new FakeWorld(), true);
  await peer.say("a IDLE");
  expect(peer.idleTimeoutMs).toBe(0);
  await peer.say("DONE");
  expect(peer.idleTimeoutMs).toBe(1_800_000);
  await peer.say("b IDLE");
  peer.destroy();
  expect(peer.idleTimeoutMs).toBe(0);
});

test("a client that does not read gets the answers to a huge STORE bit by bit", async () => {
  const world = new FakeWorld();
  const box = world.store.of(MANY).box("INBOX");
  for (let i = 0; i < 10_000; i++)
    box.messages.push({ uid: i + 1, size: 1, internalDateMs: 0, flags: 0, modseq: 1 });
  // Found by binary search as storage does: the fake's own search would take its time.
  box.find = (uid) => box.messages[uid - 1];
  box.storeFlags = async () => ({ changed: [], modified: [] });
  const peer = await loggedIn(world, true);
  peer.slow = true;
  await peer.say("a STORE 1:* +FLAGS (\\Seen)");
  expect(peer.queuedBytes).toBeLessThan(2 * OUTPUT_HIGH_BYTES);
  for (let i = 0; i < 5; i++) {
    peer.read();
    await settle();
  }
  expect(peer.heard()).toEndWith("a OK Store completed\r\n");
});

test("a server that stops says BYE; a client that closed its side gets its answers", async () => {
  const world = new FakeWorld();
  const peer = await loggedIn(world, true);
  peer.handler.shutdown();
  expect(peer.heard()).toBe("* BYE Server is shutting down\r\n");
  const leaving = await loggedIn(world, true);
  leaving.send(fromLatin1("a SELECT INBOX\r\nb NOOP\r\n"));
  leaving.handler.inputEnded?.();
  await settle();
  expect(leaving.heard()).toEndWith("b OK Noop completed\r\n");
  expect(leaving.closed).toBe(true);
});

describe("COMPRESS", () => {
  const shift = (text: string, by: number) => fromLatin1(text).map((byte) => byte + by);

  test("begins right behind its OK, in both directions, once", async () => {
    const peer = await loggedIn(new FakeWorld());
    expect(await peer.say("a COMPRESS LZW")).toStartWith("a NO");
    expect(await peer.say("b COMPRESS DEFLATE")).toBe("b OK DEFLATE active\r\n");
    peer.send(shift("c COMPRESS DEFLATE\r\nd CAPABILITY\r\n", 1));
    await settle();
    const heard = Buffer.from(shift(peer.heard(), -1)).toString("latin1");
    expect(heard).toStartWith("c NO [COMPRESSIONACTIVE]");
    expect(heard).not.toContain("COMPRESS=DEFLATE");
  });

  test("drops what was pipelined in clear, and ends on garbage", async () => {
    const peer = await loggedIn(new FakeWorld());
    expect(await peer.say("a COMPRESS DEFLATE", "b LOGOUT")).toBe("a OK DEFLATE active\r\n");
    peer.send(Uint8Array.of(0));
    expect(peer.closed).toBe(true);
  });

  test("is refused and not offered where the operator says no", async () => {
    const peer = await loggedIn(new FakeWorld({ compress: false }));
    expect(await peer.say("a CAPABILITY")).not.toContain("COMPRESS");
    expect(await peer.say("b COMPRESS DEFLATE")).toStartWith("b NO");
  });
});
