/**
 * Let's Encrypt's small test authority (Debian package `pebble`) as a child process: on ports of its own, with its
 * own certificate, asking a name server of ours and looking for proofs on a port of ours.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ReadableSubprocess } from "bun";
import { makeCertificate, makeKey } from "../../src/tls/self-signed.ts";

const READY_TIMEOUT_MS = 15_000;
const READY = "ACME directory available at";

export const hasPebble = Bun.which("pebble") !== null;

export interface PebbleOptions {
  /** `ADDRESS:PORT` of the name server it asks. */
  dns: string;
  /** Where it looks for http-01. */
  httpPort: number;
  /** External account keys, base64url, by id: then it asks for one. */
  externalAccounts?: Record<string, string>;
  /** Life of its certificates; default five years. */
  validitySec?: number;
}

export class Pebble {
  readonly directoryUrl: string;
  /** File with the authority of its own host, for `ca_file`. */
  readonly caFile: string;
  readonly #dir: string;
  readonly #ca: string;
  readonly #managementUrl: string;
  readonly #dns: string;
  #child: ReadableSubprocess | undefined;
  #readers: Promise<void>[] = [];
  #output = "";

  private constructor(dir: string, ca: string, ports: readonly number[], dns: string) {
    this.#dir = dir;
    this.#ca = ca;
    this.#dns = dns;
    this.caFile = join(dir, "cert.pem");
    this.directoryUrl = `https://127.0.0.1:${ports[0]}/dir`;
    this.#managementUrl = `https://127.0.0.1:${ports[1]}`;
  }

  /** Where it will be; it does not run yet. */
  static async prepare(options: PebbleOptions): Promise<Pebble> {
    const dir = mkdtempSync(join(tmpdir(), "madmail-pebble-"));
    const key = await makeKey();
    const ca = await makeCertificate(["127.0.0.1", "localhost"], key, Date.now());
    const ports = await freePorts(2);
    const { externalAccounts, validitySec } = options;
    const config = {
      listenAddress: `127.0.0.1:${ports[0]}`,
      managementListenAddress: `127.0.0.1:${ports[1]}`,
      certificate: join(dir, "cert.pem"),
      privateKey: join(dir, "key.pem"),
      httpPort: options.httpPort,
      tlsPort: 1,
      ocspResponderURL: "",
      externalAccountBindingRequired: externalAccounts !== undefined,
      externalAccountMACKeys: externalAccounts ?? {},
      ...(validitySec === undefined ? {} : { certificateValidityPeriod: validitySec }),
    };
    writeFileSync(join(dir, "key.pem"), key, { mode: 0o600 });
    writeFileSync(join(dir, "cert.pem"), ca);
    writeFileSync(join(dir, "pebble.json"), JSON.stringify({ pebble: config }));
    return new Pebble(dir, ca, ports, options.dns);
  }

  async start(): Promise<void> {
    const child = Bun.spawn(["pebble", "-config", join(this.#dir, "pebble.json"), "-dnsserver", this.#dns], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      // No waits; each order is proved anew; some nonces are refused, as the protocol allows.
      env: {
        ...process.env,
        PEBBLE_VA_NOSLEEP: "1",
        PEBBLE_AUTHZREUSE: "0",
        PEBBLE_WFE_NONCEREJECT: "20",
      },
    });
    this.#child = child;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error("pebble is not ready")), READY_TIMEOUT_MS);
    const onText = () => {
      if (this.#output.includes(READY)) resolve();
    };
    this.#readers = [this.#collect(child.stdout, onText), this.#collect(child.stderr, onText)];
    void Promise.all(this.#readers).then(() => reject(new Error("pebble ended")));
    try {
      await promise;
    } catch (error) {
      child.kill("SIGKILL");
      throw new Error(this.#output, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Certificates it has given so far. */
  get issued(): number {
    return this.#output.split("Issued certificate serial").length - 1;
  }

  /** PEM of the root that its certificates lead to. */
  async root(): Promise<string> {
    const response = await fetch(`${this.#managementUrl}/roots/0`, { tls: { ca: this.#ca } });
    return response.text();
  }

  /** Forgets every account, order and certificate. */
  async restart(): Promise<void> {
    await this.#end();
    this.#output = "";
    await this.start();
  }

  async #end(): Promise<void> {
    this.#child?.kill();
    await Promise.all([this.#child?.exited, ...this.#readers]);
  }

  async stop(): Promise<void> {
    await this.#end();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #collect(stream: ReadableStream<Uint8Array>, onText: () => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#output += decoder.decode(chunk, { stream: true });
      onText();
    }
  }
}

/** Ports that were free a moment ago: pebble takes none of its own choice. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const address = server.address();
    ports.push(typeof address === "object" && address !== null ? address.port : 0);
  }
  for (const server of servers) await new Promise((done) => server.close(done));
  return ports;
}
