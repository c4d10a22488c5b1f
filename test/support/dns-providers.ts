/**
 * Providers of DNS for tests: as much of the APIs of Cloudflare and Route 53 as dns-01 needs, in front of the zone of a
 * DnsServer. They check who asks as the real ones do: a token; a signature over what really came in.
 */
import { createHash, createHmac } from "node:crypto";
import type { Server } from "bun";
import type { DnsServer } from "./dns-server.ts";

export class TextZone {
  readonly #dns: DnsServer;
  readonly #apex: string;

  constructor(dns: DnsServer, apex: string) {
    this.#dns = dns;
    this.#apex = apex;
  }

  owns(name: string): boolean {
    return name === this.#apex || name.endsWith(`.${this.#apex}`);
  }

  get(name: string): string[] {
    return (this.#dns.zone.get(name) ?? []).flatMap((record) =>
      "data" in record ? [String(record.data)] : [],
    );
  }

  set(name: string, values: readonly string[]): void {
    if (values.length === 0) this.#dns.zone.delete(name);
    else
      this.#dns.zone.set(
        name,
        values.map((data) => ({ type: "TXT", data, ttl: 1 })),
      );
  }
}

interface StandIn {
  url: string;
  /** Requests so far, `METHOD /path`, refused ones with the status behind. */
  seen: string[];
  stop(): Promise<void>;
}

function standIn(answer: (request: Request, body: string) => Response): StandIn {
  const seen: string[] = [];
  const server: Server<undefined> = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const response = answer(request, await request.text());
      const { pathname } = new URL(request.url);
      seen.push(`${request.method} ${pathname}${response.ok ? "" : ` ${response.status}`}`);
      return response;
    },
  });
  return { url: server.url.origin, seen, stop: () => server.stop(true) };
}

/** Cloudflare's API, below `/client/v4`. */
export function cloudflareStandIn(zone: TextZone, apex: string, token: string): StandIn {
  const ids = new Map<string, { name: string; value: string }>();
  const ok = (result: unknown) => Response.json({ success: true, errors: [], messages: [], result });
  const refuse = (status: number, code: number, message: string) =>
    Response.json({ success: false, errors: [{ code, message }], messages: [], result: null }, { status });
  const answer = (request: Request, body: string): Response => {
    if (request.headers.get("authorization") !== `Bearer ${token}`)
      return refuse(403, 9109, "Invalid access token");
    const url = new URL(request.url);
    const path = url.pathname.replace("/client/v4", "");
    if (path === "/zones") return ok(url.searchParams.get("name") === apex ? [{ id: "z1", name: apex }] : []);
    if (!path.startsWith("/zones/z1/dns_records")) return refuse(404, 7003, "Could not route");
    if (request.method === "POST") {
      const record = JSON.parse(body) as { type: string; name: string; content: string; ttl: number };
      if (record.type !== "TXT" || !zone.owns(record.name) || record.ttl < 60)
        return refuse(400, 1004, "DNS Validation Error");
      const value = record.content.replace(/^"|"$/g, "");
      if (zone.get(record.name).includes(value))
        return refuse(400, 81_058, "An identical record already exists.");
      const id = `r${ids.size + 1}`;
      ids.set(id, { name: record.name, value });
      zone.set(record.name, [...zone.get(record.name), value]);
      return ok({ id, ...record });
    }
    if (request.method === "DELETE") {
      const id = path.split("/").at(-1) ?? "";
      const record = ids.get(id);
      if (record === undefined) return refuse(404, 81_044, "Record does not exist.");
      zone.set(
        record.name,
        zone.get(record.name).filter((value) => value !== record.value),
      );
      ids.delete(id);
      return ok({ id });
    }
    const name = url.searchParams.get("name");
    const found = [...ids].filter(([, record]) => record.name === name);
    return ok(found.map(([id, record]) => ({ id, type: "TXT", name, content: `"${record.value}"` })));
  };
  return standIn(answer);
}

