/**
 * `bun run bench federation`: messages from one server to another on this machine, until they are in the mailboxes there:
 * two relays by HTTPS and by SMTP, and beside them Postfix with OpenDKIM and Dovecot, twice. Clients keep their
 * connections. In favour of Postfix: its clients neither log in nor use TLS, nothing verifies what comes in (OpenDKIM does
 * not survive it), and Dovecot does not sync.
 * Afterwards, with nothing else to do, how long a message takes one by one: from its 250 to `EXISTS` in an IDLE there.
 * `FEDERATION_MESSAGES` makes it smaller, `FEDERATION_ONLY=https` (`smtp`, `postfix`) measures one pair.
 */
import { createPublicKey } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate, makeKey } from "../../src/tls/self-signed.ts";
import { DnsServer } from "../support/dns-server.ts";
import { freePort } from "../support/free-port.ts";
import type { ImapClient } from "../support/imap-client.ts";
import { joinMail, pgpBody } from "../support/pgp-mail.ts";
import { freePostfixPorts, type PeerRoute, Postfix, whyNoPostfix } from "../support/postfix.ts";
import { Relay } from "../support/relay.ts";
import type { SmtpClient } from "../support/smtp-client.ts";
import { imapLogin, inParallel, percentile, smtpLogin } from "./lab.ts";

const MESSAGES = Number(process.env["FEDERATION_MESSAGES"] ?? 2_000);
const WARM_UP = Math.round(MESSAGES / 10);
const SENDERS = 8;
const BYTES = 10_000;
const LOOK_MS = 20;
const TICK_MS = 10;
/** Messages one at a time, of which the first ones do not count. */
const SINGLE = Number(process.env["FEDERATION_SINGLE"] ?? 200);
const SINGLE_WARM_UP = 20;
const [HERE, THERE] = ["127.0.0.1", "127.0.0.2"] as const;
const PASSWORD = "Yd6wTq0ZpLm3RkVbN8sXcE";

/** Two servers, as the measurement sees them. */
interface Pair {
  senders: readonly string[];
  readers: readonly string[];
  send(user: string): Promise<SmtpClient>;
  read(user: string): Promise<ImapClient>;
  /** Processes whose time counts, with all they started: of the sending and of the receiving server. */
  pids: readonly [from: readonly number[], to: readonly number[]];
}

const names = (prefix: string, domain: string) =>
  Array.from({ length: SENDERS }, (_, i) => `${prefix}00000${i}@${domain}`);

const dns = await DnsServer.start();
console.log(
  "| Messages of 10 kB from server to server | messages/s | CPU of both per message | sender, receiver | accept to push, p50, p99 |\n|---|--:|--:|--:|--:|",
);
const only = process.env["FEDERATION_ONLY"];
const wants = (what: string) => only === undefined || only === what;
if (wants("https")) await relays("/mxdeliv by HTTPS", false);
if (wants("smtp")) await relays("SMTP with STARTTLS", true);
const whyNot = whyNoPostfix();
if (whyNot !== undefined) console.log(`\nwithout Postfix: ${whyNot}`);
else if (wants("postfix")) await postfixes();
dns.stop();
process.exit(0);

async function relays(what: string, isBySmtp: boolean): Promise<void> {
  const ports = {
    https: freePort([HERE, THERE]),
    http: freePort([HERE, THERE]),
    smtp: freePort([HERE, THERE]),
  };
  const start = (domain: string, address: string) => {
    dns.zone.set(domain, [{ type: "A", data: address }]);
    return Relay.start({
      name: `bench-federation-${domain}`,
      domain,
      address,
      ports,
      config: {
        dns: { servers: [dns.endpoint] },
        federation: {
          allow_private_addresses: true,
          tls: "encrypted",
          https_port: isBySmtp ? 1 : ports.https,
          http_port: 1,
          smtp_port: ports.smtp,
          inbound_per_minute: 0,
        },
        accounts: { default_quota: 0 },
        log: { level: "off" },
      },
    });
  };
  const [from, to] = [await start("here.test", HERE), await start("there.test", THERE)];
  try {
    publish(from);
    const result = await measure({
      senders: names("sender", from.domain),
      readers: names("reader", to.domain),
      send: (user) => smtpLogin(from, user),
      read: (user) => imapLogin(to, user),
      pids: [[from.pid], [to.pid]],
    });
    console.log(row(`two relays, ${what}`, result));
  } finally {
    // Not killed: a profiler in the relay writes at its exit.
    await from.stop();
    await to.stop();
    await from.dispose();
    await to.dispose();
  }
}

/** The key that a relay signs with from the start. */
function publish(relay: Relay): void {
  const pem = readFileSync(join(relay.stateDir, "dkim/default.private"), "utf8");
  const p = createPublicKey(pem).export({ format: "der", type: "spki" }).toString("base64");
  const data = `v=DKIM1; k=rsa; p=${p}`.match(/.{1,255}/g) ?? [];
  dns.zone.set(`default._domainkey.${relay.domain}`, [{ type: "TXT", data }]);
}

