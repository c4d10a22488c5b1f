/**
 * Allocate (RFC 8656 §7): from the request to an open relay socket and its answer. Sockets open outside; until then the
 * allocation counts in all quotas, and retransmissions of the request are silence.
 */
import type { Action, Front } from "./actions.ts";
import { Allocation } from "./allocation.ts";
import type { Family } from "./ip.ts";
import { LIFETIME_DEFAULT_S, LIFETIME_MAX_S, PORT_TRIES_MAX, RESERVATION_LIFETIME_MS } from "./limits.ts";
import type { RelaySocket } from "./relay-ports.ts";
import { ipOf, type SignedRequest } from "./replies.ts";
import { attributeOf, attributes, readU32, type StunMessage } from "./stun.ts";
import { answer, endAllocation, refuse, type World } from "./world.ts";

const UDP = 17;
const TOKEN_BYTES = 8;
const RESERVE_NEXT = 0x80;

/** An allocation whose sockets are being opened. */
interface Pending<F extends Front> {
  readonly request: SignedRequest<F>;
  readonly allocation: Allocation<F>;
  readonly wish: "any" | "even" | "pair";
  readonly lifetimeS: number;
  triesLeft: number;
  /** The second socket of a pair, once the first is open. */
  second?: RelaySocket;
}

interface Reservation {
  readonly socket: RelaySocket;
  readonly expiresMs: number;
}

export class Allocating<F extends Front> {
  readonly #world: World<F>;
  /** By number of the socket that is awaited. */
  readonly #pending = new Map<number, Pending<F>>();
  /** By token, in order of expiry. */
  readonly #reservations = new Map<string, Reservation>();

  constructor(world: World<F>) {
    this.#world = world;
  }

  /** Whether anything waits for time to pass. */
  get hasReservations(): boolean {
    return this.#reservations.size > 0;
  }

