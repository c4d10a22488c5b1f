/**
 * The DNS records that a relay wants, ready to copy, and what the DNS says instead today.
 * Names end with a dot, as zone files want them.
 */
import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import type { Config } from "../config/config.ts";
import { type Domain, hostOf } from "../core/address.ts";
import type { DnsResult, Resolver } from "../dns/resolver.ts";
import { stsPolicy } from "../http/well-known.ts";
import type { DnsReport } from "../operations/context.ts";
import { type KeyShown, keyShown } from "./dkim.ts";
import type { DkimKeys, KeyFacts } from "./dkim-keys.ts";

/** RFC 1035 §3.3: one string of a TXT record. */
const TXT_STRING_MAX_BYTES = 255;
const TTL_S = 3600;

export type Need = "required" | "recommended" | "optional";

export interface ZoneRecord {
  name: string;
  type: "A" | "AAAA" | "MX" | "TXT" | "CNAME" | "SRV";
  /** Of TXT: the whole text. Undefined where only the operator knows, such as an address of this server. */
  value: string | undefined;
  need: Need;
  /** What goes wrong without it. */
  why: string;
}

export interface ZoneFacts {
  config: Pick<Config, "hostname" | "domains" | "publicAddress" | "listen" | "tls" | "metadata">;
  /** Keys to publish: those that sign and those that wait. */
  keys: readonly KeyFacts[];
  /** The keys that sign now, or would if the DNS showed nothing. */
  signing(domain: Domain): readonly Pick<KeyFacts, "selector">[];
}

/** Domains that have a DNS: those that are no IP addresses. */
export function dnsDomains(domains: readonly Domain[]): Domain[] {
  return domains.filter((domain) => !domain.startsWith("["));
}

/** The host of the MTA-STS policy (RFC 8461); undefined where there can be none. */
export function stsHost(hostname: Domain, isTrusted: boolean): string | undefined {
  return isTrusted && !hostname.startsWith("[") ? ascii(hostname) : undefined;
}

/** All records, the necessary ones first for each name. Empty on a relay that is only an IP address. */
export function zoneRecords(facts: ZoneFacts): ZoneRecord[] {
  const { hostname, domains } = facts.config;
  const named = dnsDomains(domains);
  if (named.length === 0) return [];
  return [
    ...(hostname.startsWith("[") ? [] : addressRecords(facts.config)),
    ...named.flatMap((domain) => [
      ...mailRecords(facts, domain),
      ...keyRecords(facts, domain),
      ...policyRecords(facts, domain),
      ...serviceRecords(facts, domain),
    ]),
  ];
}

function addressRecords({ hostname, publicAddress }: ZoneFacts["config"]): ZoneRecord[] {
  const known = hostOf(publicAddress ?? "");
  const why = "where clients and other servers find this one; at least one of A and AAAA";
  const name = `${ascii(hostname)}.`;
  return [
    { name, type: "A", value: isIP(known) === 4 ? known : undefined, need: "required", why },
    { name, type: "AAAA", value: isIP(known) === 6 ? known : undefined, need: "required", why },
  ];
}

function mailRecords({ config }: ZoneFacts, domain: Domain): ZoneRecord[] {
  const name = `${ascii(domain)}.`;
  const target = hostName(config);
  return [
    {
      name,
      type: "MX",
      value: `10 ${target}`,
      need: "required",
      why: "other servers deliver to this host, by HTTPS and SMTP",
    },
    {
      name,
      type: "TXT",
      value: "v=spf1 mx ~all",
      need: "recommended",
      why: "SPF (RFC 7208), for ordinary mail servers",
    },
  ];
}

function keyRecords(facts: ZoneFacts, domain: Domain): ZoneRecord[] {
  const current = new Set(facts.signing(domain).map(({ selector }) => selector));
  return facts.keys.map(({ selector, algorithm, record }) => ({
    name: `${selector}._domainkey.${ascii(domain)}.`,
    type: "TXT",
    value: record,
    need: current.has(selector) && algorithm === "rsa" ? "required" : "recommended",
    why: current.has(selector)
      ? "DKIM (RFC 6376): chatmail relays refuse mail whose signature they can't verify"
      : "DKIM: a key that waits to be seen in the DNS, or that signed before the last rotation",
  }));
}

