/**
 * Listeners of every protocol: always plain sockets, upgraded to TLS in `open` (implicit) or later (STARTTLS), so
 * that a new certificate holds for the next connection without touching the listener.
 * RFC 3207, RFC 8314 §3, RFC 9051 §11.1.
 */
import type { CancelTimer, Clock } from "../core/clock.ts";
import { EMPTY } from "../core/bytes.ts";
import type { ListenAddress } from "../config/config.ts";
import type { Log, Proto } from "../log/events.ts";
import type { ConnectionHandler, Peer } from "./connection.ts";
import { type ConnectionLimits, networkOf, normaliseAddress } from "./connection-limits.ts";
import type { Introductions } from "./introductions.ts";
import {
  type AcceptedConnection,
  type ConnectionHost,
  type ServerSocket,
  SocketConnection,
  type TlsOptions,
} from "./socket-connection.ts";
import type { Traffic } from "./traffic.ts";
import { type Wheel, wheelOf } from "./wheel.ts";

const TLS_1_2 = 0x0303;
const HANDSHAKE_TIMEOUT_MS = 15_000;
const OUTPUT_MAX_BYTES = 8 * 1024 * 1024;
const STOP_DEADLINE_MS = 5000;
/** Time between two looks for peers that were told all there is and keep their side open. */
const GOODBYE_MS = 250;

/** Key and certificate chain, PEM. Give the same object until the certificate changes. */
export interface TlsCredentials {
  readonly key: string;
  readonly cert: string;
}

export interface ListenOptions {
  readonly address: ListenAddress;
  /** `implicit`: TLS before the first byte (RFC 8314). */
  readonly tls: "none" | "starttls" | "implicit";
  /** Asked for each handshake. Needed unless `tls` is "none". */
  readonly getTls?: () => TlsCredentials;
  /** Protocols offered by ALPN, most wanted first. A client that offers only others is refused (RFC 7301 §3.2). */
  readonly alpn?: readonly string[];
  readonly accept: (connection: AcceptedConnection) => ConnectionHandler;
  readonly limits: ConnectionLimits;
  readonly log: Log;
  readonly clock: Clock;
  readonly proto: Proto | ((alpn: string | undefined) => Proto);
  /** Where bytes are counted. */
  readonly traffic?: Traffic | ((alpn: string | undefined) => Traffic);
  /** Sent in clear to a connection over the limits, such as `421 4.3.2 …\r\n`; not with implicit TLS. */
  readonly refusal?: Uint8Array;
  /** Where the operator wrote the address, for errors; default `[listen]`. */
  readonly section?: string;
  /** Cap of output that waits for one peer; default 8 MiB. */
  readonly outputMaxBytes?: number;
  /** Default 15 s. */
  readonly handshakeTimeoutMs?: number;
  /** Tells whom a connection that this process made to itself is for. */
  readonly introductions?: Introductions;
  /** Time that `stop` gives the connections; default 5 s. */
  readonly stopDeadlineMs?: number;
}

export interface Listener {
  readonly port: number;
  readonly address: string;
  /** Connections that are open. */
  readonly connections: number;
  /** IP addresses (of IPv6: /64 networks) they come from. */
  networks(): ReadonlySet<string>;
  /** Gives the port back at once. Connections go on; `stop` is still to be called. */
  release(): void;
  /** Takes no new connections, lets each handler say goodbye, and drops those that are left at the deadline. */
  stop(): Promise<void>;
}

/** The port can't be had; the message is for the operator. */
export class ListenError extends Error {
  /** The system's, such as `EADDRINUSE`; `EAFNOSUPPORT` or `EADDRNOTAVAIL` where there is no IPv6. */
  readonly code: string;

