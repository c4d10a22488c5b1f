/**
 * Figures of the Maildir store alone: `UV_THREADPOOL_SIZE=16 bun test/bench/storage.ts [directory]`.
 * Every run gets a fresh directory: creating files soon after deleting many is slow on some file systems.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Address } from "../../src/core/address.ts";
import { LocalChangeHub } from "../../src/core/changes.ts";
import { systemClock } from "../../src/core/clock.ts";
import { MaildirStore } from "../../src/storage/maildir.ts";
import { type DeliveryTarget, Flag, type Mailbox } from "../../src/storage/store.ts";
import type { FsyncMode } from "../../src/storage/syncs.ts";

const MESSAGE_BYTES = 10_000;
const DELIVERIES = 3000;
const MAILBOX_MESSAGES = 10_000;

const header = Buffer.from(
  [
    "Return-Path: <abcdefghi@relay.test>",
    'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted";\r\n\tboundary="18c4bd2c6d3a1f0b_4bd2c6d3a1f0b18c_b18c4bd2c6d3a1f0"',
    "MIME-Version: 1.0",
    "From: <abcdefghi@relay.test>",
    'To: "hidden-recipients": ;',
    "Subject: [...]",
    "Date: Sun, 22 Nov 2026 01:43:11 +0000",
    "Message-ID: <0d1f8a7e-3c50-4e7c-9f1b-6a4d7f3e2c11@localhost>",
    "Chat-Version: 1.0",
    `Autocrypt: addr=abcdefghi@relay.test; prefer-encrypt=mutual; keydata=${"A".repeat(700)}`,
    "\r\n",
  ].join("\r\n"),
);
const bytes = Buffer.concat([header, Buffer.alloc(MESSAGE_BYTES - header.length, "x")]);
const user = (n: number) => `user${n}@relay.test` as Address;
const inbox = (n: number): DeliveryTarget => ({ user: user(n), mailbox: "INBOX" });

async function openStore(directory: string, fsync: FsyncMode): Promise<MaildirStore> {
  const store = new MaildirStore({
    root: `${directory}/mail`,
    spoolDir: `${directory}/spool`,
    fsync,
    hub: new LocalChangeHub(),
    clock: systemClock,
    log: { emit: (event) => console.error(event), counts: () => new Map() },
  });
  await store.start();
  await store.swept();
  return store;
}

async function deliver(store: MaildirStore, targets: DeliveryTarget[]): Promise<void> {
  const spool = store.spool({ maxBytes: 1_000_000 });
  spool.write(bytes);
  const message = spool.seal(header);
  await store.deliver(message, targets);
  message.discard();
}

/** Runs `count` pieces of work, `atOnce` side by side, and prints the rate and the CPU of each piece. */
async function measure(
  name: string,
  count: number,
  atOnce: number,
  work: (n: number) => unknown,
): Promise<void> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  let next = 0;
  const lane = async () => {
    for (let n = next++; n < count; n = next++) await work(n);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  const ms = performance.now() - start;
  const { user: inUser, system } = process.cpuUsage(cpu);
  const rate = Math.round((count / ms) * 1000).toLocaleString("en");
  const each = `${(ms / count).toFixed(3)} ms, CPU ${((inUser + system) / count / 1000).toFixed(3)} ms`;
  console.log(`${name.padEnd(52)} ${rate.padStart(9)}/s   ${each}`);
}

async function deliveries(directory: string, fsync: FsyncMode): Promise<void> {
  const store = await openStore(directory, fsync);
  for (let n = 0; n < 50; n++) await deliver(store, [inbox(n)]);
  for (const atOnce of [1, 8, 32]) {
    await measure(`deliver ${fsync}, ${atOnce} at once, 50 mailboxes`, DELIVERIES, atOnce, (n) =>
      deliver(store, [inbox(n % 50)]),
    );
  }
  await measure(`deliver ${fsync}, 8 at once, one mailbox`, DELIVERIES, 8, () => deliver(store, [inbox(0)]));
  const fifty = Array.from({ length: 50 }, (_, n) => inbox(n));
  await measure(`deliver ${fsync}, 8 at once, each to 50 (copies: x50)`, 100, 8, () => deliver(store, fifty));
  await store.close();
}

async function reading(directory: string): Promise<void> {
  let store = await openStore(directory, "never");
  await measure("fill (never), 32 at once", MAILBOX_MESSAGES, 32, () => deliver(store, [inbox(0)]));
  let mailbox = await openInbox(store);
  const uids = mailbox.messages.map(({ uid }) => uid);
  await measure("prefetch header, cached", uids.length, 1, (n) => mailbox.prefetchHeader(uids[n] ?? 0));
  await store.close();
  store = await openStore(directory, "never");
  await measure(`load ${MAILBOX_MESSAGES} messages (clean stop)`, 1, 1, () => store.account(user(0)));
  mailbox = await openInbox(store);
  await measure("prefetch header, not cached", uids.length, 1, (n) => mailbox.prefetchHeader(uids[n] ?? 0));
  await measure("prefetch header, cached", uids.length, 1, (n) => mailbox.prefetchHeader(uids[n] ?? 0));
  for (const atOnce of [1, 8]) {
    await measure(`body, ${atOnce} at once`, uids.length, atOnce, async (n) => {
      const body = await mailbox.body(uids[n] ?? 0);
      await body?.read(0, MESSAGE_BYTES);
      await body?.close();
    });
  }
  await measure("STORE +Deleted and expunge, one by one", 2000, 1, async (n) => {
    await mailbox.storeFlags([uids[n] ?? 0], "add", Flag.deleted);
    await mailbox.expunge();
  });
  await measure("STORE +Deleted and expunge, the rest at once", 1, 1, async () => {
    await mailbox.storeFlags(uids, "add", Flag.deleted);
    await mailbox.expunge();
  });
  await store.close();
}

async function openInbox(store: MaildirStore): Promise<Mailbox> {
  return await (await store.account(user(0))).open("INBOX");
}

for (const run of [
  (directory: string) => deliveries(directory, "always"),
  (directory: string) => deliveries(directory, "optimized"),
  (directory: string) => deliveries(directory, "never"),
  reading,
]) {
  const directory = await mkdtemp(join(process.argv[2] ?? tmpdir(), "madmail-bench-"));
  try {
    await run(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}
