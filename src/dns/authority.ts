/**
 * What a zone's own name servers say about a TXT record, past every cache: whether a record that was just set is to
 * be seen by somebody who asks for the first time.
 */
import { randomInt } from "node:crypto";
import type { Exchange } from "./exchange.ts";
import { normaliseName, readAnswer, type Reading, writeQuestion } from "./message.ts";
import type { DnsServer } from "./servers.ts";
import type { StubResolver } from "./stub.ts";

const TIMEOUT_MS = 3000;
const DNS_PORT = 53;
/** CNAMEs from the record's name to another zone: relays delegate their proofs that way. */
const ALIASES_MAX = 4;
/** Of one zone; a parent lists 13 at most. */
const SERVERS_MAX = 16;

export interface AuthorityParts {
  /** Finds the servers; its answers may come from a cache, since servers of a zone seldom change. */
  resolver: Pick<StubResolver, "ns" | "a" | "aaaa">;
  exchange: Exchange;
  /** Asked instead of the zone's own servers. */
  servers?: readonly DnsServer[];
}

export type Shown =
  | { do: "shown" }
  /** `missing` of the `asked` servers that answered do not have it. */
  | { do: "missing"; missing: number; asked: number }
  /** Nobody answered, or no zone was found; `why` is for the operator. */
  | { do: "unknown"; why: string };

/** Whether every name server of the zone that answers shows this TXT record. Never rejects. */
export async function showsText(parts: AuthorityParts, text: string, value: string): Promise<Shown> {
  let name = normaliseName(text);
  for (let hops = 0; name !== undefined && hops <= ALIASES_MAX; hops++) {
    const servers = parts.servers ?? (await serversOf(parts, name));
    if (servers.length === 0) return { do: "unknown", why: `no name servers found for ${name}` };
    const asked: string = name;
    const readings = await Promise.all(servers.map((server) => askText(parts.exchange, server, asked)));
    const answers = readings.filter(({ kind }) => kind !== "trouble");
    if (answers.length === 0) return { do: "unknown", why: `the name servers of ${name} do not answer` };
    const alias = answers.find((answer) => answer.kind === "alias");
    if (alias === undefined) {
      const missing = answers.filter(
        (answer) => answer.kind !== "records" || !answer.records.includes(value),
      );
      if (missing.length === 0) return { do: "shown" };
      return { do: "missing", missing: missing.length, asked: answers.length };
    }
    name = normaliseName(alias.target);
  }
  return { do: "unknown", why: `${text} leads from alias to alias` };
}

/** The servers of the zone that a name is in: of the longest suffix that has any. */
async function serversOf({ resolver }: AuthorityParts, name: string): Promise<DnsServer[]> {
  const labels = name.split(".");
  for (let skipped = 0; skipped < labels.length; skipped++) {
    const hosts = await resolver.ns(labels.slice(skipped).join("."));
    if (hosts.kind !== "found") continue;
    const addresses = await Promise.all(
      hosts.records.map(async (host) => {
        const answers = await Promise.all([resolver.a(host), resolver.aaaa(host)]);
        return answers.flatMap((answer) => (answer.kind === "found" ? answer.records : []));
      }),
    );
    return addresses
      .flat()
      .slice(0, SERVERS_MAX)
      .map((host) => ({ host, port: DNS_PORT }));
  }
  return [];
}

type TextReading = Exclude<Reading<string>, { kind: "truncated" | "noExtensions" | "notOurs" }>;

async function askText(exchange: Exchange, server: DnsServer, name: string): Promise<TextReading> {
  let tcp = false;
  let withExtensions = true;
  for (let tries = 0; tries < 3; tries++) {
    const question = { id: randomInt(65_536), name, type: "TXT" as const };
    const exchanged = await exchange(server, writeQuestion(question, withExtensions), {
      tcp,
      timeoutMs: TIMEOUT_MS,
      accepts: (bytes) => readAnswer(bytes, question).kind !== "notOurs",
    });
    if (exchanged.kind !== "answer") return { kind: "trouble", why: exchanged.kind };
    const reading = readAnswer(exchanged.bytes, question);
    if (reading.kind === "truncated") tcp = true;
    else if (reading.kind === "noExtensions") withExtensions = false;
    else if (reading.kind !== "notOurs") return reading;
  }
  return { kind: "trouble", why: "malformed" };
}
