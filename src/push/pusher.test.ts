/** The queue of push notifications on a clock that is moved by hand, with a database of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "bun:test";
import type { Address } from "../core/address.ts";
import { ManualClock } from "../core/clock.ts";
import { DeviceTokens } from "../db/device-tokens.ts";
import { closeDatabase, openDatabase } from "../db/open.ts";
import { PushJobRows } from "../db/push-jobs.ts";
import { createLog } from "../log/log.ts";
import type { PostResult } from "./post.ts";
import { Pusher, type PushMode } from "./pusher.ts";

const ALICE = "alice123@relay.test" as Address;
const BOB = "bob12345@relay.test" as Address;
const folder = mkdtempSync(join(tmpdir(), "madmail-push-"));
const open: (() => void)[] = [];
let files = 0;

afterAll(() => {
  for (const close of open) close();
  rmSync(folder, { recursive: true, force: true });
});

/** A pusher whose requests are answered by hand. */
class World {
  readonly clock = new ManualClock();
  readonly log = createLog("off", () => {});
  readonly sent: string[] = [];
  readonly tokens: DeviceTokens;
  readonly jobs: PushJobRows;
  mode: PushMode = "on";
  pusher: Pusher;
  #answers: ((result: PostResult) => void)[] = [];

  constructor() {
    const db = openDatabase(join(folder, `${++files}.db`));
    open.push(() => closeDatabase(db));
    this.tokens = new DeviceTokens(db, this.clock);
    this.jobs = new PushJobRows(db);
    this.pusher = this.newPusher();
  }

  /** As after a crash: only what is on disk is known. */
  newPusher(): Pusher {
    const { tokens, jobs, log, clock } = this;
    const post = (token: string, signal: AbortSignal) => {
      this.sent.push(token);
      const { promise, resolve } = Promise.withResolvers<PostResult>();
      signal.addEventListener("abort", () => resolve("unreachable"));
      this.#answers.push(resolve);
      return promise;
    };
    this.pusher = new Pusher({ tokens, jobs, mode: () => this.mode, post, log, clock });
    return this.pusher;
  }

