/**
 * The origin check of mail from outside: one valid DKIM signature by the very domain of From (RFC 6376, aligned as
 * RFC 7489 §3.1.1 "strict"), as chatmail relays ask of each other. SPF, DMARC and reputation play no part.
 *
 * Invariants
 * - Keys are looked up as soon as the header is complete, while the body still comes.
 * - The body passes by once, as it came; nothing of it is kept.
 * - Trouble with the DNS is never a verdict on the sender: it is `unclear`, and the sender comes again.
 * - A From at an IP address has no DNS and so no key: it passes unsigned. Whether it came from that address is not
 *   asked: relays behind address translation or with IPv6 send from others.
 */
import { domainToASCII } from "node:url";
import { type Domain, domainOf } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { KeyFlaw } from "../dkim/key-record.ts";
import type { SignatureFlaw } from "../dkim/signature.ts";
import { type Candidate, type SignatureVerdict, SignatureVerifier } from "../dkim/verifier.ts";
import { parseFields } from "../mime/header.ts";
import { authorTexts } from "../pgp/scanner.ts";
import { fromAddress, type OriginFact } from "./admit.ts";
import { dkimCrypto } from "./origin-crypto.ts";
import { KeyCache, type KeyCacheParts, type KeyLookup } from "./origin-keys.ts";

export type OriginMode = "strict" | "off";

/** One message under examination. */
export interface OriginProbe {
  /** The header block as it came, with its blank line; once, before any body. It stays valid and unchanged. */
  header(block: Uint8Array): void;
  /** A piece of the body as it came; borrowed. */
  body(chunk: Uint8Array): void;
  /** The finding on the whole message. Never rejects. */
  finding(): Promise<OriginFinding>;
}

/** Whoever opens probes. */
export interface OriginGate {
  open(): OriginProbe;
}

/** What became of one signature, for `madmail explain`. */
export type SignatureOutcome = SignatureVerdict | SignatureFlaw | KeyFlaw | "otherDomain" | "dnsTrouble";

export interface OriginFinding {
  fact: OriginFact;
  /** Of all signatures looked at. Without `valid` none of them counted. */
  outcomes: readonly SignatureOutcome[];
}

export interface OriginCheckerParts {
  resolver: KeyCacheParts["resolver"];
  clock: Clock;
  /** Asked for each message. */
  mode(): OriginMode;
}

export class OriginChecker implements OriginGate {
  readonly #parts: OriginCheckerParts;
  readonly #keys: KeyCache;

  constructor(parts: OriginCheckerParts) {
    this.#parts = parts;
    this.#keys = new KeyCache({ resolver: parts.resolver, clock: parts.clock, crypto: dkimCrypto });
  }

  open(): OriginProbe {
    return this.#parts.mode() === "off" ? unasked : new Probe(this.#keys, this.#parts.clock);
  }
}

/** Asks nothing: for mail whose origin is the login, and where the operator turned the check off. */
export const unasked: OriginProbe = {
  header() {},
  body() {},
  finding: () => Promise.resolve({ fact: "unasked", outcomes: [] }),
};

class Probe implements OriginProbe {
  readonly #keys: KeyCache;
  readonly #clock: Clock;
  readonly #lookups = new Map<string, Promise<KeyLookup>>();
  #verifier: SignatureVerifier | undefined;
  #isLiteral = false;

  constructor(keys: KeyCache, clock: Clock) {
    this.#keys = keys;
    this.#clock = clock;
  }

  header(block: Uint8Array): void {
    const fields = parseFields(block);
    const domain = authorDomain({ from: authorTexts(block, fields) });
    if (domain === undefined) return;
    this.#isLiteral = domain.startsWith("[");
    if (this.#isLiteral) return;
    this.#verifier = new SignatureVerifier({
      header: { bytes: block, fields },
      domain: asciiDomain(domain),
      nowS: this.#clock.nowMs() / 1000,
      crypto: dkimCrypto,
    });
    for (const { keyName } of this.#verifier.candidates) {
      if (!this.#lookups.has(keyName)) this.#lookups.set(keyName, this.#keys.lookup(keyName));
    }
  }

  body(chunk: Uint8Array): void {
    this.#verifier?.write(chunk);
  }

  async finding(): Promise<OriginFinding> {
    if (this.#isLiteral) return { fact: "literal", outcomes: [] };
    const verifier = this.#verifier;
    if (verifier === undefined || verifier.signatureCount === 0) return { fact: "unsigned", outcomes: [] };
    verifier.end();
    const outcomes = await firstValid(verifier.candidates.map((each) => this.#judge(verifier, each)));
    if (outcomes.includes("valid")) return { fact: "signed", outcomes };
    const fact = outcomes.includes("dnsTrouble") ? "unclear" : "badSignature";
    return { fact, outcomes: [...outcomes, ...verifier.flaws] };
  }

  async #judge(verifier: SignatureVerifier, candidate: Candidate): Promise<SignatureOutcome> {
    // A changed body is told without waiting for a key.
    const flaw = verifier.bodyFlaw(candidate);
    if (flaw !== undefined) return flaw;
    const lookup = await (this.#lookups.get(candidate.keyName) ?? this.#keys.lookup(candidate.keyName));
    const outcome = outcomeOf(verifier, candidate, lookup);
    if (outcome === "valid" || lookup.kind !== "keys" || !lookup.cached) return outcome;
    // The key may have been replaced since it was remembered.
    return outcomeOf(verifier, candidate, await this.#keys.refresh(candidate.keyName));
  }
}

function outcomeOf(verifier: SignatureVerifier, candidate: Candidate, lookup: KeyLookup): SignatureOutcome {
  if (lookup.kind === "trouble") return "dnsTrouble";
  if (lookup.kind === "none") return lookup.why;
  const verdicts = lookup.records.map((record) => verifier.judge(candidate, record));
  return verdicts.find((verdict) => verdict === "valid") ?? verdicts[0] ?? "noRecord";
}

/** Waits until one is valid, or all are known: a key that hangs does not hold up a signature that counts. */
function firstValid(judged: readonly Promise<SignatureOutcome>[]): Promise<SignatureOutcome[]> {
  const { promise, resolve, reject } = Promise.withResolvers<SignatureOutcome[]>();
  const outcomes: SignatureOutcome[] = [];
  if (judged.length === 0) resolve(outcomes);
  for (const each of judged) {
    each.then((outcome) => {
      outcomes.push(outcome);
      if (outcome === "valid" || outcomes.length === judged.length) resolve([...outcomes]);
    }, reject);
  }
  return promise;
}

/** The domain whose signature counts: that of the only author, as `admit` sees it. */
function authorDomain({ from }: { from: readonly string[] }): Domain | undefined {
  const author = fromAddress({ from, fromFieldCount: 1 });
  return author === undefined ? undefined : domainOf(author);
}

/** As the DNS spells it (RFC 5890 §2.3.2.1); a name that has no such form signs nothing. */
function asciiDomain(domain: Domain): string {
  return domainToASCII(domain) || domain;
}
