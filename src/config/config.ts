/** The configuration as the program sees it: complete, deep-frozen, passed in. */
import { isIP } from "node:net";
import { resolve } from "node:path";
import { type Domain, parseDomain } from "../core/address.ts";
import type { ConfigFile } from "./schema.ts";

export type ListenerName = "smtp" | "submission" | "submissions" | "imap" | "imaps" | "http" | "https";

export interface ListenAddress {
  host: string;
  port: number;
}

/** `[turn]` with its addresses read. */
export type TurnConfig = Omit<ConfigFile["turn"], "listen" | "listen_tls"> & {
  readonly listen: readonly ListenAddress[];
  readonly listen_tls: readonly ListenAddress[];
};

export interface Config {
  readonly stateDir: string;
  /** As clients see it; an IP relay keeps its brackets here (`hostOf` takes them off). */
  readonly hostname: Domain;
  readonly domains: readonly [Domain, ...Domain[]];
  readonly publicAddress: string | undefined;
  readonly listen: Readonly<Record<ListenerName, readonly ListenAddress[]>>;
  readonly tls: Readonly<ConfigFile["tls"]>;
  readonly acme: Readonly<ConfigFile["acme"]>;
  readonly storage: Readonly<ConfigFile["storage"]>;
  readonly accounts: Readonly<ConfigFile["accounts"]>;
  readonly limits: Readonly<ConfigFile["limits"]>;
  readonly smtp: Readonly<ConfigFile["smtp"]>;
  readonly imap: Readonly<ConfigFile["imap"]>;
  readonly dns: Readonly<ConfigFile["dns"]>;
  readonly federation: Readonly<ConfigFile["federation"]>;
  readonly queue: Readonly<ConfigFile["queue"]>;
  readonly iroh: Readonly<Omit<ConfigFile["iroh"], "listen"> & { listen: readonly ListenAddress[] }>;
  readonly metadata: Readonly<ConfigFile["metadata"]>;
  readonly turn: Readonly<TurnConfig>;
  readonly shadowsocks: Readonly<Omit<ConfigFile["shadowsocks"], "listen">> & {
    readonly listen: readonly ListenAddress[];
  };
  readonly push: Readonly<ConfigFile["push"]>;
  readonly echo: Readonly<ConfigFile["echo"]>;
  readonly site: Readonly<ConfigFile["site"]>;
  readonly admin: Readonly<ConfigFile["admin"]>;
  readonly rest: { readonly listen: readonly ListenAddress[] };
  readonly webmail: Readonly<ConfigFile["webmail"]>;
  readonly maintenance: Readonly<ConfigFile["maintenance"]>;
  readonly metrics: { readonly listen: readonly ListenAddress[] };
  readonly log: Readonly<Omit<ConfigFile["log"], "file">> & { readonly file: string | undefined };
  /** Keys that the file gives a value, such as `turn.listen`; all others have their default. */
  readonly given: readonly string[];
}

const DAY_MS = 86_400_000;

export class ConfigError extends Error {}

export interface ConfigOverrides {
  /** Wins over `state_dir` of the file. */
  stateDir?: string | undefined;
  /** See `Config.given`. */
  given?: readonly string[];
}

/**
 * Joins a parsed file with what the command line said.
 * @param baseDir what a relative path in the file is relative to: the file's directory
 * @throws {ConfigError} on contradictions
 */
export function resolveConfig(file: ConfigFile, baseDir = ".", overrides: ConfigOverrides = {}): Config {
  const first = file.domains?.[0] ?? file.hostname;
  const hostname = parseDomain(file.hostname ?? first ?? "");
  const domains = (file.domains ?? [first ?? ""]).flatMap((d) => parseDomain(d) ?? []);
  const [primary, ...others] = domains;
  if (hostname === undefined || primary === undefined) {
    throw new ConfigError("hostname, domains: expected at least one of them, found neither");
  }
  const named = file.state_dir === undefined ? undefined : resolve(baseDir, file.state_dir);
  const stateDir = overrides.stateDir === undefined ? named : resolve(overrides.stateDir);
  if (stateDir === undefined)
    throw new ConfigError("state_dir: expected a directory (or --state-dir), found nothing");
  if (file.tls.mode === "file" && (file.tls.cert === undefined || file.tls.key === undefined)) {
    throw new ConfigError('tls: mode "file" needs `cert` and `key`');
  }
  const { retry_first: firstMs, retry_max: maxMs } = file.queue;
  if (firstMs < 1000 || maxMs < firstMs || maxMs > DAY_MS) {
    throw new ConfigError("queue: expected 1s <= retry_first <= retry_max <= 1d");
  }
  if (file.maintenance.shrink_to > file.maintenance.shrink_above && file.maintenance.shrink_above > 0) {
    throw new ConfigError("maintenance: shrink_to is above shrink_above");
  }
  if (file.log.to === "file" && file.log.file === undefined) {
    throw new ConfigError('log: to = "file" needs `file`');
  }
  const { username_min_length: min, username_max_length: max } = file.accounts;
  if (min > max)
    throw new ConfigError(`accounts: username_min_length ${min} is above username_max_length ${max}`);
  return deepFreeze({
    stateDir,
    hostname,
    domains: [primary, ...others],
    publicAddress: file.public_address,
    listen: mapListen(file.listen),
    tls: {
      mode: file.tls.mode,
      ...(file.tls.cert === undefined ? {} : { cert: resolve(baseDir, file.tls.cert) }),
      ...(file.tls.key === undefined ? {} : { key: resolve(baseDir, file.tls.key) }),
    },
    acme: resolveAcme(file, baseDir),
    storage: file.storage,
    accounts: file.accounts,
    limits: file.limits,
    smtp: file.smtp,
    imap: file.imap,
    dns: file.dns,
    federation: file.federation,
    queue: file.queue,
    iroh: { ...file.iroh, listen: file.iroh.listen.map(parseEndpoint) },
    metadata: file.metadata,
    turn: resolveTurn(file.turn),
    shadowsocks: { ...file.shadowsocks, listen: file.shadowsocks.listen.map(parseEndpoint) },
    push: file.push,
    echo: file.echo,
    site: {
      ...file.site,
      ...(file.site.www_dir === undefined ? {} : { www_dir: resolve(baseDir, file.site.www_dir) }),
    },
    admin: file.admin,
    rest: { listen: file.rest.listen.map(parseEndpoint) },
    webmail: file.webmail,
    maintenance: file.maintenance,
    metrics: { listen: file.metrics.listen.map(parseEndpoint) },
    log: { ...file.log, file: file.log.file === undefined ? undefined : resolve(baseDir, file.log.file) },
    given: [...(overrides.given ?? [])],
  });
}

