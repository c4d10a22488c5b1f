/** Where clients come in, as the engine's host sees them: a UDP socket for many, or one TCP connection each. */
import type { Connection, ConnectionHandler } from "../net/connection.ts";
import type { Front } from "./engine/actions.ts";
import { FrameReader } from "./engine/frames.ts";
import { DATAGRAM_MAX_BYTES } from "./engine/limits.ts";

/** Of a stream without an allocation: requests are small. */
const FRAME_UNKNOWN_MAX_BYTES = 2048;
const FRAME_MAX_BYTES = DATAGRAM_MAX_BYTES + 64;
/** More than this waiting for a client that reads slowly, and data is dropped as on a full line. */
const QUEUE_MAX_BYTES = 256 * 1024;
/** A connection without an allocation may be silent this long. */
const IDLE_TIMEOUT_MS = 60_000;

export type UdpSocket = Bun.udp.Socket<"buffer">;

/** What fronts report to. */
export interface FrontHost {
  fromClient(front: TurnFront, address: string, port: number, bytes: Uint8Array): void;
  frontClosed(front: TurnFront): void;
  hasAllocation(front: TurnFront): boolean;
  /** A packet that the system or a slow client did not take. */
  lost(): void;
}

export type TurnFront = UdpFront | TcpFront;

export class UdpFront implements Front {
  readonly reliable = false;
  readonly #host: FrontHost;
  #socket: UdpSocket | undefined;

  constructor(host: FrontHost) {
    this.#host = host;
  }

  open(socket: UdpSocket): void {
    this.#socket = socket;
  }

  send(bytes: Uint8Array, address: string, port: number): void {
    if (this.#socket === undefined || !sendTo(this.#socket, bytes, address, port)) this.#host.lost();
  }

  deliver(bytes: Uint8Array, address: string, port: number): void {
    this.send(bytes, address, port);
  }
}

export class TcpFront implements Front, ConnectionHandler {
  readonly reliable = true;
  readonly #host: FrontHost;
  readonly #connection: Connection;
  readonly #frames = new FrameReader();

  constructor(host: FrontHost, connection: Connection) {
    this.#host = host;
    this.#connection = connection;
    connection.setIdleTimeoutMs(IDLE_TIMEOUT_MS);
  }

  /** The connection keeps what is written; the engine's bytes are only lent. */
  send(bytes: Uint8Array): void {
    this.#connection.write(Uint8Array.from(bytes));
  }

  deliver(bytes: Uint8Array): void {
    if (this.#connection.queuedBytes > QUEUE_MAX_BYTES) this.#host.lost();
    else this.send(bytes);
  }

  end(): void {
    this.#connection.end();
  }

  data(bytes: Uint8Array): void {
    const { address, port } = this.#connection.peer;
    const maxBytes = this.#host.hasAllocation(this) ? FRAME_MAX_BYTES : FRAME_UNKNOWN_MAX_BYTES;
    const frames = this.#frames.push(bytes, maxBytes);
    if (frames === undefined) this.#connection.destroy();
    else for (const frame of frames) this.#host.fromClient(this, address, port, frame);
  }

  idle(): void {
    if (this.#host.hasAllocation(this)) this.#connection.setIdleTimeoutMs(IDLE_TIMEOUT_MS);
    else this.#connection.end();
  }

  drained(): void {
    // What a slow client missed is gone, as on any line.
  }

  secured(): void {
    // Implicit TLS is up before the front is made.
  }

  shutdown(): void {
    this.#connection.end();
  }

  closed(): void {
    this.#host.frontClosed(this);
  }
}

/** @returns whether the system took it; never throws, whatever an ICMP message or a full queue reports */
export function sendTo(socket: UdpSocket, bytes: Uint8Array, address: string, port: number): boolean {
  try {
    return socket.send(bytes, port, address);
  } catch {
    // ECONNREFUSED of an earlier packet, ENETUNREACH, EPERM of a firewall: a lost packet, no more.
    return false;
  }
}
