/** Memory of the fresh relay and of idle connections, and how long it takes to wake a hundred of them. */
import type { ImapClient } from "../support/imap-client.ts";
import { joinMail, pgpBody } from "../support/pgp-mail.ts";
import type { Relay } from "../support/relay.ts";
import {
  cpuMs,
  type Figure,
  imapLogin,
  inParallel,
  makeUsers,
  percentile,
  pssKb,
  type Scenario,
  smtpLogin,
  withRelay,
} from "./lab.ts";

const CONNECTIONS = Number(process.env["BENCH_CONNECTIONS"] ?? 5_000);
const COMPRESSED = Math.min(1_000, CONNECTIONS);
const WOKEN = 100;
const ROUNDS = 20;
/** How long nothing happens while the CPU time is read; shorter than the time between keepalives. */
const QUIET_MS = 10_000;
/** The first fifth fills what earlier work left free in the heap; only the rest is weighed. */
const UNWEIGHED_PART = 0.2;
/** Accounts that the sleepers share: first logins are dear, and not the subject here. */
const SLEEPER_ACCOUNTS = 100;

export const idle: Scenario = {
  name: "idle",
  run: () =>
    withRelay("idle", async (relay) => {
      const fresh = pssKb(relay.pid);
      const sleepers = await makeUsers(relay, "sleeper", SLEEPER_ACCOUNTS);
      const { clients, each } = await weigh(relay, sleepers, CONNECTIONS, false);
      const quietMs = await restingCpuMs(relay);
      const woken = await wake(relay);
      for (const client of clients) client.close();
      return [
        { name: "PSS, freshly started", value: fresh / 1024, unit: "MB", budget: { max: 70 } },
        {
          name: `PSS per IDLE connection, ${CONNECTIONS} of them`,
          value: each,
          unit: "kB",
          budget: { max: 12 },
        },
        {
          name: `server CPU of ${CONNECTIONS} IDLE connections in 10 s`,
          value: quietMs,
          unit: "ms",
          budget: { max: 200 },
        },
        {
          name: `wake ${WOKEN} of ${CONNECTIONS + WOKEN}, last push, p50`,
          value: percentile(woken, 0.5),
          unit: "ms",
          budget: { max: 15 },
        },
        { name: "the same, worst of 20", value: Math.max(...woken), unit: "ms" },
      ] satisfies Figure[];
    }),
};

export const compressed: Scenario = {
  name: "compressed",
  run: () =>
    withRelay("compressed", async (relay) => {
      const sleepers = await makeUsers(relay, "sleeper", SLEEPER_ACCOUNTS);
      const { clients, each } = await weigh(relay, sleepers, COMPRESSED, true);
      for (const client of clients) client.close();
      const name = `PSS per IDLE connection with COMPRESS, ${COMPRESSED} of them`;
      return [{ name, value: each, unit: "kB", budget: { max: 20 } }];
    }),
};

/** @returns the connections, and the kB of PSS that each of the later ones added */
async function weigh(relay: Relay, users: readonly string[], count: number, compress: boolean) {
  const unweighed = Math.round(count * UNWEIGHED_PART);
  const clients = await sleep(relay, users, unweighed, compress);
  const before = pssKb(relay.pid);
  clients.push(...(await sleep(relay, users, count - unweighed, compress)));
  return { clients, each: (pssKb(relay.pid) - before) / (count - unweighed) };
}

async function sleep(
  relay: Relay,
  users: readonly string[],
  count: number,
  compress: boolean,
): Promise<ImapClient[]> {
  const clients: ImapClient[] = [];
  const places = Array.from({ length: count }, (_, i) => users[i % users.length] ?? "");
  await inParallel(16, places, async (user) => {
    const imap = await imapLogin(relay, user);
    if (compress) await imap.compress();
    await imap.select();
    await imap.idle();
    clients.push(imap);
  });
  return clients;
}

/** CPU that the relay takes while all sleep. */
async function restingCpuMs(relay: Relay): Promise<number> {
  const before = cpuMs(relay.pid);
  await Bun.sleep(QUIET_MS);
  return cpuMs(relay.pid) - before;
}

/** One message to a hundred sleepers, again and again. @returns milliseconds until the last had its EXISTS */
async function wake(relay: Relay): Promise<number[]> {
  const users = await makeUsers(relay, "wakeful", WOKEN);
  const clients = await sleep(relay, users, WOKEN, false);
  const from = (await makeUsers(relay, "rooster", 1))[0] ?? "";
  const smtp = await smtpLogin(relay, from);
  const body = await pgpBody(10_000);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const mail = joinMail({ from, messageId: `wake-${round}@localhost` }, body);
    const startedAt = performance.now();
    const sending = smtp.send({ from, to: users }, mail);
    await Promise.all(clients.map((client) => untilExists(client)));
    times.push(performance.now() - startedAt);
    const { code } = await sending;
    if (code !== 250) throw new Error(`refused: ${code}`);
  }
  for (const client of clients) client.close();
  smtp.link.close();
  return times;
}

async function untilExists(imap: ImapClient): Promise<void> {
  while (!(await imap.next()).text.endsWith(" EXISTS"));
}
