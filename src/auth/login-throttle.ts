/**
 * Counts failed logins per peer, as a bucket that leaks: so many per minute in the long run, that many at once.
 * Peers are IPv4 addresses and IPv6 /64 networks (one customer's, RFC 6177). They are kept in RAM only, and only until
 * their bucket is empty.
 */
import type { Clock } from "../core/clock.ts";

const MINUTE_MS = 60_000;
/** When more peers than this fail at once, the one that failed longest ago is forgotten. */
const PEERS_MAX = 10_000;

interface Bucket {
  level: number;
  atMs: number;
}

export class LoginThrottle {
  readonly #clock: Clock;
  readonly #perMinute: () => number;
  readonly #peersMax: number;
  /** In the order of the last failure. */
  readonly #buckets = new Map<string, Bucket>();
  #sweeping = false;

  constructor(clock: Clock, perMinute: () => number, peersMax = PEERS_MAX) {
    this.#clock = clock;
    this.#perMinute = perMinute;
    this.#peersMax = peersMax;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** True while the peer has failed too often: verify nothing new for it. */
  isOver(peerAddress: string): boolean {
    // Most of the time nobody fails, and nothing is computed.
    if (this.#buckets.size === 0) return false;
    const bucket = this.#buckets.get(peerNetwork(peerAddress));
    // Above "limit minus one" the next failure would not fit any more.
    return bucket !== undefined && this.#levelOf(bucket) > this.#perMinute() - 1;
  }

  failed(peerAddress: string): void {
    const peer = peerNetwork(peerAddress);
    const known = this.#buckets.get(peer);
    const level = known === undefined ? 0 : this.#levelOf(known);
    this.#buckets.delete(peer);
    if (this.#buckets.size >= this.#peersMax) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    // Never above the limit: who stops failing waits a minute at most, however long it went on.
    const next = Math.min(level + 1, this.#perMinute());
    this.#buckets.set(peer, { level: next, atMs: this.#clock.monotonicMs() });
    this.#scheduleSweep();
  }

  /** Forgets a peer's failures: only where one success proves all, as with an operator's token. */
  succeeded(peerAddress: string): void {
    this.#buckets.delete(peerNetwork(peerAddress));
  }

  #levelOf(bucket: Bucket): number {
    const leakedPerMs = this.#perMinute() / MINUTE_MS;
    return Math.max(0, bucket.level - (this.#clock.monotonicMs() - bucket.atMs) * leakedPerMs);
  }

  #scheduleSweep(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    this.#clock.after(MINUTE_MS, () => {
      this.#sweeping = false;
      for (const [peer, bucket] of this.#buckets) {
        if (this.#levelOf(bucket) === 0) this.#buckets.delete(peer);
      }
      if (this.#buckets.size > 0) this.#scheduleSweep();
    });
  }
}

/** An IPv4 address, or the first 64 bits of an IPv6 address. IPv4-mapped addresses are IPv4. */
export function peerNetwork(address: string): string {
  const lower = address.toLowerCase();
  if (!lower.includes(":")) return lower;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(lower);
  if (mapped?.[1] !== undefined) return mapped[1];
  const [head = "", tail] = (lower.split("%")[0] ?? "").split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const after = tail === "" ? [] : tail.split(":");
    while (groups.length + after.length < 8) groups.push("0");
    groups.push(...after);
  }
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":");
}
