/**
 * Where a domain's mail goes (RFC 5321 §5): its hosts in order, and a host's addresses, without those that no
 * stranger's name may lead to.
 */
import { randomInt } from "node:crypto";
import { networkInterfaces } from "node:os";
import { domainToASCII } from "node:url";
import { type Domain, hostOf } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Outcome } from "../delivery/courier.ts";
import type { DnsResult, MxRecord, Resolver } from "../dns/resolver.ts";
import { canonicalAddress, isPublicAddress } from "../net/public-address.ts";

/** RFC 5321 §5.1 wants two tried at least. */
const HOSTS_MAX = 5;
/** Addresses of one host, of both families. */
const ADDRESSES_MAX = 4;
/** Asking the system for its own addresses costs as much as the rest of a lookup from the cache. */
const OWN_ADDRESSES_FOR_MS = 5000;

export interface HostPlan {
  /** Names, or an address for an address literal; at least one. */
  hosts: readonly string[];
  /** They stand in for the domain that has no MX: without an address there is nobody to wait for. */
  isDomainItself: boolean;
}

export type FoundHosts = { ok: true; plan: HostPlan } | { ok: false; outcome: Outcome };

export interface FoundAddresses {
  addresses: readonly string[];
  /** Why there is none; "" when there are. */
  why: string;
  /** The DNS knows for sure that there is none. */
  isCertain: boolean;
}

export interface HostSettings {
  /** Whether names may lead to private, loopback and own addresses. */
  allowPrivateAddresses: boolean;
  /** Addresses under which others know this relay. */
  ownAddresses: readonly string[];
}

export class HostFinder {
  readonly #resolver: Resolver;
  readonly #settings: () => HostSettings;
  readonly #clock: Clock;
  #local: readonly string[] = [];
  #localUntilMs = -Infinity;

  constructor(resolver: Resolver, settings: () => HostSettings, clock: Clock) {
    this.#resolver = resolver;
    this.#settings = settings;
    this.#clock = clock;
  }

  async hostsOf(domain: Domain): Promise<FoundHosts> {
    if (domain.startsWith("[")) return found([hostOf(domain)], true);
    const name = asciiName(domain);
    if (name === undefined) return failed("fail", 553, "5.1.2", "Domain name can't be looked up");
    const answer = await this.#resolver.mx(name);
    switch (answer.kind) {
      case "found":
        return orderHosts(answer.records);
      case "noData":
        return found([name], true);
      case "noName":
        return failed("fail", 512, "5.1.2", `Domain ${domain} does not exist`);
      default:
        return failed("defer", 451, "4.4.3", `MX of ${domain} could not be looked up: ${answer.why}`);
    }
  }

  /** IPv6 and IPv4 in turns, IPv6 first. @param host a name, or an address */
  async addressesOf(host: string): Promise<FoundAddresses> {
    const found = await this.anyAddressesOf(host);
    return found.addresses.length === 0 ? found : this.#allowed(found.addresses);
  }

  /** The same for a host that the operator named: it may be anywhere. */
  async anyAddressesOf(host: string): Promise<FoundAddresses> {
    if (canonicalAddress(host) !== undefined) return { addresses: [host], why: "", isCertain: false };
    const name = asciiName(host);
    if (name === undefined) return { addresses: [], why: "no host name", isCertain: true };
    const [six, four] = await Promise.all([this.#resolver.aaaa(name), this.#resolver.a(name)]);
    const addresses = takeTurns(recordsOf(six), recordsOf(four));
    if (addresses.length > 0) return { addresses, why: "", isCertain: false };
    const trouble = [six, four].find((answer) => answer.kind === "trouble");
    if (trouble !== undefined) return { addresses: [], why: `DNS: ${trouble.why}`, isCertain: false };
    return { addresses: [], why: "the host has no address", isCertain: true };
  }

  #allowed(addresses: readonly string[]): FoundAddresses {
    const { allowPrivateAddresses, ownAddresses } = this.#settings();
    const own = allowPrivateAddresses ? new Set<string>() : this.#own(ownAddresses);
    const usable = addresses.filter(
      (address) =>
        allowPrivateAddresses || (isPublicAddress(address) && !own.has(canonicalAddress(address) ?? "")),
    );
    const why = usable.length > 0 ? "" : "the host's addresses are private, or this server's own";
    return { addresses: usable.slice(0, ADDRESSES_MAX), why, isCertain: false };
  }

  #own(configured: readonly string[]): Set<string> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#localUntilMs) {
      this.#local = Object.values(networkInterfaces()).flatMap((list) =>
        (list ?? []).map((entry) => entry.address),
      );
      this.#localUntilMs = nowMs + OWN_ADDRESSES_FOR_MS;
    }
    return new Set([...configured, ...this.#local].flatMap((address) => canonicalAddress(address) ?? []));
  }
}

/** RFC 5321 §5.1: by preference, equals in random order. RFC 7505: `.` alone refuses all mail. */
function orderHosts(records: readonly MxRecord[]): FoundHosts {
  const named = records.filter(({ exchange }) => exchange !== "");
  if (named.length === 0) return failed("fail", 556, "5.1.10", "Domain accepts no mail (null MX)");
  const keyed = named.map((record) => ({ ...record, lot: randomInt(2 ** 32) }));
  keyed.sort((one, other) => one.preference - other.preference || one.lot - other.lot);
  const hosts = [...new Set(keyed.map(({ exchange }) => exchange))];
  return found(hosts.slice(0, HOSTS_MAX), false);
}

function found(hosts: readonly string[], isDomainItself: boolean): FoundHosts {
  return { ok: true, plan: { hosts, isDomainItself } };
}

function failed(what: "defer" | "fail", code: number, enhanced: string, text: string): FoundHosts {
  return { ok: false, outcome: { do: what, reply: { code, enhanced, text } } };
}

function recordsOf(answer: DnsResult<string>): readonly string[] {
  return answer.kind === "found" ? answer.records : [];
}

function takeTurns(first: readonly string[], second: readonly string[]): string[] {
  const length = Math.max(first.length, second.length);
  return Array.from({ length }, (_, i) => [first[i], second[i]])
    .flat()
    .filter((address) => address !== undefined);
}

/** RFC 5891 A-labels. */
function asciiName(name: string): string | undefined {
  // `domainToASCII` refuses underscores on some platforms, and plain names need none of it.
  if (/^[\x21-\x7e]+$/.test(name)) return name;
  const ascii = domainToASCII(name);
  return ascii === "" ? undefined : ascii;
}
