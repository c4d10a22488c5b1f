/**
 * A connection over a Bun socket: plain, TLS from the first byte, or TLS later (STARTTLS).
 * Invariants: the handler's `closed` runs exactly once, in a turn of its own, and nothing is called after it;
 * a handler that throws loses its connection, not the process; no timer and no closure belongs to a connection.
 */
import type { Log, Proto } from "../log/events.ts";
import type { Connection, ConnectionHandler, Peer } from "./connection.ts";
import { OutputQueue, type OutputOwner } from "./output.ts";
import type { Traffic } from "./traffic.ts";
import type { Wheel, WheelEntry } from "./wheel.ts";

/** Time for the peer to read what `end` left and to close; prolonged while it reads. */
const LINGER_MS = 15_000;

/** A connection whose TLS handshake may have chosen a protocol (RFC 7301). */
export interface AcceptedConnection extends Connection {
  readonly alpn: string | undefined;
  /** Where its bytes are counted; whoever learns later what it is for changes it. */
  traffic?: Traffic | undefined;
}

/** What a TLS handshake needs, in the shape that Bun takes. Keep one object as long as the certificate holds. */
export interface TlsOptions {
  readonly key: string;
  readonly cert: string;
  /** RFC 7301 §3.1: length-prefixed names. Bun takes nothing else. */
  readonly ALPNProtocols?: Uint8Array<ArrayBuffer>;
  /** A number: Bun ignores the names that Node takes. */
  readonly minVersion: number;
}

export type ServerSocket = Bun.Socket<SocketConnection | undefined>;

/** What all connections of one listener share. */
export interface ConnectionHost {
  readonly accept: (connection: AcceptedConnection) => ConnectionHandler;
  readonly log: Log;
  readonly wheel: Wheel;
  readonly localPort: number;
  readonly outputMaxBytes: number;
  readonly handshakeTimeoutMs: number;
  readonly tlsHandlers: Bun.SocketHandler<SocketConnection | undefined>;
  protoOf(alpn: string | undefined): Proto;
  trafficOf(alpn: string | undefined): Traffic | undefined;
  tlsOptions(): TlsOptions;
  /** The connection is over and its handler knows. */
  forget(connection: SocketConnection): void;
}

/** `securing`: TLS handshake. `ending`: output leaves. `lingering`: our side is closed, the peer's is not. */
type Stage = "new" | "securing" | "open" | "ending" | "lingering" | "closed";

let lastId = 0;

export class SocketConnection implements AcceptedConnection, OutputOwner, WheelEntry {
  readonly id = ++lastId;
  readonly peer: Peer;
  alpn: string | undefined;
  traffic: Traffic | undefined;
  secure = false;
  wheelSlot = 0;

  readonly #host: ConnectionHost;
  readonly #output: OutputQueue;
  #socket: ServerSocket;
  #handler: ConnectionHandler | undefined;
  #stage: Stage = "new";
  #announced = false;
  #upgraded = false;
  #paused = false;
  #resuming = false;
  #inputEnded = false;
  /** Input that came in spite of `pause`: Bun delivers what it had read. */
  #held: Uint8Array[] | undefined;
  #idleMs = 0;
  #lastInputMs = 0;
  /** When the handshake or the goodbye must be over. */
  #deadlineMs = 0;
  #queuedAtDeadline = 0;

  constructor(host: ConnectionHost, socket: ServerSocket, peer: Peer) {
    this.#host = host;
    this.#socket = socket;
    this.peer = peer;
    this.#output = new OutputQueue(socket, this, host.outputMaxBytes);
  }

  get localPort(): number {
    return this.#host.localPort;
  }

  get queuedBytes(): number {
    return this.#output.queuedBytes;
  }

  write(bytes: Uint8Array): void {
    if (this.traffic !== undefined) this.traffic.outBytes += bytes.length;
    this.#output.write(bytes);
  }

