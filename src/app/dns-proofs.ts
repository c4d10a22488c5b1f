/** Who sets TXT records for dns-01, as the configuration says. */
import type { Config } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { Resolver } from "../dns/resolver.ts";
import type { ProofPlace } from "../tls/acme-order.ts";

export interface DnsProofParts { config: Config; resolver: Resolver; clock: Clock }
export async function createDnsProofs(_: DnsProofParts): Promise<ProofPlace> { throw new Error("not yet"); }
