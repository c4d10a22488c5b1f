/**
 * Ten thousand messages to five hundred domains, of which a hundred hang and a hundred refuse, over real files with every
 * message synced: until the healthy have all, what it takes in memory and open files, and how fast mail is accepted.
 * The courier is a stand-in that answers after a millisecond; transports have a bench of their own.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseAddress } from "../../src/core/address.ts";
import { LocalChangeHub } from "../../src/core/changes.ts";
import { systemClock } from "../../src/core/clock.ts";
import { accept } from "../../src/core/verdict.ts";
import type { Courier, Outcome } from "../../src/delivery/courier.ts";
import { pack } from "../../src/delivery/queue/pack.ts";
import { Queue } from "../../src/delivery/queue/queue.ts";
import { createLog } from "../../src/log/log.ts";
import { MaildirStore } from "../../src/storage/maildir.ts";

const MESSAGES = 10_000;
const DOMAINS = 500;
const SENDERS = 8;
const BODY_BYTES = 10_000;
const HANG_MS = 30_000;
const ANSWER_MS = 1;

const directory = mkdtempSync(join(tmpdir(), "madmail-bench-queue-"));
const log = createLog("error", (line) => console.error(line));
const store = new MaildirStore({
  root: join(directory, "mail"),
  spoolDir: join(directory, "spool"),
  fsync: "always",
  hub: new LocalChangeHub(),
  clock: systemClock,
  log,
});
await store.start();

const kindOf = (domain: string) => Number(/\d+/.exec(domain)?.[0]) % 5;
const healthy = (MESSAGES / DOMAINS) * DOMAINS * (3 / 5);
let delivered = 0;
let read = 0;
let attemptsMax = 0;
let attempts = 0;
const allHealthy = Promise.withResolvers<void>();
const courier: Courier = {
  async deliver(message, stop) {
    attemptsMax = Math.max(attemptsMax, ++attempts);
    const kind = kindOf(message.domain);
    const body = await message.open();
    read += (await body.read(0, body.size)).length;
    await body.close();
    await delay(kind === 0 ? HANG_MS : ANSWER_MS, undefined, { signal: stop }).catch(() => undefined);
    attempts--;
    const outcome: Outcome =
      kind === 0
        ? { do: "defer", reply: { code: 421, enhanced: "4.4.1", text: "No answer" } }
        : kind === 1
          ? { do: "fail", reply: { code: 550, enhanced: "5.1.1", text: "No such user" } }
          : { do: "sent" };
    if (kind > 1 && ++delivered === healthy) allHealthy.resolve();
    const outcomes = new Map(message.recipients.map((each) => [each, outcome] as const));
    return { outcomes, route: kind === 0 ? undefined : "https", attempts: [], latencyMs: ANSWER_MS };
  },
};
let bounces = 0;
const queue = new Queue({
  outbox: store.outbox,
  courier,
  judge: () => accept,
  report: async () => void bounces++,
  note: () => undefined,
  settings: {
    schedule: { firstMs: 60_000, factor: 1.5, maxMs: 3_600_000, lifetimeMs: 172_800_000 },
    concurrency: 200,
    perDestination: 2,
    messagesMax: 100_000,
    perDestinationMax: 10_000,
  },
  clock: systemClock,
  log,
});
await queue.start();

const openFiles = () => readdirSync("/proc/self/fd").length;
const rssMb = () => process.memoryUsage.rss() / 2 ** 20;
const rssBeforeMb = rssMb();
let filesMax = 0;
let rssMaxMb = 0;
const watch = setInterval(() => {
  filesMax = Math.max(filesMax, openFiles());
  rssMaxMb = Math.max(rssMaxMb, rssMb());
}, 50);

const header = Buffer.from("From: <bench@relay.test>\r\nMessage-ID: <bench@relay.test>\r\n\r\n");
const text = Buffer.concat([header, Buffer.alloc(BODY_BYTES - header.length, "x")]);
const sender = parseAddress("bench@relay.test") ?? null;
async function send(n: number): Promise<void> {
  const recipient = parseAddress(`user${n}@d${n % DOMAINS}.test`);
  if (recipient === undefined) throw new Error("not an address");
  const spool = store.spool({ maxBytes: 1_000_000 });
  spool.write(text);
  const message = spool.seal(header);
  const { parcel, letters } = pack(sender, [recipient], Date.now());
  await store.deliver(message, [], parcel);
  queue.arrived(letters.map((each) => ({ ...each, bytes: message.bytes })));
  message.discard();
}

const startedAt = performance.now();
const cpuBefore = process.cpuUsage();
let next = 0;
await Promise.all(
  Array.from({ length: SENDERS }, async () => {
    while (next < MESSAGES) await send(next++);
  }),
);
const acceptedMs = performance.now() - startedAt;
await allHealthy.promise;
const healthyMs = performance.now() - startedAt;
const cpu = process.cpuUsage(cpuBefore);
const waiting = queue.status();

// What a restart has to read.
queue.abort();
await queue.stop();
const again = new Queue({
  outbox: store.outbox,
  courier: { deliver: () => new Promise(() => undefined) },
  judge: () => accept,
  report: async () => undefined,
  note: () => undefined,
  settings: {
    schedule: { firstMs: 60_000, factor: 1.5, maxMs: 3_600_000, lifetimeMs: 172_800_000 },
    concurrency: 4,
    perDestination: 1,
    messagesMax: 100_000,
    perDestinationMax: 10_000,
  },
  clock: systemClock,
  log,
});
const loadStarted = performance.now();
await again.start();
await again.loaded();
const loadMs = performance.now() - loadStarted;
clearInterval(watch);

const round = (value: number) => Math.round(value).toLocaleString("en");
console.log(
  `messages accepted, every one synced   ${round((MESSAGES / acceptedMs) * 1000)}/s with ${SENDERS} senders`,
);
console.log(`healthy destinations have all after   ${round(healthyMs)} ms (${round(healthy)} messages)`);
console.log(
  `CPU per message, queue and storage    ${((cpu.user + cpu.system) / 1000 / MESSAGES).toFixed(2)} ms`,
);
console.log(`memory before, most                   ${round(rssBeforeMb)} MB, ${round(rssMaxMb)} MB`);
console.log(`open files at most                    ${filesMax}`);
console.log(`attempts at once at most              ${attemptsMax}`);
console.log(`refused and reported                  ${bounces}`);
console.log(`waiting for servers that hang         ${waiting.messages} for ${waiting.destinations} domains`);
console.log(
  `reading them at a restart             ${round(loadMs)} ms (${again.status().messages} messages)`,
);
console.log(`bytes read by the courier             ${round(read)}`);
rmSync(directory, { recursive: true, force: true });
process.exit(0);
