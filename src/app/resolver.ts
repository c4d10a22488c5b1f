/** The DNS as this relay asks it: the configured servers, or the system's. */
import type { Config } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { socketExchange } from "../dns/exchange.ts";
import type { Resolver } from "../dns/resolver.ts";
import { serverList } from "../dns/servers.ts";
import { StubResolver } from "../dns/stub.ts";

export function openResolver(servers: Config["dns"]["servers"], clock: Clock): Resolver {
  return new StubResolver({ servers: serverList(servers, clock), exchange: socketExchange(clock), clock });
}
