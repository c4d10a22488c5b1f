/** The proxy as it is given out: its link, and profiles for programs that read no links. */
import type { Config } from "../config/config.ts";
import { hostOf } from "../core/address.ts";
import type { MethodName } from "./engine/methods.ts";
import { ssLink } from "./link.ts";
import { knownPassword } from "./secret.ts";

export interface ProxyFacts {
  enabled: boolean;
  cipher: MethodName;
  /** Absent until the first start has made a password, or where the port is the system's choice. */
  link: string | undefined;
}

export interface ProxyAccess {
  host: string;
  port: number;
  method: MethodName;
  password: string;
}

/** @throws {SecretError} */
export function proxyFacts(config: Config): ProxyFacts {
  const { enabled, cipher } = config.shadowsocks;
  const access = proxyAccess(config);
  return { enabled, cipher, link: access === undefined ? undefined : proxyLink(config, access) };
}

/** What a client must know. @throws {SecretError} */
export function proxyAccess(config: Config): ProxyAccess | undefined {
  const { stateDir, shadowsocks } = config;
  const { cipher: method } = shadowsocks;
  const password = knownPassword(stateDir, { method, password: shadowsocks.password });
  const port = shadowsocks.listen[0]?.port ?? 0;
  if (password === undefined || port === 0) return undefined;
  return { host: proxyHost(config), port, method, password };
}

export function proxyLink(config: Config, access: Pick<ProxyAccess, "method" | "password" | "port">): string {
  return ssLink({ ...access, host: proxyHost(config), tag: hostOf(config.domains[0]) });
}

function proxyHost({ publicAddress, hostname }: Config): string {
  return hostOf(publicAddress ?? hostname);
}
