/**
 * The HTTP server behind the front door: `Bun.serve` on a loopback port of its own. The port over which a splice
 * came in names its client, so requests keep the client's address, and requests of other local processes, whose
 * ports nobody announced, are refused.
 */
import type { Service } from "../core/service.ts";
import type { Peer } from "./connection.ts";

const LOOPBACK = "127.0.0.1";
const IDLE_TIMEOUT_S = 60;
const REQUEST_BODY_MAX_BYTES = 128 * 1024 * 1024;

/** The client of a request, as the front door saw it. */
export interface HttpPeer extends Peer {
  /** True when the request came by TLS. */
  readonly secure: boolean;
  /** The port of the listener. */
  readonly localPort: number;
}

export interface HttpBackendOptions<Data> {
  /** Answers a request; `peer` also by `peerOf(request)`. A rejection becomes Bun's answer 500. */
  readonly fetch: (
    request: Request,
    server: Bun.Server<Data>,
    peer: HttpPeer,
  ) => Response | undefined | Promise<Response | undefined>;
  /** For `server.upgrade`. */
  readonly websocket?: Bun.WebSocketHandler<Data>;
  /** Largest body that is read at all; default 128 MiB. */
  readonly requestBodyMaxBytes?: number;
  /** Silence after which Bun closes a connection; default 60 s, at most 255. */
  readonly idleTimeoutS?: number;
  /** What a client gets when `fetch` failed. */
  readonly onError?: (error: unknown) => Response;
}

export class HttpBackend<Data = undefined> implements Service {
  readonly name = "http backend";
  readonly #options: HttpBackendOptions<Data>;
  /** Source ports of splices that are open. */
  readonly #peers = new Map<number, HttpPeer>();
  readonly #peerOfRequest = new WeakMap<Request, HttpPeer>();
  #server: Bun.Server<Data> | undefined;

  constructor(options: HttpBackendOptions<Data>) {
    this.#options = options;
  }

  /** The loopback port. @throws {Error} before `start` */
  get port(): number {
    const port = this.#server?.port;
    if (port === undefined) throw new Error("the HTTP backend is not started");
    return port;
  }

  start(): Promise<void> {
    const { websocket, onError } = this.#options;
    this.#server = Bun.serve<Data>({
      hostname: LOOPBACK,
      port: 0,
      idleTimeout: this.#options.idleTimeoutS ?? IDLE_TIMEOUT_S,
      maxRequestBodySize: this.#options.requestBodyMaxBytes ?? REQUEST_BODY_MAX_BYTES,
      development: false,
      websocket: websocket ?? { message() {} },
      fetch: (request, server) => this.#fetch(request, server),
      error: (error) => onError?.(error) ?? new Response("Internal error\n", { status: 500 }),
    });
    return Promise.resolve();
  }

  /** Lets running requests finish. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.stop(false);
  }

  /** The client of a request that `fetch` was called with. */
  peerOf(request: Request): HttpPeer | undefined {
    return this.#peerOfRequest.get(request);
  }

  /** Announces a splice by the port it comes from, before its first byte. */
  announce(sourcePort: number, peer: HttpPeer): void {
    this.#peers.set(sourcePort, peer);
  }

  retract(sourcePort: number): void {
    this.#peers.delete(sourcePort);
  }

  #fetch(request: Request, server: Bun.Server<Data>): Response | undefined | Promise<Response | undefined> {
    const source = server.requestIP(request);
    // Another loopback address could share a splice's port number.
    const peer = source?.address === LOOPBACK ? this.#peers.get(source.port) : undefined;
    if (peer === undefined) return new Response(null, { status: 403 });
    this.#peerOfRequest.set(request, peer);
    return this.#options.fetch(request, server, peer);
  }
}
