/**
 * The ports of relayed addresses: which are in use or reserved, and which to take next. Ports are drawn at random, so
 * that nobody can tell the next one (RFC 6056 §3.3.1).
 */
import type { TurnSettings } from "./actions.ts";
import type { Family } from "./ip.ts";
import { readU16 } from "./stun.ts";

/** Draws before the range counts as full; a range with one free port in eight is then missed once in 5,000 times. */
const DRAWS_MAX = 64;

export interface RelaySocket {
  /** Counts up; never used again. */
  readonly number: number;
  readonly family: Family;
  readonly port: number;
}

export class RelayPorts {
  readonly #random: (bytes: number) => Uint8Array;
  readonly #used: Record<Family, Map<number, RelaySocket>> = { 4: new Map(), 6: new Map() };
  #lastNumber = 0;

  constructor(random: (bytes: number) => Uint8Array) {
    this.#random = random;
  }

  /**
   * Takes a free port.
   * @param wish an even port, or an even port with the next one free as well (RFC 8656 §18.6)
   */
  take(family: Family, ports: TurnSettings["ports"], wish: "any" | "even" | "pair"): RelaySocket | undefined {
    const count = ports.max - ports.min + 1;
    for (let i = 0; i < DRAWS_MAX; i++) {
      const drawn = ports.min + Math.floor((readU16(this.#random(2), 0) * count) / 0x10000);
      const port = wish === "any" ? drawn : drawn & ~1;
      const last = wish === "pair" ? port + 1 : port;
      if (port < ports.min || last > ports.max || this.#used[family].has(port)) continue;
      if (wish === "pair" && this.#used[family].has(last)) continue;
      return this.#use(family, port);
    }
    return undefined;
  }

  /** Takes the port above; its emptiness was seen by `take`. */
  takeNext({ family, port }: RelaySocket): RelaySocket {
    return this.#use(family, port + 1);
  }

  free(socket: RelaySocket): void {
    if (this.#used[socket.family].get(socket.port) === socket) this.#used[socket.family].delete(socket.port);
  }

  at(family: Family, port: number): RelaySocket | undefined {
    return this.#used[family].get(port);
  }

  #use(family: Family, port: number): RelaySocket {
    const socket = { number: ++this.#lastNumber, family, port };
    this.#used[family].set(port, socket);
    return socket;
  }
}
