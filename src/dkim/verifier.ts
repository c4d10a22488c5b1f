/**
 * Verifies the signatures of one message while it streams by (RFC 6376 §6.1). The caller looks keys up in between.
 *
 * Invariants
 * - Only signatures by the wanted domain are looked at, and not more than a few of them.
 * - Of the body only hashes are kept: one for each form that a candidate uses.
 * - Pure: the time, the keys and the cryptography are passed in.
 */
import { EMPTY, toLatin1 } from "../core/bytes.ts";
import { CanonicalBody, type Canonicalization } from "./canonical.ts";
import type { DkimCrypto, Sha256 } from "./crypto.ts";
import { type HeaderBlock, signedHeader } from "./header-hash.ts";
import type { KeyRecord } from "./key-record.ts";
import { parseSignature, type Signature, type SignatureFlaw } from "./signature.ts";

/** Signatures of the wanted domain that are looked at; chatmail relays add one or two. */
const CANDIDATES_MAX = 8;
/** Signature fields read at all. */
const SIGNATURES_MAX = 64;

export type SignatureVerdict =
  | "valid"
  | "bodyChanged"
  /** `l=` leaves a part of the body open to anybody (RFC 6376 §8.2). */
  | "bodyNotCovered"
  | "otherKeyKind"
  | "identityNotAllowed"
  | "wrongSignature";

/** A signature worth a key lookup. */
export interface Candidate {
  readonly signature: Signature;
  /** Where its key is: `selector._domainkey.domain`. */
  readonly keyName: string;
}

export interface VerifierParts {
  header: HeaderBlock;
  /** Whose signature is wanted: `d=` must be the same, a subdomain is not. ASCII, lower case. */
  domain: string;
  /** Seconds since 1970. */
  nowS: number;
  crypto: DkimCrypto;
}

interface BodyDigest {
  body: CanonicalBody;
  hash: Sha256;
  digest: Uint8Array;
}

export class SignatureVerifier {
  /** DKIM-Signature fields in the message, of any domain and quality. */
  readonly signatureCount: number;
  readonly candidates: readonly Candidate[];
  /** Why others are no candidates, for tools. */
  readonly flaws: readonly (SignatureFlaw | "otherDomain")[];
  readonly #header: HeaderBlock;
  readonly #rawNames = new Map<Candidate, string>();
  readonly #signedHeaders = new Map<Candidate, Uint8Array>();
  readonly #bodies = new Map<Canonicalization, BodyDigest>();

  constructor({ header, domain, nowS, crypto }: VerifierParts) {
    this.#header = header;
    const found = header.fields.filter((field) => field.name === "dkim-signature");
    this.signatureCount = found.length;
    const candidates: Candidate[] = [];
    const flaws: (SignatureFlaw | "otherDomain")[] = [];
    for (const field of found.slice(0, SIGNATURES_MAX)) {
      const value = toLatin1(header.bytes.subarray(field.valueStart, field.valueEnd));
      const result = parseSignature(value, nowS);
      if (!result.ok) flaws.push(result.why);
      else if (result.signature.domain !== domain) flaws.push("otherDomain");
      else if (candidates.length < CANDIDATES_MAX) {
        const { signature } = result;
        const candidate = {
          signature,
          keyName: `${signature.selector}._domainkey.${signature.domain}`,
        };
        candidates.push(candidate);
        this.#rawNames.set(candidate, toLatin1(header.bytes.subarray(field.start, field.valueStart)));
        this.#openBody(signature.bodyForm, crypto);
      }
    }
    this.candidates = candidates;
    this.flaws = flaws;
  }

  /** Body bytes as they came; borrowed. */
  write(chunk: Uint8Array): void {
    for (const { body } of this.#bodies.values()) body.write(chunk);
  }

  /** The body is complete. */
  end(): void {
    for (const entry of this.#bodies.values()) {
      entry.body.end();
      entry.digest = entry.hash.digest();
    }
  }

  /** What is wrong with the body for this candidate, whatever its key; after `end`. */
  bodyFlaw({ signature }: Candidate): "bodyChanged" | "bodyNotCovered" | undefined {
    const entry = this.#bodies.get(signature.bodyForm);
    if (entry === undefined) throw new Error("a candidate of another message");
    if (!sameBytes(entry.digest, signature.bodyHash)) return "bodyChanged";
    // The digest is that of the whole body, so an honest `l=` names its whole length.
    const isWhole = signature.bodyLength === undefined || signature.bodyLength === entry.body.bytes;
    return isWhole ? undefined : "bodyNotCovered";
  }

  /** Judges one candidate with a key from its record; after `end`. */
  judge(candidate: Candidate, { key, strictIdentity }: KeyRecord): SignatureVerdict {
    const { signature } = candidate;
    const flaw = this.bodyFlaw(candidate);
    if (flaw !== undefined) return flaw;
    if (key.kind !== signature.algorithm) return "otherKeyKind";
    if (strictIdentity && !signature.identityIsDomain) return "identityNotAllowed";
    return key.verify(this.#signedHeader(candidate), signature.signature) ? "valid" : "wrongSignature";
  }

  /** Made once for each candidate, however many keys are tried on it. */
  #signedHeader(candidate: Candidate): Uint8Array {
    let bytes = this.#signedHeaders.get(candidate);
    if (bytes === undefined) {
      const field = (this.#rawNames.get(candidate) ?? "") + candidate.signature.unsignedValue;
      bytes = signedHeader(this.#header, candidate.signature, field);
      this.#signedHeaders.set(candidate, bytes);
    }
    return bytes;
  }

  #openBody(form: Canonicalization, crypto: DkimCrypto): void {
    if (this.#bodies.has(form)) return;
    const hash = crypto.sha256();
    const body = new CanonicalBody(form, (bytes) => hash.update(bytes));
    this.#bodies.set(form, { body, hash, digest: EMPTY });
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
