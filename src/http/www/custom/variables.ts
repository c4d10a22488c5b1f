/** What an operator's pages can say about the relay: the names that such pages have always used. */
import { type Domain, hostOf, parseDomain } from "../../../core/address.ts";
import { version } from "../../../core/version.ts";
import type { RegistrationStatus, SiteFacts } from "../../facts.ts";
import type { Language } from "../languages.ts";
import { formatDays } from "../format.ts";
import { textsOf } from "../translations.ts";
import type { Variables } from "./template.ts";

/** Variables that are always empty. */
export const absentHere: readonly string[] = ["V2rayNGConfigWS", "V2rayNGConfigGRPC", "SSGrpcURL", "SSWsURL"];

export interface CustomPageFacts {
  facts: SiteFacts;
  status: RegistrationStatus;
  /** Whether an account can be made by logging in. */
  jitEnabled: boolean;
  language: Language;
  /** On pages about a shared contact. */
  contact?: { slug: string; url: string; name: string } | undefined;
}

const IMAP_PORT = 143;
const IMAPS_PORT = 993;
const SUBMISSIONS_PORT = 465;
const SUBMISSION_PORT = 587;

export function pageVariables({ facts, status, jitEnabled, language, contact }: CustomPageFacts): Variables {
  const { ports, host, domain, retentionDays } = facts;
  const texts = textsOf[language];
  const contactValues = { Slug: contact?.slug ?? "", URL: contact?.url ?? "", Name: contact?.name ?? "" };
  return {
    MailDomain: domain,
    MXDomain: host,
    WebDomain: host,
    ClientHost: host,
    PublicIP: /^[\d.]+$|:/.test(host) ? host : "",
    Version: version,
    Language: language,
    RegistrationOpen: status !== "closed",
    TokenRequired: status === "tokenRequired",
    JitRegistrationEnabled: jitEnabled,
    TrustedCertificate: facts.trusted,
    SharingEnabled: facts.sharing,
    DefaultQuota: facts.quotaBytes,
    MaxMessageSize: facts.messageMaxBytes,
    MessageRetentionLine:
      retentionDays === undefined ? "" : texts.home.retentionFact(formatDays(texts, retentionDays)),
    SSURL: facts.proxyLink ?? "",
    ImapPortTLS: ports.imaps ?? IMAPS_PORT,
    ImapPortStartTLS: ports.imap ?? IMAP_PORT,
    SmtpPortTLS: ports.submissions ?? SUBMISSIONS_PORT,
    SmtpPortStartTLS: ports.submission ?? SUBMISSION_PORT,
    DcloginImapSecurity: facts.linkSecurity?.imap ?? "default",
    DcloginSmtpSecurity: facts.linkSecurity?.smtp ?? "default",
    TurnOffTLS: false,
    // Proxies of the predecessors that this program does not have: their boxes stay away.
    ...Object.fromEntries(absentHere.map((name) => [name, ""])),
    TurnEnabled: true,
    STUNAddr: hostOf(domain),
    Custom: contact === undefined ? "" : contact.slug,
    CustomSlug: contactValues.Slug,
    CustomURL: contactValues.URL,
    CustomName: contactValues.Name,
    "Custom.Slug": contactValues.Slug,
    "Custom.URL": contactValues.URL,
    "Custom.Name": contactValues.Name,
    ...contactValues,
  };
}

const anyDomain = parseDomain("relay.test") as Domain;
/** For looking through pages while no relay runs. */
export const variableNames: ReadonlySet<string> = new Set(
  Object.keys(
    pageVariables({
      facts: {
        domain: anyDomain,
        host: "",
        ports: {},
        trusted: false,
        messageMaxBytes: 0,
        quotaBytes: 0,
        sharing: false,
        download: false,
      },
      status: "open",
      jitEnabled: false,
      language: "en",
    }),
  ),
);
