/**
 * Joins a client to the HTTP server: bytes both ways, each side held back while the other is full.
 * Invariants: the client's address is announced before its first byte; no more than a few hundred kB wait in
 * either direction; the end of one side ends the other after what was under way.
 */
import { EMPTY } from "../core/bytes.ts";
import type { Log } from "../log/events.ts";
import type { ConnectionHandler } from "./connection.ts";
import type { HttpBackend } from "./http-backend.ts";
import { OutputQueue, type OutputOwner } from "./output.ts";
import type { AcceptedConnection } from "./socket-connection.ts";

/** Above this one side waits for the other. */
const HIGH_WATER_BYTES = 256 * 1024;
/** Never reached while pausing works: a paused socket gives at most what was read before. */
const UPLOAD_MAX_BYTES = 8 * 1024 * 1024;
/** Quiet time after which a client that closed its side, or a stopping server, has nothing under way. */
const QUIET_MS = 2000;

type BackendSocket = Bun.Socket<Splice>;
/** `HttpBackend` of any websocket data is one. */
export interface SpliceTarget extends Pick<HttpBackend, "port" | "announce" | "retract"> {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** The server understands half a close: it hears at once when the client has said all, and ends when it is done. */
  readonly halfClose?: boolean;
}

export class Splice implements ConnectionHandler, OutputOwner {
  readonly #client: AcceptedConnection;
  readonly #target: SpliceTarget;
  readonly #log: Log;
  /** What was read before there was a backend to read it. */
  #first: Uint8Array;
  #backend: BackendSocket | undefined;
  #backendPaused = false;
  #output: OutputQueue | undefined;
  #sourcePort = 0;
  /** Bytes of the backend since the last look. */
  #moved = false;
  #lastFrom: "client" | "backend" = "client";
  #inputOver = false;
  #over = false;

  /** Starts at once. @param first what was read from the client so far */
  constructor(client: AcceptedConnection, target: SpliceTarget, log: Log, first: Uint8Array) {
    this.#client = client;
    this.#target = target;
    this.#log = log;
    this.#first = first;
    client.pause();
    void this.#connect();
  }

  async #connect(): Promise<void> {
    try {
      await Bun.connect<Splice>({
        hostname: this.#target.host ?? "127.0.0.1",
        port: this.#target.port,
        allowHalfOpen: true,
        data: this,
        socket: handlers,
      });
    } catch (error) {
      this.#target.retract(this.#sourcePort);
      this.#log.emit({ kind: "internalFault", where: "net splice", error });
      this.#client.destroy();
    }
  }

  /** Connected. */
  onOpen(socket: BackendSocket): void {
    this.#backend = socket;
    socket.setNoDelay(true);
    this.#sourcePort = socket.localPort;
    const { address, port } = this.#client.peer;
    const { secure, localPort } = this.#client;
    this.#target.announce(this.#sourcePort, { address, port, secure, localPort });
    this.#output = new OutputQueue(socket, this, UPLOAD_MAX_BYTES);
    // Before the client can say more.
    this.#output.write(this.#first);
    this.#first = EMPTY;
    if (this.#over || this.#inputOver) this.#output.end();
    if (!this.#over) this.#client.resume();
  }

  onBackendData(bytes: Uint8Array): void {
    if (this.#over) return;
    this.#moved = true;
    this.#lastFrom = "backend";
    this.#client.write(bytes);
    if (this.#backendPaused || this.#client.queuedBytes <= HIGH_WATER_BYTES) return;
    this.#backendPaused = true;
    this.#backend?.pause();
  }

  onBackendDrain(): void {
    this.#output?.drain();
  }

  onBackendClose(): void {
    this.#target.retract(this.#sourcePort);
    this.#output?.close();
    this.#backend = undefined;
    if (!this.#over) this.#client.end();
  }

  data(bytes: Uint8Array): void {
    this.#lastFrom = "client";
    // Kept without a copy: each read of a Bun socket has memory of its own (measured).
    this.#output?.write(bytes);
    if ((this.#output?.queuedBytes ?? 0) > HIGH_WATER_BYTES) this.#client.pause();
  }

  drained(): void {
    this.#resumeBackend();
  }

  #resumeBackend(): void {
    if (!this.#backendPaused) return;
    this.#backendPaused = false;
    this.#backend?.resume();
  }

  secured(): void {}

  /** Something may be under way for a client that closed its side: wait until nothing moves. */
  inputEnded(): void {
    if (this.#target.halfClose !== true) this.#client.setIdleTimeoutMs(QUIET_MS);
    else if (this.#output === undefined) this.#inputOver = true;
    else this.#output.end();
  }

  idle(): void {
    const busy = this.#moved || this.#client.queuedBytes > 0;
    this.#moved = false;
    if (busy) this.#client.setIdleTimeoutMs(QUIET_MS);
    else this.#client.end();
  }

  shutdown(): void {
    if (this.#lastFrom === "backend" && this.#client.queuedBytes === 0) this.#client.end();
    else this.#client.setIdleTimeoutMs(QUIET_MS);
  }

  /** The client is gone. What it sent still reaches the server, which closes then. */
  closed(): void {
    this.#over = true;
    this.#resumeBackend();
    this.#output?.end();
  }

  outputDrained(): void {
    this.#client.resume();
  }

  outputEnded(): void {
    // Half a close: the client's address stays announced until the server has read everything.
    this.#backend?.shutdown();
  }

  outputOverflowed(): void {
    this.#client.destroy();
    this.#backend?.terminate();
  }
}

const handlers: Bun.SocketHandler<Splice> = {
  open: (socket) => socket.data.onOpen(socket),
  data: (socket, bytes) => socket.data.onBackendData(bytes),
  drain: (socket) => socket.data.onBackendDrain(),
  end: (socket) => {
    socket.end();
  },
  close: (socket) => socket.data.onBackendClose(),
  error: (socket) => {
    socket.terminate();
  },
};
