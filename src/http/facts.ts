/** What the site says about the relay, asked at each request so that a reload shows at once. */
import type { Domain } from "../core/address.ts";
import type { LinkSecurity, ServicePorts } from "./links.ts";
import type { Language } from "./www/languages.ts";

export interface SiteFacts {
  /** Domain of new accounts. */
  domain: Domain;
  /** Name or IP address that clients connect to, without brackets. */
  host: string;
  ports: ServicePorts;
  /** How account links tell clients to connect. */
  linkSecurity?: LinkSecurity | undefined;
  /** Whether the certificate is publicly trusted. */
  trusted: boolean;
  messageMaxBytes: number;
  /** Of a new account; 0 is unlimited. */
  quotaBytes: number;
  /** Days after which mail is deleted though nobody fetched it; absent where it is kept. */
  retentionDays?: number | undefined;
  /** Link of the Shadowsocks proxy, where everybody may know it. */
  proxyLink?: string | undefined;
  /** What the operator chose; absent: what the visitor's browser asks for. */
  language?: Language | undefined;
  /** Whether visitors may make pages that lead to a contact. */
  sharing: boolean;
  /** Whether the executable is handed out. */
  download: boolean;
  /** How to report a weakness: a mailto: or https: link. */
  securityContact?: string | undefined;
}

/** What a visitor without a token can expect. */
export type RegistrationStatus = "open" | "tokenRequired" | "closed";
