/**
 * One host's ways in, in order, with what each must prove. Chatmail relays check certificates strictly, except where
 * no authority would give one: address literals and domains that begin with an underscore.
 */
import type { Domain } from "../core/address.ts";
import type { Route } from "../delivery/courier.ts";
import { canonicalAddress } from "../net/public-address.ts";
import { MXDELIV_PATH } from "./wire.ts";

export interface FederationPorts {
  readonly https: number;
  readonly http: number;
  readonly smtp: number;
}

export interface RouteSettings {
  /** What peers with a domain must prove. */
  readonly tls: "verified" | "encrypted" | "opportunistic";
  /** Where mail may go over HTTP in clear. */
  readonly plainHttp: "never" | "relaxed" | "always";
  readonly ports: FederationPorts;
}

/** One host and how to deal with it. */
export interface HostRoutes {
  readonly host: string;
  /** In this order. */
  readonly ways: readonly Way[];
  /** Its names are the operator's own word: they may lead anywhere. */
  readonly isTrusted: boolean;
}

export interface Way {
  readonly route: Route;
  readonly port: number;
  /** Of HTTP. */
  readonly path: string;
  readonly verify: boolean;
  /** Of SMTP: whether mail may go in clear where STARTTLS is not offered. */
  readonly needsTls: boolean;
}

/** Whether a domain can't be expected to have a certificate that others trust. */
function isRelaxed(domain: string): boolean {
  return domain.startsWith("[") || domain.startsWith("_") || canonicalAddress(domain) !== undefined;
}

/** @param isEnforced the domain's MTA-STS policy asks for TLS */
export function routesOf(
  host: string,
  domain: Domain | string,
  settings: RouteSettings,
  isEnforced: boolean,
): HostRoutes {
  const relaxed = isRelaxed(domain) && !isEnforced;
  const verify = isEnforced || (!relaxed && settings.tls === "verified");
  const inClear = settings.plainHttp === "always" || (settings.plainHttp === "relaxed" && relaxed);
  const { ports } = settings;
  const common = { path: MXDELIV_PATH, verify, needsTls: verify || settings.tls !== "opportunistic" };
  const ways: Way[] = [{ ...common, route: "https", port: ports.https }];
  if (inClear && !isEnforced) ways.push({ ...common, route: "http", port: ports.http });
  ways.push({ ...common, route: "smtp", port: ports.smtp });
  return { host, ways, isTrusted: false };
}

/**
 * The operator's word instead of DNS: a host for all ways, `HOST:PORT` for HTTPS there, or a URL (https, http, smtp)
 * for just that one way. A URL without a path gets `/mxdeliv`. @returns undefined for what can't be understood
 */
export function overrideRoutes(text: string, settings: RouteSettings): HostRoutes | undefined {
  if (!text.includes("://")) {
    const host = text.replace(/^\[(?:ipv6:)?(.*)\]$/i, "$1").toLowerCase();
    const isHost = /^[\w.-]+$/.test(host) || canonicalAddress(host) !== undefined;
    if (isHost) return { ...routesOf(host, host, settings, false), isTrusted: true };
    return /:\d+$/.test(text) ? overrideRoutes(`https://${text}`, settings) : undefined;
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const route = url?.protocol.slice(0, -1);
  if (url === undefined || (route !== "https" && route !== "http" && route !== "smtp")) return undefined;
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (host === "") return undefined;
  const port = url.port === "" ? settings.ports[route] : Number(url.port);
  const path = url.pathname === "/" || url.pathname === "" ? MXDELIV_PATH : url.pathname + url.search;
  const verify = !isRelaxed(host) && settings.tls === "verified";
  const needsTls = verify || settings.tls !== "opportunistic";
  return { host, ways: [{ route, port, path, verify, needsTls }], isTrusted: true };
}