  startTls(reply: Uint8Array): void {
    if (this.#stage !== "open" || this.secure) return;
    this.#output.write(reply);
    this.#output.flush();
    this.#held = undefined;
    if (this.#paused) this.#unpauseSocket();
    // RFC 3207 §4: the client waits for the reply. One that does not read it cannot start TLS.
    if (this.#output.queuedBytes > 0) this.destroy();
    else this.secureNow();
  }

  pause(): void {
    if (this.#stage !== "open") return;
    this.#resuming = false;
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused || this.#resuming) return;
    if (this.#held === undefined && !this.#inputEnded) {
      this.#unpauseSocket();
      return;
    }
    // In a turn of its own: the caller may be inside its handler.
    this.#resuming = true;
    queueMicrotask(() => this.#releaseHeld());
  }

  end(): void {
    if (this.#stage !== "open") {
      if (this.#stage === "new" || this.#stage === "securing") this.destroy();
      return;
    }
    this.#stage = "ending";
    this.#held = undefined;
    if (this.#paused) this.#unpauseSocket();
    this.#setDeadline(LINGER_MS);
    this.#output.end();
  }

  destroy(): void {
    if (this.#stage === "closed") return;
    this.#finish();
    this.#socket.terminate();
  }

  setIdleTimeoutMs(ms: number): void {
    this.#idleMs = ms;
    this.#lastInputMs = this.#host.wheel.nowMs();
    if (ms > 0 && this.#stage === "open") this.#host.wheel.add(this, this.#lastInputMs + ms);
  }

  /** Lets the protocol talk: at once in plain, after the handshake in TLS. */
  open(): void {
    this.#stage = "open";
    this.#announced = true;
    this.traffic = this.#host.trafficOf(this.alpn);
    const { id, secure } = this;
    this.#host.log.emit({ kind: "connectionOpened", proto: this.#proto(), connection: id, secure });
    try {
      this.#handler = this.#host.accept(this);
    } catch (error) {
      this.#fault("accept", error);
    }
  }

  /** Starts the server's side of the handshake on the plain socket. */
  secureNow(): void {
    this.#stage = "securing";
    this.#upgraded = true;
    this.#setDeadline(this.#host.handshakeTimeoutMs);
    try {
      const tls = this.#host.tlsOptions();
      const [, secured] = this.#socket.upgradeTLS<SocketConnection | undefined>({
        data: this,
        tls,
        socket: this.#host.tlsHandlers,
      });
      this.#socket = secured;
      this.#output.switchSink(secured);
    } catch (error) {
      this.#fault("startTls", error);
    }
  }

  /** The listener stops. */
  shutdown(): void {
    if (this.#handler === undefined) this.destroy();
    else if (this.#stage === "open") this.#call("shutdown");
  }

  /** The listener stops, and a peer that has all of our words and keeps its side open need not be waited for. */
  leaveLingering(): void {
    if (this.#stage !== "lingering") return;
    this.#finish();
    this.#socket.end();
  }

  /** A socket event counts only for the layer that is on top: the plain one still sees TLS's ciphertext. */
  speaksFor(layer: "plain" | "tls"): boolean {
    return this.#stage !== "closed" && this.#upgraded === (layer === "tls");
  }

  onHandshake(ok: boolean, alpn: string | false | null): void {
    if (this.#stage !== "securing") return;
    if (!ok) {
      this.#host.log.emit({ kind: "tlsFailed", connection: this.id });
      // Not `terminate`: that would take back the alert that tells the peer why.
      this.#stage = "lingering";
      this.#setDeadline(LINGER_MS);
      this.#socket.end();
      return;
    }
    this.secure = true;
    this.#deadlineMs = 0;
    if (typeof alpn === "string" && alpn !== "") this.alpn = alpn;
    if (this.#handler === undefined) {
      this.open();
      return;
    }
    this.#stage = "open";
    this.setIdleTimeoutMs(this.#idleMs);
    this.#call("secured");
  }

  onData(bytes: Uint8Array): void {
    if (this.#stage !== "open") return;
    if (this.traffic !== undefined) this.traffic.inBytes += bytes.length;
    if (this.#idleMs > 0) {
      this.#lastInputMs = this.#host.wheel.nowMs();
      if (this.wheelSlot === 0) this.#host.wheel.add(this, this.#lastInputMs + this.#idleMs);
    }
    if (this.#paused) (this.#held ??= []).push(bytes);
    else this.#deliver(bytes);
  }

  onDrain(): void {
    this.#output.drain();
  }

  /** The peer closed its side. */
  onEnd(): void {
    this.#inputEnded = true;
    if (this.#stage === "lingering" || this.#stage === "securing") this.destroy();
    else if (this.#stage === "open" && !this.#paused) this.#tellInputEnded();
  }

  onClose(): void {
    this.#finish();
  }

  outputDrained(): void {
    if (this.#stage === "open") this.#call("drained");
  }

  outputEnded(): void {
    this.#stage = "lingering";
    this.#setDeadline(LINGER_MS);
    // A full close with unread input would reset the connection and take our last words back.
    if (this.#inputEnded) this.#socket.end();
    else this.#socket.shutdown();
  }

  outputOverflowed(): void {
    const what = "output over the cap";
    this.#host.log.emit({ kind: "protocolError", proto: this.#proto(), connection: this.id, what });
    this.destroy();
  }

  deadlineReached(nowMs: number): number {
    if (this.#stage === "open") return this.#idleDeadline(nowMs);
    if (this.#stage === "closed") return 0;
    if (nowMs < this.#deadlineMs) return this.#deadlineMs;
    if (this.#stage === "ending" && this.queuedBytes < this.#queuedAtDeadline) {
      this.#setDeadline(LINGER_MS);
      return this.#deadlineMs;
    }
    if (this.#stage === "securing") this.#host.log.emit({ kind: "tlsFailed", connection: this.id });
    this.destroy();
    return 0;
  }

  #idleDeadline(nowMs: number): number {
    if (this.#idleMs === 0) return 0;
    // Silence is the server's doing while it takes no input.
    if (this.#paused) return nowMs + this.#idleMs;
    const dueMs = this.#lastInputMs + this.#idleMs;
    if (nowMs < dueMs) return dueMs;
    this.#call("idle");
    return 0;
  }

  #setDeadline(delayMs: number): void {
    this.#deadlineMs = this.#host.wheel.nowMs() + delayMs;
    this.#queuedAtDeadline = this.queuedBytes;
    this.#host.wheel.add(this, this.#deadlineMs);
  }

  #deliver(bytes: Uint8Array): void {
    try {
      this.#handler?.data(bytes);
    } catch (error) {
      this.#fault("data", error);
    }
  }

  #releaseHeld(): void {
    if (!this.#resuming || this.#stage !== "open") return;
    this.#resuming = false;
    const held = this.#held ?? [];
    this.#paused = false;
    let next = held.shift();
    while (next !== undefined) {
      this.#deliver(next);
      // The handler may have paused again, ended or started TLS: the rest waits or is void.
      if (this.#halted()) return;
      next = held.shift();
    }
    this.#held = undefined;
    this.#unpauseSocket();
    if (this.#inputEnded) this.#tellInputEnded();
  }

  #halted(): boolean {
    return this.#paused || this.#stage !== "open";
  }

  #unpauseSocket(): void {
    this.#paused = false;
    this.#lastInputMs = this.#host.wheel.nowMs();
    this.#socket.resume();
  }

  #tellInputEnded(): void {
    if (this.#handler?.inputEnded === undefined) this.end();
    else this.#call("inputEnded");
  }

  #call(method: "drained" | "secured" | "idle" | "shutdown" | "inputEnded"): void {
    try {
      this.#handler?.[method]?.();
    } catch (error) {
      this.#fault(method, error);
    }
  }

  #fault(where: string, error: unknown): void {
    this.#host.log.emit({ kind: "internalFault", where: `net ${where}`, error });
    this.destroy();
  }

  #proto(): Proto {
    return this.#host.protoOf(this.alpn);
  }

  /** Ends the bookkeeping; the handler hears of it when the caller, which may be the handler, is done. */
  #finish(): void {
    if (this.#stage === "closed") return;
    this.#stage = "closed";
    this.#held = undefined;
    this.#output.close();
    this.#host.wheel.remove(this);
    queueMicrotask(() => this.#tellClosed());
  }

  #tellClosed(): void {
    const handler = this.#handler;
    this.#handler = undefined;
    const { log } = this.#host;
    try {
      handler?.closed();
    } catch (error) {
      log.emit({ kind: "internalFault", where: "net closed", error });
    }
    if (this.#announced) log.emit({ kind: "connectionClosed", proto: this.#proto(), connection: this.id });
    this.#host.forget(this);
  }
}