function policyRecords({ config }: ZoneFacts, domain: Domain): ZoneRecord[] {
  const name = ascii(domain);
  const host = stsHost(config.hostname, config.tls.mode !== "self-signed");
  const reports = /^mailto:[^@\s]+@[^@\s]+$/.exec(config.metadata.admin ?? "")?.[0];
  const records: ZoneRecord[] = [
    {
      name: `_dmarc.${name}.`,
      type: "TXT",
      value: "v=DMARC1; p=reject; adkim=s; aspf=s",
      need: "recommended",
      why: "DMARC (RFC 7489): tells others to refuse forged mail",
    },
    {
      name: `_adsp._domainkey.${name}.`,
      type: "TXT",
      value: "dkim=discardable",
      need: "optional",
      why: "ADSP (RFC 5617): the same for old servers",
    },
  ];
  if (host === undefined) return records;
  const why = "MTA-STS (RFC 8461): others may not fall back to mail without TLS";
  records.push(
    { name: `_mta-sts.${name}.`, type: "TXT", value: `v=STSv1; id=${stsId(host)}`, need: "recommended", why },
    { name: `mta-sts.${name}.`, type: "CNAME", value: hostName(config), need: "recommended", why },
  );
  if (reports !== undefined) {
    records.push({
      name: `_smtp._tls.${name}.`,
      type: "TXT",
      value: `v=TLSRPTv1; rua=${reports}`,
      need: "optional",
      why: "TLS-RPT (RFC 8460): others report trouble with TLS, in clear, so to a mailbox elsewhere",
    });
  }
  return records;
}

/** RFC 6186, and Thunderbird's autoconfig. */
function serviceRecords({ config }: ZoneFacts, domain: Domain): ZoneRecord[] {
  const name = ascii(domain);
  const target = hostName(config);
  const services = [
    ["_submissions", config.listen.submissions],
    ["_submission", config.listen.submission],
    ["_imaps", config.listen.imaps],
    ["_imap", config.listen.imap],
  ] as const;
  const records = services.flatMap(([service, [first]]): ZoneRecord[] => {
    if (first === undefined) return [];
    const value = `0 1 ${first.port} ${target}`;
    const why = "mail programs find the server by it (RFC 6186)";
    return [{ name: `${service}._tcp.${name}.`, type: "SRV", value, need: "recommended", why }];
  });
  records.push({
    name: `autoconfig.${name}.`,
    type: "CNAME",
    value: target,
    need: "optional",
    why: "mail programs find their settings by it",
  });
  return records;
}

/** Changes with the policy, and only then (RFC 8461 §3.1). */
function stsId(host: string): string {
  return createHash("sha256").update(stsPolicy(host)).digest("hex").slice(0, 16);
}

function hostName(config: ZoneFacts["config"]): string {
  const name = config.hostname.startsWith("[") ? (dnsDomains(config.domains)[0] ?? "") : config.hostname;
  return `${ascii(name)}.`;
}

function ascii(name: string): string {
  return domainToASCII(name) || name;
}

/** One line of a zone file; long texts as several strings. What only the operator knows is a comment. */
export function zoneLine({ name, type, value }: ZoneRecord): string {
  if (value === undefined)
    return `; ${name} ${TTL_S} IN ${type} <the ${type === "A" ? "IPv4" : "IPv6"} address of this server>`;
  return `${name} ${TTL_S} IN ${type} ${
    type === "TXT"
      ? txtStrings(value)
          .map((s) => `"${s}"`)
          .join(" ")
      : value
  }`;
}

/** The strings of a TXT record. */
export function txtStrings(text: string): string[] {
  return text.match(new RegExp(`.{1,${TXT_STRING_MAX_BYTES}}`, "g")) ?? [];
}

export type RecordState = "ok" | "missing" | "different" | "trouble" | "unchecked";

export interface RecordFinding extends ZoneRecord {
  state: RecordState;
  /** What the DNS says, where that is not what is wanted. */
  found?: readonly string[];
}

export interface ZoneFinding {
  records: readonly RecordFinding[];
  /** Nothing that is required is missing, wrong, or unknown. */
  ok: boolean;
}

/** Asks the DNS about every record that it can tell about. */
export async function checkZone(facts: ZoneFacts, resolver: Resolver): Promise<ZoneFinding> {
  const keyOf = (name: string) =>
    facts.keys.find(({ selector }) => name.startsWith(`${selector}._domainkey.`));
  const records = await Promise.all(
    zoneRecords(facts).map(async (record): Promise<RecordFinding> => {
      const key = keyOf(record.name);
      return {
        ...record,
        ...(await (key === undefined ? lookAt(record, resolver, facts) : lookAtKey(record, key, resolver))),
      };
    }),
  );
  const settled = eitherAddress(records);
  return { records: settled, ok: settled.every(({ need, state }) => need !== "required" || state === "ok") };
}

