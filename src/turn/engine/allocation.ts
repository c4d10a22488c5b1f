/**
 * One allocation with its permissions and channels (RFC 8656 §5, §9, §12), and the table that finds it by client.
 * Expired entries count as absent from the moment they expire; `purge` only frees their memory.
 */
import type { Client, Front } from "./actions.ts";
import { CHANNEL_LIFETIME_MS, CHANNELS_MAX, PERMISSION_LIFETIME_MS, PERMISSIONS_MAX } from "./limits.ts";
import { ByteBucket } from "./rate.ts";
import type { RelaySocket } from "./relay-ports.ts";

export interface Channel {
  readonly number: number;
  readonly address: string;
  readonly port: number;
  expiresMs: number;
}

interface Permission {
  expiresMs: number;
  /** By port of the peer. */
  readonly channels: Map<number, Channel>;
}

export interface AllocationParts<F extends Front> {
  client: Client<F>;
  username: string;
  /** What counts as one address in quotas. */
  network: string;
  relay: RelaySocket;
  expiresMs: number;
  bytesPerSecond: number;
  nowMs: number;
}

export class Allocation<F extends Front> {
  readonly client: Client<F>;
  readonly username: string;
  readonly network: string;
  readonly bucket: ByteBucket;
  relay: RelaySocket;
  expiresMs: number;
  /** The answer to the Allocate, for its retransmissions; undefined until the relay socket is open. */
  answer: { readonly transactionId: Uint8Array; readonly bytes: Uint8Array } | undefined;
  readonly #permissions = new Map<string, Permission>();
  readonly #channels = new Map<number, Channel>();

  constructor(parts: AllocationParts<F>) {
    this.client = parts.client;
    this.username = parts.username;
    this.network = parts.network;
    this.relay = parts.relay;
    this.expiresMs = parts.expiresMs;
    this.bucket = new ByteBucket(parts.bytesPerSecond, parts.nowMs);
  }

  /** The live permission of a peer. */
  permission(address: string, nowMs: number): Permission | undefined {
    const found = this.#permissions.get(address);
    return found !== undefined && found.expiresMs > nowMs ? found : undefined;
  }

  /** The live channel of a number. */
  channel(number: number, nowMs: number): Channel | undefined {
    const found = this.#channels.get(number);
    return found !== undefined && found.expiresMs > nowMs ? found : undefined;
  }

  /** Whether so many peers fit in, those included that have a permission already. */
  hasRoomFor(addresses: readonly string[], nowMs: number): boolean {
    this.purge(nowMs);
    const fresh = new Set(addresses.filter((address) => !this.#permissions.has(address)));
    return this.#permissions.size + fresh.size <= PERMISSIONS_MAX;
  }

  /** Installs or refreshes. The caller asked `hasRoomFor`. */
  permit(address: string, nowMs: number): void {
    const expiresMs = nowMs + PERMISSION_LIFETIME_MS;
    const found = this.#permissions.get(address);
    if (found === undefined) this.#permissions.set(address, { expiresMs, channels: new Map() });
    else found.expiresMs = expiresMs;
  }

  /**
   * Binds or refreshes a channel, permission included (RFC 8656 §12.2). The caller asked `hasRoomFor`.
   * @returns "taken" when the number has another peer or the peer another number, "full" beyond the most channels
   */
  bindChannel(number: number, address: string, port: number, nowMs: number): "ok" | "taken" | "full" {
    const byNumber = this.channel(number, nowMs);
    const byPeer = this.#permissions.get(address)?.channels.get(port);
    const livePeer = byPeer !== undefined && byPeer.expiresMs > nowMs ? byPeer : undefined;
    if (byNumber !== livePeer) return "taken";
    if (byNumber === undefined && this.#channels.size >= CHANNELS_MAX) return "full";
    this.permit(address, nowMs);
    const expiresMs = nowMs + CHANNEL_LIFETIME_MS;
    if (byNumber !== undefined) {
      byNumber.expiresMs = expiresMs;
      return "ok";
    }
    const channel = { number, address, port, expiresMs };
    this.#channels.set(number, channel);
    this.#permissions.get(address)?.channels.set(port, channel);
    return "ok";
  }

  /** Forgets what has expired. A permission stays as long as a channel hangs on it; it lets nothing through. */
  purge(nowMs: number): void {
    for (const channel of this.#channels.values()) {
      if (channel.expiresMs > nowMs) continue;
      this.#channels.delete(channel.number);
      this.#permissions.get(channel.address)?.channels.delete(channel.port);
    }
    for (const [address, { expiresMs, channels }] of this.#permissions) {
      if (expiresMs <= nowMs && channels.size === 0) this.#permissions.delete(address);
    }
  }
}

/** Allocations by 5-tuple: the front stands for transport and server address. No key is built per packet. */
export class AllocationTable<F extends Front> {
  readonly #fronts = new Map<F, Map<string, Map<number, Allocation<F>>>>();
  readonly #perUser = new Map<string, number>();
  readonly #perNetwork = new Map<string, number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(front: F, address: string, port: number): Allocation<F> | undefined {
    return this.#fronts.get(front)?.get(address)?.get(port);
  }

  hasAny(front: F): boolean {
    return this.#fronts.has(front);
  }

  ofUser(username: string): number {
    return this.#perUser.get(username) ?? 0;
  }

  ofNetwork(network: string): number {
    return this.#perNetwork.get(network) ?? 0;
  }

  add(allocation: Allocation<F>): void {
    const { front, address, port } = allocation.client;
    const byAddress = this.#fronts.get(front) ?? new Map<string, Map<number, Allocation<F>>>();
    const byPort = byAddress.get(address) ?? new Map<number, Allocation<F>>();
    this.#fronts.set(front, byAddress.set(address, byPort.set(port, allocation)));
    this.#size++;
    count(this.#perUser, allocation.username, 1);
    count(this.#perNetwork, allocation.network, 1);
  }

  remove(allocation: Allocation<F>): void {
    const { front, address, port } = allocation.client;
    const byAddress = this.#fronts.get(front);
    const byPort = byAddress?.get(address);
    if (byPort?.delete(port) !== true) return;
    if (byPort.size === 0) byAddress?.delete(address);
    if (byAddress?.size === 0) this.#fronts.delete(front);
    this.#size--;
    count(this.#perUser, allocation.username, -1);
    count(this.#perNetwork, allocation.network, -1);
  }

  /** Of one front. */
  at(front: F): Allocation<F>[] {
    return [...(this.#fronts.get(front)?.values() ?? [])].flatMap((byPort) => [...byPort.values()]);
  }

  all(): Allocation<F>[] {
    return [...this.#fronts.keys()].flatMap((front) => this.at(front));
  }
}

/** An entry goes with its last allocation. */
function count(counts: Map<string, number>, key: string, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next > 0) counts.set(key, next);
  else counts.delete(key);
}
