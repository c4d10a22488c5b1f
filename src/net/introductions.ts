/**
 * Connections that this process makes to its own listeners for somebody outside: the listener is told who that is,
 * so that limits, throttles and policies see the real peer, never the loopback address.
 *
 * Invariants
 * - While a dial is under way, a connection from the dialled address waits until it is known whose it is; nobody else
 *   ever waits.
 * - An introduction is used once, and forgotten when its dial is over.
 */
import type { Peer } from "./connection.ts";

/** One dial, from before the connect to the end. */
export interface Dial {
  /** Connected: the listener may know now. @param sourcePort of the connecting side */
  announce(sourcePort: number): void;
  /** Failed or over. Harmless when repeated. */
  retract(): void;
}

interface Waiter {
  host: string;
  port: number;
  tell: (peer: Peer | undefined) => void;
}

export class Introductions {
  /** By dialled address: that is the source address too, since both ends are this machine. */
  readonly #underWay = new Map<string, number>();
  readonly #known = new Map<string, Peer>();
  #waiters: Waiter[] = [];

  /** Call it before connecting to `host`, an IP address of this machine. */
  dial(host: string, peer: Peer): Dial {
    this.#underWay.set(host, (this.#underWay.get(host) ?? 0) + 1);
    let key: string | undefined;
    let pending = true;
    const settle = () => {
      if (!pending) return;
      pending = false;
      const left = (this.#underWay.get(host) ?? 1) - 1;
      if (left > 0) this.#underWay.set(host, left);
      else this.#underWay.delete(host);
      this.#tellWaiters();
    };
    return {
      announce: (sourcePort) => {
        key = keyOf(host, sourcePort);
        this.#known.set(key, peer);
        settle();
      },
      retract: () => {
        if (key !== undefined && this.#known.get(key) === peer) this.#known.delete(key);
        settle();
      },
    };
  }

  /** Whether a connection from `host` may be one of ours: then ask `whose`. */
  expects(host: string): boolean {
    return this.#underWay.has(host) || this.#known.size > 0;
  }

  /** Tells for whom a connection from `host` and `port` was made, now or soon; undefined: for nobody, take it as it is. */
  whose(host: string, port: number, tell: (peer: Peer | undefined) => void): void {
    const peer = this.#take(host, port);
    if (peer !== undefined || !this.#underWay.has(host)) tell(peer);
    else this.#waiters.push({ host, port, tell });
  }

  #take(host: string, port: number): Peer | undefined {
    const key = keyOf(host, port);
    const peer = this.#known.get(key);
    this.#known.delete(key);
    return peer;
  }

  #tellWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { host, port, tell } of waiters) this.whose(host, port, tell);
  }
}

function keyOf(host: string, port: number): string {
  return `${host} ${port}`;
}
