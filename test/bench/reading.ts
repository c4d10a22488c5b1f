/** Logins per second; reading a mailbox of ten thousand as Delta Chat reads it: headers, then bodies. */
import type { ImapClient } from "../support/imap-client.ts";
import { joinMail, pgpBody } from "../support/pgp-mail.ts";
import type { Relay } from "../support/relay.ts";
import {
  cpuMs,
  type Figure,
  imapLogin,
  inParallel,
  makeUsers,
  type Scenario,
  smtpLogin,
  withRelay,
} from "./lab.ts";

const KNOWN_LOGINS = 3_000;
const FIRST_LOGINS = 400;
const WORKERS = 16;
const WARM_UP_PASSES = 4;
const MESSAGES = 10_000;
const BYTES = 10_000;
/** Delta Chat asks for 500 headers at once, and for bodies by sets of about a hundred. */
const HEADERS_AT_ONCE = 500;
const BODIES_AT_ONCE = 100;
const PREFETCH =
  "(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE X-MICROSOFT-ORIGINAL-MESSAGE-ID FROM CONTENT-TYPE SECURE-JOIN CHAT-VERSION CHAT-IS-POST-MESSAGE AUTOCRYPT-SETUP-MESSAGE)])";

export const logins: Scenario = {
  name: "logins",
  run: () =>
    withRelay("logins", async (relay) => {
      const fresh = Array.from({ length: FIRST_LOGINS }, (_, i) => `newcomer${i}@${relay.domain}`);
      const first = await timed(relay, FIRST_LOGINS, () =>
        inParallel(WORKERS, fresh, async (user) => (await imapLogin(relay, user)).close()),
      );
      const known = await makeUsers(relay, "regular", 50);
      const again = Array.from({ length: KNOWN_LOGINS }, (_, i) => known[i % known.length] ?? "");
      const regular = await timed(relay, KNOWN_LOGINS, () =>
        inParallel(WORKERS, again, async (user) => (await imapLogin(relay, user)).close()),
      );
      return [
        // 8 times the peers' 123/s; 0.8 times their 107/s.
        {
          name: "IMAP TLS logins/s, known users",
          value: regular.perSecond,
          unit: "/s",
          budget: { min: 984 },
        },
        { name: "server CPU per known login", value: regular.cpuMs, unit: "ms" },
        { name: "first logins/s (account made)", value: first.perSecond, unit: "/s", budget: { min: 86 } },
        { name: "server CPU per first login", value: first.cpuMs, unit: "ms" },
      ] satisfies Figure[];
    }),
};

export const reading: Scenario = {
  name: "reading",
  run: () =>
    withRelay("reading", async (relay) => {
      const user = `librarian@${relay.domain}`;
      await fill(relay, user);
      const warm = await openBox(relay, user);
      // The cold figure below has its passes through unoptimised code in it; these show the steady state.
      for (let pass = 0; pass < WARM_UP_PASSES; pass++) await prefetch(warm);
      const cached = await timed(relay, MESSAGES, () => prefetch(warm));
      await fetchBodies(warm);
      const bodies = await timed(relay, MESSAGES, () => fetchBodies(warm));
      warm.close();
      await relay.stop();
      await relay.restart();
      const cold = await openBox(relay, user);
      const first = await timed(relay, MESSAGES, () => prefetch(cold));
      cold.close();
      return [
        {
          name: "prefetch of 10,000, messages/s, cached",
          value: cached.perSecond,
          unit: "/s",
          budget: { min: 200_000 },
        },
        {
          name: "prefetch of 10,000, messages/s, cold",
          value: first.perSecond,
          unit: "/s",
          budget: { min: 50_000 },
        },
        { name: "server CPU per 1,000 prefetched, cached", value: cached.cpuMs * 1000, unit: "ms" },
        { name: "server CPU per 1,000 prefetched, cold", value: first.cpuMs * 1000, unit: "ms" },
        { name: "bodies fetched/s", value: bodies.perSecond, unit: "/s", budget: { min: 30_000 } },
        { name: "server CPU per body", value: bodies.cpuMs, unit: "ms" },
      ] satisfies Figure[];
    }),
};

async function timed(relay: Relay, count: number, work: () => Promise<void>) {
  const cpuBefore = cpuMs(relay.pid);
  const startedAt = performance.now();
  await work();
  const seconds = (performance.now() - startedAt) / 1000;
  return { perSecond: count / seconds, cpuMs: (cpuMs(relay.pid) - cpuBefore) / count };
}

async function fill(relay: Relay, user: string): Promise<void> {
  await makeUsers(relay, "unused", 1);
  (await imapLogin(relay, user)).close();
  const body = await pgpBody(BYTES);
  const senders = await makeUsers(relay, "author", 8);
  const clients = await Promise.all(senders.map((sender) => smtpLogin(relay, sender)));
  const numbers = Array.from({ length: MESSAGES }, (_, i) => i);
  const free = clients.map((client, i) => ({ client, from: senders[i] ?? "" }));
  await inParallel(clients.length, numbers, async (n) => {
    const writer = free.pop();
    if (writer === undefined) throw new Error("more workers than connections");
    const mail = joinMail({ from: writer.from, messageId: `book-${n}@localhost` }, body);
    const { code } = await writer.client.send({ from: writer.from, to: [user] }, mail);
    if (code !== 250) throw new Error(`refused: ${code}`);
    free.push(writer);
  });
  for (const client of clients) client.link.close();
}

async function openBox(relay: Relay, user: string): Promise<ImapClient> {
  const imap = await imapLogin(relay, user);
  const { exists } = await imap.select();
  if (exists !== MESSAGES) throw new Error(`${exists} messages instead of ${MESSAGES}`);
  return imap;
}

async function prefetch(imap: ImapClient): Promise<void> {
  for (let uid = 1; uid <= MESSAGES; uid += HEADERS_AT_ONCE) {
    await imap.drain(`UID FETCH ${uid}:${uid + HEADERS_AT_ONCE - 1} ${PREFETCH}`);
  }
}

async function fetchBodies(imap: ImapClient): Promise<void> {
  let bytes = 0;
  for (let uid = 1; uid <= MESSAGES; uid += BODIES_AT_ONCE) {
    bytes += await imap.drain(`UID FETCH ${uid}:${uid + BODIES_AT_ONCE - 1} (FLAGS BODY.PEEK[])`);
  }
  if (bytes < MESSAGES * BYTES * 0.9) throw new Error(`only ${bytes} bytes of bodies`);
}
