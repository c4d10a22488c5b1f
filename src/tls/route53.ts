/**
 * TXT records at Route 53 (API 2013-04-01). All records of a name are one set there, replaced as a whole: what others
 * put into it is read first and kept.
 */
import type { Clock } from "../core/clock.ts";
import { pause } from "./acme-order.ts";
import { type AwsCredentials, signAws } from "./aws-signature.ts";
import { askProvider, type DnsProvider, zoneCandidates } from "./dns-provider.ts";

const API = "https://route53.amazonaws.com";
const VERSION = "2013-04-01";
/** It is one service for the whole world, signed for this region. */
const REGION = "us-east-1";
const TTL_S = 60;
const SYNC_POLL_MS = 3000;
/** It promises 60 s. */
const SYNC_TOTAL_MS = 180_000;

interface RecordSet {
  ttlS: number;
  /** Quoted, as they are sent. */
  values: string[];
}

export class Route53 implements DnsProvider {
  readonly #credentials: AwsCredentials;
  readonly #clock: Clock;
  readonly #api: string;

  constructor(credentials: AwsCredentials, clock: Clock, api = API) {
    this.#credentials = credentials;
    this.#clock = clock;
    this.#api = api.replace(/\/$/, "");
  }

  async present(name: string, value: string, stop: AbortSignal): Promise<void> {
    const zone = await this.#zoneOf(name);
    const old = await this.#records(zone, name);
    const quoted = `"${value}"`;
    if (old?.values.includes(quoted) === true) return;
    const change = await this.#change(zone, "UPSERT", name, {
      ttlS: old?.ttlS ?? TTL_S,
      values: [...(old?.values ?? []), quoted],
    });
    await this.#synced(change, stop);
  }

  async remove(name: string, value: string): Promise<void> {
    const zone = await this.#zoneOf(name);
    const old = await this.#records(zone, name);
    const quoted = `"${value}"`;
    if (old === undefined || !old.values.includes(quoted)) return;
    const values = old.values.filter((each) => each !== quoted);
    // A set can't be empty: the last record goes with the set, which has to be named as it is.
    if (values.length === 0) await this.#change(zone, "DELETE", name, old);
    else await this.#change(zone, "UPSERT", name, { ...old, values });
  }

  async #zoneOf(name: string): Promise<string> {
    for (const candidate of zoneCandidates(name)) {
      const xml = await this.#ask("GET", "hostedzonesbyname", { dnsname: candidate, maxitems: "10" });
      const zone = elements(xml, "HostedZone").find(
        (each) =>
          element(each, "Name") === `${candidate}.` && element(each, "PrivateZone")?.toLowerCase() !== "true",
      );
      const id = zone === undefined ? undefined : element(zone, "Id")?.replace(/^\/hostedzone\//, "");
      if (id !== undefined) return id;
    }
    throw new Error(`Route 53: these credentials see no public zone that ${name} is in`);
  }

  async #records(zone: string, name: string): Promise<RecordSet | undefined> {
    const xml = await this.#ask("GET", `hostedzone/${zone}/rrset`, { name, type: "TXT", maxitems: "1" });
    // The list begins at this name; it need not have it.
    const set = elements(xml, "ResourceRecordSet").find(
      (each) => element(each, "Name") === `${name}.` && element(each, "Type") === "TXT",
    );
    if (set === undefined) return undefined;
    return { ttlS: Number(element(set, "TTL") ?? TTL_S), values: elements(set, "Value").map(unescapeXml) };
  }

  /** @returns the id of the change */
  async #change(zone: string, action: "UPSERT" | "DELETE", name: string, set: RecordSet): Promise<string> {
    const values = set.values.map(
      (value) => `<ResourceRecord><Value>${escapeXml(value)}</Value></ResourceRecord>`,
    );
    const body =
      `<?xml version="1.0" encoding="UTF-8"?>\n<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/${VERSION}/">` +
      `<ChangeBatch><Changes><Change><Action>${action}</Action><ResourceRecordSet><Name>${escapeXml(name)}.</Name>` +
      `<Type>TXT</Type><TTL>${set.ttlS}</TTL><ResourceRecords>${values.join("")}</ResourceRecords>` +
      "</ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>";
    const xml = await this.#ask("POST", `hostedzone/${zone}/rrset/`, {}, body);
    return (element(xml, "Id") ?? "").replace(/^\/change\//, "");
  }

  /** Waits until all its servers have the change. */
  async #synced(change: string, stop: AbortSignal): Promise<void> {
    const endMs = this.#clock.monotonicMs() + SYNC_TOTAL_MS;
    for (;;) {
      const xml = await this.#ask("GET", `change/${change}`, {});
      if (element(xml, "Status") === "INSYNC") return;
      if (this.#clock.monotonicMs() > endMs)
        throw new Error("Route 53: the change does not reach its servers");
      await pause(this.#clock, SYNC_POLL_MS, stop);
    }
  }

  async #ask(method: string, path: string, query: Record<string, string>, body = ""): Promise<string> {
    const url = new URL(`${this.#api}/${VERSION}/${path}`);
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
    const request = { method, url, body, region: REGION, service: "route53" };
    const headers = signAws(request, this.#credentials, this.#clock.nowMs());
    const answer = await askProvider(url, {
      method,
      headers: body === "" ? headers : { ...headers, "Content-Type": "text/xml" },
      ...(body === "" ? {} : { body }),
    });
    if (answer.status === 200) return answer.text;
    const reason = [element(answer.text, "Code"), element(answer.text, "Message")].filter(Boolean).join(": ");
    throw new Error(`Route 53: ${reason || `HTTP status ${answer.status}`}`);
  }
}

/** The contents of each element of that name; these documents nest no element in one of the same name. */
function elements(xml: string, name: string): string[] {
  const [open, close] = [`<${name}>`, `</${name}>`];
  return xml
    .split(open)
    .slice(1)
    .map((rest) => rest.slice(0, Math.max(0, rest.indexOf(close))));
}

function element(xml: string, name: string): string | undefined {
  const [first] = elements(xml, name);
  return first === undefined ? undefined : unescapeXml(first);
}

function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

function unescapeXml(text: string): string {
  const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replace(/&(amp|lt|gt|quot|apos|#\d+);/g, (whole, entity: string) =>
    entity.startsWith("#") ? String.fromCharCode(Number(entity.slice(1))) : (entities[entity] ?? whole),
  );
}
