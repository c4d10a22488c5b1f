/** Which name servers to ask: those of the configuration, or the system's as resolv.conf names them. */
import { readFileSync } from "node:fs";
import type { Clock } from "../core/clock.ts";

const DNS_PORT = 53;
/** The system's servers may change under a running relay (DHCP). */
const REREAD_AFTER_MS = 60_000;
/** glibc's MAXNS. */
const SERVERS_MAX = 3;
const RESOLV_CONF = "/etc/resolv.conf";

export interface DnsServer {
  /** IPv4 or IPv6 address. */
  host: string;
  port: number;
}

/** `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:5353`. @returns undefined for anything else */
export function parseServer(text: string): DnsServer | undefined {
  const match =
    /^\[([0-9a-fA-F:.]+)\](?::(\d{1,5}))?$/.exec(text) ??
    /^(\d+\.\d+\.\d+\.\d+)(?::(\d{1,5}))?$/.exec(text) ??
    /^([0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  const port = Number(match[2] ?? DNS_PORT);
  return port > 0 && port <= 65_535 ? { host: match[1], port } : undefined;
}

/** The `nameserver` lines of resolv.conf(5). */
export function parseResolvConf(text: string): DnsServer[] {
  const named = [...text.matchAll(/^nameserver[ \t]+([^\s%#;]+)/gm)].flatMap(
    ([, server = ""]) => parseServer(server) ?? [],
  );
  return named.slice(0, SERVERS_MAX);
}

/** The servers to ask now; the system's are read again once a minute. */
export function serverList(configured: readonly string[], clock: Clock): () => readonly DnsServer[] {
  const fixed = configured.flatMap((text) => parseServer(text) ?? []);
  if (fixed.length > 0) return () => fixed;
  let servers: DnsServer[] = [];
  let readAtMs = Number.NEGATIVE_INFINITY;
  return () => {
    if (clock.monotonicMs() - readAtMs >= REREAD_AFTER_MS) {
      readAtMs = clock.monotonicMs();
      servers = systemServers();
    }
    return servers;
  };
}

function systemServers(): DnsServer[] {
  let text = "";
  try {
    text = readFileSync(RESOLV_CONF, "utf8");
  } catch {
    // resolv.conf(5): without a file, the name server on this machine.
  }
  const named = parseResolvConf(text);
  return named.length > 0 ? named : [{ host: "127.0.0.1", port: DNS_PORT }];
}
