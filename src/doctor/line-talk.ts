/** A line-by-line conversation with a server on this machine, as the client. What goes wrong is an Error in plain words. */
import { concat, fromUtf8, toUtf8 } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import { dial, type OutgoingSocket } from "../net/outgoing.ts";

const STEP_MAX_MS = 10_000;
const UNREAD_MAX_BYTES = 4 * 1024 * 1024;
const LF = 10;

export interface TalkOptions {
  /** `host:port` as a listener is bound. */
  at: string;
  tls: boolean;
  clock: Clock;
  stop: AbortSignal;
}

export class LineTalk {
  readonly #socket: OutgoingSocket;
  readonly #letGo: () => void;
  #rest: Uint8Array = new Uint8Array(0);

  private constructor(socket: OutgoingSocket, stop: AbortSignal) {
    this.#socket = socket;
    this.#letGo = socket.obey(stop);
  }

  /** @throws {Error} (as a rejection) */
  static async open({ at, tls, clock, stop }: TalkOptions): Promise<LineTalk> {
    const { host, port } = reachable(at);
    const dialled = await dial({ addresses: [host], port, timeoutMs: STEP_MAX_MS, stop, clock });
    if (!dialled.ok) throw new Error(dialled.why);
    const talk = new LineTalk(dialled.socket, stop);
    if (!tls) return talk;
    // It is this machine: whether others trust the certificate is another check.
    const why = await dialled.socket.secure({ serverName: "", verify: false }, STEP_MAX_MS);
    if (why === undefined) return talk;
    talk.close();
    throw new Error(why);
  }

  write(text: string | Uint8Array): void {
    this.#socket.write(typeof text === "string" ? fromUtf8(text) : text);
  }

  /** The next line without its end. @throws {Error} when none comes (as a rejection) */
  async line(timeoutMs = STEP_MAX_MS): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf(LF);
      if (end >= 0) return toUtf8(this.#take(end + 1)).replace(/\r?\n$/, "");
      await this.#more(timeoutMs);
    }
  }

  /** @throws {Error} when they don't come (as a rejection) */
  async bytes(count: number): Promise<Uint8Array> {
    while (this.#rest.length < count) await this.#more(STEP_MAX_MS);
    return this.#take(count);
  }

  close(): void {
    this.#letGo();
    this.#socket.destroy();
  }

  #take(count: number): Uint8Array {
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }

  async #more(timeoutMs: number): Promise<void> {
    if (this.#rest.length > UNREAD_MAX_BYTES) throw new Error("the answer has no end");
    const incoming = await this.#socket.read(timeoutMs);
    if (incoming.kind === "end") throw new Error("the server hung up");
    if (incoming.kind === "failed")
      throw new Error(incoming.why === "timed out" ? "no answer in time" : incoming.why);
    this.#rest = concat([this.#rest, incoming.bytes]);
  }
}

/** Where this machine reaches its own listener. */
export function reachable(at: string): { host: string; port: number } {
  const colon = at.lastIndexOf(":");
  const host = at.slice(0, colon).replace(/^\[|\]$/g, "");
  const port = Number(at.slice(colon + 1));
  if (host === "0.0.0.0") return { host: "127.0.0.1", port };
  return { host: host === "::" ? "::1" : host, port };
}
