/** Mail to and from other servers, put together: resolver, ways out, `/mxdeliv`. */
import type { Config } from "../config/config.ts";
import { type Domain, hostOf } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Courier, RouteOverrides, Signer } from "../delivery/courier.ts";
import type { MailDoor } from "../delivery/intake.ts";
import { socketExchange } from "../dns/exchange.ts";
import type { Resolver } from "../dns/resolver.ts";
import { serverList } from "../dns/servers.ts";
import { StubResolver } from "../dns/stub.ts";
import { HostFinder } from "../federation/hosts.ts";
import { HttpClient } from "../federation/http-client.ts";
import { Inbound, type InboundSettings } from "../federation/inbound.ts";
import { MtaSts } from "../federation/mta-sts.ts";
import { Outbound } from "../federation/outbound.ts";
import { type ServerReport, testServer } from "../federation/server-test.ts";
import type { Log } from "../log/events.ts";
import type { Traffic } from "../net/traffic.ts";
import { SmtpClient } from "../smtp/client.ts";

/** The resolver that the configuration asks for. */
export function createResolver(config: Pick<Config, "dns">, clock: Clock): Resolver {
  const servers = serverList(config.dns.servers, clock);
  return new StubResolver({ servers, exchange: socketExchange(clock), clock });
}

export interface CourierOptions {
  config: () => Config;
  resolver: Resolver;
  overrides: RouteOverrides;
  signer?: Signer | undefined;
  /** Where bytes are counted. */
  traffic: Traffic;
  clock: Clock;
  log: Log;
}

export interface Ways {
  courier: Courier;
  /** For the operator: how mail would get there. @param isAllowed whether rules let it. Never rejects */
  test: (domain: Domain, isAllowed: boolean, signal?: AbortSignal) => Promise<ServerReport>;
  /** Closes kept connections; call it after the last delivery. */
  stop(): void;
}

/** The ways to other servers. */
export function createCourier(options: CourierOptions): Ways {
  const { config, resolver, overrides, signer, traffic, clock, log } = options;
  const hosts = new HostFinder(
    resolver,
    () => {
      const { federation, publicAddress, hostname } = config();
      return {
        allowPrivateAddresses: federation.allow_private_addresses,
        ownAddresses: [publicAddress, hostname].flatMap((name) => (name === undefined ? [] : [hostOf(name)])),
      };
    },
    clock,
  );
  const http = new HttpClient(clock, traffic);
  const smtp = new SmtpClient({ helloName: () => config().hostname, clock, traffic });
  const sts = new MtaSts({ resolver, hosts, http, port: () => config().federation.https_port, clock });
  const settings = () => {
    const { tls, plain_http: plainHttp, https_port: https, http_port, smtp_port } = config().federation;
    return { tls, plainHttp, ports: { https, http: http_port, smtp: smtp_port } };
  };
  const courier = new Outbound({ settings, hosts, http, smtp, sts, overrides, signer, clock, log });
  const helloName = () => config().hostname;
  return {
    courier,
    test: (domain, isAllowed, signal) => {
      const parts = { hosts, sts, settings, overrides, isAllowed, helloName, clock };
      return testServer(parts, domain, signal);
    },
    stop: () => {
      http.stop();
      smtp.stop();
    },
  };
}

/** `/mxdeliv`. */
export function createInbound(parts: {
  config: Config;
  door: MailDoor;
  peerAddress(request: Request): string;
  clock: Clock;
  log: Log;
}): Inbound {
  return new Inbound({ ...parts, settings: inboundSettings(parts.config) });
}

export function inboundSettings({ federation }: Config): InboundSettings {
  const { inbound_per_minute: perMinute, inbound_burst: burst, message_size: messageMaxBytes } = federation;
  return { perMinute, burst, messageMaxBytes };
}
