/**
 * MTA-STS policies of other domains (RFC 8461), fetched when their id changes and kept as long as they say.
 * Invariants: a policy once seen holds until it runs out, whatever DNS says later (§10.2: that is the point of it);
 * without one, and when it can't be fetched the first time, mail goes as usual.
 */
import type { Domain } from "../core/address.ts";
import { fromLatin1 } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import type { Resolver } from "../dns/resolver.ts";
import type { HostFinder } from "./hosts.ts";
import type { HttpClient } from "./http-client.ts";
import { readStsId, readStsPolicy, type StsPolicy } from "./sts-policy.ts";

const POLICY_PATH = "/.well-known/mta-sts.txt";
/** RFC 8461 §3.3: suggested cap. */
const POLICY_MAX_BYTES = 64 * 1024;
/** §3.3: after a failed fetch. */
const FETCH_AGAIN_AFTER_MS = 5 * 60_000;
const POLICIES_MAX = 5000;

export interface MtaStsParts {
  resolver: Pick<Resolver, "txt">;
  hosts: HostFinder;
  http: HttpClient;
  /** HTTPS port of policy hosts: 443. */
  port: () => number;
  clock: Clock;
  ca?: string | undefined;
}

interface Known {
  id: string;
  policy: StsPolicy | undefined;
  untilMs: number;
  /** No fetch before this. */
  fetchAfterMs: number;
}

export class MtaSts {
  readonly #parts: MtaStsParts;
  readonly #known = new Map<Domain, Known>();

  constructor(parts: MtaStsParts) {
    this.#parts = parts;
  }

  /** The policy in force; undefined without one, or with one of mode `none`. Never rejects. */
  async policyOf(domain: Domain, stop: AbortSignal): Promise<StsPolicy | undefined> {
    const { resolver, clock } = this.#parts;
    const record = await resolver.txt(`_mta-sts.${domain}`);
    const id = record.kind === "found" ? readStsId(record.records) : undefined;
    const known = this.#known.get(domain);
    const nowMs = clock.monotonicMs();
    const held = known !== undefined && known.untilMs > nowMs ? known.policy : undefined;
    const isDue = id !== undefined && (known === undefined || id !== known.id || known.untilMs <= nowMs);
    if (isDue && (known?.fetchAfterMs ?? 0) <= nowMs)
      return inForce(await this.#renew(domain, id, held, stop));
    return inForce(held);
  }

  async #renew(
    domain: Domain,
    id: string,
    held: StsPolicy | undefined,
    stop: AbortSignal,
  ): Promise<StsPolicy | undefined> {
    const policy = await this.#fetch(domain, stop);
    const before = this.#known.get(domain);
    const nowMs = this.#parts.clock.monotonicMs();
    this.#known.delete(domain);
    const [oldest] = this.#known.keys();
    if (this.#known.size >= POLICIES_MAX && oldest !== undefined) this.#known.delete(oldest);
    if (policy !== undefined) {
      this.#known.set(domain, { id, policy, untilMs: nowMs + policy.maxAgeS * 1000, fetchAfterMs: 0 });
    } else {
      // The old one stays in force under its old id, so that the fetch is tried again.
      const kept = { id: before?.id ?? "", policy: held, untilMs: before?.untilMs ?? 0 };
      this.#known.set(domain, { ...kept, fetchAfterMs: nowMs + FETCH_AGAIN_AFTER_MS });
    }
    return policy ?? held;
  }

  async #fetch(domain: Domain, stop: AbortSignal): Promise<StsPolicy | undefined> {
    const { hosts, http, port, ca } = this.#parts;
    const host = `mta-sts.${domain}`;
    const found = await hosts.addressesOf(host);
    if (found.addresses.length === 0) return undefined;
    const tls = { serverName: host, verify: true, ...(ca === undefined ? {} : { ca }) };
    const result = await http.request(
      { addresses: found.addresses, port: port(), tls },
      {
        head: fromLatin1(`GET ${POLICY_PATH} HTTP/1.1\r\nHost: ${host}\r\nAccept: text/plain\r\n\r\n`),
        answerMaxBytes: POLICY_MAX_BYTES,
      },
      stop,
    );
    if (!result.ok || result.response.status !== 200) return undefined;
    return readStsPolicy(result.response.body);
  }
}

function inForce(policy: StsPolicy | undefined): StsPolicy | undefined {
  return policy?.mode === "none" ? undefined : policy;
}
