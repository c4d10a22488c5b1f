/**
 * What all measurements share: relays in fresh directories, readings of the server process from /proc,
 * percentiles, and facts about the machine. The load generator is this process, the server is another.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { ImapClient } from "../support/imap-client.ts";
import { Relay } from "../support/relay.ts";
import { SmtpClient } from "../support/smtp-client.ts";

/** As long as clients make theirs: the short-password hash would be dearer. */
export const PASSWORD = "Yd6wTq0ZpLm3RkVbN8sXcE";
/** /proc counts CPU time in hundredths of a second on Linux. */
const TICK_MS = 10;
const FSYNC_TRIES = 50;

export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** The budget's bound and which way it goes; absent where DESIGN gives none. */
  budget?: { max: number } | { min: number };
  note?: string;
}

export interface Scenario {
  name: string;
  run(): Promise<Figure[]>;
}

/** Removed at the very end: some file systems create files slowly for a while after many were deleted. */
const leftovers: string[] = [];

export function removeLeftovers(): void {
  for (const dir of leftovers.splice(0)) rmSync(dir, { recursive: true, force: true });
}

/** A relay in a fresh directory (below TMPDIR), with limits out of the way and nothing printed. */
export async function withRelay<R>(name: string, use: (relay: Relay) => Promise<R>): Promise<R> {
  const dir = mkdtempSync(join(tmpdir(), "madmail-bench-"));
  leftovers.push(dir);
  const relay = await Relay.start({
    name: `bench-${name}`,
    dir,
    config: {
      log: { level: "off" },
      accounts: { default_quota: 0 },
      site: { new_per_minute: 0 },
      federation: { inbound_per_minute: 0 },
      limits: {
        send_per_minute: 0,
        connections: 20_000,
        connections_per_address: 20_000,
        failed_logins_per_minute: 100_000,
      },
    },
  });
  try {
    return await use(relay);
  } finally {
    // Not killed: a profiler in the relay writes at its exit.
    await relay.stop();
    await relay.dispose();
  }
}

/** Logs in over TLS with a new connection; the account is made when it is new. */
export async function imapLogin(relay: Relay, user: string): Promise<ImapClient> {
  const imap = await ImapClient.open({ host: relay.host, port: relay.ports.imaps, tls: true });
  const { status, text } = await imap.login(user, PASSWORD);
  if (status !== "OK") throw new Error(`login answered ${status} ${text}`);
  return imap;
}

export async function smtpLogin(relay: Relay, user: string): Promise<SmtpClient> {
  const smtp = await SmtpClient.open({ host: relay.host, port: relay.ports.submissions, tls: true });
  const { code, lines } = await smtp.auth(user, PASSWORD);
  if (code !== 235) throw new Error(`login answered ${code} ${lines.join(" ")}`);
  return smtp;
}

/** Names with accounts behind them, made a few at a time. */
export async function makeUsers(relay: Relay, prefix: string, count: number): Promise<string[]> {
  const users = Array.from(
    { length: count },
    (_, i) => `${prefix}${String(i).padStart(6, "0")}@${relay.domain}`,
  );
  await inParallel(8, users, async (user) => (await imapLogin(relay, user)).close());
  return users;
}

export async function inParallel<T>(
  workers: number,
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const run = async () => {
    while (next < items.length) {
      const index = next++;
      await work(items[index] as T, index);
    }
  };
  await Promise.all(Array.from({ length: workers }, run));
}

/** CPU time of a process, all its threads, milliseconds. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // Field 2 is the name in parentheses and may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Proportional set size of a process, kB. */
export function pssKb(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? Number.NaN);
}

/** The reading that half of the values (or the given part) stay below. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** CPU time since boot, milliseconds, all CPUs together. */
export interface MachineTimes {
  /** Taken away by the hypervisor. */
  stolen: number;
  /** Used by processes that are neither this one nor its ended children. */
  others: number;
}

export function machineTimes(): MachineTimes {
  const total = readFileSync("/proc/stat", "latin1").split("\n")[0]?.split(/\s+/).map(Number) ?? [];
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = total;
  const own = readFileSync("/proc/self/stat", "latin1");
  const fields = own
    .slice(own.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15);
  const busy = user + nice + system + irq + softirq;
  return { stolen: steal * TICK_MS, others: (busy - utime - stime - cutime - cstime) * TICK_MS };
}

export function machineFacts(): string[] {
  const cpu = cpus();
  const mounts = readFileSync("/proc/mounts", "latin1").split("\n");
  const inside = mounts
    .map((line) => line.split(" "))
    .filter(([, at = ""]) => `${tmpdir()}/`.startsWith(at.endsWith("/") ? at : `${at}/`))
    .sort(([, a = ""], [, b = ""]) => b.length - a.length)[0];
  return [
    `${cpu.length} × ${cpu[0]?.model ?? "?"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    `files on ${inside?.[2] ?? "?"}, fdatasync after 10 kB: p50 ${fsyncMs().toFixed(2)} ms`,
    `generator: Bun ${Bun.version}, on the same machine`,
  ];
}

function fsyncMs(): number {
  const dir = mkdtempSync(join(tmpdir(), "madmail-sync-"));
  const times: number[] = [];
  const bytes = Buffer.alloc(10_000, 65);
  for (let i = 0; i < FSYNC_TRIES; i++) {
    const file = openSync(join(dir, String(i)), "w");
    writeSync(file, bytes);
    const startedAt = performance.now();
    fdatasyncSync(file);
    times.push(performance.now() - startedAt);
    closeSync(file);
  }
  rmSync(dir, { recursive: true });
  return percentile(times, 0.5);
}
