/**
 * The links that carry an account into a client. Pure.
 * `dclogin:` holds credentials and servers; `dcaccount:` names the page that makes an account.
 */
import { type Address, domainOf, localpartOf } from "../core/address.ts";

const HTTPS_PORT = 443;

/** Ports clients can reach, as bound; undefined where nothing listens. */
export interface ServicePorts {
  /** IMAP, TLS from the first byte. */
  imaps?: number | undefined;
  /** IMAP with STARTTLS. */
  imap?: number | undefined;
  /** Submission, TLS from the first byte. */
  submissions?: number | undefined;
  /** Submission with STARTTLS. */
  submission?: number | undefined;
  /** Site, and by ALPN IMAP and submission. */
  https?: number | undefined;
}

/** Opens the admin panel. The code stands in the fragment, which goes to no server and into no log. */
export function panelLink(parts: { host: string; port: number; path: string; code: string }): string {
  return `${siteOrigin(parts.host, parts.port)}${parts.path}/#code=${parts.code}`;
}

/** The page of the site that gives an account to who has the token. */
export function inviteLink(token: string, host: string, httpsPort?: number): string {
  return `${siteOrigin(host, httpsPort)}/inv/${percentEncode(token)}`;
}

export interface LoginLinkParts {
  address: Address;
  password: string;
  /** Name or IP address to connect to, without brackets. */
  host: string;
  ports: ServicePorts;
  /** Whether the certificate is publicly trusted. If not, the link tells the client to accept any (`ic=3`). */
  trusted: boolean;
  /** How to connect, where the operator has a wish; what does not listen is not wished for. */
  security?: LinkSecurity | undefined;
}

export interface LinkSecurity {
  imap: "default" | "ssl" | "starttls";
  smtp: "default" | "ssl" | "starttls";
}

interface Endpoint {
  port: number;
  security: "ssl" | "starttls";
}

/**
 * `dclogin:USER@DOMAIN/?p=…&v=1&ih=…&ip=…&is=…&sh=…&sp=…&ss=…[&ic=3]`. A service that listens nowhere is left out,
 * so that the client looks for it by itself.
 */
export function dcloginLink(parts: LoginLinkParts): string {
  const { address, password, host, ports, trusted, security } = parts;
  const user = `${percentEncode(localpartOf(address))}@${domainOf(address)}`;
  const imap = pick(security?.imap, ports.imaps, ports.imap, ports.https);
  const smtp = pick(security?.smtp, ports.submissions, ports.submission, ports.https);
  const options = [
    `p=${percentEncode(password)}`,
    "v=1",
    ...(imap ? [`ih=${percentEncode(host)}`, `ip=${imap.port}`, `is=${imap.security}`] : []),
    ...(smtp ? [`sh=${percentEncode(host)}`, `sp=${smtp.port}`, `ss=${smtp.security}`] : []),
    ...(trusted ? [] : ["ic=3"]),
  ];
  return `dclogin:${user}/?${options.join("&")}`;
}

/** `dcaccount:https://HOST/new`. Works with a publicly trusted certificate only: clients check it strictly. */
export function dcaccountLink(host: string, httpsPort?: number, token?: string): string {
  const query = token === undefined || token === "" ? "" : `?token=${percentEncode(token)}`;
  return `dcaccount:${siteOrigin(host, httpsPort)}/new${query}`;
}

/** @param host without brackets */
function siteOrigin(host: string, httpsPort = HTTPS_PORT): string {
  const bare = host.includes(":") ? `[${host}]` : host;
  return `https://${bare}${httpsPort === HTTPS_PORT ? "" : `:${httpsPort}`}`;
}

/** Everything but RFC 3986 §2.3's unreserved characters. */
function percentEncode(text: string): string {
  // Well-formed first: a lone surrogate would make encodeURIComponent throw.
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function pick(
  wish: LinkSecurity["imap"] | undefined,
  tls?: number,
  startTls?: number,
  https?: number,
): Endpoint | undefined {
  if (tls !== undefined && !(wish === "starttls" && startTls !== undefined))
    return { port: tls, security: "ssl" };
  if (startTls !== undefined && !(wish === "ssl" && https !== undefined)) {
    return { port: startTls, security: "starttls" };
  }
  return https === undefined ? undefined : { port: https, security: "ssl" };
}
