/** The iroh relay as part of this process: its settings, its own port where one is wanted, and its URL. */
import type { Config, ListenAddress } from "../config/config.ts";
import { hostOf } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { EMPTY } from "../core/bytes.ts";
import { lastResponse } from "../iroh/engine/upgrade.ts";
import { IrohHost, type IrohSettings, type IrohStatus, lastWord } from "../iroh/server.ts";
import type { Log } from "../log/events.ts";
import type { ConnectionLimits } from "../net/connection-limits.ts";
import { frontDoor, type RawRoute } from "../net/front-door.ts";
import { ListenerGroup } from "../net/listener-group.ts";
import { addressText, lacksIpv6, ListenError, listen } from "../net/listener.ts";
import type { SpliceTarget } from "../net/splice.ts";
import type { TrafficBook } from "../net/traffic.ts";
import { type ConnectionFacts, connectionFacts } from "./listeners.ts";
import type { Kept } from "./supervisor.ts";

const HTTP_PORT = 80;
const HTTPS_PORT = 443;

/** Ports of the site that clients can reach, and whether they would. */
export interface SitePlaces {
  readonly http: number | undefined;
  readonly https: number | undefined;
  /** Whether clients trust the certificate: those of iroh know public authorities only. */
  readonly trusted: boolean;
}

export interface IrohSurroundings {
  readonly limits: ConnectionLimits;
  readonly http: SpliceTarget;
  readonly traffic: TrafficBook;
  readonly places: () => SitePlaces;
}

export interface IrohServiceParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
}

export class IrohService {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #host: IrohHost;
  readonly #own = new ListenerGroup();
  #config: Config;
  #surroundings: IrohSurroundings | undefined;

  constructor({ config, clock, log }: IrohServiceParts) {
    this.#config = config;
    this.#clock = clock;
    this.#log = log;
    this.#host = new IrohHost(hostSettings(config), clock, log);
  }

  /** For the front doors of 80 and 443. */
  get routes(): readonly RawRoute[] {
    return this.#host.routes;
  }

  status(): IrohStatus {
    return this.#host.status();
  }

  /** Those on its own ports. */
  connections(): ConnectionFacts {
    return connectionFacts(this.#own.listeners);
  }

  /** Its own ports as bound. */
  bound(): string[] {
    return this.#own.listeners.map(addressText);
  }

  /**
   * Opens the relay's own ports, if there are any.
   * @throws {ListenError} for the first address that can't be had (as a rejection)
   */
  async start(surroundings: IrohSurroundings): Promise<void> {
    this.#surroundings = surroundings;
    await this.#listen(this.#config.iroh.listen);
  }

  /**
   * After a change of the configuration; turned off, it sends its clients away.
   * @returns what could not be taken: then it listens where it did
   */
  async reconfigure(config: Config): Promise<Kept | undefined> {
    const { listen: before } = this.#config.iroh;
    let kept: Kept | undefined;
    try {
      await this.#listen(config.iroh.listen);
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      const next = { ...config, iroh: { ...config.iroh, listen: before } };
      kept = { notice: `iroh listens where it did: ${error.message}`, config: next };
    }
    this.#config = kept?.config ?? config;
    this.#host.reconfigure(hostSettings(config));
    return kept;
  }

  /** What clients are told to connect to; undefined when there is nothing that they could. */
  url(): string | undefined {
    const { iroh, publicAddress, hostname } = this.#config;
    const places = this.#surroundings?.places();
    if (places === undefined || !iroh.enabled) return undefined;
    if (iroh.url !== undefined) return iroh.url;
    const { http, https, trusted } = places;
    const name = hostOf(publicAddress ?? hostname);
    const host = name.includes(":") ? `[${name}]` : name;
    if (trusted && https !== undefined) return `https://${host}${portSuffix(https, HTTPS_PORT)}`;
    const clear = http ?? this.#own.listeners[0]?.port;
    return clear === undefined ? undefined : `http://${host}${portSuffix(clear, HTTP_PORT)}`;
  }

  /** Says goodbye on the own ports, and tells what there was to do. Clients on 80 and 443 go with those. */
  async stop(): Promise<void> {
    await this.#own.stop();
    const { counters } = this.#host.status();
    const told = Object.entries(counters).filter(([, count]) => count > 0);
    if (told.length === 0) return;
    const text = told.map(([name, count]) => `${name} ${count}`).join(", ");
    this.#log.emit({ kind: "notice", text: `iroh relay: ${text}` });
  }

  /** @throws {ListenError} (as a rejection) */
  async #listen(addresses: readonly ListenAddress[]): Promise<void> {
    const { limits, http, traffic } = this.#surroundings ?? {};
    if (limits === undefined || http === undefined) return;
    const log = this.#log;
    const clock = this.#clock;
    const door = frontDoor({ http, rawRoutes: [...this.routes, nothingHere], traffic, clock, log });
    const places = addresses.map((address) => ({
      key: `${address.host} ${address.port}`,
      port: address.port,
      async open() {
        try {
          return await listen({ ...door, address, tls: "none", limits, log, clock, section: "[iroh]" });
        } catch (error) {
          if (!lacksIpv6(error, address)) throw error;
          return undefined;
        }
      },
    }));
    await this.#own.change(places);
  }
}

function hostSettings({ iroh }: Config): IrohSettings {
  return {
    enabled: iroh.enabled,
    clients: iroh.clients,
    clientsPerAddress: iroh.clients_per_address,
    bytesPerSecond: iroh.bytes_per_second,
    totalBytesPerSecond: iroh.total_bytes_per_second,
  };
}

function portSuffix(port: number, usual: number): string {
  return port === usual ? "" : `:${port}`;
}

/** The relay's own ports have no site. */
const nothingHere: RawRoute = {
  matches: () => true,
  accept: (connection) => lastWord(connection, lastResponse("404 Not Found", [], EMPTY)),
};