  /** Answers all requests under way. */
  async answer(result: PostResult): Promise<void> {
    for (const resolve of this.#answers.splice(0)) resolve(result);
    await settled();
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await settled();
  }

  count(name: string): number {
    return this.log.counts().get(name) ?? 0;
  }
}

/** Lets every promise that can go on do so. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

test("each device of a recipient is told at once, the sender's own are not", async () => {
  const world = new World();
  for (const token of ["b1", "b2"]) world.tokens.add(BOB, token);
  world.tokens.add(ALICE, "a1");
  world.pusher.delivered([ALICE, BOB], ALICE);
  expect(world.sent).toEqual(["b1", "b2"]);
  await world.answer("taken");
  expect(world.jobs.all()).toEqual([]);
  expect(world.count("pushSent")).toBe(2);
});

test("a message from outside or a report tells everybody who got it", () => {
  const world = new World();
  world.tokens.add(ALICE, "a1");
  world.pusher.delivered([ALICE], null);
  expect(world.sent).toEqual(["a1"]);
});

test("messages in quick succession are one notification at once and one after a second", async () => {
  const world = new World();
  world.tokens.add(BOB, "b1");
  for (let i = 0; i < 5; i++) world.pusher.delivered([BOB], ALICE);
  expect(world.sent).toEqual(["b1"]);
  await world.answer("taken");
  expect(world.sent).toEqual(["b1"]);
  world.pusher.delivered([BOB], ALICE);
  await world.pass(999);
  expect(world.sent).toEqual(["b1"]);
  await world.pass(1);
  expect(world.sent).toEqual(["b1", "b1"]);
  await world.answer("taken");
  expect(world.pusher.pending).toBe(0);
});

test("one that rests holds up nobody else", async () => {
  const world = new World();
  world.tokens.add(BOB, "b1");
  world.tokens.add(ALICE, "a1");
  world.pusher.delivered([BOB], null);
  await world.answer("taken");
  world.pusher.delivered([BOB], null);
  world.pusher.delivered([ALICE], null);
  expect(world.sent).toEqual(["b1", "a1"]);
});

test("a dead token is removed, for whoever had it", async () => {
  const world = new World();
  for (const user of [ALICE, BOB]) world.tokens.add(user, "dead");
  world.tokens.add(BOB, "good");
  world.pusher.delivered([BOB], ALICE);
  await world.answer("dead");
  expect(world.tokens.of(ALICE)).toEqual([]);
  expect(world.jobs.all()).toEqual([]);
});

test("failures are tried again after 8, 64, 512 and 4096 seconds, then given up", async () => {
  const world = new World();
  world.tokens.add(BOB, "b1");
  world.pusher.delivered([BOB], ALICE);
  let tries = 1;
  for (const waitMs of [8_000, 64_000, 512_000, 4_096_000]) {
    await world.answer("refused");
    await world.pass(waitMs - 1);
    expect(world.sent.length).toBe(tries);
    await world.pass(1);
    expect(world.sent.length).toBe(++tries);
    expect(world.jobs.all()).toEqual(["b1"]);
  }
  await world.answer("timeout");
  expect(world.jobs.all()).toEqual([]);
  expect(world.count("pushDropped.tooOften")).toBe(1);
  expect(world.tokens.of(BOB)).toEqual(["b1"]);
});

test("a new message brings a long wait forward, never below eight seconds", async () => {
  const world = new World();
  world.tokens.add(BOB, "b1");
  world.pusher.delivered([BOB], ALICE);
  await world.answer("refused");
  await world.pass(8_000);
  await world.answer("refused");
  world.pusher.delivered([BOB], ALICE);
  expect(world.sent.length).toBe(2);
  await world.pass(8_000);
  world.pusher.delivered([BOB], ALICE);
  expect(world.sent.length).toBe(3);
});

test("a message that comes during an attempt is told after it", async () => {
  const world = new World();
  world.tokens.add(BOB, "b1");
  world.pusher.delivered([BOB], ALICE);
  world.pusher.delivered([BOB], ALICE);
  await world.answer("taken");
  expect(world.jobs.all()).toEqual(["b1"]);
  await world.pass(1000);
  expect(world.sent.length).toBe(2);
});

test("after a crash everything that was not taken is told again", async () => {
  const world = new World();
  for (const token of ["b1", "b2", "b3"]) world.tokens.add(BOB, token);
  world.pusher.delivered([BOB], ALICE);
  await world.answer("refused");
  world.sent.length = 0;
  await world.newPusher().start();
  expect(world.sent.toSorted()).toEqual(["b1", "b2", "b3"]);
});

test("tokens that were removed meanwhile are not told", async () => {
  const world = new World();
  world.tokens.add(BOB, "b1");
  world.jobs.add(["gone", "b1"]);
  await world.pusher.start();
  await settled();
  expect(world.sent).toEqual(["b1"]);
  expect(world.jobs.all()).toEqual(["b1"]);
});

test("at most four fresh ones are under way together, and two of each retry", async () => {
  const world = new World();
  for (let i = 0; i < 10; i++) world.tokens.add(BOB, `b${i}`);
  world.pusher.delivered([BOB], ALICE);
  expect(world.sent.length).toBe(4);
  await world.answer("refused");
  await world.answer("refused");
  await world.answer("refused");
  expect(world.sent.length).toBe(10);
  await world.pass(8_000);
  expect(world.sent.length).toBe(12);
});

test("mode auto rests after five failures in a row and goes on with a single attempt", async () => {
  const world = new World();
  world.mode = "auto";
  for (let i = 0; i < 9; i++) world.tokens.add(BOB, `b${i}`);
  world.pusher.delivered([BOB], ALICE);
  await world.answer("unreachable");
  await world.answer("unreachable");
  expect(world.sent.length).toBe(8);
  expect(world.pusher.resting).toBe(true);
  expect(world.count("pushPaused")).toBe(1);
  await world.pass(59_999);
  expect(world.sent.length).toBe(8);
  await world.pass(1);
  expect(world.sent.length).toBe(9);
  await world.answer("taken");
  expect(world.pusher.resting).toBe(false);
  expect(world.sent.length).toBeGreaterThan(9);
});

test("mode on never rests", async () => {
  const world = new World();
  for (let i = 0; i < 12; i++) world.tokens.add(BOB, `b${i}`);
  world.pusher.delivered([BOB], ALICE);
  for (let i = 0; i < 3; i++) await world.answer("unreachable");
  expect(world.sent.length).toBe(12);
});

test("mode off queues nothing, and drops what waits", async () => {
  const world = new World();
  world.tokens.add(BOB, "b1");
  world.pusher.delivered([BOB], ALICE);
  await world.answer("refused");
  world.mode = "off";
  world.pusher.delivered([BOB], ALICE);
  await world.pass(8_000);
  expect(world.sent.length).toBe(1);
  expect(world.jobs.all()).toEqual([]);
  expect(world.pusher.pending).toBe(0);
});

test("stopping waits for attempts under way, gives them up after two seconds, and keeps them for the next run", async () => {
  const world = new World();
  world.tokens.add(BOB, "b1");
  world.pusher.delivered([BOB], ALICE);
  const stopped = world.pusher.stop();
  await world.pass(2_000);
  await stopped;
  expect(world.jobs.all()).toEqual(["b1"]);
});

test("what was not told for five hours is given up", async () => {
  const world = new World();
  world.mode = "auto";
  world.tokens.add(BOB, "b1");
  world.pusher.delivered([BOB], ALICE);
  await world.answer("refused");
  await world.pass(8_000);
  await world.pass(5 * 3_600_000);
  await world.answer("refused");
  expect(world.count("pushDropped.tooOld")).toBe(1);
  expect(world.jobs.all()).toEqual([]);
});
