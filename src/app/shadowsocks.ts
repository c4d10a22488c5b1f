/**
 * The Shadowsocks service as the configuration in force wants it: started, replaced or stopped while the relay runs.
 * Tunnels lead to the listeners of clients only; what they carry counts for the client's address.
 */
import type { Config } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../log/events.ts";
import type { Introductions } from "../net/introductions.ts";
import { addressText, ListenError } from "../net/listener.ts";
import type { Traffic } from "../net/traffic.ts";
import { proxyLink } from "../shadowsocks/facts.ts";
import { ensurePassword, SecretError } from "../shadowsocks/secret.ts";
import { type ShadowsocksOptions, ShadowsocksServer } from "../shadowsocks/server.ts";
import type { ConnectionFacts } from "./listeners.ts";
import type { Kept } from "./supervisor.ts";

export interface ShadowsocksParts {
  config: () => Config;
  introductions: Introductions;
  /** Where a listener for clients is reached. */
  hostOf(port: number): string | undefined;
  /** Where bytes are counted. */
  traffic: Traffic;
  log: Log;
  clock: Clock;
}

export class Shadowsocks {
  readonly #parts: ShadowsocksParts;
  #server: ShadowsocksServer | undefined;
  #running: ShadowsocksOptions | undefined;

  constructor(parts: ShadowsocksParts) {
    this.#parts = parts;
  }

  /** Starts what is wanted. @throws {ListenError | SecretError} with a message for the operator (as a rejection) */
  async start(): Promise<void> {
    const options = wanted(this.#parts.config());
    if (options !== undefined) await this.#begin(options);
  }

  /**
   * After a change of the configuration. Tunnels end only if cipher, password or a limit changed, or their address is
   * given up. @returns what could not be taken: then it goes on as it was
   */
  async reconfigure(config: Config): Promise<Kept | undefined> {
    const before = this.#running;
    try {
      const options = wanted(config);
      if (sameBut(options, before) && options !== undefined && this.#server !== undefined) {
        await this.#server.listen(options.listen);
        this.#running = options;
        return undefined;
      }
      await this.stop();
      if (options !== undefined) await this.#begin(options);
      return undefined;
    } catch (error) {
      if (!(error instanceof ListenError || error instanceof SecretError)) throw error;
      return this.#goOn(before, config, error.message);
    }
  }

  /** Whatever can't be had, what was there is better than nothing. */
  async #goOn(before: ShadowsocksOptions | undefined, config: Config, why: string): Promise<Kept> {
    const { shadowsocks } = config;
    if (before === undefined) {
      const off = { ...config, shadowsocks: { ...shadowsocks, enabled: false } };
      return { notice: `shadowsocks is off: ${why}`, config: off };
    }
    const { listen, method: cipher, password } = before;
    const kept = { ...config, shadowsocks: { ...shadowsocks, listen, cipher, password, enabled: true } };
    if (this.#server !== undefined) return { notice: `shadowsocks stays as it was: ${why}`, config: kept };
    try {
      await this.#begin(before);
      return { notice: `shadowsocks stays as it was: ${why}`, config: kept };
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      const off = { ...config, shadowsocks: { ...shadowsocks, enabled: false } };
      return { notice: `shadowsocks is off: ${why}; and ${error.message}`, config: off };
    }
  }

  async #begin(options: ShadowsocksOptions): Promise<void> {
    const { introductions, traffic, log, clock } = this.#parts;
    const server = new ShadowsocksServer({
      options,
      introductions,
      hostOf: (port) => this.#hostOf(port),
      traffic,
      log,
      clock,
    });
    await server.start();
    this.#server = server;
    this.#running = options;
  }

  /** Tunnels and probes. */
  connections(): ConnectionFacts {
    return { connections: this.#server?.connections ?? 0, addresses: this.#server?.addresses ?? 0 };
  }

  /** `host:port` as bound. */
  bound(): string[] {
    return (this.#server?.listeners ?? []).map(addressText);
  }

  /** Every client's link, with the port as bound. @returns undefined while the service is off */
  link(): string | undefined {
    const port = this.#server?.port;
    if (port === undefined || this.#running === undefined) return undefined;
    return proxyLink(this.#parts.config(), { ...this.#running, port });
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#running = undefined;
    await server?.stop();
  }

  #hostOf(port: number): string | undefined {
    const own = this.#parts.hostOf(port);
    if (own !== undefined) return own;
    return this.#parts.config().shadowsocks.allowed_ports.includes(port) ? "127.0.0.1" : undefined;
  }
}

function wanted({ shadowsocks, stateDir }: Config): ShadowsocksOptions | undefined {
  if (!shadowsocks.enabled) return undefined;
  const { cipher: method, password } = shadowsocks;
  return {
    listen: shadowsocks.listen,
    method,
    password: ensurePassword(stateDir, { method, password }),
    connections: shadowsocks.connections,
    connectionsPerAddress: shadowsocks.connections_per_address,
    perMinute: shadowsocks.tunnels_per_minute,
    burst: shadowsocks.tunnel_burst,
  };
}

/** Whether only the addresses differ. */
function sameBut(a: ShadowsocksOptions | undefined, b: ShadowsocksOptions | undefined): boolean {
  const rest = (options: ShadowsocksOptions | undefined) => JSON.stringify({ ...options, listen: [] });
  return rest(a) === rest(b);
}