  constructor(message: string, code: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** `host:port` as bound, an IPv6 address in brackets. */
export function addressText({ address, port }: Pick<Listener, "address" | "port">): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

const NO_IPV6: ReadonlySet<string> = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL"]);

/** Whether only IPv6 is missing: default configurations name `[::]`, and a machine without it does with the others. */
export function lacksIpv6(error: unknown, { host }: ListenAddress): boolean {
  const isUsual = host === "::" || host === "::1";
  return error instanceof ListenError && isUsual && NO_IPV6.has(error.code);
}

/**
 * Binds and accepts.
 * @throws {ListenError} naming the address, the reason and what to do (as a rejection)
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  if (options.tls !== "none" && options.getTls === undefined) throw new Error("TLS needs `getTls`");
  return new SocketListener(options);
}

class SocketListener implements Listener, ConnectionHost {
  readonly accept: (connection: AcceptedConnection) => ConnectionHandler;
  readonly log: Log;
  readonly wheel: Wheel;
  readonly outputMaxBytes: number;
  readonly handshakeTimeoutMs: number;
  readonly tlsHandlers: Bun.SocketHandler<SocketConnection | undefined> = layerHandlers("tls");
  readonly #options: ListenOptions;
  readonly #open = new Set<SocketConnection>();
  readonly #listener: Bun.TCPSocketListener<SocketConnection | undefined>;
  #credentials: TlsCredentials | undefined;
  #tlsOptions: TlsOptions | undefined;
  #stopping: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  constructor(options: ListenOptions) {
    this.#options = options;
    this.accept = options.accept;
    this.log = options.log;
    this.wheel = wheelOf(options.clock);
    this.outputMaxBytes = options.outputMaxBytes ?? OUTPUT_MAX_BYTES;
    this.handshakeTimeoutMs = options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS;
    const handlers = layerHandlers("plain");
    // A plain handler under TLS from the start needs no data, and without it Bun makes no ciphertext copies.
    if (options.tls === "implicit") delete handlers.data;
    this.#listener = bind(options, { ...handlers, open: (socket) => this.#onOpen(socket) });
  }

  get port(): number {
    return this.#listener.port;
  }

  get address(): string {
    return this.#listener.hostname;
  }

  get localPort(): number {
    return this.#listener.port;
  }

  get connections(): number {
    return this.#open.size;
  }

  networks(): ReadonlySet<string> {
    return new Set([...this.#open].map(({ peer }) => networkOf(peer.address)));
  }

  release(): void {
    this.#listener.stop(false);
  }

  protoOf(alpn: string | undefined): Proto {
    const { proto } = this.#options;
    return typeof proto === "string" ? proto : proto(alpn);
  }

  trafficOf(alpn: string | undefined): Traffic | undefined {
    const { traffic } = this.#options;
    return typeof traffic === "function" ? traffic(alpn) : traffic;
  }

  /** Bun finds its parsed context again by the options: they are made once per certificate. */
  tlsOptions(): TlsOptions {
    const credentials = this.#options.getTls?.();
    if (credentials === undefined) throw new Error("no certificate");
    if (this.#tlsOptions === undefined || credentials !== this.#credentials) {
      const { key, cert } = credentials;
      const { alpn } = this.#options;
      this.#credentials = credentials;
      this.#tlsOptions = {
        key,
        cert,
        minVersion: TLS_1_2,
        ...(alpn === undefined ? {} : { ALPNProtocols: alpnWire(alpn) }),
      };
    }
    return this.#tlsOptions;
  }

