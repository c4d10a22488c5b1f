/**
 * How many connections there may be, in total and from one address. Running out of file descriptors makes the
 * accept loop spin, so the surplus is closed at once. One instance is shared by all listeners.
 */

export type LimitVerdict = "ok" | "tooMany" | "tooManyFromPeer";

export interface ConnectionLimitOptions {
  /** Connections of all listeners together. */
  readonly total: number;
  /** Connections from one IPv4 address or one IPv6 /64. */
  readonly perAddress: number;
}

export class ConnectionLimits {
  readonly #options: ConnectionLimitOptions;
  /** Holds an entry only while its address has connections. */
  readonly #perAddress = new Map<string, number>();
  #total = 0;

  constructor(options: ConnectionLimitOptions) {
    this.#options = options;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#total;
  }

  /** Addresses (of IPv6: /64 networks) that have connections open now. */
  get addresses(): number {
    return this.#perAddress.size;
  }

  /** Counts a new connection, unless a limit is reached. Each "ok" needs one `release`. */
  take(address: string): LimitVerdict {
    if (this.#total >= this.#options.total) return "tooMany";
    const key = networkOf(address);
    const count = this.#perAddress.get(key) ?? 0;
    if (count >= this.#options.perAddress) return "tooManyFromPeer";
    this.#perAddress.set(key, count + 1);
    this.#total++;
    return "ok";
  }

  release(address: string): void {
    const key = networkOf(address);
    const count = this.#perAddress.get(key);
    if (count === undefined) throw new Error("release without take");
    if (count === 1) this.#perAddress.delete(key);
    else this.#perAddress.set(key, count - 1);
    this.#total--;
  }
}

/** `::ffff:192.0.2.1`, as a dual-stack listener shows IPv4 peers, is `192.0.2.1`; a zone index is dropped. */
export function normaliseAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  const zone = address.indexOf("%");
  return zone < 0 ? address : address.slice(0, zone);
}

/**
 * What counts as one peer: an IPv4 address, or the /64 of an IPv6 address, which is what one customer gets.
 * @param address as `normaliseAddress` gives it
 */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const [front = "", back] = address.split("::");
  const groups = front === "" ? [] : front.split(":");
  if (back !== undefined) {
    const tail = back === "" ? [] : back.split(":");
    // An embedded IPv4 tail stands for two groups.
    const tailGroups = tail.length + (back.includes(".") ? 1 : 0);
    while (groups.length + tailGroups < 8) groups.push("0");
    groups.push(...tail);
  }
  return groups
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ""))
    .join(":");
}
