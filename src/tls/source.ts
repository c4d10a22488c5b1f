/** What the configuration says of certificates, in this room's words. */
import type { Config } from "../config/config.ts";
import { hostOf } from "../core/address.ts";
import type { TlsSource } from "./material.ts";

const STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory";

export function tlsSource(config: Config): TlsSource {
  const { tls, stateDir, hostname, domains, publicAddress } = config;
  if (tls.mode === "file") return { mode: "file", cert: tls.cert ?? "", key: tls.key ?? "" };
  const names = [hostname, ...domains, ...(publicAddress === undefined ? [] : [publicAddress])].map(hostOf);
  return { mode: tls.mode, stateDir, names: [...new Set(names)] };
}

/** Who is asked for certificates. @param rehearsal Let's Encrypt's test directory, whatever the configuration says */
export function directoryOf({ acme }: Pick<Config, "acme">, rehearsal = false): string {
  return rehearsal || acme.staging ? STAGING : acme.directory;
}
