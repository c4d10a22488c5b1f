/**
 * The certificate and key in use: read from the operator's files, made once under `<stateDir>/tls/`, or what ACME
 * brought to `<stateDir>/certs/`.
 * Listeners ask `current` for each handshake, so `reload` changes the certificate of new connections only.
 * Invariant: what `current` gives was checked as a pair; a bad new pair never replaces a good old one.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { chmod, mkdir, readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import type { Clock } from "../core/clock.ts";
import {
  CertificateFiles,
  durableSteps,
  isPair,
  readIfThere as readFileIfThere,
} from "./certificate-files.ts";
import { asciiName, makeCertificate, makeKey } from "./self-signed.ts";

/** A checked pair, PEM. The same object until the certificate changes. */
export interface TlsMaterial {
  readonly key: string;
  /** The server's certificate, then the chain. */
  readonly cert: string;
}

export interface CertificateFacts {
  /** SHA-256 of the DER form, lower case hex. */
  readonly fingerprint: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** DNS names and IP addresses it was issued for. */
  readonly names: readonly string[];
  readonly selfSigned: boolean;
  /** Clients may be expected to accept it: somebody vouches for it, and not just for a test. */
  readonly trusted: boolean;
}

export type TlsSource =
  | { readonly mode: "self-signed"; readonly stateDir: string; readonly names: readonly string[] }
  | { readonly mode: "file"; readonly cert: string; readonly key: string }
  /** `names` are for the certificate made here, which serves until ACME has brought one. */
  | { readonly mode: "acme"; readonly stateDir: string; readonly names: readonly string[] };

export type ReloadResult =
  | { do: "replaced" | "unchanged"; facts: CertificateFacts }
  /** The old pair stays in use; `why` is for the operator. */
  | { do: "kept"; why: string };

/** No usable certificate; the message names the file and the reason. */
export class TlsMaterialError extends Error {}

interface Loaded {
  readonly material: TlsMaterial;
  readonly facts: CertificateFacts;
}

export class TlsMaterialStore {
  #source: TlsSource;
  readonly #clock: Clock;
  #loaded: Loaded | undefined;

