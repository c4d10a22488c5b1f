/**
 * Let's Encrypt's small test authority (Debian package `pebble`) as a child process: on ports of its own, with its
 * own certificate, asking a name server of ours and looking for proofs on a port of ours.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { makeCertificate, makeKey } from "../../src/tls/self-signed.ts";

const READY_TIMEOUT_MS = 15_000;
const READY = "ACME directory available at";
/** Days of a certificate's life where nothing is said: as its default. */
export const hasPebble = Bun.which("pebble") !== null;

export interface PebbleOptions {
  /** `ADDRESS:PORT` of the name server it asks. */
  dns: string;
  /** Where it looks for http-01. */
  httpPort: number;
  /** External account keys, base64url, by id: then it asks for one. */
  externalAccounts?: Record<string, string>;
}

export class Pebble {
  readonly directoryUrl: string;
  /** File with the authority of its own host, for `ca_file`. */
  readonly caFile: string;
  readonly #dir: string;
  readonly #ca: string;
  readonly #child: Subprocess<"ignore", "pipe", "pipe">;
  readonly #managementUrl: string;
  #output = "";

  private constructor(parts: {
    dir: string;
    ca: string;
    port: number;
    managementPort: number;
    options: PebbleOptions;
  }) {
    this.#dir = parts.dir;
    this.#ca = parts.ca;
    this.caFile = join(parts.dir, "cert.pem");
    this.directoryUrl = `https://127.0.0.1:${parts.port}/dir`;
    this.#managementUrl = `https://127.0.0.1:${parts.managementPort}`;
    this.#child = Bun.spawn(
      ["pebble", "-config", join(parts.dir, "pebble.json"), "-dnsserver", parts.options.dns],
      {
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        // No waits; each order is proved anew; every fifth nonce is refused, as the protocol allows.
        env: {
          ...process.env,
          PEBBLE_VA_NOSLEEP: "1",
          PEBBLE_AUTHZREUSE: "0",
          PEBBLE_WFE_NONCEREJECT: "20",
        },
      },
    );
  }

  static async start(options: PebbleOptions): Promise<Pebble> {
    const dir = mkdtempSync(join(tmpdir(), "madmail-pebble-"));
    const key = await makeKey();
    const ca = await makeCertificate(["127.0.0.1", "localhost"], key, Date.now());
    const [port, managementPort] = await freePorts(2);
    const { externalAccounts } = options;
    const config = {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${managementPort}`,
      certificate: join(dir, "cert.pem"),
      privateKey: join(dir, "key.pem"),
      httpPort: options.httpPort,
      tlsPort: 1,
      ocspResponderURL: "",
      externalAccountBindingRequired: externalAccounts !== undefined,
      externalAccountMACKeys: externalAccounts ?? {},
    };
    writeFileSync(join(dir, "key.pem"), key, { mode: 0o600 });
    writeFileSync(join(dir, "cert.pem"), ca);
    writeFileSync(join(dir, "pebble.json"), JSON.stringify({ pebble: config }));
    const pebble = new Pebble({ dir, ca, port: port ?? 0, managementPort: managementPort ?? 0, options });
    try {
      await pebble.#ready();
    } catch (error) {
      await pebble.stop();
      throw error;
    }
    return pebble;
  }

  /** Everything it printed. */
  get output(): string {
    return this.#output;
  }

  /** PEM of the root that its certificates lead to. */
  async root(): Promise<string> {
    const response = await fetch(`${this.#managementUrl}/roots/0`, { tls: { ca: this.#ca } });
    return response.text();
  }

  async stop(): Promise<void> {
    this.#child.kill();
    await this.#child.exited;
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #ready(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error(`pebble is not ready:\n${this.#output}`)), READY_TIMEOUT_MS);
    const read = async (stream: ReadableStream<Uint8Array>) => {
      const decoder = new TextDecoder();
      for await (const chunk of stream) {
        this.#output += decoder.decode(chunk, { stream: true });
        if (this.#output.includes(READY)) resolve();
      }
      reject(new Error(`pebble ended:\n${this.#output}`));
    };
    promise.catch(() => {});
    void read(this.#child.stdout).catch(reject);
    void read(this.#child.stderr).catch(reject);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
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
