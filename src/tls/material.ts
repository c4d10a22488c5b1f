/**
 * The certificate and key in use: read from the operator's files, or made once under `<stateDir>/tls/`.
 * Listeners ask `current` for each handshake, so `reload` changes the certificate of new connections only.
 * Invariant: what `current` gives was checked as a pair; a bad new pair never replaces a good old one.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { chmod, mkdir, open, readFile, rename } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import type { Clock } from "../core/clock.ts";
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
}

export type TlsSource =
  | { readonly mode: "self-signed"; readonly stateDir: string; readonly names: readonly string[] }
  | { readonly mode: "file"; readonly cert: string; readonly key: string };

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
  readonly #source: TlsSource;
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
    this.#loaded = await this.#read();
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
      const next = await this.#read();
      const { key, cert } = old.material;
      if (next.material.key === key && next.material.cert === cert)
        return { do: "unchanged", facts: old.facts };
      this.#loaded = next;
      return { do: "replaced", facts: next.facts };
    } catch (error) {
      return { do: "kept", why: error instanceof Error ? error.message : String(error) };
    }
  }

  #need(): Loaded {
    if (this.#loaded === undefined) throw new Error("TLS material is used before `load`");
    return this.#loaded;
  }

  async #read(): Promise<Loaded> {
    const source = this.#source;
    if (source.mode === "self-signed") return makeOnce(source, this.#clock.nowMs());
    const [key, cert] = await Promise.all([readPem(source.key), readPem(source.cert)]);
    return check(key, source.key, cert, source.cert);
  }
}

/** The stored pair; the certificate is made again, for the same key, when it does not fit the names any more. */
async function makeOnce(source: TlsSource & { mode: "self-signed" }, nowMs: number): Promise<Loaded> {
  const directory = join(source.stateDir, "tls");
  const keyFile = join(directory, "key.pem");
  const certFile = join(directory, "cert.pem");
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
  } catch (error) {
    throw new TlsMaterialError(`${directory}: cannot be made: ${reasonOf(error)}`, { cause: error });
  }
  const key = (await readIfThere(keyFile)) ?? (await store(keyFile, await makeKey(), 0o600));
  const cert = await readIfThere(certFile);
  if (cert !== undefined) {
    const loaded = check(key, keyFile, cert, certFile);
    const { names, notAfterMs } = loaded.facts;
    const missing = source.names.some((name) => !names.includes(canonical(name)));
    if (!missing && nowMs < notAfterMs) return loaded;
  }
  parseKey(key, keyFile);
  try {
    const made = await makeCertificate(source.names, key, nowMs);
    return check(key, keyFile, await store(certFile, made, 0o644), certFile);
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
  return {
    fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
    names: alternatives.flatMap((entry) => {
      const [, name] = /^(?:DNS|IP Address):(.*)$/.exec(entry) ?? [];
      return name === undefined ? [] : [canonical(name)];
    }),
    selfSigned: certificate.issuer === certificate.subject && certificate.verify(certificate.publicKey),
  };
}

/** One spelling per name: certificates and people write IPv6 addresses differently. */
function canonical(name: string): string {
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
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new TlsMaterialError(`${file}: cannot be read: ${reasonOf(error)}`, { cause: error });
  }
}

/** Writes the whole file or nothing, readable as `mode` says from its first byte. */
async function store(file: string, text: string, mode: number): Promise<string> {
  const temporary = `${file}.tmp`;
  try {
    {
      await using handle = await open(temporary, "w", mode);
      await handle.chmod(mode);
      await handle.writeFile(text);
      await handle.sync();
    }
    await rename(temporary, file);
  } catch (error) {
    throw new TlsMaterialError(`${file}: cannot be written: ${reasonOf(error)}`, { cause: error });
  }
  return text;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
