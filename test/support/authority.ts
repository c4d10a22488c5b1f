/**
 * A certificate authority for tests that speaks ACME by HTTP (RFC 8555) without checking a signature: what it refuses,
 * what it asks to wait for, and how long its certificates last is up to the test. pebble checks the rest.
 */
import type { Server } from "bun";
import { makeKey } from "../../src/tls/self-signed.ts";
import { provideReflectMetadata } from "../../src/tls/reflect-metadata.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

interface Refusal {
  status: number;
  type: string;
  detail?: string;
  headers?: Record<string, string>;
}

export interface AuthorityRules {
  /** Validity of the next certificates. */
  validity: () => { notBeforeMs: number; notAfterMs: number };
  /** Names whose proofs it does not find. */
  unproved?: Set<string>;
  /** What it says to a new order instead of taking it. */
  refusal?: Refusal | undefined;
  profiles?: Record<string, string>;
  /** Of its certificates. */
  issuer?: string;
  /** Its clock. */
  date?: () => Date;
  /** Runs before a finished order is told. */
  beforeChain?: () => void;
}

interface Placed {
  names: string[];
  profile: string | undefined;
  told: boolean;
  chain: string | undefined;
}

export class Authority {
  readonly rules: AuthorityRules;
  /** Names of each order, refused ones too. */
  readonly orders: { names: string[]; profile: string | undefined }[] = [];
  /** Accounts made, by their key's thumb: one each. */
  accounts = 0;
  #placed: Placed[] = [];
  #server: Server<undefined> | undefined;
  #nonce = 0;
  #caKeys: CryptoKeyPair | undefined;

  constructor(rules: AuthorityRules) {
    this.rules = rules;
  }

  static async start(rules: AuthorityRules): Promise<Authority> {
    const authority = new Authority(rules);
    authority.#caKeys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    authority.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => authority.#answer(request),
    });
    return authority;
  }

  get directoryUrl(): string {
    return `${this.#url}/dir`;
  }

  async stop(): Promise<void> {
    await this.#server?.stop(true);
  }

  get #url(): string {
    return this.#server?.url.origin ?? "";
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const headers = {
      "Replay-Nonce": `n${++this.#nonce}`,
      ...(this.rules.date === undefined ? {} : { Date: this.rules.date().toUTCString() }),
    };
    const url = this.#url;
    if (pathname === "/dir") {
      const meta = this.rules.profiles === undefined ? {} : { profiles: this.rules.profiles };
      const places = { newNonce: `${url}/nonce`, newAccount: `${url}/account`, newOrder: `${url}/order` };
      return Response.json({ ...places, meta }, { headers });
    }
    if (pathname === "/nonce") return new Response(null, { headers });
    const { payload } = (await request.json()) as { payload: string };
    const said = payload === "" ? {} : (JSON.parse(Buffer.from(payload, "base64url").toString()) as object);
    const { status, body, location } = await this.#act(pathname, said);
    if (status >= 400) {
      const type = { "Content-Type": "application/problem+json", ...this.rules.refusal?.headers };
      return new Response(JSON.stringify(body), { status, headers: { ...headers, ...type } });
    }
    const place = location === undefined ? {} : { Location: location };
    if (typeof body === "string") {
      return new Response(body, {
        headers: { ...headers, "Content-Type": "application/pem-certificate-chain" },
      });
    }
    return Response.json(body, { status, headers: { ...headers, ...place } });
  }

  async #act(path: string, said: object): Promise<{ status: number; body: unknown; location?: string }> {
    const [, what = "", number = "0", name = ""] = path.split("/");
    const placed = this.#placed[Number(number)];
    if (what === "account") {
      const isNew = path === "/account";
      if (isNew) this.accounts++;
      return {
        status: isNew ? 201 : 200,
        body: { status: "valid" },
        location: `${this.#url}/account/${this.accounts}`,
      };
    }
    if (what === "order" && "identifiers" in said) return this.#newOrder(said as NewOrder);
    if (placed === undefined) return { status: 404, body: { type: "urn:ietf:params:acme:error:malformed" } };
    if (what === "authz") return { status: 200, body: this.#authorization(Number(number), placed, name) };
    if (what === "challenge") {
      placed.told = true;
      return { status: 200, body: { status: "processing" } };
    }
    if (what === "finalize") {
      placed.chain = await this.#certify((said as { csr: string }).csr);
      return { status: 200, body: this.#order(Number(number), placed) };
    }
    if (what === "chain") {
      this.rules.beforeChain?.();
      return { status: 200, body: placed.chain };
    }
    return { status: 200, body: this.#order(Number(number), placed) };
  }

  #newOrder({ identifiers, profile }: NewOrder): { status: number; body: unknown; location?: string } {
    const names = identifiers.map(({ value }) => value);
    this.orders.push({ names, profile });
    const { refusal } = this.rules;
    if (refusal !== undefined) {
      const { status, type, detail = "no" } = refusal;
      return { status, body: { type: `urn:ietf:params:acme:error:${type}`, detail } };
    }
    const number = this.#placed.push({ names, profile, told: false, chain: undefined }) - 1;
    const placed = this.#placed[number];
    return {
      status: 201,
      body: placed === undefined ? {} : this.#order(number, placed),
      location: `${this.#url}/order/${number}`,
    };
  }

  #order(number: number, { names, told, chain }: Placed) {
    const status = chain !== undefined ? "valid" : told ? "ready" : "pending";
    return {
      status,
      finalize: `${this.#url}/finalize/${number}`,
      authorizations: names.map((name) => `${this.#url}/authz/${number}/${name}`),
      ...(chain === undefined ? {} : { certificate: `${this.#url}/chain/${number}` }),
    };
  }

  #authorization(number: number, { told }: Placed, name: string) {
    const failed = told && this.rules.unproved?.has(name) === true;
    const status = failed ? "invalid" : told ? "valid" : "pending";
    const error = { type: "urn:ietf:params:acme:error:unauthorized", detail: "not what was expected" };
    const challenge = {
      type: "http-01",
      url: `${this.#url}/challenge/${number}/${name}`,
      token: `t-${name}`,
      status,
    };
    return {
      status,
      identifier: { type: "dns", value: name },
      challenges: [failed ? { ...challenge, error } : challenge],
    };
  }

  async #certify(csr: string): Promise<string> {
    provideReflectMetadata();
    const x509 = await import("@peculiar/x509");
    const request = new x509.Pkcs10CertificateRequest(Buffer.from(csr, "base64url"));
    const { notBeforeMs, notAfterMs } = this.rules.validity();
    const signingKey = this.#caKeys?.privateKey;
    if (signingKey === undefined) throw new Error("not started");
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: (await makeKey()).length.toString(16) + Bun.hash(csr).toString(16).slice(0, 8),
      issuer: `CN=${this.rules.issuer ?? "Test authority"}`,
      subject: "",
      notBefore: new Date(notBeforeMs),
      notAfter: new Date(notAfterMs),
      publicKey: request.publicKey,
      signingKey,
      signingAlgorithm: ALGORITHM,
      extensions: request.extensions,
    });
    return `${certificate.toString("pem").trimEnd()}\n`;
  }
}

interface NewOrder {
  identifiers: { value: string }[];
  profile?: string;
}
