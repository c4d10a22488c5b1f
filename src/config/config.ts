/** The configuration as the program sees it: complete, deep-frozen, passed in. */
import { resolve } from "node:path";
import { type Domain, parseDomain } from "../core/address.ts";
import type { ConfigFile } from "./schema.ts";

export type ListenerName = "smtp" | "submission" | "submissions" | "imap" | "imaps" | "http" | "https";

export interface ListenAddress {
  host: string;
  port: number;
}

export interface Config {
  readonly stateDir: string;
  /** As clients see it; an IP relay keeps its brackets here (`hostOf` takes them off). */
  readonly hostname: Domain;
  readonly domains: readonly [Domain, ...Domain[]];
  readonly publicAddress: string | undefined;
  readonly listen: Readonly<Record<ListenerName, readonly ListenAddress[]>>;
  readonly tls: Readonly<ConfigFile["tls"]>;
  readonly storage: Readonly<ConfigFile["storage"]>;
  readonly accounts: Readonly<ConfigFile["accounts"]>;
  readonly limits: Readonly<ConfigFile["limits"]>;
  readonly imap: Readonly<ConfigFile["imap"]>;
  readonly dns: Readonly<ConfigFile["dns"]>;
  readonly federation: Readonly<ConfigFile["federation"]>;
  readonly metadata: Readonly<ConfigFile["metadata"]>;
  readonly queue: Readonly<ConfigFile["queue"]>;
  readonly log: Readonly<ConfigFile["log"]>;
}

const DAY_MS = 86_400_000;

export class ConfigError extends Error {}

export interface ConfigOverrides {
  /** Wins over `state_dir` of the file. */
  stateDir?: string | undefined;
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
  const stateDir = overrides.stateDir ?? file.state_dir;
  if (stateDir === undefined)
    throw new ConfigError("state_dir: expected a directory (or --state-dir), found nothing");
  if (file.tls.mode === "file" && (file.tls.cert === undefined || file.tls.key === undefined)) {
    throw new ConfigError('tls: mode "file" needs `cert` and `key`');
  }
  const { retry_first: firstMs, retry_max: maxMs } = file.queue;
  if (firstMs < 1000 || maxMs < firstMs || maxMs > DAY_MS) {
    throw new ConfigError("queue: expected 1s <= retry_first <= retry_max <= 1d");
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
    storage: file.storage,
    accounts: file.accounts,
    limits: file.limits,
    imap: file.imap,
    dns: file.dns,
    federation: file.federation,
    metadata: file.metadata,
    queue: file.queue,
    log: file.log,
  });
}

function mapListen(listen: ConfigFile["listen"]): Record<ListenerName, ListenAddress[]> {
  const parse = (endpoint: string): ListenAddress => {
    const colon = endpoint.lastIndexOf(":");
    return {
      host: endpoint.slice(0, colon).replace(/^\[|\]$/g, ""),
      port: Number(endpoint.slice(colon + 1)),
    };
  };
  const { smtp, submission, submissions, imap, imaps, http, https } = listen;
  return {
    smtp: smtp.map(parse),
    submission: submission.map(parse),
    submissions: submissions.map(parse),
    imap: imap.map(parse),
    imaps: imaps.map(parse),
    http: http.map(parse),
    https: https.map(parse),
  };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