/** @throws {ConfigError} on contradictions, which count only where certificates come that way */
function resolveAcme({ acme, tls, hostname, domains }: ConfigFile, baseDir: string): ConfigFile["acme"] {
  if (tls.mode === "acme") {
    const fault = acmeFault(acme, hostname ?? domains?.[0]);
    if (fault !== undefined) throw new ConfigError(`acme: ${fault}`);
  }
  const places = ["ca_file", "cloudflare_token_file", "aws_credentials_file", "eab_hmac_key_file"] as const;
  const resolved = places.flatMap((key) => {
    const path = acme[key];
    return path === undefined ? [] : [[key, resolve(baseDir, path)] as const];
  });
  return { ...acme, ...Object.fromEntries(resolved) };
}

function acmeFault(acme: ConfigFile["acme"], hostname: string | undefined): string | undefined {
  const { challenge, dns_provider: provider, dns_hook: hook } = acme;
  const names = acme.names.length > 0 ? acme.names : [hostname];
  if (challenge === "dns-01" && names.some((name) => name?.startsWith("["))) {
    return 'IP addresses are proved by challenge "http-01" only';
  }
  if ((acme.eab_key_id === undefined) !== (acme.eab_hmac_key_file === undefined)) {
    return "eab_key_id and eab_hmac_key_file go together";
  }
  if (challenge === "http-01") return undefined;
  if (provider === undefined) return 'challenge "dns-01" needs `dns_provider`';
  if (provider === "hook") return hook.length > 0 ? undefined : 'dns_provider "hook" needs `dns_hook`';
  if (provider === "cloudflare") {
    const has = acme.cloudflare_token !== undefined || acme.cloudflare_token_file !== undefined;
    return has ? undefined : 'dns_provider "cloudflare" needs `cloudflare_token` or `cloudflare_token_file`';
  }
  const inline = acme.aws_access_key_id !== undefined && acme.aws_secret_access_key !== undefined;
  return inline || acme.aws_credentials_file !== undefined
    ? undefined
    : 'dns_provider "route53" needs `aws_access_key_id` and `aws_secret_access_key`, or `aws_credentials_file`';
}

/** @throws {ConfigError} on contradictions */
function resolveTurn(turn: ConfigFile["turn"]): TurnConfig {
  const { relay_port_min: min, relay_port_max: max, relay_addresses: addresses } = turn;
  const listen = turn.listen.map(parseEndpoint);
  const listenTls = turn.listen_tls.map(parseEndpoint);
  if (min > max) throw new ConfigError(`turn: relay_port_min ${min} is above relay_port_max ${max}`);
  const inside = listen.find(({ port }) => port >= min && port <= max);
  if (inside !== undefined) {
    throw new ConfigError(`turn.listen: port ${inside.port} is inside the range of relayed ports`);
  }
  const families = addresses.map((address) => isIP(address));
  if (families.includes(0) || new Set(families).size !== families.length) {
    throw new ConfigError("turn.relay_addresses: expected one IPv4 and one IPv6 address at most");
  }
  return { ...turn, listen, listen_tls: listenTls };
}

function mapListen(listen: ConfigFile["listen"]): Record<ListenerName, ListenAddress[]> {
  const { smtp, submission, submissions, imap, imaps, http, https } = listen;
  return {
    smtp: smtp.map(parseEndpoint),
    submission: submission.map(parseEndpoint),
    submissions: submissions.map(parseEndpoint),
    imap: imap.map(parseEndpoint),
    imaps: imaps.map(parseEndpoint),
    http: http.map(parseEndpoint),
    https: https.map(parseEndpoint),
  };
}

function parseEndpoint(endpoint: string): ListenAddress {
  const colon = endpoint.lastIndexOf(":");
  return {
    host: endpoint.slice(0, colon).replace(/^\[|\]$/g, ""),
    port: Number(endpoint.slice(colon + 1)),
  };
}

export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
