/** Queue, storage, state and door's side of it together, over real files; only the courier is a stand-in. */
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Config, resolveConfig } from "../config/config.ts";
import { configSchema } from "../config/schema.ts";
import { closeDatabase, type Db, openDatabase } from "../db/open.ts";
import { pack } from "../delivery/queue/pack.ts";
import { address, domain, FakeCourier, refused, sent } from "../delivery/queue/queue.test-help.ts";
import type { Log } from "../log/events.ts";
import type { LiveRelay } from "../operations/context.ts";
import { operatorOn } from "../operations/operations.test-help.ts";
import { HotState } from "../state/hot-state.ts";
import type { MaildirStore } from "../storage/maildir.ts";
import { MaildirFixture } from "../storage/maildir.test-help.ts";
import { inboxOf, messageText, queuedIn, seal, textOf } from "../storage/store.test-help.ts";
import { MailQueue } from "./queue.ts";

const alice = address("alice@relay.test");
const peer = domain("peer.test");
setDefaultTimeout(30_000);

let fixture: MaildirFixture;
let store: MaildirStore;
let db: Db;
let state: HotState;
let courier: FakeCourier;
let mail: MailQueue;
let config: Config;

beforeEach(async () => {
  fixture = await MaildirFixture.make();
  const log: Log = { emit: (event) => void fixture.events.push(event), counts: () => new Map() };
  config = resolveConfig(configSchema.parse({ domains: ["relay.test"], state_dir: fixture.directory }));
  const { clock } = fixture;
  store = await fixture.open({ fsync: "never" });
  db = openDatabase(join(fixture.directory, "madmail.db"));
  state = new HotState({ db, config: () => config, clock, log });
  await state.start();
  state.accounts.create(alice, { hash: "h", loggedIn: true });
  courier = new FakeCourier(clock);
  mail = new MailQueue({ config, courier, store, state, clock, log });
  await mail.start();
});

afterEach(async () => {
  await mail.stop();
  await state.stop();
  closeDatabase(db);
  await fixture.dispose();
});

async function send(to: string, sender = alice): Promise<string> {
  const message = seal(store, messageText(1));
  const { parcel, letters } = pack(sender, [address(to)], fixture.clock.nowMs());
  await store.deliver(message, [], parcel);
  message.discard();
  mail.outgoing.arrived(letters.map((each) => ({ ...each, bytes: message.bytes })));
  return letters[0]?.id ?? "";
}

/**
 * File work ends when it ends: looks again until it has. The only bound is the test's own: the queue's clock stands still
 * here, and on a busy machine five seconds are not enough.
 */
async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setImmediate(resolve));
}

const isEmpty = () => mail.queue.status().messages === 0;

test("what a peer refuses comes back to the sender's mailbox, and is counted", async () => {
  courier.answers.set(peer, refused);
  await send("gone@peer.test");
  await until(isEmpty);
  const report = (await textOf(await inboxOf(store, alice), 1)) ?? "";
  expect(report).toContain("<gone@peer.test>: 550 5.1.1 No such user");
  expect(report).toContain("Message-ID: <1@relay.test>");
  expect(await queuedIn(store)).toEqual([]);
  expect([...state.peers.entries()].map(([key, row]) => [String(key), row.successHttps])).toEqual([
    ["peer.test", 1],
  ]);
  expect(JSON.stringify(fixture.events)).not.toContain("peer.test");
});

test.each([
  ["from outside", "stranger@else.test"],
  ["of an account that is gone", "gone@relay.test"],
])("a sender %s gets no report", async (_, sender) => {
  courier.answers.set(peer, refused);
  await send("gone@peer.test", address(sender));
  await until(isEmpty);
  expect(readdirSync(join(fixture.directory, "mail"))).toEqual([]);
});

test("a rule that comes while a message waits sends it back", async () => {
  courier.answers.set(peer, "silence");
  await send("bob@peer.test");
  await until(() => mail.queue.list(1)[0]?.tries === 1);
  state.federation.rules.add("peer.test");
  mail.queue.retry("all");
  await until(isEmpty);
  expect(courier.asked).toHaveLength(1);
  expect(await textOf(await inboxOf(store, alice), 1)).toContain("federation policy");
});

test("an operator sees what waits, and takes it out", async () => {
  courier.answers.set(peer, "silence");
  const id = await send("bob@peer.test");
  await until(() => mail.queue.list(1)[0]?.tries === 1);
  const queue: LiveRelay["queue"] = {
    retry: (selection) => mail.queue.retry(selection),
    drop: (selection) => mail.queue.drop(selection),
    destinations: () => mail.queue.destinations(),
  };
  const operator = operatorOn({ clock: fixture.clock, db, state, store, config, live: { queue } });
  expect(await operator.call("queue.show", { id })).toMatchObject({
    recipients: ["bob@peer.test"],
    tries: 1,
  });
  expect(await operator.call("queue.remove", { what: "peer.test" })).toEqual({ count: 1 });
  expect(isEmpty()).toBe(true);
  expect((await operator.call("queue.status", {})).messages).toBe(0);
});

test("what waits on a stopped relay is steered too", async () => {
  courier.answers.set(peer, "silence");
  const id = await send("bob@peer.test");
  await until(() => mail.queue.list(1)[0]?.tries === 1);
  await mail.stop();
  const operator = operatorOn({ clock: fixture.clock, db, state, store, config });
  expect(await operator.call("queue.retry", { what: "else.test" })).toEqual({ count: 0 });
  expect(await operator.call("queue.retry", { what: "all" })).toEqual({ count: 1 });
  expect((await operator.call("queue.show", { id })).nextAttemptMs).toBe(0);
  expect(await operator.call("queue.remove", { what: id })).toEqual({ count: 1 });
  expect(await queuedIn(store)).toEqual([]);
});

test("mail from a server is counted, and brings what waits for it on its way only when it is proven", async () => {
  courier.answers.set(peer, "silence");
  await send("bob@peer.test");
  await until(() => mail.queue.list(1)[0]?.tries === 1);
  // Longer than a silent server is left alone for, shorter than the next try is away.
  for (let i = 0; i < 3; i++) {
    fixture.clock.advance(600_000);
    await until(() => mail.queue.list(1)[0]?.tries === i + 2 && mail.queue.status().running === 0);
  }
  fixture.clock.advance(61_000);
  const asked = courier.asked.length;
  courier.answers.set(peer, sent);
  mail.outgoing.heardFrom(peer, false);
  expect(courier.asked).toHaveLength(asked);
  mail.outgoing.heardFrom(peer, true);
  await until(isEmpty);
  expect([...state.peers.entries()][0]?.[1].inboundDeliveries).toBe(2);
});