  constructor(source: TlsSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /**
   * Reads the pair, or makes it.
   * @throws {TlsMaterialError}
   */
  async load(): Promise<void> {
    if (this.#source.mode === "acme") await recoverFiles(acmeFiles(this.#source.stateDir));
    this.#loaded = await this.#read("start");
  }

  /** What the next handshake uses. @throws {Error} before `load` */
  current(): TlsMaterial {
    return this.#need().material;
  }

  facts(): CertificateFacts {
    return this.#need().facts;
  }

  /** Reads the pair again; the old one stays when the new one is no good. */
  async reload(): Promise<ReloadResult> {
    const old = this.#need();
    try {
      const next = await this.#read("reload");
      const { key, cert } = old.material;
      if (next.material.key === key && next.material.cert === cert)
        return { do: "unchanged", facts: old.facts };
      this.#loaded = next;
      return { do: "replaced", facts: next.facts };
    } catch (error) {
      return { do: "kept", why: error instanceof Error ? error.message : String(error) };
    }
  }

  /** The same from another place from now on; the source stays the old one too when its pair is no good. */
  async replaceSource(source: TlsSource): Promise<ReloadResult> {
    const old = this.#source;
    // Nobody writes there before ACME is turned on.
    if (source.mode === "acme" && old.mode !== "acme") {
      try {
        await recoverFiles(acmeFiles(source.stateDir));
      } catch (error) {
        return { do: "kept", why: reasonOf(error) };
      }
    }
    this.#source = source;
    const result = await this.reload();
    if (result.do === "kept") this.#source = old;
    return result;
  }

  #need(): Loaded {
    if (this.#loaded === undefined) throw new Error("TLS material is used before `load`");
    return this.#loaded;
  }

  async #read(when: "start" | "reload"): Promise<Loaded> {
    const source = this.#source;
    if (source.mode === "self-signed") return makeOnce(selfSignedPlaces(source), this.#clock.nowMs());
    if (source.mode === "acme") return obtained(source, when, this.#clock.nowMs());
    const [key, cert] = await Promise.all([readPem(source.key), readPem(source.cert)]);
    return check(key, source.key, cert, source.cert);
  }
}

/** Where a pair made here lies, and for which names. */
interface SelfMade {
  directory: string;
  keyFile: string;
  certFile: string;
  certMode: number;
  names: readonly string[];
}

function selfSignedPlaces({ stateDir, names }: { stateDir: string; names: readonly string[] }): SelfMade {
  const directory = join(stateDir, "tls");
  const [keyFile, certFile] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  return { directory, keyFile, certFile, certMode: 0o644, names };
}

/** Where ACME keeps its pair. */
export function acmeFiles(stateDir: string): CertificateFiles {
  return new CertificateFiles(join(stateDir, "certs"));
}

/** Only before anybody else writes there: an order under way would lose its files. */
async function recoverFiles(files: CertificateFiles): Promise<void> {
  try {
    await files.recover();
  } catch (error) {
    throw new TlsMaterialError(`${files.directory}: cannot be used: ${reasonOf(error)}`, { cause: error });
  }
}

/** What ACME brought; a certificate made here, for the same key, until it has, and when it can't be read. */
async function obtained(
  source: TlsSource & { mode: "acme" },
  when: "start" | "reload",
  nowMs: number,
): Promise<Loaded> {
  const { directory, keyFile, chainFile, interimFile } = acmeFiles(source.stateDir);
  const chain = await readIfThere(chainFile);
  const key = await readIfThere(keyFile);
  if (chain !== undefined && key !== undefined) {
    if (isPair(key, chain)) return check(key, keyFile, chain, chainFile);
    // Half of a change that goes on, or damage: what is in use is better than either half.
    if (when === "reload") throw new TlsMaterialError(`${chainFile}: not for the key in ${keyFile}`);
  }
  // Clients pinned the key of the time before ACME: it goes on.
  const earlier = key ?? (await readIfThere(selfSignedPlaces(source).keyFile));
  if (key === undefined && earlier !== undefined) await store(keyFile, earlier, 0o600);
  return makeOnce({ directory, keyFile, certFile: interimFile, certMode: 0o600, names: source.names }, nowMs);
}

/** The stored pair; the certificate is made again, for the same key, when it does not fit the names any more. */
async function makeOnce(places: SelfMade, nowMs: number): Promise<Loaded> {
  const { directory, keyFile, certFile, certMode, names: wanted } = places;
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
  } catch (error) {
    throw new TlsMaterialError(`${directory}: cannot be made: ${reasonOf(error)}`, { cause: error });
  }
  const key = (await readIfThere(keyFile)) ?? (await store(keyFile, await makeKey(), 0o600));
  const cert = await readIfThere(certFile);
  // One for a key that was replaced since is no fault: the next is made at once.
  if (cert !== undefined && isPair(key, cert)) {
    const loaded = check(key, keyFile, cert, certFile);
    const { names, notAfterMs } = loaded.facts;
    const missing = wanted.some((name) => !names.includes(canonicalName(name)));
    if (!missing && nowMs < notAfterMs) return loaded;
  }
  parseKey(key, keyFile);
  try {
    const made = await makeCertificate(wanted, key, nowMs);
    return check(key, keyFile, await store(certFile, made, certMode), certFile);
  } catch (error) {
    if (error instanceof TlsMaterialError) throw error;
    throw new TlsMaterialError(`${certFile}: cannot be made: ${reasonOf(error)}`, { cause: error });
  }
}

/** @throws {TlsMaterialError} naming the file at fault */
function check(key: string, keyFile: string, cert: string, certFile: string): Loaded {
  const privateKey = parseKey(key, keyFile);
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch (error) {
    throw new TlsMaterialError(`${certFile}: not a PEM certificate: ${reasonOf(error)}`, { cause: error });
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new TlsMaterialError(`${keyFile}: this key does not belong to the certificate in ${certFile}`);
  }
  try {
    // The last word is the TLS library's: it also reads the chain.
    createSecureContext({ key, cert });
  } catch (error) {
    throw new TlsMaterialError(`${certFile}, ${keyFile}: unusable: ${reasonOf(error)}`, { cause: error });
  }
  return { material: { key, cert }, facts: factsOf(certificate) };
}

function parseKey(key: string, keyFile: string): KeyObject {
  if (/ENCRYPTED/.test(key)) {
    throw new TlsMaterialError(`${keyFile}: the key is encrypted; store it without a passphrase`);
  }
  try {
    return createPrivateKey(key);
  } catch (error) {
    throw new TlsMaterialError(`${keyFile}: not a PEM private key: ${reasonOf(error)}`, { cause: error });
  }
}

/** @throws {Error} on a certificate that node cannot parse */
export function factsOf(certificate: X509Certificate): CertificateFacts {
  const alternatives = certificate.subjectAltName?.split(", ") ?? [];
  const selfSigned = certificate.issuer === certificate.subject && certificate.verify(certificate.publicKey);
  return {
    fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
    names: alternatives.flatMap((entry) => {
      const [, name] = /^(?:DNS|IP Address):(.*)$/.exec(entry) ?? [];
      return name === undefined ? [] : [canonicalName(name)];
    }),
    selfSigned,
    // So Let's Encrypt marks what its test directory gives.
    trusted: !selfSigned && !certificate.issuer.includes("(STAGING)"),
  };
}

/** One spelling per name: certificates and people write IPv6 addresses differently. */
export function canonicalName(name: string): string {
  return isIP(name) === 6 ? new URL(`http://[${name}]`).hostname.slice(1, -1) : asciiName(name);
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new TlsMaterialError(`${file}: cannot be read: ${reasonOf(error)}`, { cause: error });
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFileIfThere(file);
  } catch (error) {
    throw new TlsMaterialError(`${file}: cannot be read: ${reasonOf(error)}`, { cause: error });
  }
}

/** Writes the whole file or nothing, durably, readable as `mode` says from its first byte. */
async function store(file: string, text: string, mode: number): Promise<string> {
  try {
    await durableSteps.write(file, text, mode);
  } catch (error) {
    throw new TlsMaterialError(`${file}: cannot be written: ${reasonOf(error)}`, { cause: error });
  }
  return text;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
