/** TURN as part of the relay: what the configuration means for it, its secret, and what clients are told. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import type { Config, ListenAddress } from "../config/config.ts";
import { hostOf } from "../core/address.ts";
import type { CancelTimer, Clock } from "../core/clock.ts";
import type { Log } from "../log/events.ts";
import type { Accept, ConnectionHandler } from "../net/connection.ts";
import type { ConnectionLimits } from "../net/connection-limits.ts";
import type { TlsCredentials } from "../net/listener.ts";
import { CredentialBook, loadSecret } from "../turn/credentials.ts";
import type { TurnSettings } from "../turn/engine/actions.ts";
import { canonicalIp, type Family, familyOf, parseIp } from "../turn/engine/ip.ts";
import { isForbiddenNetwork } from "../turn/engine/peer-filter.ts";
import { type TurnFacts, TurnServer } from "../turn/server.ts";
import { type LocalAddress, localAddresses } from "../turn/sockets.ts";
import { type ConnectionFacts, connectionFacts } from "./listeners.ts";
import type { Kept } from "./supervisor.ts";

/** At boot the resolver may be later than we are. */
const LOOKUP_TRIES = 10;
const LOOKUP_AGAIN_MS = 60_000;
const families = [4, 6] as const;
/** What calls get when TURN is turned off or moves; then they are cut. */
const DRAIN_MAX_MS = 10 * 60_000;

export interface TurnAddresses {
  /** UDP, and TCP at the same ports. */
  turn: string[];
  turns: string[];
}

export interface TurnServiceParts {
  readonly config: Config;
  readonly getTls: () => TlsCredentials;
  readonly limits: ConnectionLimits;
  readonly log: Log;
  readonly clock: Clock;
}

export class TurnService {
  readonly #parts: TurnServiceParts;
  readonly #users: CredentialBook;
  #config: Config;
  #server: TurnServer | undefined;
  /** Give out nothing new, and end with their last call. */
  readonly #draining = new Map<TurnServer, { sockets: string; cancel: CancelTimer }>();
  /** What our name resolves to, where that was worth a question. */
  #resolved: Partial<Record<Family, string>> = {};

  constructor(parts: TurnServiceParts) {
    this.#parts = parts;
    this.#config = parts.config;
    this.#users = new CredentialBook(parts.clock);
  }

  /** @throws {ListenError} when an address can't be had (as a rejection) */
  async start(): Promise<TurnAddresses> {
    if (this.#config.turn.enabled) await this.#begin();
    return this.bound();
  }

  /** `host:port` as bound. */
  bound(): TurnAddresses {
    return this.#server?.bound() ?? { turn: [], turns: [] };
  }

  /** Cuts what is under way. Twice is harmless. */
  async stop(): Promise<void> {
    const servers = [...(this.#server === undefined ? [] : [this.#server]), ...this.#draining.keys()];
    for (const { cancel } of this.#draining.values()) cancel();
    this.#draining.clear();
    this.#server = undefined;
    await Promise.all(servers.map((server) => server.stop()));
  }

  /**
   * Limits, secret and relayed addresses change under running calls. Turned off, or at other addresses, no new calls
   * come in, and those that are there may end by themselves.
   * @returns what could not be taken: then it goes on as it was
   */
  async reconfigure(next: Config): Promise<Kept | undefined> {
    const before = this.#config;
    this.#config = next;
    if (!next.turn.enabled) {
      this.#retire(before);
      return undefined;
    }
    if (this.#server !== undefined && socketsOf(before) === socketsOf(next)) {
      this.#configure(this.#server);
      return undefined;
    }
    const resting = [...this.#draining].find(([, { sockets }]) => sockets === socketsOf(next));
    if (resting !== undefined) {
      this.#retire(before);
      this.#wake(resting[0]);
      return undefined;
    }
    return this.#move(before, next);
  }

  async #begin(): Promise<void> {
    const { turn } = this.#config;
    this.#useSecret();
    const { getTls, limits, log, clock } = this.#parts;
    const server = new TurnServer({
      listen: turn.listen,
      listenTls: turn.listen_tls,
      settings: this.#settings(),
      users: this.#users,
      getTls,
      limits,
      log,
      clock,
    });
    await server.start();
    this.#server = server;
    this.#lookUp(server, LOOKUP_TRIES);
  }

  /** New sockets before old ones go, unless both want the same. */
  async #move(before: Config, next: Config): Promise<Kept | undefined> {
    const old = this.#server;
    await this.#clearTheWay(next);
    const overlaps = old !== undefined && portsOf(before).some((port) => portsOf(next).includes(port));
    if (overlaps) await old.stop();
    this.#server = undefined;
    try {
      await this.#begin();
      if (old !== undefined && !overlaps) this.#drain(old, before);
      return undefined;
    } catch (error) {
      const why = error instanceof Error ? error.message : "internal fault";
      return this.#goBack({ old: overlaps ? undefined : old, wasOn: old !== undefined, before, next, why });
    }
  }

  async #goBack(parts: {
    old: TurnServer | undefined;
    wasOn: boolean;
    before: Config;
    next: Config;
    why: string;
  }): Promise<Kept> {
    const { old, wasOn, before, next, why } = parts;
    const { listen, listen_tls } = before.turn;
    const kept = { ...next, turn: { ...next.turn, listen, listen_tls } };
    const off = { ...next, turn: { ...next.turn, enabled: false } };
    if (wasOn) {
      this.#config = kept;
      try {
        if (old === undefined) await this.#begin();
        else {
          this.#server = old;
          this.#configure(old);
        }
        return { notice: `turn listens where it did: ${why}`, config: kept };
      } catch {
        // What was given up is gone; the first reason says it.
      }
    }
    this.#config = off;
    return { notice: `turn is off: ${why}`, config: off };
  }

  /** Servers that only wait for calls to end give their ports back to one that takes new ones. */
  async #clearTheWay(next: Config): Promise<void> {
    const wanted = portsOf(next);
    for (const [server, { cancel, sockets }] of this.#draining) {
      const held = (JSON.parse(sockets) as ListenAddress[][]).flat().map(({ port }) => port);
      if (!held.some((port) => wanted.includes(port))) continue;
      cancel();
      this.#draining.delete(server);
      await server.stop();
    }
  }

