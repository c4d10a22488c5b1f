/**
 * Plays talks over a real connection, such as to the built binary. Certificates are not checked.
 * A server's clock cannot be moved from here, nor its fakes asked: `canPlayOverSocket` tells which talks need that.
 */
import net from "node:net";
import tls from "node:tls";
import { concat, EMPTY } from "../../src/core/bytes.ts";
import type { TalkTarget } from "./play.ts";
import type { Directive, Talk } from "./talk.ts";

/** How long an expected answer may take. */
const ANSWER_TIMEOUT_MS = 10_000;

export interface SocketAddress {
  host: string;
  port: number;
  /** True for TLS from the first byte. */
  secure: boolean;
}

/** True when the talk neither moves the clock nor has events in mid-talk. */
export function canPlayOverSocket(talk: Talk): boolean {
  return talk.steps.every((step) => step.do !== "advance" && step.do !== "event");
}

/** Connects. @throws {Error} when the server cannot be reached (as a rejection) */
export async function openSocketTarget(address: SocketAddress): Promise<TalkTarget> {
  const { host, port } = address;
  const socket = address.secure
    ? tls.connect({ host, port, rejectUnauthorized: false })
    : net.connect({ host, port });
  const ready = Promise.withResolvers<void>();
  socket.once(address.secure ? "secureConnect" : "connect", () => ready.resolve());
  socket.once("error", (error) => ready.reject(error));
  const target = new SocketTarget(socket);
  await ready.promise;
  return target;
}

class SocketTarget implements TalkTarget {
  #socket: net.Socket;
  #received: Uint8Array[] = [];
  #wake: (() => void) | undefined;
  closed = false;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    this.#listen(socket);
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(new Uint8Array(bytes));
  }

  output(): Uint8Array {
    const all = this.#received.length === 0 ? EMPTY : concat(this.#received);
    this.#received = [all];
    return all;
  }

  advance(): void {
    throw new Error("the clock of a server behind a socket cannot be moved");
  }

  event({ name }: Directive): void {
    throw new Error(`not over a socket: @ ${name}`);
  }

  async secure(): Promise<void> {
    const plain = this.#socket;
    plain.removeAllListeners("data");
    const secured = tls.connect({ socket: plain, rejectUnauthorized: false });
    this.#socket = secured;
    this.#listen(secured);
    const ready = Promise.withResolvers<void>();
    secured.once("secureConnect", () => ready.resolve());
    secured.once("close", () => ready.reject(new Error("the TLS handshake failed")));
    await ready.promise;
  }

  /** Cannot be known here; `awaitOutput` does the waiting. */
  settle(): Promise<void> {
    return Promise.resolve();
  }

  awaitOutput(): Promise<void> {
    if (this.closed) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ANSWER_TIMEOUT_MS);
    this.#wake = () => {
      clearTimeout(timer);
      resolve();
    };
    return promise;
  }

  dispose(): void {
    this.#socket.destroy();
  }

  #listen(socket: net.Socket): void {
    socket.on("data", (bytes: Buffer) => {
      this.#received.push(new Uint8Array(bytes));
      this.#wake?.();
    });
    const over = (): void => {
      this.closed = true;
      this.#wake?.();
    };
    // A reset is a hang-up too: a server may leave input of ours unread.
    socket.on("error", over);
    socket.on("end", over);
    socket.on("close", over);
  }
}