/** The same for operators, with each record as a line to copy. */
export async function dnsReport(
  config: ZoneFacts["config"],
  dkim: DkimKeys,
  resolver: Resolver,
): Promise<DnsReport> {
  const facts = { config, keys: dkim.all(), signing: (domain: Domain) => dkim.signing(domain) };
  const { ok, records } = await checkZone(facts, resolver);
  return { ok, records: records.map((record) => ({ ...record, line: zoneLine(record) })) };
}

type Looked = Pick<RecordFinding, "state" | "found">;

async function lookAtKey(record: ZoneRecord, key: KeyFacts, resolver: Resolver): Promise<Looked> {
  const domain = record.name.slice(key.selector.length + "._domainkey.".length, -1) as Domain;
  const states: Record<KeyShown, RecordState> = {
    shown: "ok",
    missing: "missing",
    different: "different",
    trouble: "trouble",
  };
  const state = states[await keyShown(resolver, key, domain)];
  if (state !== "different") return { state };
  const answer = await resolver.txt(record.name.slice(0, -1));
  return { state, found: answer.kind === "found" ? answer.records : [] };
}

async function lookAt(record: ZoneRecord, resolver: Resolver, facts: ZoneFacts): Promise<Looked> {
  const name = record.name.slice(0, -1);
  switch (record.type) {
    case "A":
    case "AAAA": {
      const answer = await (record.type === "A" ? resolver.a(name) : resolver.aaaa(name));
      return judged(answer, (found) => record.value === undefined || found.includes(record.value));
    }
    case "MX": {
      const answer = await resolver.mx(name);
      const target = hostName(facts.config).slice(0, -1);
      return judged(
        answer.kind === "found"
          ? { kind: "found", records: answer.records.map((mx) => `${mx.preference} ${mx.exchange}`) }
          : answer,
        (found) => found.some((text) => text.endsWith(` ${target}`)),
      );
    }
    case "TXT":
      return lookAtText(record, await resolver.txt(name));
    case "CNAME":
      return lookAtAlias(name, hostName(facts.config).slice(0, -1), resolver);
    default:
      // No question of mail needs SRV, so the resolver does not ask for it.
      return { state: "unchecked" };
  }
}

/** SPF, DMARC and the like may say something else than we propose, but each once. */
function lookAtText({ value = "" }: ZoneRecord, answer: DnsResult<string>): Looked {
  const kind = /^\w+=\w+/.exec(value)?.[0].toLowerCase() ?? value;
  const id = /\bid=\w+/.exec(value)?.[0];
  const ours =
    answer.kind === "found" ? answer.records.filter((text) => text.toLowerCase().startsWith(kind)) : [];
  const looked = judged(answer.kind === "found" && ours.length === 0 ? { kind: "noData" } : answer, () => {
    return ours.length === 1 && (id === undefined || ours[0]?.includes(id) === true);
  });
  return looked.state === "different" ? { state: "different", found: ours } : looked;
}

/** Whether two names lead to the same machine, by an alias or by addresses. */
async function lookAtAlias(name: string, target: string, resolver: Resolver): Promise<Looked> {
  const [a, aaaa, wantedA, wantedAaaa] = await Promise.all([
    resolver.a(name),
    resolver.aaaa(name),
    resolver.a(target),
    resolver.aaaa(target),
  ]);
  const all = (...answers: DnsResult<string>[]) =>
    answers.flatMap((answer) => (answer.kind === "found" ? answer.records : []));
  const found = all(a, aaaa);
  const wanted = new Set(all(wantedA, wantedAaaa));
  if (found.length > 0) {
    return found.every((address) => wanted.has(address)) ? { state: "ok" } : { state: "different", found };
  }
  return { state: [a, aaaa].some(({ kind }) => kind === "trouble") ? "trouble" : "missing" };
}

function judged(answer: DnsResult<string>, isRight: (found: readonly string[]) => boolean): Looked {
  if (answer.kind === "trouble") return { state: "trouble" };
  if (answer.kind !== "found") return { state: "missing" };
  return isRight(answer.records) ? { state: "ok" } : { state: "different", found: answer.records };
}

/** One address is enough: the other kind is then only a proposal. */
function eitherAddress(records: readonly RecordFinding[]): RecordFinding[] {
  const isAddress = ({ type }: ZoneRecord) => type === "A" || type === "AAAA";
  const oneIsFine = records.some((record) => isAddress(record) && record.state === "ok");
  return records.map((record) =>
    oneIsFine && isAddress(record) && record.state === "missing" ? { ...record, need: "optional" } : record,
  );
}
