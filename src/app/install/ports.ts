/** Which of the ports that a relay wants are taken, and by whom: from /proc, so that no tool needs to be there. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { Config, ListenAddress } from "../../config/config.ts";

export interface WantedPort {
  port: number;
  protocol: "tcp" | "udp";
  /** What for: `smtp`. */
  service: string;
}

export interface TakenPort extends WantedPort {
  /** The program that holds it; undefined where this user may not see it. */
  holder: { pid: number; name: string; executable: string | undefined } | undefined;
}

/** Of /proc/net/tcp; UDP sockets that are bound to a port have state 07. */
const STATES = { tcp: "0A", udp: "07" } as const;
/** Programs that machines come with, and how to be rid of them. */
const hints: Record<string, string> = {
  master: "systemctl disable --now postfix",
  exim4: "systemctl disable --now exim4",
  sendmail: "systemctl disable --now sendmail",
  nginx: "systemctl disable --now nginx, or let it pass traffic on: see the guide",
  apache2: "systemctl disable --now apache2, or let it pass traffic on: see the guide",
  dovecot: "systemctl disable --now dovecot",
};

/** All ports of a configuration. */
export function wantedPorts({ listen, turn, shadowsocks, iroh }: Config): WantedPort[] {
  const from = (service: string, addresses: readonly ListenAddress[], protocol: "tcp" | "udp" = "tcp") =>
    addresses.map(({ port }): WantedPort => ({ port, protocol, service }));
  const wanted = [
    ...Object.entries(listen).flatMap(([service, addresses]) => from(service, addresses)),
    ...(turn.enabled
      ? [...from("turn", turn.listen), ...from("turn", turn.listen, "udp"), ...from("turns", turn.listen_tls)]
      : []),
    ...(shadowsocks.enabled ? from("shadowsocks", shadowsocks.listen) : []),
    ...from("iroh", iroh.listen),
  ].filter(({ port }) => port !== 0);
  const seen = new Set<string>();
  return wanted.filter(({ port, protocol }) => {
    const key = `${protocol}/${port}`;
    return !seen.has(key) && seen.add(key);
  });
}

/** Those of `wanted` that something listens on, whatever the address. */
export function takenPorts(wanted: readonly WantedPort[], proc = "/proc"): TakenPort[] {
  const sockets = { tcp: listening("tcp", proc), udp: listening("udp", proc) };
  const taken = wanted.flatMap((each) => {
    const inode = sockets[each.protocol].get(each.port);
    return inode === undefined ? [] : [{ ...each, inode }];
  });
  if (taken.length === 0) return [];
  const holders = holdersOf(new Set(taken.map(({ inode }) => inode)), proc);
  return taken.map(({ inode, ...each }) => ({ ...each, holder: holders.get(inode) }));
}

/** One line about a taken port, with a way out where we know one. */
export function describeTaken({ port, protocol, service, holder }: TakenPort): string {
  const who = holder === undefined ? "another program" : `${holder.name} (process ${holder.pid})`;
  const hint = holder === undefined ? undefined : hints[holder.name];
  return `port ${port}/${protocol} for ${service} is taken by ${who}${hint === undefined ? "" : `: ${hint}`}`;
}

/** Port to socket inode. */
function listening(protocol: "tcp" | "udp", proc: string): Map<number, string> {
  const found = new Map<number, string>();
  for (const table of [protocol, `${protocol}6`]) {
    for (const line of readOr(join(proc, "net", table), "")
      .split("\n")
      .slice(1)) {
      // Columns: slot, local address, remote address, state, queues, timer, retransmits, user, timeout, inode.
      const columns = line.trim().split(/\s+/);
      const [, local = "", , state] = columns;
      const inode = columns[9];
      if (state !== STATES[protocol] || inode === undefined) continue;
      found.set(Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16), inode);
    }
  }
  return found;
}

/** Socket inode to the process that has it open. */
function holdersOf(inodes: ReadonlySet<string>, proc: string): Map<string, NonNullable<TakenPort["holder"]>> {
  const holders = new Map<string, NonNullable<TakenPort["holder"]>>();
  for (const pid of namesIn(proc).filter((name) => /^\d+$/.test(name))) {
    for (const fd of namesIn(join(proc, pid, "fd"))) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOr(join(proc, pid, "fd", fd)) ?? "")?.[1];
      if (inode === undefined || !inodes.has(inode) || holders.has(inode)) continue;
      const name = readOr(join(proc, pid, "comm"), "?").trim();
      holders.set(inode, { pid: Number(pid), name, executable: linkOr(join(proc, pid, "exe")) });
    }
  }
  return holders;
}

/** Processes end while we look: what is gone is empty. */
function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function readOr(path: string, fallback: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return fallback;
  }
}

function linkOr(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
