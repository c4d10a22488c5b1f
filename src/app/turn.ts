/** TURN as part of the relay: what the configuration means for it, its secret, and what clients are told. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { hostOf } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
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

/** At boot the resolver may be later than we are. */
const LOOKUP_TRIES = 10;
const LOOKUP_AGAIN_MS = 60_000;
const families = [4, 6] as const;

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
  /** What our name resolves to, where that was worth a question. */
  #resolved: Partial<Record<Family, string>> = {};

  constructor(parts: TurnServiceParts) {
    this.#parts = parts;
    this.#config = parts.config;
    this.#users = new CredentialBook(parts.clock);
  }

  /** @throws {ListenError} when an address can't be had (as a rejection) */
  async start(): Promise<TurnAddresses> {
    const { turn, stateDir } = this.#config;
    if (!turn.enabled) return { turn: [], turns: [] };
    this.#users.use(turn.secret ?? loadSecret(join(stateDir, "turn-secret")));
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
    return server.bound();
  }

  /** Twice is harmless. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.stop();
  }

  /**
   * Limits, secret and relayed addresses change under running calls; other addresses to listen on end them.
   * @returns what could not be taken, for the operator
   */
  async reconfigure(next: Config): Promise<string | undefined> {
    const before = this.#config;
    this.#config = next;
    if (this.#server !== undefined && next.turn.enabled && sameSockets(before, next)) {
      this.#users.use(next.turn.secret ?? loadSecret(join(next.stateDir, "turn-secret")));
      this.#server.configure(this.#settings());
      this.#lookUp(this.#server, LOOKUP_TRIES);
      return undefined;
    }
    if (this.#server === undefined && !next.turn.enabled) return undefined;
    await this.stop();
    try {
      await this.start();
      return undefined;
    } catch (error) {
      return `turn is off: ${error instanceof Error ? error.message : "internal fault"}`;
    }
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

function sameSockets(a: Config, b: Config): boolean {
  return (
    JSON.stringify([a.turn.listen, a.turn.listen_tls]) === JSON.stringify([b.turn.listen, b.turn.listen_tls])
  );
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