/** Route 53's API 2013-04-01. A change is in sync at the second question. */
export function route53StandIn(zone: TextZone, apex: string, keys: { id: string; secret: string }): StandIn {
  let asked = 0;
  const xml = (text: string, status = 200) =>
    new Response(`<?xml version="1.0"?>\n${text}`, { status, headers: { "Content-Type": "text/xml" } });
  const fault = (status: number, code: string, message: string) =>
    xml(
      `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`,
      status,
    );
  const setOf = (name: string) =>
    zone.get(name).length === 0
      ? ""
      : `<ResourceRecordSet><Name>${name}.</Name><Type>TXT</Type><TTL>60</TTL><ResourceRecords>${zone
          .get(name)
          .map((value) => `<ResourceRecord><Value>&quot;${value}&quot;</Value></ResourceRecord>`)
          .join("")}</ResourceRecords></ResourceRecordSet>`;
  const answer = (request: Request, body: string): Response => {
    if (!isSignedFor(request, body, keys)) {
      return fault(403, "SignatureDoesNotMatch", "The request signature we calculated does not match");
    }
    const url = new URL(request.url);
    const path = url.pathname.replace("/2013-04-01/", "");
    if (path === "hostedzonesbyname") {
      // It lists from that name on, whatever comes: here a private zone of the same name, then ours.
      const listed = ["PRIVATE", "Z1"].map(
        (id) =>
          `<HostedZone><Id>/hostedzone/${id}</Id><Name>${apex}.</Name><Config><PrivateZone>${id === "PRIVATE"}</PrivateZone></Config></HostedZone>`,
      );
      return xml(
        `<ListHostedZonesByNameResponse><HostedZones>${listed.join("")}</HostedZones></ListHostedZonesByNameResponse>`,
      );
    }
    if (path.startsWith("change/")) {
      asked++;
      return xml(
        `<GetChangeResponse><ChangeInfo><Id>/change/C1</Id><Status>${asked % 2 === 0 ? "INSYNC" : "PENDING"}</Status></ChangeInfo></GetChangeResponse>`,
      );
    }
    if (path === "hostedzone/Z1/rrset") {
      return xml(
        `<ListResourceRecordSetsResponse><ResourceRecordSets>${setOf(url.searchParams.get("name") ?? "")}</ResourceRecordSets></ListResourceRecordSetsResponse>`,
      );
    }
    if (path !== "hostedzone/Z1/rrset/" || request.method !== "POST")
      return fault(404, "NoSuchHostedZone", path);
    const name = /<Name>(.*)\.<\/Name>/.exec(body)?.[1] ?? "";
    const values = [...body.matchAll(/<Value>&quot;(.*?)&quot;<\/Value>/g)].map((match) => match[1] ?? "");
    if (!zone.owns(name) || values.length === 0)
      return fault(400, "InvalidInput", "no such name, or no values");
    if (body.includes("<Action>DELETE</Action>")) {
      if (zone.get(name).join() !== values.join())
        return fault(400, "InvalidChangeBatch", "values provided do not match");
      zone.set(name, []);
    } else {
      zone.set(name, values);
    }
    return xml(
      "<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status></ChangeInfo></ChangeResourceRecordSetsResponse>",
    );
  };
  return standIn(answer);
}

/** Reckons the signature again from what came in, with the headers that it says it covers. */
function isSignedFor(request: Request, body: string, keys: { id: string; secret: string }): boolean {
  const [, id, scope = "", names = "", signature] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      request.headers.get("authorization") ?? "",
    ) ?? [];
  const time = request.headers.get("x-amz-date") ?? "";
  const [day = "", region = "", service = ""] = scope.split("/");
  if (id !== keys.id || !time.startsWith(day) || scope !== `${day}/us-east-1/route53/aws4_request`)
    return false;
  const stamp = time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z");
  if (Math.abs(Date.parse(stamp) - Date.now()) > 300_000) return false;
  if (!names.split(";").includes("host")) return false;
  const hash = (text: string) => createHash("sha256").update(text).digest("hex");
  const mac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();
  // The query as it came is canonical already: names in order, everything escaped.
  const [, path = "", query = ""] = /^https?:\/\/[^/]+([^?]*)\??(.*)$/.exec(request.url) ?? [];
  const sorted = query.split("&").toSorted().join("&");
  const headers = names
    .split(";")
    .map((name) => `${name}:${request.headers.get(name)}\n`)
    .join("");
  const canonical = `${request.method}\n${path}\n${sorted}\n${headers}\n${names}\n${hash(body)}`;
  const key = mac(mac(mac(mac(`AWS4${keys.secret}`, day), region), service), "aws4_request");
  return mac(key, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash(canonical)}`).toString("hex") === signature;
}
