/** UDP sockets: opened with their error handler in place, and where they listen on machines with several addresses. */
import { networkInterfaces } from "node:os";
import type { ListenAddress } from "../config/config.ts";
import { listenError } from "../net/listener.ts";
import { canonicalIp, type Family, familyOf } from "./engine/ip.ts";
import type { UdpSocket } from "./fronts.ts";

/** Of Bun's socket layer: without it `[::]` takes IPv4 too, and `0.0.0.0` beside it finds the port taken. */
const IPV6_ONLY = 8;
const WILDCARDS: Readonly<Record<Family, string>> = { 4: "0.0.0.0", 6: "::" };

export interface UdpHandlers {
  /** `address` as the system prints it. */
  data(bytes: Uint8Array, address: string, port: number): void;
  /** An ICMP message came back, or worse; the socket stays open. */
  trouble(): void;
}

/** @throws {ListenError} (as a rejection) */
export async function openUdp(host: string, port: number, handlers: UdpHandlers): Promise<UdpSocket> {
  const options: Bun.udp.SocketOptions<"buffer"> & { flags: number } = {
    hostname: host,
    port,
    flags: host.includes(":") ? IPV6_ONLY : 0,
    binaryType: "buffer",
    socket: {
      data: (_socket, bytes, port, address) => handlers.data(bytes, address, port),
      // Without it one ICMP message would end the process.
      error: () => handlers.trouble(),
    },
  };
  try {
    return await Bun.udpSocket(options);
  } catch (error) {
    throw listenError({ host, port }, "[turn]", error);
  }
}

export interface LocalAddress {
  /** Canonical text. */
  readonly address: string;
  readonly family: Family;
  /** Loopback or link-local: nobody elsewhere can use it. */
  readonly isInner: boolean;
}

export function localAddresses(): LocalAddress[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.flatMap((entry) => {
    const address = canonicalIp(entry.address);
    if (address === undefined) return [];
    const isInner = entry.internal || /^(fe80:|169\.254\.)/.test(address);
    return [{ address, family: familyOf(address), isInner }];
  });
}

/**
 * A wildcard socket answers from the address that the route prefers, which is the wrong one for clients who asked
 * another address of this machine. Where there are several, each gets its own socket.
 */
export function spreadWildcard(listen: ListenAddress, local: readonly LocalAddress[]): ListenAddress[] {
  const family = familyOf(listen.host);
  if (listen.host !== WILDCARDS[family] || listen.port === 0) return [listen];
  const outer = local.filter((entry) => entry.family === family && !entry.isInner);
  if (outer.length < 2) return [listen];
  const loopback = local.filter(({ address }) => address === "127.0.0.1" || address === "::1");
  const hosts = [...outer, ...loopback.filter((entry) => entry.family === family)].map(
    ({ address }) => address,
  );
  return [...new Set(hosts)].map((host) => ({ host, port: listen.port }));
}

/** What to bind a relay socket to: the relayed address itself, or, behind a NAT, whatever there is. */
export function relayHost(relayed: string, local: readonly LocalAddress[]): string {
  return local.some(({ address }) => address === relayed) ? relayed : WILDCARDS[familyOf(relayed)];
}