  forget(connection: SocketConnection): void {
    if (!this.#open.delete(connection)) return;
    this.#options.limits.release(connection.peer.address);
    if (this.#open.size === 0) this.#emptied?.();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#listener.stop(false);
    for (const connection of this.#open) connection.shutdown();
    if (this.#open.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#emptied = resolve;
    const { clock } = this.#options;
    const cancel = clock.after(this.#options.stopDeadlineMs ?? STOP_DEADLINE_MS, () => {
      for (const connection of this.#open) connection.destroy();
    });
    let cancelLook: CancelTimer = () => {};
    const lookAgain = () => {
      cancelLook = clock.after(GOODBYE_MS, () => {
        for (const connection of this.#open) connection.leaveLingering();
        lookAgain();
      });
    };
    lookAgain();
    await promise;
    cancel();
    cancelLook();
  }

  #onOpen(socket: ServerSocket): void {
    const { introductions } = this.#options;
    const peer = { address: normaliseAddress(socket.remoteAddress), port: socket.remotePort };
    if (introductions?.expects(peer.address) !== true) {
      this.#welcome(socket, peer);
      return;
    }
    let stage: "asked" | "waiting" | "told" = "asked";
    introductions.whose(peer.address, peer.port, (behind) => {
      if (stage === "waiting") socket.resume();
      stage = "told";
      // One that left while it waited never reached a handler.
      if (socket.readyState > 0) this.#welcome(socket, behind ?? peer);
    });
    if (stage !== "asked") return;
    stage = "waiting";
    // Without a handler what it says would be lost.
    socket.pause();
  }

  #welcome(socket: ServerSocket, peer: Peer): void {
    try {
      socket.setNoDelay(true);
      const verdict = this.#stopping === undefined ? this.#options.limits.take(peer.address) : "tooMany";
      if (verdict === "ok") this.#admit(socket, peer);
      else this.#refuse(socket, verdict);
    } catch (error) {
      this.log.emit({ kind: "internalFault", where: "net open", error });
      socket.terminate();
    }
  }

  #admit(socket: ServerSocket, peer: Peer): void {
    const connection = new SocketConnection(this, socket, peer);
    socket.data = connection;
    this.#open.add(connection);
    if (this.#options.tls === "implicit") connection.secureNow();
    else connection.open();
  }

  #refuse(socket: ServerSocket, why: "tooMany" | "tooManyFromPeer"): void {
    this.log.emit({ kind: "connectionRefused", proto: this.protoOf(undefined), why });
    if (this.#options.tls !== "implicit") socket.write(this.#options.refusal ?? EMPTY);
    socket.end();
  }
}

/** RFC 7301 §3.1: each name behind a byte with its length. */
function alpnWire(names: readonly string[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(names.flatMap((name) => [name.length, ...Buffer.from(name, "latin1")]));
}

/** One handler object serves all connections of a layer; `socket.data` tells them apart. */
function layerHandlers(layer: "plain" | "tls"): Bun.SocketHandler<SocketConnection | undefined> {
  const topmost = (socket: ServerSocket) =>
    socket.data?.speaksFor(layer) === true ? socket.data : undefined;
  return {
    data: (socket, bytes) => topmost(socket)?.onData(bytes),
    drain: (socket) => topmost(socket)?.onDrain(),
    end: (socket) => topmost(socket)?.onEnd(),
    close: (socket) => socket.data?.onClose(),
    // A reset also ends in `close`; without this handler it would end the process.
    error: (socket) => socket.data?.destroy(),
    handshake: (socket, ok) => topmost(socket)?.onHandshake(ok, socket.alpnProtocol),
  };
}

function bind(
  options: ListenOptions,
  socket: Bun.SocketHandler<SocketConnection | undefined>,
): Bun.TCPSocketListener<SocketConnection | undefined> {
  const { host, port } = options.address;
  const settings: Bun.TCPSocketListenOptions<SocketConnection | undefined> & { ipv6Only: boolean } = {
    hostname: host,
    port,
    allowHalfOpen: true,
    // `[::]` would take IPv4 too, and `0.0.0.0` beside it would find the port taken.
    ipv6Only: host.includes(":"),
    data: undefined,
    socket,
  };
  try {
    return Bun.listen(settings);
  } catch (error) {
    throw listenError(options.address, options.section ?? "[listen]", error);
  }
}

/** What a failed bind tells the operator. @param section of the configuration, where the address stands */
export function listenError({ host, port }: ListenAddress, section: string, error: unknown): ListenError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return new ListenError(explainBind(host, port, section, code, error), code, error);
}

function explainBind(host: string, port: number, section: string, code: string, error: unknown): string {
  const where = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const facts = new Map([
    [
      "EADDRINUSE",
      `the port is taken by another program; stop that one or choose another port in ${section}`,
    ],
    [
      "EACCES",
      "the system does not allow this port to this user; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE",
    ],
    ["EAFNOSUPPORT", `this machine has no IPv6; remove the address from ${section}`],
    ["EADDRNOTAVAIL", `this machine does not have that address; correct ${section}`],
  ]);
  return `cannot listen on ${where}: ${facts.get(code) ?? (error instanceof Error ? error.message : code)}`;
}
