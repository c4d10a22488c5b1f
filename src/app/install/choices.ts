/** What the operator chose, and the configuration file that follows from it. */
import { existsSync } from "node:fs";
import { isIP } from "node:net";
import { resolve } from "node:path";
import { parseDomain } from "../../core/address.ts";
import { InstallError } from "./machine.ts";

export type TlsChoice =
  | { mode: "self-signed" }
  | { mode: "file"; cert: string; key: string }
  | { mode: "acme"; email: string | undefined };

export interface Choices {
  /** `relay.example`, or `[192.0.2.1]` on a relay without a domain. */
  domain: string;
  /** What clients connect to, where it is not the domain. */
  hostname: string | undefined;
  stateDir: string;
  tls: TlsChoice;
  turn: boolean;
  shadowsocks: boolean;
}

/** What the command line may say about the name of the relay. */
export interface NameOptions {
  domain?: string | undefined;
  ip?: string | undefined;
  hostname?: string | undefined;
}

/** The domain of the relay. @throws {InstallError} for names that can't be, or none */
export function chosenDomain({ domain, ip }: NameOptions): string {
  if (domain !== undefined && ip !== undefined) throw new InstallError("choose --domain or --ip, not both");
  if (ip !== undefined) return ipDomain(ip);
  if (domain === undefined)
    throw new InstallError("name the relay: --domain relay.example, or --ip 192.0.2.1");
  if (isIP(domain.replace(/^\[|\]$/g, "")) !== 0) {
    throw new InstallError(`--domain: ${domain} is an IP address; use --ip for a relay without a domain`);
  }
  const parsed = parseDomain(domain);
  if (parsed === undefined || !parsed.includes(".")) {
    throw new InstallError(`--domain: expected a name such as relay.example, found ${domain}`);
  }
  return parsed;
}

/** The host name clients connect to, if it is another. @throws {InstallError} */
export function chosenHostname({ hostname }: NameOptions): string | undefined {
  if (hostname === undefined) return undefined;
  const parsed = parseDomain(hostname);
  if (parsed === undefined) throw new InstallError(`--hostname: ${hostname} is no host name`);
  return parsed;
}

function ipDomain(ip: string): string {
  const bare = ip.replace(/^\[|\]$/g, "");
  if (isIP(bare) === 0) {
    throw new InstallError(`--ip: expected an IP address, found ${ip}; use --domain for a name`);
  }
  const domain = parseDomain(isIP(bare) === 6 ? `[ipv6:${bare}]` : `[${bare}]`);
  if (domain === undefined) throw new InstallError(`--ip: ${ip} can't be a relay's address`);
  return domain;
}

/** What the command line may say about the certificate. */
export interface TlsOptions {
  mode?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
  email?: string | undefined;
}

/** Where the certificate comes from: as told, from the files named, or what suits the domain. @throws {InstallError} */
export function chosenTls(domain: string, { mode, cert, key, email }: TlsOptions): TlsChoice {
  const isNamed = !domain.startsWith("[");
  const fallback = cert !== undefined ? "file" : isNamed ? "acme" : "self-signed";
  switch (mode ?? fallback) {
    case "self-signed":
      return { mode: "self-signed" };
    case "acme":
      if (email !== undefined && !/^[^@\s]+@[^@\s]+$/.test(email)) {
        throw new InstallError(`--email: expected an address, found ${email}`);
      }
      return { mode: "acme", email };
    case "file": {
      if (cert === undefined || key === undefined)
        throw new InstallError("--tls file needs --cert and --key");
      const missing = [cert, key].find((path) => !existsSync(path));
      if (missing !== undefined) throw new InstallError(`${missing} is not there`);
      return { mode: "file", cert: resolve(cert), key: resolve(key) };
    }
    default:
      throw new InstallError(`--tls: expected acme, self-signed or file, found ${mode}`);
  }
}

/** The configuration file. What it does not say stays at its default. */
export function configText(choices: Choices): string {
  const { domain, hostname, stateDir, tls, turn, shadowsocks } = choices;
  const quoted = (text: string) => JSON.stringify(text);
  return `# Made by installation; yours to edit. \`config sample\` prints every key with its meaning and default,
# \`config check\` tells what is wrong. After a change: systemctl reload.
state_dir = ${quoted(stateDir)}
hostname = ${quoted(hostname ?? domain)}
domains = [${quoted(domain)}]

[tls]
mode = ${quoted(tls.mode)}
${tlsDetails(tls)}
# Calls.
[turn]
enabled = ${turn}

# A way in for clients whose network blocks mail.
[shadowsocks]
enabled = ${shadowsocks}
`;
}

function tlsDetails(tls: TlsChoice): string {
  if (tls.mode === "file") return `cert = ${JSON.stringify(tls.cert)}\nkey = ${JSON.stringify(tls.key)}\n`;
  return tls.mode === "acme" && tls.email !== undefined
    ? `\n[acme]\nemail = ${JSON.stringify(tls.email)}\n`
    : "";
}
