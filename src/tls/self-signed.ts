/**
 * Self-signed certificates (RFC 5280) for relays that no authority vouches for: ECDSA P-256, because RSA-2048
 * costs four times the CPU per login. Clients are told by `ic=3` in the account link to accept them.
 */
import { createPrivateKey, createPublicKey, randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import { provideReflectMetadata } from "./reflect-metadata.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
/** Nobody renews what nobody checks: 100 years of 365 days. */
const LIFETIME_MS = 100 * 365 * 86_400_000;
/** Clients' clocks may be behind. */
const BACKDATE_MS = 86_400_000;
/** RFC 5280 appendix A.1, ub-common-name. */
const COMMON_NAME_MAX_BYTES = 64;

/** A new P-256 key, PKCS #8 PEM. */
export async function makeKey(): Promise<string> {
  const { privateKey } = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const der = await crypto.subtle.exportKey("pkcs8", privateKey);
  const base64 = Buffer.from(der).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${base64.replace(/(.{64})/g, "$1\n").trimEnd()}\n-----END PRIVATE KEY-----\n`;
}

/**
 * Certifies `keyPem` for `names`: a certificate of an end entity, 100 years valid from `nowMs`.
 * @param names DNS names (also internationalised ones) or IP addresses without brackets; the first is the subject
 * @param keyPem a P-256 private key
 * @throws {Error} when the key is of another kind
 */
export async function makeCertificate(
  names: readonly string[],
  keyPem: string,
  nowMs: number,
): Promise<string> {
  const keys = await importKey(keyPem);
  provideReflectMetadata();
  // Loaded here, because it is 200 modules that a start with a finished certificate does without.
  const x509 = await import("@peculiar/x509");
  const subjectNames = [...new Set(names.map(asciiName))];
  const [first = ""] = subjectNames;
  const alternatives = subjectNames.map(
    (value) => ({ type: isIP(value) > 0 ? "ip" : "dns", value }) as const,
  );
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(),
      name: first.length <= COMMON_NAME_MAX_BYTES ? [{ CN: [first] }] : [{ CN: ["madmail"] }],
      notBefore: wholeSecond(nowMs - BACKDATE_MS),
      notAfter: wholeSecond(nowMs + LIFETIME_MS),
      signingAlgorithm: ALGORITHM,
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

/** A DNS name as certificates spell it (RFC 5280 §7.2), lower case; IP addresses as they are. */
export function asciiName(name: string): string {
  if (isIP(name) > 0) return name;
  return domainToASCII(name) || name.toLowerCase();
}

async function importKey(keyPem: string): Promise<CryptoKeyPair> {
  const privateDer = createPrivateKey(keyPem).export({ type: "pkcs8", format: "der" });
  const publicDer = createPublicKey(keyPem).export({ type: "spki", format: "der" });
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey("pkcs8", new Uint8Array(privateDer), ALGORITHM, true, ["sign"]),
    crypto.subtle.importKey("spki", new Uint8Array(publicDer), ALGORITHM, true, ["verify"]),
  ]);
  return { privateKey, publicKey };
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