async function postfixes(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "madmail-bench-"));
  const start = async (domain: string, host: string, routes: readonly PeerRoute[]) => {
    const key = await makeKey();
    const cert = await makeCertificate([`mx.${domain}`], key, Date.now());
    writeFileSync(join(dir, domain), cert);
    const users = [...names("sender", domain), ...names("reader", domain)];
    const own = {
      domain,
      host,
      users,
      password: PASSWORD,
      dnsPort: dns.port,
      tls: { key, cert },
      verifies: false,
    };
    return Postfix.start({ ...own, routes, ports: freePostfixPorts(host) });
  };
  const to = await start("there.test", THERE, []);
  const route = { domain: to.domain, host: THERE, port: to.ports.smtp, certificate: join(dir, to.domain) };
  const from = await start("here.test", HERE, [{ ...route, name: `mx.${to.domain}` }]);
  try {
    dns.zone.set(`default._domainkey.${from.domain}`, [{ type: "TXT", data: from.keyRecord }]);
    const result = await measure({
      senders: names("sender", from.domain),
      readers: names("reader", to.domain),
      send: () => from.connect(),
      read: (user) => to.logIn(user),
      pids: [from.parents, to.parents],
    });
    console.log(row("Postfix, OpenDKIM, Dovecot, twice", result));
  } finally {
    await from.stop();
    await to.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

interface Result {
  perSecond: number;
  /** Per message. */
  fromCpuMs: number;
  toCpuMs: number;
  /** Of one message at a time, from its 250 to the push there. */
  pushMs: readonly number[];
}

async function measure(pair: Pair): Promise<Result> {
  const readers = await Promise.all(pair.readers.map((user) => pair.read(user)));
  const clients = await Promise.all(pair.senders.map((user) => pair.send(user)));
  const body = await pgpBody(BYTES);
  let sent = 0;
  const round = async (count: number): Promise<void> => {
    const wanted = sent + count;
    await inParallel(SENDERS, Array.from({ length: SENDERS }), async (_, i) => {
      const [from = "", to = ""] = [pair.senders[i], pair.readers[i]];
      while (sent < wanted) {
        const mail = joinMail({ from, to, messageId: `fed-${sent++}@localhost` }, body);
        const reply = await clients[i]?.send({ from, to: [to] }, mail);
        if (reply?.code !== 250) throw new Error(`refused: ${reply?.code} ${reply?.lines.join(" ")}`);
      }
    });
    while ((await countOf(readers)) < sent) await Bun.sleep(LOOK_MS);
  };
  await round(WARM_UP);
  const cpus = () => pair.pids.map(treeCpuMs);
  const [cpuBefore, sentBefore, startedAt] = [cpus(), sent, performance.now()];
  await round(MESSAGES);
  const messages = sent - sentBefore;
  const seconds = (performance.now() - startedAt) / 1000;
  const [fromCpuMs = 0, toCpuMs = 0] = cpus().map((used, i) => (used - (cpuBefore[i] ?? 0)) / messages);
  const pushMs = await oneByOne(pair, clients[0], readers[0], (from, to) =>
    joinMail({ from, to, messageId: `fed-${sent++}@localhost` }, body),
  );
  for (const client of [...clients, ...readers]) client.link.close();
  return { perSecond: messages / seconds, fromCpuMs, toCpuMs, pushMs };
}

/** The next goes when the last has arrived. */
async function oneByOne(
  { senders: [from = ""], readers: [to = ""] }: Pair,
  client: SmtpClient | undefined,
  reader: ImapClient | undefined,
  write: (from: string, to: string) => Uint8Array,
): Promise<number[]> {
  if (client === undefined || reader === undefined) throw new Error("no clients");
  await reader.ok("SELECT INBOX");
  const times: number[] = [];
  for (let i = 0; i < SINGLE; i++) {
    const mail = write(from, to);
    const idle = await reader.idle();
    const reply = await client.send({ from, to: [to] }, mail);
    if (reply.code !== 250) throw new Error(`refused: ${reply.code}`);
    const acceptedAt = performance.now();
    while (!(await reader.next()).text.endsWith(" EXISTS"));
    times.push(performance.now() - acceptedAt);
    await reader.done(idle);
  }
  return times.slice(SINGLE_WARM_UP);
}

async function countOf(readers: readonly ImapClient[]): Promise<number> {
  const all = await Promise.all(readers.map((reader) => reader.ok("STATUS INBOX (MESSAGES)")));
  return all
    .flatMap(({ untagged }) => untagged.map(({ text }) => Number(/MESSAGES (\d+)/.exec(text)?.[1] ?? 0)))
    .reduce((sum, count) => sum + count, 0);
}

/** Time of processes and of all they started, ended ones too. */
function treeCpuMs(roots: readonly number[]): number {
  const children = new Map<number, number[]>();
  const ticks = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      const fields = stat
        .slice(stat.lastIndexOf(")") + 2)
        .split(" ")
        .map(Number);
      const parent = fields[1] ?? 0;
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
      ticks.set(
        Number(name),
        fields.slice(11, 15).reduce((sum, value) => sum + value, 0),
      );
    } catch {
      // Gone meanwhile: its parent has its time.
    }
  }
  const ofTree = (pid: number): number =>
    (ticks.get(pid) ?? 0) + (children.get(pid) ?? []).reduce((sum, child) => sum + ofTree(child), 0);
  return roots.reduce((sum, pid) => sum + ofTree(pid), 0) * TICK_MS;
}

function row(what: string, { perSecond, fromCpuMs, toCpuMs, pushMs }: Result): string {
  const ms = (value: number) => `${value.toFixed(2)} ms`;
  const both = `${ms(fromCpuMs + toCpuMs)} | ${ms(fromCpuMs)}, ${ms(toCpuMs)}`;
  const push = `${percentile(pushMs, 0.5).toFixed(1)}, ${percentile(pushMs, 0.99).toFixed(1)} ms`;
  return `| ${what} | ${Math.round(perSecond)} | ${both} | ${push} |`;
}