  allocate(request: SignedRequest<F>, nowMs: number): Action<F>[] {
    const world = this.#world;
    const { message, client } = request;
    const { front, address, port } = client;
    const existing = world.table.get(front, address, port);
    if (existing !== undefined) return this.#again(existing, request);
    const wanted = readWishes(message);
    if (wanted.do === "refuse") return refuse(world, request, wanted.status, wanted.unknown);
    const { family, token } = wanted;
    const reserved = token === undefined ? undefined : this.#reservations.get(token);
    if (token !== undefined && (reserved === undefined || reserved.expiresMs <= nowMs)) {
      return refuse(world, request, 508);
    }
    if (world.settings.relayAddresses[reserved?.socket.family ?? family] === undefined) {
      return refuse(world, request, 440);
    }
    const network = world.networkOf(address);
    if (this.#quotaReached(request.username, network)) return refuse(world, request, 486);
    const socket = reserved?.socket ?? world.ports.take(family, world.settings.ports, wanted.wish);
    if (socket === undefined) return refuse(world, request, 508);
    const allocation = new Allocation({
      client,
      username: request.username,
      network,
      relay: socket,
      expiresMs: nowMs + wanted.lifetimeS * 1000,
      bytesPerSecond: world.settings.allocationBytesPerSecond,
      nowMs,
    });
    world.table.add(allocation);
    // What came with the packet is used after it.
    const kept = { ...request, message: copyOf(message) };
    const pending = { request: kept, allocation, triesLeft: PORT_TRIES_MAX, ...wanted };
    if (token !== undefined && reserved !== undefined) {
      this.#reservations.delete(token);
      return this.#finish(pending);
    }
    return this.#bind(pending, socket);
  }

  /** The socket of this number is open. */
  bound(number: number, nowMs: number): Action<F>[] {
    const pending = this.#pending.get(number);
    this.#pending.delete(number);
    if (pending === undefined || !this.#isWanted(pending.allocation)) {
      if (pending !== undefined) this.#dropSecond(pending);
      return [{ do: "unbind", relay: number }, ...this.#unbindFirst(pending, number)];
    }
    if (pending.wish !== "pair") return this.#finish(pending);
    if (pending.second === undefined) {
      pending.second = this.#world.ports.takeNext(pending.allocation.relay);
      return this.#bind(pending, pending.second);
    }
    const token = this.#world.random(TOKEN_BYTES);
    const expiresMs = nowMs + RESERVATION_LIFETIME_MS;
    this.#reservations.set(hex(token), { socket: pending.second, expiresMs });
    return this.#finish(pending, token);
  }

  /** The port of this socket could not be had: another one, some times. */
  bindFailed(number: number): Action<F>[] {
    const pending = this.#pending.get(number);
    if (pending === undefined) return [];
    this.#pending.delete(number);
    const { allocation, request, wish } = pending;
    const actions = this.#unbindFirst(pending, number);
    this.#dropSecond(pending);
    this.#world.ports.free(allocation.relay);
    if (!this.#isWanted(allocation)) return actions;
    const { ports } = this.#world.settings;
    const next =
      --pending.triesLeft > 0 ? this.#world.ports.take(allocation.relay.family, ports, wish) : undefined;
    if (next === undefined) {
      this.#world.table.remove(allocation);
      return [...actions, ...refuse(this.#world, request, 508)];
    }
    allocation.relay = next;
    return [...actions, ...this.#bind(pending, next)];
  }

  tick(nowMs: number): Action<F>[] {
    const actions: Action<F>[] = [];
    for (const [token, { socket, expiresMs }] of this.#reservations) {
      if (expiresMs > nowMs) break;
      this.#reservations.delete(token);
      this.#world.ports.free(socket);
      actions.push({ do: "unbind", relay: socket.number });
    }
    return actions;
  }

  /** RFC 8656 §7.2: the same request again gets the same answer, another one 437. */
  #again(existing: Allocation<F>, request: SignedRequest<F>): Action<F>[] {
    const sent = existing.answer;
    const { transactionId } = request.message;
    const same = (other: Uint8Array) => other.every((byte, i) => byte === transactionId[i]);
    if (sent !== undefined) {
      return same(sent.transactionId) ? [answer(request, sent.bytes)] : refuse(this.#world, request, 437);
    }
    const pending = [...this.#pending.values()].find(({ allocation }) => allocation === existing);
    const isRetransmission = pending !== undefined && same(pending.request.message.transactionId);
    return isRetransmission ? [] : refuse(this.#world, request, 437);
  }

  #quotaReached(username: string, network: string): boolean {
    const { table, settings } = this.#world;
    return (
      table.size >= settings.allocationsMax ||
      table.ofUser(username) >= settings.allocationsPerUserMax ||
      table.ofNetwork(network) >= settings.allocationsPerAddressMax
    );
  }

  #bind(pending: Pending<F>, socket: RelaySocket): Action<F>[] {
    this.#pending.set(socket.number, pending);
    return [{ do: "bind", relay: socket.number, family: socket.family, port: socket.port }];
  }

  #finish({ request, allocation, lifetimeS }: Pending<F>, token?: Uint8Array): Action<F>[] {
    const { settings, owners, replies, counters } = this.#world;
    const { relay, client } = allocation;
    const relayAddress = settings.relayAddresses[relay.family];
    // The operator took the family away while the socket opened.
    if (relayAddress === undefined) {
      return [...endAllocation(this.#world, allocation), ...refuse(this.#world, request, 440)];
    }
    owners.set(relay.number, { socket: relay, allocation });
    counters.allocationsMade++;
    const wantsSecondFamily = attributeOf(request.message, attributes.additionalAddressFamily) !== undefined;
    const bytes = replies.success(request, (writer) => {
      writer.xorAddress(attributes.xorRelayedAddress, ipOf(relayAddress), relay.port);
      writer.u32(attributes.lifetime, lifetimeS);
      if (token !== undefined) writer.attribute(attributes.reservationToken, token);
      // RFC 8656 §7.2: one family an allocation here; the client may ask for the other one by itself.
      if (wantsSecondFamily) writer.attribute(attributes.addressErrorCode, Uint8Array.of(2, 0, 4, 40));
      writer.xorAddress(attributes.xorMappedAddress, ipOf(client.address), client.port);
    });
    allocation.answer = {
      transactionId: request.message.transactionId,
      bytes: Uint8Array.from(bytes),
    };
    return [answer(request, bytes)];
  }

  #isWanted({ client: { front, address, port }, relay }: Allocation<F>): boolean {
    return this.#world.table.get(front, address, port)?.relay === relay;
  }

  /** Of a pair whose second socket was awaited, the first is open already. */
  #unbindFirst(pending: Pending<F> | undefined, awaited: number): Action<F>[] {
    const first = pending?.allocation.relay.number;
    return first === undefined || first === awaited ? [] : [{ do: "unbind", relay: first }];
  }

  #dropSecond(pending: Pending<F>): void {
    if (pending.second !== undefined) this.#world.ports.free(pending.second);
    delete pending.second;
  }
}

type Wishes =
  | {
      do: "allocate";
      family: Family;
      wish: "any" | "even" | "pair";
      lifetimeS: number;
      /** Of a reserved port, hexadecimal. */
      token: string | undefined;
    }
  | { do: "refuse"; status: 400 | 420 | 440 | 442; unknown?: readonly number[] };

/** RFC 8656 §7.2, steps 3 to 9. */
function readWishes(message: StunMessage): Wishes {
  const of = (type: number) => attributeOf(message, type);
  const transport = of(attributes.requestedTransport);
  if (transport?.length !== 4) return { do: "refuse", status: 400 };
  if (transport[0] !== UDP) return { do: "refuse", status: 442 };
  // The runtime can't set the flag; RFC 8656 §7.2 step 4 then treats the attribute as unknown.
  if (of(attributes.dontFragment) !== undefined) {
    return { do: "refuse", status: 420, unknown: [attributes.dontFragment] };
  }
  const evenPort = of(attributes.evenPort);
  const familyValue = of(attributes.requestedAddressFamily);
  const additional = of(attributes.additionalAddressFamily);
  const token = of(attributes.reservationToken);
  const lifetimeS = readLifetime(message);
  if (lifetimeS === undefined || (evenPort !== undefined && evenPort.length !== 1))
    return { do: "refuse", status: 400 };
  const isPair = ((evenPort?.[0] ?? 0) & RESERVE_NEXT) !== 0;
  const excluded = evenPort !== undefined || familyValue !== undefined || additional !== undefined;
  if (token !== undefined && (token.length !== TOKEN_BYTES || excluded)) return { do: "refuse", status: 400 };
  if (additional !== undefined && (familyValue !== undefined || isPair || additional[0] !== 2)) {
    return { do: "refuse", status: 400 };
  }
  const family = readFamily(familyValue);
  if (typeof family !== "number") return family;
  return {
    do: "allocate",
    family,
    wish: isPair ? "pair" : evenPort === undefined ? "any" : "even",
    lifetimeS: Math.max(lifetimeS, LIFETIME_DEFAULT_S),
    token: token === undefined ? undefined : hex(token),
  };
}

/** RFC 8656 §18.8; without the attribute IPv4. */
export function readFamily(value: Uint8Array | undefined): Family | { do: "refuse"; status: 400 | 440 } {
  if (value === undefined) return 4;
  if (value.length !== 4) return { do: "refuse", status: 400 };
  if (value[0] === 1) return 4;
  return value[0] === 2 ? 6 : { do: "refuse", status: 440 };
}

/** Seconds, at most what the server grants. @returns undefined for a malformed attribute */
export function readLifetime(message: StunMessage): number | undefined {
  const value = attributeOf(message, attributes.lifetime);
  if (value === undefined) return LIFETIME_DEFAULT_S;
  return value.length === 4 ? Math.min(readU32(value, 0), LIFETIME_MAX_S) : undefined;
}

/** What outlives the packet: the fields that an answer is made of. */
function copyOf(message: StunMessage): StunMessage {
  return {
    ...message,
    bytes: new Uint8Array(0),
    transactionId: Uint8Array.from(message.transactionId),
    attributes: message.attributes.map(({ type, value }) => ({ type, value: Uint8Array.from(value) })),
  };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
