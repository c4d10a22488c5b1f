/** Which protocol answers on which listener. All of them bind, or none stays bound. */
import type { Config, ListenAddress, ListenerName } from "../config/config.ts";
import { fromLatin1 } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../log/events.ts";
import type { Accept } from "../net/connection.ts";
import type { ConnectionLimits } from "../net/connection-limits.ts";
import type { FrontDoor } from "../net/front-door.ts";
import type { Introductions } from "../net/introductions.ts";
import type { TrafficBook } from "../net/traffic.ts";
import {
  addressText,
  lacksIpv6,
  type Listener,
  type ListenOptions,
  listen,
  type TlsCredentials,
} from "../net/listener.ts";

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
  readonly #listeners = new Map<ListenerName, Listener[]>();

  constructor(parts: ListenersParts) {
    this.#parts = parts;
  }

  /** @throws {ListenError} for the first address that can't be had; then nothing stays bound */
  async start(addresses: Config["listen"]): Promise<BoundAddresses> {
    const services = serviceTable(this.#parts.answering, this.#parts.traffic);
    try {
      for (const [name, service] of services) {
        for (const address of addresses[name]) await this.#bind(name, address, service);
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
    return this.bound();
  }

  bound(): BoundAddresses {
    const of = (name: ListenerName) => (this.#listeners.get(name) ?? []).map(addressText);
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
    return this.#listeners.get(name)?.[0]?.port;
  }

  /**
   * The address at which this machine reaches the listener of a port that clients use.
   * @returns undefined for every other port; 25 is for servers
   */
  hostOf(port: number): string | undefined {
    for (const [name, listeners] of this.#listeners) {
      const found = name === "smtp" ? undefined : listeners.find((listener) => listener.port === port);
      if (found === undefined) continue;
      if (found.address === "0.0.0.0") return "127.0.0.1";
      return found.address === "::" ? "::1" : found.address;
    }
    return undefined;
  }

  /** Visits every open connection; see `Listener.visit`. */
  visit(look: Parameters<Listener["visit"]>[0]): void {
    for (const listener of [...this.#listeners.values()].flat()) listener.visit(look);
  }

  /** Says goodbye to every client. */
  async stop(): Promise<void> {
    await Promise.all([...this.#listeners.values()].flat().map((listener) => listener.stop()));
  }

  async #bind(name: ListenerName, address: ListenAddress, service: Service): Promise<void> {
    const { getTls, limits, introductions, log, clock } = this.#parts;
    try {
      const listener = await listen({ ...service, address, getTls, limits, introductions, log, clock });
      this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
    } catch (error) {
      // The default configuration names every address there may be; a machine without IPv6 does with the others.
      if (!lacksIpv6(error, address)) throw error;
      log.emit({ kind: "notice", text: `no IPv6 here: ${name} does not listen on [::]:${address.port}` });
    }
  }
}

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
