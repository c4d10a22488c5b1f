/**
 * TURN's sockets: UDP and TCP and TLS for clients, one UDP socket for each allocation. The engine decides; this file
 * carries packets in and actions out. A socket's trouble is counted and changes nothing else.
 */
import { randomFillSync } from "node:crypto";
import type { ListenAddress } from "../config/config.ts";
import type { CancelTimer, Clock } from "../core/clock.ts";
import type { Log } from "../log/events.ts";
import type { Accept } from "../net/connection.ts";
import { type ConnectionLimits, networkOf } from "../net/connection-limits.ts";
import {
  lacksIpv6,
  type Listener,
  type ListenOptions,
  listen,
  type TlsCredentials,
} from "../net/listener.ts";
import { stunCrypto } from "./crypto.ts";
import type { Action, TurnCounters, TurnSettings, UserBook } from "./engine/actions.ts";
import { TurnEngine } from "./engine/engine.ts";
import { canonicalIp, type Family } from "./engine/ip.ts";
import { type FrontHost, sendTo, TcpFront, type TurnFront, UdpFront, type UdpSocket } from "./fronts.ts";
import { localAddresses, openUdp, relayHost, spreadWildcard } from "./sockets.ts";

/** Expired allocations keep their sockets at most this long; they let nothing through. */
const TICK_MS = 5000;
const FREE_PORT_TRIES = 16;
const RANDOM_POOL_BYTES = 4096;
/** Texts of IPv6 addresses that are remembered in canonical form. */
const CANONICAL_MAX = 1024;

export interface TurnServerParts {
  /** UDP and TCP. */
  readonly listen: readonly ListenAddress[];
  readonly listenTls: readonly ListenAddress[];
  readonly settings: TurnSettings;
  readonly users: UserBook;
  readonly getTls: () => TlsCredentials;
  readonly limits: ConnectionLimits;
  readonly log: Log;
  readonly clock: Clock;
}

export interface TurnFacts extends TurnCounters {
  allocations: number;
  /** Packets that the system did not take, or a client did not read. */
  lost: number;
  /** Errors that sockets reported, such as ICMP messages. */
  socketErrors: number;
}

export class TurnServer implements FrontHost {
  readonly #parts: TurnServerParts;
  readonly #engine: TurnEngine<TurnFront>;
  readonly #clients: UdpSocket[] = [];
  readonly #listeners: { turn: Listener[]; turns: Listener[] } = { turn: [], turns: [] };
  readonly #relays = new Map<number, UdpSocket>();
  #settings: TurnSettings;
  #local = localAddresses();
  #cancelTick: CancelTimer | undefined;
  #lost = 0;
  #socketErrors = 0;
  #stopped = false;
  #drained: (() => void) | undefined;

