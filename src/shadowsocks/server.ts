/**
 * The Shadowsocks service (SIP004, SIP022): its listeners, and what all tunnels share. TCP only: mail is TCP, and
 * Delta Chat's core proxies nothing else.
 */
import type { ListenAddress } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { Service } from "../core/service.ts";
import type { Log } from "../log/events.ts";
import type { Connection } from "../net/connection.ts";
import { ConnectionLimits, networkOf } from "../net/connection-limits.ts";
import type { Introductions } from "../net/introductions.ts";
import { ListenerGroup } from "../net/listener-group.ts";
import { lacksIpv6, listen, type Listener } from "../net/listener.ts";
import type { Traffic } from "../net/traffic.ts";
import { RateLimiter } from "../policy/rate.ts";
import { masterKey, type MethodName, methods } from "./engine/methods.ts";
import { ReplayFilter } from "./engine/replay.ts";
import type { SessionParts } from "./engine/request.ts";
import { primitives } from "./primitives.ts";
import { Tunnel, type TunnelParts } from "./tunnel.ts";

/** SIP022: salts are remembered for twice the clock skew that is allowed. */
const SIP022_WINDOW_MS = 60_000;

export interface ShadowsocksOptions {
  readonly listen: readonly ListenAddress[];
  readonly method: MethodName;
  readonly password: string;
  /** Of all clients together, and of one IP address (of IPv6: one /64). */
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Tunnels that one address may open in the long run, and at once. */
  readonly perMinute: number;
  readonly burst: number;
}

export interface ShadowsocksParts {
  options: ShadowsocksOptions;
  introductions: Introductions;
  /** Where an allowed port listens. @returns undefined for every other port */
  hostOf: (port: number) => string | undefined;
  /** Where bytes are counted. */
  traffic?: Traffic;
  log: Log;
  clock: Clock;
}

export class ShadowsocksServer implements Service {
  readonly name = "shadowsocks";
  readonly #parts: ShadowsocksParts;
  readonly #session: SessionParts;
  readonly #limits: ConnectionLimits;
  readonly #rate: RateLimiter;
  readonly #group = new ListenerGroup();

  /** @throws {RangeError} for a password that the method can't take */
  constructor(parts: ShadowsocksParts) {
    const { options, clock } = parts;
    const method = methods[options.method];
    const master = masterKey(method, options.password);
    if (master === undefined) throw new RangeError("the password is no key of this method");
    const replay = new ReplayFilter({ windowMs: method.family === "sip022" ? SIP022_WINDOW_MS : 0 });
    this.#parts = parts;
    this.#session = { method, master, primitives, replay };
    this.#limits = new ConnectionLimits({
      total: options.connections,
      perAddress: options.connectionsPerAddress,
    });
    this.#rate = new RateLimiter(options, clock);
  }

  /** Those that are bound. */
  get listeners(): readonly Listener[] {
    return this.#group.listeners;
  }

  /** The first bound port. */
  get port(): number | undefined {
    return this.listeners[0]?.port;
  }

  /** Tunnels and probes that are open. */
  get connections(): number {
    return this.#limits.open;
  }

  /** IP addresses (of IPv6: /64 networks) of tunnels and probes. */
  get addresses(): number {
    return this.#limits.addresses;
  }

  /** @throws {ListenError} for the first address that can't be had; then nothing stays bound (as a rejection) */
  start(): Promise<void> {
    return this.listen(this.#parts.options.listen);
  }

  /**
   * Listens at these addresses from now on; tunnels through those that stay go on.
   * @throws {ListenError} for the first that can't be had; then all is as before (as a rejection)
   */
  listen(addresses: readonly ListenAddress[]): Promise<void> {
    const { introductions, hostOf, log, clock } = this.#parts;
    const tunnels = {
      session: this.#session,
      introductions,
      hostOf,
      mayOpen: (address: string) => this.#rate.take(networkOf(address)),
      log,
      clock,
    };
    const places = addresses.map((address) => ({
      key: `${address.host} ${address.port}`,
      port: address.port,
      open: () => this.#bind(address, tunnels),
    }));
    return this.#group.change(places);
  }

  async #bind(address: ListenAddress, tunnels: TunnelParts): Promise<Listener | undefined> {
    const { log, clock, traffic } = this.#parts;
    const accept = (connection: Connection) => new Tunnel(connection, tunnels);
    const limits = this.#limits;
    const section = "[shadowsocks]";
    try {
      return await listen({
        address,
        tls: "none",
        accept,
        limits,
        log,
        clock,
        section,
        proto: "shadowsocks",
        ...(traffic === undefined ? {} : { traffic }),
      });
    } catch (error) {
      if (!lacksIpv6(error, address)) throw error;
      return undefined;
    }
  }

  stop(): Promise<void> {
    return this.#group.stop();
  }
}
