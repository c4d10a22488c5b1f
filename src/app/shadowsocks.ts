/**
 * The Shadowsocks service as configuration and settings want it: started, replaced or stopped while the relay runs.
 * Tunnels lead to the listeners of clients only; what they carry counts for the client's address.
 */
import type { Config } from "../config/config.ts";
import { hostOf } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../log/events.ts";
import type { Introductions } from "../net/introductions.ts";
import { addressText, type Listener, ListenError } from "../net/listener.ts";
import type { Traffic } from "../net/traffic.ts";
import { type MethodName, methods } from "../shadowsocks/engine/methods.ts";
import { ssLink } from "../shadowsocks/link.ts";
import { ensurePassword, knownPassword, SecretError } from "../shadowsocks/secret.ts";
import { type ShadowsocksOptions, ShadowsocksServer } from "../shadowsocks/server.ts";
import { type Settings, settingKeys } from "../state/settings.ts";

export interface ShadowsocksParts {
  config: () => Config;
  settings: Pick<Settings, "get" | "flag">;
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
    const { config, settings, introductions, traffic, log, clock } = this.#parts;
    const options = wanted(config(), settings);
    if (JSON.stringify(options) === JSON.stringify(this.#running)) return;
    await this.stop();
    if (options === undefined) return;
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

  /** After a change of configuration or settings. Tunnels end only if something about them changed. */
  async reconfigure(): Promise<string | undefined> {
    try {
      await this.start();
      return undefined;
    } catch (error) {
      if (error instanceof ListenError || error instanceof SecretError) {
        return `shadowsocks is off: ${error.message}`;
      }
      throw error;
    }
  }

  /** Visits every open connection; see `Listener.visit`. */
  visit(look: Parameters<Listener["visit"]>[0]): void {
    for (const listener of this.#server?.listeners ?? []) listener.visit(look);
  }

  /** `host:port` as bound. */
  bound(): string[] {
    return (this.#server?.listeners ?? []).map(addressText);
  }

  /** Every client's link, with the port as bound. @returns undefined while the service is off */
  link(): string | undefined {
    const port = this.#server?.port;
    if (port === undefined || this.#running === undefined) return undefined;
    return linkOf(this.#parts.config(), { ...this.#running, port });
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

/** What the command line shows of a relay that may be running elsewhere. */
export interface ProxyFacts {
  enabled: boolean;
  cipher: MethodName;
  /** Absent until the first start has made a password, or where the port is the system's choice. */
  link: string | undefined;
}

/** @throws {SecretError} */
export function proxyFacts(config: Config, settings: ShadowsocksParts["settings"]): ProxyFacts {
  const secret = secretSettings(config, settings);
  const password = knownPassword(config.stateDir, secret);
  const port = config.shadowsocks.listen[0]?.port ?? 0;
  const link =
    password === undefined || port === 0 ? undefined : linkOf(config, { ...secret, password, port });
  return { enabled: isEnabled(config, settings), cipher: secret.method, link };
}

function wanted(config: Config, settings: ShadowsocksParts["settings"]): ShadowsocksOptions | undefined {
  const { shadowsocks, stateDir } = config;
  if (!isEnabled(config, settings)) return undefined;
  const secret = secretSettings(config, settings);
  return {
    listen: shadowsocks.listen,
    method: secret.method,
    password: ensurePassword(stateDir, secret),
    connections: shadowsocks.connections,
    connectionsPerAddress: shadowsocks.connections_per_address,
    perMinute: shadowsocks.tunnels_per_minute,
    burst: shadowsocks.tunnel_burst,
  };
}

function isEnabled({ shadowsocks }: Config, settings: ShadowsocksParts["settings"]): boolean {
  return settings.flag(settingKeys.shadowsocksEnabled) ?? shadowsocks.enabled;
}

function secretSettings({ shadowsocks }: Config, settings: ShadowsocksParts["settings"]) {
  const set = settings.get(settingKeys.shadowsocksCipher);
  const method = isMethod(set) ? set : shadowsocks.cipher;
  const password = settings.get(settingKeys.shadowsocksPassword) || shadowsocks.password;
  return { method, password };
}

function isMethod(name: string | undefined): name is MethodName {
  return name !== undefined && Object.hasOwn(methods, name);
}

function linkOf(config: Config, parts: { method: MethodName; password: string; port: number }): string {
  const host = hostOf(config.publicAddress ?? config.hostname);
  return ssLink({ ...parts, host, tag: hostOf(config.domains[0]) });
}
