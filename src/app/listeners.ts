/** Which protocol answers on which listener. All of them bind, or none stays bound; a reload moves those that changed. */
import type { Config, ListenAddress, ListenerName } from "../config/config.ts";
import { fromLatin1 } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../log/events.ts";
import type { Accept } from "../net/connection.ts";
import type { ConnectionLimits } from "../net/connection-limits.ts";
import type { FrontDoor } from "../net/front-door.ts";
import type { Introductions } from "../net/introductions.ts";
import type { TrafficBook } from "../net/traffic.ts";
import { ListenerGroup, type ListenPlace } from "../net/listener-group.ts";
import {
  addressText,
  lacksIpv6,
  ListenError,
  type Listener,
  type ListenOptions,
  listen,
  type TlsCredentials,
} from "../net/listener.ts";
import type { Kept } from "./supervisor.ts";

/** What answers. */
export interface Answering {
  smtp: Accept;
  /** Submission that begins in clear. */
  submission: Accept;
  /** Submission inside TLS. */
  submissions: Accept;
  imap: Accept;
  http: FrontDoor;
  https: FrontDoor;
}

export interface ListenersParts {
  answering: Answering;
  getTls: () => TlsCredentials;
  limits: ConnectionLimits;
  introductions: Introductions;
  /** Where bytes are counted. */
  traffic: TrafficBook;
  log: Log;
  clock: Clock;
}

/** `host:port` as bound, an IPv6 address in brackets. */
export type BoundAddresses = Record<ListenerName, string[]>;

type Service = Pick<ListenOptions, "tls" | "accept" | "alpn" | "proto" | "refusal" | "traffic">;

const SMTP_BUSY = fromLatin1("421 4.3.2 Too many connections, try again later\r\n");
const IMAP_BUSY = fromLatin1("* BYE Too many connections, try again later\r\n");

export class Listeners {
  readonly #parts: ListenersParts;
  readonly #group = new ListenerGroup();
  /** As asked for, and had. */
  #addresses: Config["listen"] | undefined;

  constructor(parts: ListenersParts) {
    this.#parts = parts;
  }

  /** @throws {ListenError} for the first address that can't be had; then nothing stays bound */
  async start(addresses: Config["listen"]): Promise<BoundAddresses> {
    await this.#change(addresses);
    return this.bound();
  }

  /**
   * Listens where `next` says from now on. Listeners that stay, and their connections, are left alone.
   * @returns what could not be taken: then all is as before
   */
  async reconfigure(next: Config): Promise<Kept | undefined> {
    try {
      await this.#change(next.listen);
      return undefined;
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      const config = { ...next, listen: this.#addresses ?? next.listen };
      return { notice: `listeners stay where they are: ${error.message}`, config };
    }
  }

  bound(): BoundAddresses {
    const of = (name: ListenerName) => this.#of(name).map(addressText);
    return {
      smtp: of("smtp"),
      submission: of("submission"),
      submissions: of("submissions"),
      imap: of("imap"),
      imaps: of("imaps"),
      http: of("http"),
      https: of("https"),
    };
  }

  /** Connections that are open, by service. */
  connections(): Record<ListenerName, ConnectionFacts> {
    const of = (name: ListenerName) => connectionFacts(this.#of(name));
    return {
      smtp: of("smtp"),
      submission: of("submission"),
      submissions: of("submissions"),
      imap: of("imap"),
      imaps: of("imaps"),
      http: of("http"),
      https: of("https"),
    };
  }

  /** The first bound port of a service. */
  port(name: ListenerName): number | undefined {
    return this.#of(name)[0]?.port;
  }

  /**
   * The address at which this machine reaches the listener of a port that clients use.
   * @returns undefined for every other port; 25 is for servers
   */
  hostOf(port: number): string | undefined {
    for (const name of clientServices) {
      const found = this.#of(name).find((listener) => listener.port === port);
      if (found === undefined) continue;
      if (found.address === "0.0.0.0") return "127.0.0.1";
      return found.address === "::" ? "::1" : found.address;
    }
    return undefined;
  }

  /** Says goodbye to every client. */
  stop(): Promise<void> {
    return this.#group.stop();
  }

  /** @throws {ListenError} for the first address that can't be had; then all is as before */
  async #change(addresses: Config["listen"]): Promise<void> {
    const places = serviceTable(this.#parts.answering, this.#parts.traffic).flatMap(([name, service]) =>
      addresses[name].map(
        (address): ListenPlace => ({
          key: `${name} ${address.host} ${address.port}`,
          port: address.port,
          open: () => this.#open(name, address, service),
        }),
      ),
    );
    await this.#group.change(places);
    this.#addresses = addresses;
  }

  #of(name: ListenerName): Listener[] {
    return this.#group.at(`${name} `);
  }

  async #open(name: ListenerName, address: ListenAddress, service: Service): Promise<Listener | undefined> {
    const { getTls, limits, introductions, log, clock } = this.#parts;
    try {
      return await listen({ ...service, address, getTls, limits, introductions, log, clock });
    } catch (error) {
      // The default configuration names every address there may be; a machine without IPv6 does with the others.
      if (!lacksIpv6(error, address)) throw error;
      log.emit({
        kind: "notice",
        text: `no IPv6 here: ${name} does not listen on [${address.host}]:${address.port}`,
      });
      return undefined;
    }
  }
}

/** Of one service. */
export interface ConnectionFacts {
  connections: number;
  /** IPv4 addresses and IPv6 /64 networks. */
  addresses: number;
}

export function connectionFacts(listeners: readonly Listener[]): ConnectionFacts {
  return {
    connections: listeners.reduce((sum, { connections }) => sum + connections, 0),
    addresses: new Set(listeners.flatMap((listener) => [...listener.networks()])).size,
  };
}

const clientServices = ["submission", "submissions", "imap", "imaps", "http", "https"] as const;

function serviceTable(answering: Answering, book: TrafficBook): [ListenerName, Service][] {
  const { smtp, submission, submissions, imap, http, https } = answering;
  const clear = (
    accept: Accept,
    proto: "smtp" | "imap",
    refusal: Uint8Array,
    traffic = book[proto],
  ): Service => ({
    traffic,
    tls: "starttls",
    accept,
    proto,
    refusal,
  });
  return [
    ["smtp", clear(smtp, "smtp", SMTP_BUSY, book.federation)],
    ["submission", clear(submission, "smtp", SMTP_BUSY)],
    // Clients name their protocol by ALPN on every port but the registered one (and none there).
    [
      "submissions",
      { tls: "implicit", accept: submissions, proto: "smtp", alpn: ["smtp"], traffic: book.smtp },
    ],
    ["imap", clear(imap, "imap", IMAP_BUSY)],
    ["imaps", { tls: "implicit", accept: imap, proto: "imap", alpn: ["imap"], traffic: book.imap }],
    ["http", { ...http, tls: "none" }],
    ["https", { ...https, tls: "implicit" }],
  ];
}
