/** The proofs of dns-01: set by the provider of the configuration, awaited at the zone's own name servers. */
import { readFile, stat } from "node:fs/promises";
import type { Config } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { type AuthorityParts, type Shown, showsText } from "../dns/authority.ts";
import { socketExchange } from "../dns/exchange.ts";
import { parseServer, serverList } from "../dns/servers.ts";
import { StubResolver } from "../dns/stub.ts";
import type { Log } from "../log/events.ts";
import { type AcmeProof, pause, type ProofPlace } from "../tls/acme-order.ts";
import { AcmeError } from "../tls/acme-transport.ts";
import type { AwsCredentials } from "../tls/aws-signature.ts";
import { Cloudflare } from "../tls/cloudflare.ts";
import { DnsHook } from "../tls/dns-hook.ts";
import type { DnsProvider } from "../tls/dns-provider.ts";
import { Route53 } from "../tls/route53.ts";

/** Between looks at the name servers: doubled each time. */
const LOOK_FIRST_MS = 500;
const LOOK_MAX_MS = 10_000;
/** Slow providers publish every few minutes. */
const LOOK_TOTAL_MS = 600_000;

export interface DnsProofsParts {
  provider: DnsProvider;
  authority: AuthorityParts;
  clock: Clock;
  log: Log;
}

/** @throws {AcmeError} where credentials can't be read */
export async function openDnsProofs(
  { acme, dns }: Pick<Config, "acme" | "dns">,
  clock: Clock,
  log: Log,
): Promise<DnsProofs> {
  const exchange = socketExchange(clock);
  const resolver = new StubResolver({ servers: serverList(dns.servers, clock), exchange, clock });
  const servers = acme.dns_servers.flatMap((text) => parseServer(text) ?? []);
  const authority = { resolver, exchange, ...(servers.length === 0 ? {} : { servers }) };
  return new DnsProofs({ provider: await openProvider(acme, clock), authority, clock, log });
}

export class DnsProofs implements ProofPlace {
  readonly #parts: DnsProofsParts;

  constructor(parts: DnsProofsParts) {
    this.#parts = parts;
  }

  async show(proofs: readonly AcmeProof[], stop: AbortSignal): Promise<void> {
    const { provider } = this.#parts;
    // One after the other: providers replace whole sets of records.
    for (const proof of proofs) await provider.present(recordName(proof), proof.value, stop);
    for (const proof of proofs) await this.#awaitShown(proof, stop);
  }

  async remove(proofs: readonly AcmeProof[]): Promise<void> {
    for (const proof of proofs) {
      try {
        await this.#parts.provider.remove(recordName(proof), proof.value);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#parts.log.emit({
          kind: "notice",
          text: `a TXT record for a certificate stays behind: ${reason}`,
        });
      }
    }
  }

  async #awaitShown(proof: AcmeProof, stop: AbortSignal): Promise<void> {
    const { authority, clock } = this.#parts;
    const name = recordName(proof);
    const endMs = clock.monotonicMs() + LOOK_TOTAL_MS;
    for (let waitMs = LOOK_FIRST_MS; ; waitMs = Math.min(waitMs * 2, LOOK_MAX_MS)) {
      const shown = await showsText(authority, name, proof.value);
      if (shown.do === "shown") return;
      if (clock.monotonicMs() + waitMs > endMs) {
        const message = `${name}: ${reasonOf(shown)} after ${LOOK_TOTAL_MS / 60_000} minutes`;
        throw new AcmeError(message, { why: "proofFailed", name: proof.name });
      }
      await pause(clock, waitMs, stop);
    }
  }
}

function reasonOf(shown: Exclude<Shown, { do: "shown" }>): string {
  return shown.do === "unknown"
    ? shown.why
    : `${shown.missing} of ${shown.asked} name servers do not show the record`;
}

/** RFC 8555 §8.4. */
function recordName({ name }: AcmeProof): string {
  return `_acme-challenge.${name}`;
}

async function openProvider(acme: Config["acme"], clock: Clock): Promise<DnsProvider> {
  const { dns_provider: provider, dns_api: api } = acme;
  if (provider === "hook") return new DnsHook(acme.dns_hook);
  if (provider === "route53") return new Route53(await awsCredentials(acme), clock, api);
  if (provider === undefined) throw new AcmeError("acme.dns_provider is not set", { why: "proofFailed" });
  const token = acme.cloudflare_token ?? (await readSecret(acme.cloudflare_token_file)).trim();
  return new Cloudflare(token, api);
}

async function awsCredentials(acme: Config["acme"]): Promise<AwsCredentials> {
  const { aws_access_key_id: id, aws_secret_access_key: secret, aws_credentials_file: file } = acme;
  if (id !== undefined && secret !== undefined) return { accessKeyId: id, secretAccessKey: secret };
  return parseAwsCredentials(await readSecret(file), file ?? "");
}

/** The `[default]` profile of an AWS credentials file. @throws {AcmeError} where it has none */
export function parseAwsCredentials(text: string, file: string): AwsCredentials {
  const values = new Map<string, string>();
  let profile = "";
  for (const line of text.split(/\r?\n/)) {
    profile = /^\s*\[([^\]]+)\]/.exec(line)?.[1]?.trim() ?? profile;
    const [, key, value] = /^\s*([A-Za-z_]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (profile === "default" && key !== undefined) values.set(key.toLowerCase(), value ?? "");
  }
  const accessKeyId = values.get("aws_access_key_id");
  const secretAccessKey = values.get("aws_secret_access_key");
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new AcmeError(`${file}: no aws_access_key_id and aws_secret_access_key under [default]`, {
      why: "proofFailed",
    });
  }
  return { accessKeyId, secretAccessKey, sessionToken: values.get("aws_session_token") };
}

/** @throws {AcmeError} when it can't be read, or others can read it too */
export async function readSecret(file = ""): Promise<string> {
  let mode: number;
  let text: string;
  try {
    mode = (await stat(file)).mode;
    text = await readFile(file, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AcmeError(`${file}: cannot be read: ${reason}`, { why: "proofFailed" }, { cause: error });
  }
  if ((mode & 0o077) !== 0) {
    throw new AcmeError(`${file}: others may read it; chmod 600`, { why: "proofFailed" });
  }
  return text;
}
