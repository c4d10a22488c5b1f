/** Which names the certificate of this relay should have. */
import { isIP } from "node:net";
import type { Config } from "../config/config.ts";
import { hostOf } from "../core/address.ts";
import type { DnsResult, Resolver } from "../dns/resolver.ts";
import { AcmeError } from "../tls/acme-transport.ts";
import { canonicalName } from "../tls/material.ts";

/** What mail clients and peers ask for besides the domain itself: its policy (RFC 8461 §3.3) and its site. */
const PREFIXES = ["", "mta-sts.", "www."];

export interface WantedNames {
  /** Without these there is no use in a certificate. */
  readonly required: readonly string[];
  /** Those that lead here today. */
  readonly optional: readonly string[];
}

export interface NameQuestion {
  config: Pick<Config, "hostname" | "domains" | "acme">;
  resolver: Pick<Resolver, "a" | "aaaa">;
  /** Names of the certificate in use: kept while nobody knows where they lead. */
  covered: readonly string[];
}

/**
 * The names of the configuration; or the host name, and of the others those with no address but the host's, since
 * an authority looks at each.
 * @throws {AcmeError} when the host name leads nowhere: asking an authority then only uses up its patience
 */
export async function wantedNames({ config, resolver, covered }: NameQuestion): Promise<WantedNames> {
  const { acme, domains } = config;
  if (acme.names.length > 0) return { required: unique(acme.names.map(hostOf)), optional: [] };
  const host = canonicalName(hostOf(config.hostname));
  if (isIP(host) > 0) return { required: [host], optional: [] };
  const answer = await addressesOf(resolver, host);
  if (acme.challenge === "http-01") needAddress(host, answer);
  const others = domains
    .filter((domain) => !domain.startsWith("[") && !domain.startsWith("_"))
    .flatMap((domain) => PREFIXES.map((prefix) => `${prefix}${domain}`));
  const candidates = unique([...others, `www.${host}`]).filter((name) => name !== host);
  const optional: string[] = [];
  for (const name of candidates) {
    const { found, trouble } = await addressesOf(resolver, name);
    const leadsHere = found.length > 0 && found.every((address) => answer.found.includes(address));
    if (leadsHere || (trouble && covered.includes(name))) optional.push(name);
  }
  return { required: [host], optional };
}

interface Addresses {
  found: string[];
  trouble: boolean;
}

async function addressesOf(resolver: NameQuestion["resolver"], name: string): Promise<Addresses> {
  const answers: DnsResult<string>[] = await Promise.all([resolver.a(name), resolver.aaaa(name)]);
  return {
    found: answers.flatMap((answer) => (answer.kind === "found" ? answer.records : [])),
    trouble: answers.some(({ kind }) => kind === "trouble"),
  };
}

function needAddress(host: string, { found, trouble }: Addresses): void {
  if (found.length > 0) return;
  throw trouble
    ? new AcmeError(`${host}: the name servers do not answer`, {
        why: "unreachable",
        type: "dns",
        name: host,
      })
    : new AcmeError(`${host}: the DNS has no address for it; add an A or AAAA record`, {
        why: "challengeFailed",
        type: "dns",
        name: host,
      });
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names.map(canonicalName))];
}