  constructor(parts: TurnServerParts) {
    this.#parts = parts;
    this.#settings = parts.settings;
    this.#engine = new TurnEngine({
      crypto: stunCrypto,
      users: parts.users,
      random: pooledRandom(),
      networkOf,
      settings: parts.settings,
      nowMs: parts.clock.monotonicMs(),
    });
  }

  /** All addresses, or none. @throws {ListenError} for the first that can't be had (as a rejection) */
  async start(): Promise<void> {
    const { listen: plain, listenTls } = this.#parts;
    try {
      for (const address of plain) await this.#open(address, (at) => this.#listenBoth(at));
      for (const address of listenTls) await this.#open(address, (at) => this.#listenTcp("turns", at));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Takes no new clients, lets TCP clients go, closes every socket. Twice is harmless. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    const { turn, turns } = this.#listeners;
    for (const socket of this.#clients) closeUdp(socket);
    await Promise.all([...turn, ...turns].map((listener) => listener.stop()));
    for (const socket of this.#relays.values()) closeUdp(socket);
    this.#relays.clear();
  }

  /** Holds for new packets and new allocations; sockets stay. */
  configure(settings: TurnSettings): void {
    this.#settings = settings;
    this.#drained = undefined;
    this.#local = localAddresses();
    this.#engine.configure(settings);
  }

  /**
   * Gives out nothing new; what was given out may be used until it ends by itself. `configure` takes that back.
   * @param onDrained called once, when there is nothing left to wait for
   */
  drain(onDrained: () => void): void {
    this.#engine.configure({ ...this.#settings, allocationsMax: 0 });
    if (this.#engine.isIdle) onDrained();
    else this.#drained = onDrained;
  }

  /** For listeners of others. */
  readonly accept: Accept = (connection) => new TcpFront(this, connection);

  get udpPort(): number | undefined {
    return this.#clients[0]?.port;
  }

  /** `host:port` as bound, an IPv6 address in brackets. */
  bound(): { turn: string[]; turns: string[] } {
    const text = (address: string, port: number) =>
      `${address.includes(":") ? `[${address}]` : address}:${port}`;
    return {
      turn: this.#clients.map((socket) => text(socket.hostname, socket.port)),
      turns: this.#listeners.turns.map(({ address, port }) => text(address, port)),
    };
  }

  /** Clients by TCP and TLS on its own ports; those by UDP have no connection. */
  get listeners(): readonly Listener[] {
    return [...this.#listeners.turn, ...this.#listeners.turns];
  }

  facts(): TurnFacts {
    return {
      ...this.#engine.counters,
      allocations: this.#engine.allocations,
      lost: this.#lost,
      socketErrors: this.#socketErrors,
    };
  }

  // What fronts report.

  fromClient(front: TurnFront, address: string, port: number, bytes: Uint8Array): void {
    try {
      this.#perform(this.#engine.fromClient(front, address, port, bytes, this.#parts.clock.monotonicMs()));
    } catch (error) {
      this.#fault(error);
    }
  }

  frontClosed(front: TurnFront): void {
    this.#perform(this.#engine.frontClosed(front));
  }

  hasAllocation(front: TurnFront): boolean {
    return this.#engine.hasAllocation(front);
  }

  lost(): void {
    this.#lost++;
  }

  #fromPeer(relay: number, address: string, port: number, bytes: Uint8Array): void {
    try {
      this.#perform(this.#engine.fromPeer(relay, address, port, bytes, this.#parts.clock.monotonicMs()));
    } catch (error) {
      this.#fault(error);
    }
  }

  /** A bug of ours costs a packet, not the process. */
  #fault(error: unknown): void {
    this.#parts.log.emit({ kind: "internalFault", where: "turn", error });
  }

  async #open(address: ListenAddress, open: (address: ListenAddress) => Promise<void>): Promise<void> {
    try {
      await open(address);
    } catch (error) {
      // The default configuration names every address there may be; a machine without IPv6 does with the others.
      if (!lacksIpv6(error, address)) throw error;
      this.#parts.log.emit({
        kind: "notice",
        text: `no IPv6 here: turn does not listen on [::]:${address.port}`,
      });
    }
  }

  /** The same port for UDP and TCP, as clients expect; where any will do, one that both can have. */
  async #listenBoth(address: ListenAddress): Promise<void> {
    for (let triesLeft = address.port === 0 ? FREE_PORT_TRIES : 1; ; triesLeft--) {
      const before = this.#clients.length;
      await this.#listenUdp(address);
      const port = this.#clients[before]?.port ?? address.port;
      try {
        await this.#listenTcp("turn", { ...address, port });
        return;
      } catch (error) {
        if (triesLeft <= 1) throw error;
        for (const socket of this.#clients.splice(before)) closeUdp(socket);
      }
    }
  }

  async #listenUdp(address: ListenAddress): Promise<void> {
    for (const { host, port } of spreadWildcard(address, this.#local)) {
      const front = new UdpFront(this);
      const canonical = canonicalTexts();
      const socket = await openUdp(host, port, {
        data: (bytes, from, fromPort) => this.fromClient(front, canonical(from), fromPort, bytes),
        trouble: () => this.#socketErrors++,
      });
      front.open(socket);
      this.#clients.push(socket);
    }
  }

  async #listenTcp(name: "turn" | "turns", address: ListenAddress): Promise<void> {
    const { getTls, limits, log, clock } = this.#parts;
    const tls: Pick<ListenOptions, "tls" | "alpn"> =
      // RFC 7443; a client that names no protocol is served as well.
      name === "turns" ? { tls: "implicit", alpn: ["stun.turn"] } : { tls: "none" };
    const listener = await listen({
      ...tls,
      address,
      getTls,
      limits,
      log,
      clock,
      proto: "turn",
      section: "[turn]",
      accept: this.accept,
    });
    this.#listeners[name].push(listener);
  }

  #perform(actions: readonly Action<TurnFront>[]): void {
    for (const action of actions) {
      switch (action.do) {
        case "deliver":
          action.to.front.deliver(action.bytes, action.to.address, action.to.port);
          break;
        case "relay":
          this.#relay(action.relay, action.bytes, action.address, action.port);
          break;
        case "answer":
          action.to.front.send(action.bytes, action.to.address, action.to.port);
          break;
        case "bind":
          this.#bind(action.relay, action.family, action.port).catch((error: unknown) => this.#fault(error));
          break;
        case "unbind":
          closeUdp(this.#relays.get(action.relay));
          this.#relays.delete(action.relay);
          break;
        case "hangUp":
          if (action.front instanceof TcpFront) action.front.end();
          break;
      }
    }
  }

  #relay(number: number, bytes: Uint8Array, address: string, port: number): void {
    const socket = this.#relays.get(number);
    if (socket === undefined || !sendTo(socket, bytes, address, port)) this.#lost++;
  }

  async #bind(number: number, family: Family, port: number): Promise<void> {
    this.#armTick();
    const relayed = this.#settings.relayAddresses[family] ?? "";
    const canonical = canonicalTexts();
    const { clock } = this.#parts;
    let socket: UdpSocket;
    try {
      socket = await openUdp(relayHost(relayed, this.#local), port, {
        data: (bytes, from, fromPort) => this.#fromPeer(number, canonical(from), fromPort, bytes),
        trouble: () => this.#socketErrors++,
      });
    } catch {
      this.#perform(this.#engine.bindFailed(number));
      return;
    }
    if (this.#stopped) {
      closeUdp(socket);
      return;
    }
    this.#relays.set(number, socket);
    this.#perform(this.#engine.bound(number, clock.monotonicMs()));
  }

  /** Runs only while there is something that can expire. */
  #armTick(): void {
    if (this.#cancelTick !== undefined || this.#stopped) return;
    this.#cancelTick = this.#parts.clock.after(TICK_MS, () => {
      this.#cancelTick = undefined;
      this.#perform(this.#engine.tick(this.#parts.clock.monotonicMs()));
      if (!this.#engine.isIdle) this.#armTick();
      else if (this.#drained !== undefined) this.#drained();
    });
  }
}

function closeUdp(socket: UdpSocket | undefined): void {
  if (socket !== undefined && !socket.closed) socket.close();
}

/** IPv4 texts are canonical already; the few IPv6 peers of a socket are remembered. */
function canonicalTexts(): (address: string) => string {
  const known = new Map<string, string>();
  return (address) => {
    if (!address.includes(":")) return address;
    const found = known.get(address);
    if (found !== undefined) return found;
    if (known.size >= CANONICAL_MAX) known.clear();
    const text = canonicalIp(address) ?? address;
    known.set(address, text);
    return text;
  };
}

/** Data indications want twelve random bytes each: drawn from a pool. */
function pooledRandom(): (bytes: number) => Uint8Array {
  const pool = new Uint8Array(RANDOM_POOL_BYTES);
  let at = pool.length;
  return (bytes) => {
    if (at + bytes > pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    at += bytes;
    return pool.slice(at - bytes, at);
  };
}
