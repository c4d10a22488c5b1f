/** TXT records at Cloudflare, by its API version 4 with a token that may edit the zone's DNS. */
import { z } from "zod";
import { askProvider, type DnsProvider, zoneCandidates } from "./dns-provider.ts";

const API = "https://api.cloudflare.com/client/v4";
/** The shortest it takes. */
const TTL_S = 60;
/** "An identical record already exists". */
const SAME_RECORD = 81_058;

const answerSchema = z.object({
  success: z.boolean(),
  errors: z.array(z.object({ code: z.number(), message: z.string() })).default([]),
  result: z.unknown(),
});
const zonesSchema = z.array(z.object({ id: z.string(), name: z.string() }));
const recordsSchema = z.array(z.object({ id: z.string(), content: z.string() }));

export class Cloudflare implements DnsProvider {
  readonly #token: string;
  readonly #api: string;

  /** @param api its address, without a slash at the end */
  constructor(token: string, api = API) {
    this.#token = token;
    this.#api = api.replace(/\/$/, "");
  }

  async present(name: string, value: string): Promise<void> {
    const zone = await this.#zoneOf(name);
    // Quoted, as it stores them: it warns about the others.
    const record = { type: "TXT", name, content: `"${value}"`, ttl: TTL_S };
    const answer = await this.#ask("POST", `/zones/${zone}/dns_records`, {}, record);
    if (answer.success || answer.errors.some(({ code }) => code === SAME_RECORD)) return;
    throw new Error(`Cloudflare: ${reasonOf(answer)}`);
  }

  async remove(name: string, value: string): Promise<void> {
    const zone = await this.#zoneOf(name);
    const records = recordsSchema.parse(
      await this.#need("GET", `/zones/${zone}/dns_records`, { type: "TXT", name }),
    );
    for (const { id } of records.filter(({ content }) => content.replace(/^"|"$/g, "") === value)) {
      await this.#need("DELETE", `/zones/${zone}/dns_records/${encodeURIComponent(id)}`, {});
    }
  }

  async #zoneOf(name: string): Promise<string> {
    for (const candidate of zoneCandidates(name)) {
      const zones = zonesSchema.parse(await this.#need("GET", "/zones", { name: candidate }));
      const zone = zones.find((each) => each.name === candidate);
      if (zone !== undefined) return encodeURIComponent(zone.id);
    }
    throw new Error(`Cloudflare: this token sees no zone that ${name} is in`);
  }

  async #need(method: string, path: string, query: Record<string, string>): Promise<unknown> {
    const answer = await this.#ask(method, path, query);
    if (!answer.success) throw new Error(`Cloudflare: ${reasonOf(answer)}`);
    return answer.result;
  }

  async #ask(method: string, path: string, query: Record<string, string>, body?: object) {
    const url = new URL(`${this.#api}${path}`);
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
    const { status, text } = await askProvider(url, {
      method,
      headers: { Authorization: `Bearer ${this.#token}`, "Content-Type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    try {
      return answerSchema.parse(JSON.parse(text));
    } catch (error) {
      throw new Error(`Cloudflare: HTTP status ${status}, and no answer in its form`, { cause: error });
    }
  }
}

function reasonOf({ errors }: z.infer<typeof answerSchema>): string {
  return errors.map(({ code, message }) => `${message} (${code})`).join("; ") || "refused without a reason";
}
