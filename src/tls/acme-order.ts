/**
 * One certificate by ACME (RFC 8555; IP addresses RFC 8738): account, order, proofs, chain. acme-client signs and
 * speaks; what is asked, how often and how long is decided here.
 *
 * Invariants
 * - Every proof that was put up is taken down, whatever happens.
 * - An account key that the authority knows is never replaced by another.
 */
import { isIP } from "node:net";
import { z } from "zod";
import type { Clock } from "../core/clock.ts";
import { AcmeError, type Transport } from "./acme-transport.ts";
import { makeRequest } from "./self-signed.ts";
import { provideReflectMetadata } from "./reflect-metadata.ts";

/** Between looks at an order: doubled each time. */
const POLL_FIRST_MS = 500;
const POLL_MAX_MS = 10_000;
/** Authorities answer within seconds; one that takes this long has lost the order. */
const POLL_TOTAL_MS = 180_000;
/** Of one request whose nonce has grown old. */
const NONCE_TRIES_MAX = 20;

/** The proof that one name is ours. */
export interface AcmeProof {
  readonly type: "http-01" | "dns-01";
  /** DNS name or IP address. */
  readonly name: string;
  readonly token: string;
  /** http-01: the key authorisation (RFC 8555 §8.3); dns-01: the value of the TXT record (§8.4). */
  readonly value: string;
}

/** Who puts proofs where the authority looks. */
export interface ProofPlace {
  /** Resolves once the authority can see all of them. @throws {Error} with a message for the operator */
  show(proofs: readonly AcmeProof[], stop: AbortSignal): Promise<void>;
  /** Takes them down; never rejects. */
  remove(proofs: readonly AcmeProof[]): Promise<void>;
}

export interface AcmeAccount {
  /** PEM. */
  readonly key: string;
  /** As the authority names it; undefined before the first order. */
  readonly url: string | undefined;
  /** What it was told; undefined for nothing. */
  readonly email: string | undefined;
}

export interface OrderParts {
  directoryUrl: string;
  account: AcmeAccount;
  /** Keeps what the authority knows of the account. */
  saveAccount(account: AcmeAccount): Promise<void>;
  email?: string | undefined;
  externalAccount?: { id: string; hmacKey: string } | undefined;
  /** DNS names and IP addresses. */
  names: readonly string[];
  /** Of the certificate, PEM. */
  key: string;
  /** `automatic` asks for short-lived ones where there is an IP address among the names. */
  profile: string | undefined;
  challenge: AcmeProof["type"];
  place: ProofPlace;
  transport: Transport;
  clock: Clock;
  stop: AbortSignal;
}

const directorySchema = z.object({
  meta: z.object({ profiles: z.record(z.string(), z.string()).optional() }).default({}),
});
const challengeSchema = z.object({
  type: z.string(),
  url: z.string(),
  token: z.string().default(""),
  status: z.string().default("pending"),
  error: z.object({ type: z.string().default(""), detail: z.string().default("") }).optional(),
});
const authorizationSchema = z.object({
  url: z.string(),
  identifier: z.object({ value: z.string() }),
  status: z.string(),
  challenges: z.array(challengeSchema),
});
const orderSchema = z.object({
  url: z.string(),
  status: z.string(),
  finalize: z.string(),
  authorizations: z.array(z.string()),
  certificate: z.string().optional(),
  error: z.object({ detail: z.string().default("") }).optional(),
});
type Authorization = z.infer<typeof authorizationSchema>;
type Order = z.infer<typeof orderSchema>;

/**
 * @returns the chain, PEM, the certificate first
 * @throws {AcmeError}
 */
