/**
 * Self-signed certificates (RFC 5280) for relays that no authority vouches for, and requests to authorities
 * (RFC 2986) for the others. Keys made here are ECDSA P-256, because RSA-2048 costs four times the CPU per login;
 * keys brought along may be RSA or another curve, since clients have pinned them. Clients are told by `ic=3` in the
 * account link to accept self-signed ones.
 */
import { createPrivateKey, createPublicKey, randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import { provideReflectMetadata } from "./reflect-metadata.ts";

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
/** Of WebCrypto, by what node calls a key. */
const algorithms: Readonly<Record<string, typeof P256 | { name: string; hash: string }>> = {
  prime256v1: P256,
  secp384r1: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
  secp521r1: { name: "ECDSA", namedCurve: "P-521", hash: "SHA-512" },
  rsa: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
};
/** Nobody renews what nobody checks: 100 years of 365 days. */
const LIFETIME_MS = 100 * 365 * 86_400_000;
/** Clients' clocks may be behind. */
const BACKDATE_MS = 86_400_000;
/** RFC 5280 appendix A.1, ub-common-name. */
const COMMON_NAME_MAX_BYTES = 64;

/** A new P-256 key, PKCS #8 PEM. */
export async function makeKey(): Promise<string> {
  const { privateKey } = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  const der = await crypto.subtle.exportKey("pkcs8", privateKey);
  const base64 = Buffer.from(der).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${base64.replace(/(.{64})/g, "$1\n").trimEnd()}\n-----END PRIVATE KEY-----\n`;
}

/**
 * Certifies `keyPem` for `names`: a certificate of an end entity, 100 years valid from `nowMs`.
 * @param names DNS names (also internationalised ones) or IP addresses without brackets; the first is the subject
 * @param keyPem a private key: RSA, P-256, P-384 or P-521
 * @throws {Error} when the key is of another kind
 */
export async function makeCertificate(
  names: readonly string[],
  keyPem: string,
  nowMs: number,
): Promise<string> {
  const { keys, algorithm } = await importKey(keyPem);
  const x509 = await loadX509();
  const { first, alternatives } = subjectNames(names);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(),
      name: first.length <= COMMON_NAME_MAX_BYTES ? [{ CN: [first] }] : [{ CN: ["madmail"] }],
      notBefore: wholeSecond(nowMs - BACKDATE_MS),
      notAfter: wholeSecond(nowMs + LIFETIME_MS),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(alternatives),
      ],
    },
    crypto,
  );
  return `${certificate.toString("pem").trimEnd()}\n`;
}

/**
 * Asks an authority to certify `keyPem` for `names`. The subject stays empty: names are where authorities read
 * them, and a common name must not hold an IP address.
 * @param names as `makeCertificate` takes them
 * @returns PEM
 * @throws {Error} when the key is of a kind that certificates are not made for
 */
export async function makeRequest(names: readonly string[], keyPem: string): Promise<string> {
  const { keys, algorithm } = await importKey(keyPem);
  const x509 = await loadX509();
  const { alternatives } = subjectNames(names);
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      signingAlgorithm: algorithm,
      keys,
      extensions: [new x509.SubjectAlternativeNameExtension(alternatives)],
    },
    crypto,
  );
  return `${request.toString("pem").trimEnd()}\n`;
}

/** Loaded late, because it is 200 modules that a start with a finished certificate does without. */
async function loadX509() {
  provideReflectMetadata();
  return import("@peculiar/x509");
}

function subjectNames(names: readonly string[]) {
  const unique = [...new Set(names.map(asciiName))];
  const alternatives = unique.map((value) => ({ type: isIP(value) > 0 ? "ip" : "dns", value }) as const);
  return { first: unique[0] ?? "", alternatives };
}

/** A DNS name as certificates spell it (RFC 5280 §7.2), lower case; IP addresses as they are. */
export function asciiName(name: string): string {
  if (isIP(name) > 0) return name;
  return domainToASCII(name) || name.toLowerCase();
}

async function importKey(keyPem: string) {
  const key = createPrivateKey(keyPem);
  const { asymmetricKeyType = "", asymmetricKeyDetails } = key;
  const kind = asymmetricKeyType === "ec" ? asymmetricKeyDetails?.namedCurve : asymmetricKeyType;
  const algorithm = algorithms[kind ?? ""];
  if (algorithm === undefined) throw new Error(`a key of kind ${kind ?? "unknown"} is not supported`);
  const privateDer = key.export({ type: "pkcs8", format: "der" });
  const publicDer = createPublicKey(keyPem).export({ type: "spki", format: "der" });
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey("pkcs8", new Uint8Array(privateDer), algorithm, true, ["sign"]),
    crypto.subtle.importKey("spki", new Uint8Array(publicDer), algorithm, true, ["verify"]),
  ]);
  return { keys: { privateKey, publicKey }, algorithm };
}

/** RFC 5280 §4.1.2.2: positive, at most 20 octets; the first octet keeps it positive and without a leading zero. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString("hex");
}

function wholeSecond(ms: number): Date {
  return new Date(Math.floor(ms / 1000) * 1000);
}
