/** The iroh relay as part of this process: its settings, its own port where one is wanted, and its URL. */
import type { Config } from "../config/config.ts";
import { IROH_URL } from "../config/schema-services.ts";
import { hostOf } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { EMPTY } from "../core/bytes.ts";
import { lastResponse } from "../iroh/engine/upgrade.ts";
import { IrohHost, type IrohSettings, type IrohStatus, lastWord } from "../iroh/server.ts";
import type { Log } from "../log/events.ts";
import type { ConnectionLimits } from "../net/connection-limits.ts";
import { frontDoor, type RawRoute } from "../net/front-door.ts";
import { type Listener, listen } from "../net/listener.ts";
import type { SpliceTarget } from "../net/splice.ts";
import type { TrafficBook } from "../net/traffic.ts";
import { type Settings, settingKeys } from "../state/settings.ts";

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
  readonly settings: Pick<Settings, "get" | "flag">;
  readonly clock: Clock;
  readonly log: Log;
}

export class IrohService {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #settings: IrohServiceParts["settings"];
  readonly #host: IrohHost;
  readonly #listeners: Listener[] = [];
  #config: Config;
  #places: (() => SitePlaces) | undefined;

  constructor({ config, settings, clock, log }: IrohServiceParts) {
    this.#config = config;
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
    this.#host = new IrohHost(hostSettings(config, settings), clock, log);
  }

  /** For the front doors of 80 and 443. */
  get routes(): readonly RawRoute[] {
    return this.#host.routes;
  }

  status(): IrohStatus {
    return this.#host.status();
  }

  /**
   * Opens the relay's own ports, if there are any.
   * @throws {ListenError} for the first address that can't be had (as a rejection)
   */
  async start({ limits, http, traffic, places }: IrohSurroundings): Promise<void> {
    this.#places = places;
    const log = this.#log;
    const clock = this.#clock;
    const door = frontDoor({ http, rawRoutes: [...this.routes, nothingHere], traffic, clock, log });
    for (const address of this.#config.iroh.listen) {
      this.#listeners.push(await listen({ ...door, address, tls: "none", limits, log, clock }));
    }
  }

  /**
   * After a change of configuration or settings; turned off, it sends its clients away.
   * @returns what only a start can take, for the operator
   */
  reconfigure(config: Config): string | undefined {
    const { listen: kept } = this.#config.iroh;
    const changed = JSON.stringify(config.iroh.listen) !== JSON.stringify(kept);
    this.#config = { ...config, iroh: { ...config.iroh, listen: kept } };
    this.#host.reconfigure(hostSettings(config, this.#settings));
    return changed ? "iroh.listen changed: takes effect at the next start" : undefined;
  }

  /** What clients are told to connect to; undefined when there is nothing that they could. */
  url(): string | undefined {
    const { iroh, publicAddress, hostname } = this.#config;
    const places = this.#places?.();
    if (places === undefined || !isEnabled(this.#config, this.#settings)) return undefined;
    const set = this.#settings.get(settingKeys.irohUrl);
    if (set !== undefined && IROH_URL.test(set)) return set;
    if (iroh.url !== undefined) return iroh.url;
    const { http, https, trusted } = places;
    const name = hostOf(publicAddress ?? hostname);
    const host = name.includes(":") ? `[${name}]` : name;
    if (trusted && https !== undefined) return `https://${host}${portSuffix(https, HTTPS_PORT)}`;
    const clear = http ?? this.#listeners[0]?.port;
    return clear === undefined ? undefined : `http://${host}${portSuffix(clear, HTTP_PORT)}`;
  }

  /** Says goodbye on the own ports, and tells what there was to do. Clients on 80 and 443 go with those. */
  async stop(): Promise<void> {
    await Promise.all(this.#listeners.splice(0).map((listener) => listener.stop()));
    const { counters } = this.#host.status();
    const told = Object.entries(counters).filter(([, count]) => count > 0);
    if (told.length === 0) return;
    const text = told.map(([name, count]) => `${name} ${count}`).join(", ");
    this.#log.emit({ kind: "notice", text: `iroh relay: ${text}` });
  }
}

function hostSettings(config: Config, settings: IrohServiceParts["settings"]): IrohSettings {
  const { iroh } = config;
  return {
    enabled: isEnabled(config, settings),
    clients: iroh.clients,
    clientsPerAddress: iroh.clients_per_address,
    bytesPerSecond: iroh.bytes_per_second,
    totalBytesPerSecond: iroh.total_bytes_per_second,
  };
}

function isEnabled({ iroh }: Config, settings: IrohServiceParts["settings"]): boolean {
  return settings.flag(settingKeys.irohEnabled) ?? iroh.enabled;
}

function portSuffix(port: number, usual: number): string {
  return port === usual ? "" : `:${port}`;
}

/** The relay's own ports have no site. */
const nothingHere: RawRoute = {
  matches: () => true,
  accept: (connection) => lastWord(connection, lastResponse("404 Not Found", [], EMPTY)),
};