export async function obtainCertificate(parts: OrderParts): Promise<string> {
  try {
    return await order(parts);
  } catch (error) {
    if (error instanceof AcmeError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new AcmeError(reason, { why: "unreachable" }, { cause: error });
  }
}

async function order(parts: OrderParts): Promise<string> {
  const { names, transport, directoryUrl, key } = parts;
  const { meta } = directorySchema.parse((await transport(directoryUrl, "get")).data);
  const profile = chooseProfile(parts.profile, names, meta.profiles);
  const asked = {
    identifiers: names.map((value) => ({ type: isIP(value) > 0 ? "ip" : "dns", value })),
    ...(profile === undefined ? {} : { profile }),
  };
  const { client, placed } = await placeOrder(parts, asked);
  const authorizations = z.array(authorizationSchema).parse(await client.getAuthorizations(placed));
  await prove(
    parts,
    client,
    authorizations.filter(({ status }) => status !== "valid"),
  );
  const ready = await poll(parts, client, placed.url, "ready");
  if (ready.status !== "valid") {
    await client.finalizeOrder({ ...placed, ...ready } as typeof placed, await makeRequest(names, key));
  }
  const done = await poll(parts, client, placed.url, "valid");
  return client.getCertificate({ ...placed, ...done } as typeof placed);
}

/** @throws {AcmeError} when the operator's choice is not offered */
function chooseProfile(
  chosen: string | undefined,
  names: readonly string[],
  offered: Readonly<Record<string, string>> = {},
): string | undefined {
  if (chosen === undefined) {
    // Authorities certify addresses for days only: others may have them next week.
    return names.some((name) => isIP(name) > 0) && "shortlived" in offered ? "shortlived" : undefined;
  }
  if (chosen in offered) return chosen;
  const list = Object.keys(offered).join(", ");
  throw new AcmeError(`no profile "${chosen}" there; offered: ${list === "" ? "none" : list}`, {
    why: "refused",
    type: "invalidProfile",
  });
}

async function openClient(parts: OrderParts, accountUrl: string | undefined) {
  const { directoryUrl, account, externalAccount, transport } = parts;
  // Its own X.509 library wants the same functions as ours; here the order of loading is settled.
  provideReflectMetadata();
  const { Client } = await import("acme-client");
  const client = new Client({
    directoryUrl,
    accountKey: account.key,
    ...(accountUrl === undefined ? {} : { accountUrl }),
    ...(externalAccount === undefined
      ? {}
      : { externalAccountBinding: { kid: externalAccount.id, hmacKey: externalAccount.hmacKey } }),
  });
  // Instead of axios, which has no place for a certificate authority per directory and repeats what fails.
  const { http } = client as unknown as { http: { request: Transport; maxBadNonceRetries: number } };
  http.request = transport;
  // A nonce costs one request; giving up costs ten minutes.
  http.maxBadNonceRetries = NONCE_TRIES_MAX;
  return client;
}

type Client = Awaited<ReturnType<typeof openClient>>;

type Placed = Awaited<ReturnType<Client["createOrder"]>>;

/** With the account that is kept; with the same key registered again where a directory has forgotten it. */
async function placeOrder(
  parts: OrderParts,
  asked: Parameters<Client["createOrder"]>[0],
): Promise<{ client: Client; placed: Placed }> {
  const { account, email } = parts;
  if (account.url !== undefined) {
    try {
      const client = await openClient(parts, account.url);
      if (email !== account.email) {
        await client.updateAccount({ contact: contactOf(email) });
        await parts.saveAccount({ ...account, email });
      }
      return { client, placed: await client.createOrder(asked) };
    } catch (error) {
      const isUnknown = error instanceof AcmeError && error.facts.type === "accountDoesNotExist";
      if (!isUnknown) throw error;
    }
  }
  const client = await register(parts);
  return { client, placed: await client.createOrder(asked) };
}

async function register(parts: OrderParts): Promise<Client> {
  const { account, email } = parts;
  const client = await openClient(parts, undefined);
  const contact = email === undefined ? {} : { contact: contactOf(email) };
  try {
    await client.createAccount({ termsOfServiceAgreed: true, ...contact });
  } catch (error) {
    // Of a key that is known already the library updates the account, and an update of nothing is refused.
    const isKnown = error instanceof AcmeError && error.facts.type === "malformed" && hasAccount(client);
    if (!isKnown) throw error;
  }
  await parts.saveAccount({ ...account, url: client.getAccountUrl(), email });
  return client;
}

function contactOf(email: string | undefined): string[] {
  return email === undefined ? [] : [`mailto:${email}`];
}

function hasAccount(client: Client): boolean {
  try {
    return client.getAccountUrl() !== "";
  } catch {
    return false;
  }
}

async function prove(parts: OrderParts, client: Client, open: readonly Authorization[]): Promise<void> {
  if (open.length === 0) return;
  const challenges = open.map((authorization) => challengeOf(authorization, parts.challenge));
  const proofs: AcmeProof[] = [];
  for (const [index, challenge] of challenges.entries()) {
    proofs.push({
      type: parts.challenge,
      name: open[index]?.identifier.value ?? "",
      token: challenge.token,
      value: await client.getChallengeKeyAuthorization(
        challenge as Parameters<Client["completeChallenge"]>[0],
      ),
    });
  }
  try {
    try {
      await parts.place.show(proofs, parts.stop);
    } catch (error) {
      if (error instanceof AcmeError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new AcmeError(reason, { why: "proofFailed" }, { cause: error });
    }
    for (const challenge of challenges) {
      await client.completeChallenge(challenge as Parameters<Client["completeChallenge"]>[0]);
    }
    await waitUntilProved(parts, client, open);
  } finally {
    await parts.place.remove(proofs);
  }
}

function challengeOf({ identifier, challenges }: Authorization, type: AcmeProof["type"]) {
  const found = challenges.find((challenge) => challenge.type === type);
  if (found !== undefined) return found;
  throw new AcmeError(
    `${identifier.value}: the authority offers ${challenges.map((c) => c.type).join(", ")}, not ${type}`,
    { why: "refused", type: "unsupportedChallenge", name: identifier.value },
  );
}

async function waitUntilProved(
  parts: OrderParts,
  client: Client,
  open: readonly Authorization[],
): Promise<void> {
  const urls = open.map(({ url }) => url);
  await repeatedly(parts, async () => {
    const answer = await client.getAuthorizations({ authorizations: urls } as Parameters<
      Client["getAuthorizations"]
    >[0]);
    const looked = z.array(authorizationSchema).parse(answer);
    const failed = looked.find(({ status }) => !["pending", "valid"].includes(status));
    if (failed !== undefined) throw notProved(failed);
    return looked.every(({ status }) => status === "valid") ? true : undefined;
  });
}

function notProved({ identifier, status, challenges }: Authorization): AcmeError {
  const error = challenges.find((challenge) => challenge.error !== undefined)?.error;
  const type = error?.type.slice(error.type.lastIndexOf(":") + 1);
  return new AcmeError(
    `${identifier.value}: ${error?.detail ?? status}${type === undefined ? "" : ` (${type})`}`,
    {
      why: "challengeFailed",
      name: identifier.value,
      ...(type === undefined ? {} : { type }),
    },
  );
}

/** Waits for a status or for one behind it. */
async function poll(
  parts: OrderParts,
  client: Client,
  url: string,
  wanted: "ready" | "valid",
): Promise<Order> {
  return repeatedly(parts, async () => {
    const answer = await client.getOrder({ url } as Parameters<Client["getOrder"]>[0]);
    const seen = orderSchema.parse({ ...answer, url });
    if (seen.status === "valid" || seen.status === wanted) return seen;
    if (seen.status !== "invalid") return undefined;
    throw new AcmeError(`the order failed: ${seen.error?.detail ?? "no reason given"}`, { why: "refused" });
  });
}

async function repeatedly<T>({ clock, stop }: OrderParts, look: () => Promise<T | undefined>): Promise<T> {
  const endMs = clock.monotonicMs() + POLL_TOTAL_MS;
  for (let waitMs = POLL_FIRST_MS; ; waitMs = Math.min(waitMs * 2, POLL_MAX_MS)) {
    const found = await look();
    if (found !== undefined) return found;
    if (clock.monotonicMs() + waitMs > endMs) {
      throw new AcmeError(`no decision within ${POLL_TOTAL_MS / 60_000} minutes`, { why: "unreachable" });
    }
    await pause(clock, waitMs, stop);
  }
}

/** @throws {AcmeError} when stopped meanwhile */
export async function pause(clock: Clock, ms: number, stop: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(ms, resolve);
  const onStop = () => resolve();
  stop.addEventListener("abort", onStop);
  if (!stop.aborted) await promise;
  cancel();
  stop.removeEventListener("abort", onStop);
  if (stop.aborted) throw new AcmeError("stopped", { why: "unreachable", type: "stopped" });
}