  #retire(before: Config): void {
    if (this.#server !== undefined) this.#drain(this.#server, before);
    this.#server = undefined;
  }

  #drain(server: TurnServer, config: Config): void {
    const { clock, log } = this.#parts;
    const end = () => {
      this.#draining.get(server)?.cancel();
      this.#draining.delete(server);
      server.stop().catch((error: unknown) => log.emit({ kind: "internalFault", where: "turn", error }));
    };
    this.#draining.set(server, { sockets: socketsOf(config), cancel: clock.after(DRAIN_MAX_MS, end) });
    server.drain(end);
  }

  #wake(server: TurnServer): void {
    this.#draining.get(server)?.cancel();
    this.#draining.delete(server);
    this.#server = server;
    this.#configure(server);
  }

  #configure(server: TurnServer): void {
    this.#useSecret();
    server.configure(this.#settings());
    this.#lookUp(server, LOOKUP_TRIES);
  }

  #useSecret(): void {
    const { turn, stateDir } = this.#config;
    this.#users.use(turn.secret ?? loadSecret(join(stateDir, "turn-secret")));
  }

  /**
   * The value of `/shared/vendor/deltachat/turn`, which the core splits at the first three colons.
   * @returns undefined where there is nothing that works: clients then use others' servers
   */
  metadata(): string | undefined {
    const { publicAddress, hostname, turn } = this.#config;
    const host = hostOf(publicAddress ?? hostname);
    const port = this.#server?.udpPort;
    if (port === undefined || host.includes(":")) return undefined;
    const { username, password } = this.#users.issue(turn.credentials_ttl);
    return `${host}:${port}:${username}:${password}`;
  }

  /** For clients that name TURN by ALPN on port 443; hung up on while TURN is off. */
  readonly accept: Accept = (connection) => {
    if (this.#server !== undefined) return this.#server.accept(connection);
    connection.end();
    return deaf;
  };

  /** Since the start of it; undefined while TURN is off. */
  totals(): { allocations: number; bytes: number } | undefined {
    const facts = this.#server?.facts();
    return facts && { allocations: facts.allocations, bytes: facts.bytesIn + facts.bytesOut };
  }

  /** Counts for the operator; undefined while TURN is off. */
  facts(): TurnFacts | undefined {
    return this.#server?.facts();
  }

  /** Calls that may end by themselves while nothing new comes in. */
  get endingAllocations(): number {
    return [...this.#draining.keys()].reduce((sum, server) => sum + server.facts().allocations, 0);
  }

  /** Clients by TCP and TLS. */
  connections(): ConnectionFacts {
    return connectionFacts(this.#server?.listeners ?? []);
  }

  /** Behind a NAT only our name tells the public address. The start does not wait for it. */
  #lookUp(server: TurnServer, triesLeft: number): void {
    const local = localAddresses();
    const guessed = families.filter((family) => {
      return relayAddress(this.#config, family, local, this.#resolved[family]).isGuess;
    });
    if (guessed.length === 0 || triesLeft === 0 || this.#server !== server) return;
    const host = hostOf(this.#config.publicAddress ?? this.#config.hostname);
    const found = guessed.map(async (family) => [family, await resolve(host, family)] as const);
    const settled = Promise.all(found).then((answers) => {
      if (this.#server !== server) return;
      for (const [family, address] of answers) if (address !== undefined) this.#resolved[family] = address;
      server.configure(this.#settings());
      this.#parts.clock.after(LOOKUP_AGAIN_MS, () => this.#lookUp(server, triesLeft - 1));
    });
    settled.catch((error: unknown) => {
      this.#parts.log.emit({ kind: "internalFault", where: "turn", error });
    });
  }

  #settings(): TurnSettings {
    const { turn, hostname } = this.#config;
    const local = localAddresses();
    const relayAddresses: Partial<Record<Family, string>> = {};
    for (const family of families) {
      const { address } = relayAddress(this.#config, family, local, this.#resolved[family]);
      if (address !== undefined) relayAddresses[family] = address;
    }
    const own = [...local.map(({ address }) => address), ...Object.values(relayAddresses)];
    return {
      realm: turn.realm ?? hostOf(hostname),
      relayAddresses,
      ports: { min: turn.relay_port_min, max: turn.relay_port_max },
      ownAddresses: new Set(own),
      allowPrivatePeers: turn.allow_private_peers,
      allocationsMax: turn.allocations,
      allocationsPerUserMax: turn.allocations_per_user,
      allocationsPerAddressMax: turn.allocations_per_address,
      allocationBytesPerSecond: turn.allocation_bandwidth,
      totalBytesPerSecond: turn.bandwidth,
    };
  }
}

/** Says and hears nothing. */
const deaf: ConnectionHandler = {
  data() {},
  drained() {},
  secured() {},
  idle() {},
  shutdown() {},
  closed() {},
};

/** The same text is the same sockets. */
function socketsOf({ turn }: Config): string {
  return JSON.stringify([turn.listen, turn.listen_tls]);
}

function portsOf({ turn }: Config): number[] {
  return [...turn.listen, ...turn.listen_tls].map(({ port }) => port).filter((port) => port !== 0);
}

interface RelayAddress {
  /** Undefined where the family can't be relayed. */
  address: string | undefined;
  /** A private address, while the name may tell the public one. */
  isGuess: boolean;
}

/**
 * The address that peers are told, best knowledge first: what the operator says, the address that the relay is known
 * by, a listener's own, a public one of this machine, what the name resolves to (behind a NAT), a private one.
 */
export function relayAddress(
  { turn, publicAddress, hostname }: Config,
  family: Family,
  local: readonly LocalAddress[],
  resolved: string | undefined,
): RelayAddress {
  const suits = (address: string) => familyOf(address) === family;
  const given = turn.relay_addresses.flatMap((address) => canonicalIp(address) ?? []);
  if (given.length > 0) return { address: given.find(suits), isGuess: false };
  const listened = turn.listen.map(({ host }) => host).filter((host) => host !== "0.0.0.0" && host !== "::");
  const named = [publicAddress, hostname, ...listened].flatMap(
    (host) => canonicalIp(hostOf(host ?? "")) ?? [],
  );
  const outer = local
    .filter((entry) => entry.family === family && !entry.isInner)
    .map(({ address }) => address);
  const open = outer.find((address) => !isForbiddenNetwork(parseIp(address) ?? new Uint8Array(4)));
  const known = named.find(suits) ?? open;
  // A machine without this family can't relay it, whatever a name says; one with only specific listeners need not.
  if (known !== undefined || outer.length === 0 || listened.length > 0)
    return { address: known, isGuess: false };
  return { address: resolved ?? outer[0], isGuess: resolved === undefined };
}

async function resolve(host: string, family: Family): Promise<string | undefined> {
  if (isIP(host) > 0) return undefined;
  try {
    return canonicalIp((await lookup(host, { family })).address);
  } catch {
    return undefined;
  }
}
