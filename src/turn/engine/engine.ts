/**
 * TURN and STUN (RFC 8656, RFC 8489): a packet and the time in, actions out. No socket, no clock, no randomness of its
 * own. Data goes through without hashing and without a copy but for the four bytes in front.
 * Invariants: nothing is kept for senders that have not signed; an indication is never answered; a fault of a socket
 * ends nothing; only the owner's signed request or time ends an allocation.
 */
import type { Action, Client, DropReason, Front, TurnCounters, TurnSettings, UserBook } from "./actions.ts";
import { newCounters } from "./actions.ts";
import { Access } from "./access.ts";
import { Allocating } from "./allocate.ts";
import { type Allocation, AllocationTable } from "./allocation.ts";
import { formatIp } from "./ip.ts";
import { CHANNEL_MIN, CREDENTIALS_GRACE_S, DATAGRAM_MAX_BYTES } from "./limits.ts";
import { AnswerAllowance, ByteBucket } from "./rate.ts";
import { RelayPorts } from "./relay-ports.ts";
import { ipOf, Replies, type SignedRequest, type Status } from "./replies.ts";
import { channelBind, createPermission, refresh } from "./requests.ts";
import {
  attributeOf,
  attributes,
  fingerprintHolds,
  looksLikeStun,
  methods,
  parseStun,
  readU16,
  readU32,
  readXorAddress,
  type StunCrypto,
  type StunMessage,
  StunWriter,
  writeU16,
} from "./stun.ts";
import { countRefusal, endAllocation, refuse, type World } from "./world.ts";

const CHANNEL_HEADER_BYTES = 4;
const TRANSACTION_ID_BYTES = 12;
const SECRET_BYTES = 32;

export interface EngineParts {
  readonly crypto: StunCrypto;
  readonly users: UserBook;
  /** Unpredictable bytes. */
  readonly random: (bytes: number) => Uint8Array;
  /** What counts as one sender: of IPv6 a network. */
  readonly networkOf: (address: string) => string;
  readonly settings: TurnSettings;
  /** Monotonic milliseconds, as in every other call. */
  readonly nowMs: number;
}

export class TurnEngine<F extends Front> {
  readonly #world: World<F>;
  readonly #crypto: StunCrypto;
  readonly #access: Access;
  readonly #allocating: Allocating<F>;
  readonly #writer: StunWriter;
  readonly #allowance: AnswerAllowance;
  readonly #total: ByteBucket;
  /** ChannelData to clients is put together here. */
  readonly #scratch = new Uint8Array(CHANNEL_HEADER_BYTES + DATAGRAM_MAX_BYTES + CHANNEL_HEADER_BYTES);

  constructor({ crypto, users, random, networkOf, settings, nowMs }: EngineParts) {
    this.#crypto = crypto;
    this.#writer = new StunWriter(crypto);
    this.#world = {
      settings,
      table: new AllocationTable(),
      ports: new RelayPorts(random),
      replies: new Replies(this.#writer),
      counters: newCounters(),
      random,
      networkOf,
      owners: new Map(),
    };
    this.#access = new Access(crypto, users, random(SECRET_BYTES));
    this.#allocating = new Allocating(this.#world);
    this.#allowance = new AnswerAllowance(readU32(random(4), 0));
    this.#total = new ByteBucket(settings.totalBytesPerSecond, nowMs);
  }

  get counters(): TurnCounters {
    return this.#world.counters;
  }

  /** Allocations, those included whose sockets are being opened. */
  get allocations(): number {
    return this.#world.table.size;
  }

  /** Whether nothing waits for `tick`. */
  get isIdle(): boolean {
    return this.#world.table.size === 0 && !this.#allocating.hasReservations;
  }

  /** Holds for new packets; allocations keep their sockets. */
  configure(settings: TurnSettings): void {
    this.#world.settings = settings;
    this.#total.configure(settings.totalBytesPerSecond);
    for (const { bucket } of this.#world.table.all()) bucket.configure(settings.allocationBytesPerSecond);
  }

  hasAllocation(front: F): boolean {
    return this.#world.table.hasAny(front);
  }

  /**
   * A datagram, or a frame of a stream.
   * @param address canonical text
   * @param bytes borrowed; so are those of the actions
   */
  fromClient(front: F, address: string, port: number, bytes: Uint8Array, nowMs: number): Action<F>[] {
    const first = bytes[0] ?? 0xff;
    if (first >= CHANNEL_MIN >> 8 && first < 0x80)
      return this.#channelData(front, address, port, bytes, nowMs);
    const message = looksLikeStun(first) ? parseStun(bytes) : undefined;
    if (message === undefined || !fingerprintHolds(message, this.#crypto)) return this.#drop("malformed");
    if (message.class === "indication") {
      return message.method === methods.send ? this.#send(front, address, port, message, nowMs) : [];
    }
    if (message.class !== "request") return this.#drop("malformed");
    return this.#request({ front, address, port }, message, nowMs);
  }

  /**
   * A datagram that came to a relay socket.
   * @param address canonical text
   */
  fromPeer(relay: number, address: string, port: number, bytes: Uint8Array, nowMs: number): Action<F>[] {
    const allocation = this.#world.owners.get(relay)?.allocation;
    if (allocation === undefined || allocation.expiresMs <= nowMs) return this.#drop("noAllocation");
    return this.#toClient(allocation, address, port, bytes, nowMs);
  }

  /** The socket that a `bind` asked for is open. */
  bound(relay: number, nowMs: number): Action<F>[] {
    return this.#allocating.bound(relay, nowMs);
  }

  /** Its port is taken, or there are no sockets left. */
  bindFailed(relay: number): Action<F>[] {
    return this.#allocating.bindFailed(relay);
  }

  /** A TCP connection is over, and with it what was allocated over it. */
  frontClosed(front: F): Action<F>[] {
    return this.#world.table.at(front).flatMap((allocation) => endAllocation(this.#world, allocation));
  }

  /** Ends what has expired. Everything expires on time without it; it frees sockets and memory. */
  tick(nowMs: number): Action<F>[] {
    const actions = this.#allocating.tick(nowMs);
    for (const allocation of this.#world.table.all()) {
      if (allocation.expiresMs > nowMs) {
        allocation.purge(nowMs);
        continue;
      }
      actions.push(...endAllocation(this.#world, allocation));
      const { front } = allocation.client;
      if (front.reliable) actions.push({ do: "hangUp", front });
    }
    return actions;
  }

  #request(client: Client<F>, message: StunMessage, nowMs: number): Action<F>[] {
    const { method } = message;
    if (method === methods.binding) return this.#binding(client, message, nowMs);
    if (!(method === methods.allocate || allocated.has(method))) return this.#drop("malformed");
    const { realm } = this.#world.settings;
    const grace = method === methods.allocate ? 0 : CREDENTIALS_GRACE_S;
    const verdict = this.#access.judge(message, realm, client.address, grace, nowMs);
    if (verdict.do === "refuse") {
      const nonce = verdict.challenge ? this.#access.nonce(client.address, nowMs) : "";
      const challenge = verdict.challenge ? { realm, nonce } : undefined;
      return this.#unproven(client, message, this.#unsigned(message, verdict.status, challenge), nowMs);
    }
    const request: SignedRequest<F> = { message, client, username: verdict.username, key: verdict.key };
    if (message.unknown.length > 0) return refuse(this.#world, request, 420, message.unknown);
    return method === methods.allocate
      ? this.#allocate(request, nowMs)
      : this.#aboutAllocation(request, nowMs);
  }

  #allocate(request: SignedRequest<F>, nowMs: number): Action<F>[] {
    const { front, address, port } = request.client;
    const existing = this.#world.table.get(front, address, port);
    const expired = existing !== undefined && existing.answer !== undefined && existing.expiresMs <= nowMs;
    const ended = expired ? endAllocation(this.#world, existing) : [];
    return [...ended, ...this.#allocating.allocate(request, nowMs)];
  }

  #aboutAllocation(request: SignedRequest<F>, nowMs: number): Action<F>[] {
    const { client, message } = request;
    const allocation = this.#find(client.front, client.address, client.port, nowMs);
    if (allocation === undefined) return refuse(this.#world, request, 437);
    if (allocation.username !== request.username) return refuse(this.#world, request, 441);
    const handle = allocated.get(message.method);
    return handle === undefined ? [] : handle(this.#world, allocation, request, nowMs);
  }

  #binding(client: Client<F>, message: StunMessage, nowMs: number): Action<F>[] {
    this.#world.counters.bindings++;
    const bytes =
      message.unknown.length > 0
        ? this.#unsigned(message, 420)
        : this.#world.replies.binding(message, client.address, client.port);
    return this.#unproven(client, message, bytes, nowMs);
  }

  #unsigned(message: StunMessage, status: Status, challenge?: { realm: string; nonce: string }): Uint8Array {
    countRefusal(this.#world, status);
    return this.#world.replies.unsigned(message, status, challenge);
  }

  /** An answer that a forged sender would turn on somebody else; see `AnswerAllowance`. */
  #unproven(
    client: Client<F>,
    { bytes: request }: StunMessage,
    bytes: Uint8Array,
    nowMs: number,
  ): Action<F>[] {
    const { front, address, port } = client;
    const excess = bytes.length - request.length;
    const isProven = front.reliable || this.#world.table.get(front, address, port) !== undefined;
    if (!isProven && !this.#allowance.take(this.#world.networkOf(address), excess, nowMs)) {
      return this.#drop("unprovenSource");
    }
    return [{ do: "answer", to: client, bytes }];
  }

  #find(front: F, address: string, port: number, nowMs: number): Allocation<F> | undefined {
    const found = this.#world.table.get(front, address, port);
    return found?.answer !== undefined && found.expiresMs > nowMs ? found : undefined;
  }

  /** RFC 8656 §12.6. */
  #channelData(front: F, address: string, port: number, bytes: Uint8Array, nowMs: number): Action<F>[] {
    const allocation = this.#find(front, address, port, nowMs);
    if (allocation === undefined) return this.#drop("noAllocation");
    const end = CHANNEL_HEADER_BYTES + readU16(bytes, 2);
    if (bytes.length < CHANNEL_HEADER_BYTES || bytes.length < end) return this.#drop("malformed");
    const channel = allocation.channel(readU16(bytes, 0), nowMs);
    if (channel === undefined) return this.#drop("noChannel");
    const data = bytes.subarray(CHANNEL_HEADER_BYTES, end);
    return this.#toPeer(allocation, channel.address, channel.port, data, nowMs);
  }

  /** RFC 8656 §11.2: whatever is wrong with it, silence. */
  #send(front: F, address: string, port: number, message: StunMessage, nowMs: number): Action<F>[] {
    const allocation = this.#find(front, address, port, nowMs);
    if (allocation === undefined) return this.#drop("noAllocation");
    const peerValue = attributeOf(message, attributes.xorPeerAddress);
    const data = attributeOf(message, attributes.data);
    const peer = peerValue === undefined ? undefined : readXorAddress(peerValue, message.transactionId);
    const dontFragment = attributeOf(message, attributes.dontFragment);
    if (
      peer === undefined ||
      data === undefined ||
      dontFragment !== undefined ||
      message.unknown.length > 0
    ) {
      return this.#drop("malformed");
    }
    return this.#toPeer(allocation, formatIp(peer.ip), peer.port, data, nowMs);
  }

  #toPeer(from: Allocation<F>, address: string, port: number, data: Uint8Array, nowMs: number): Action<F>[] {
    const { settings, counters, ports } = this.#world;
    if (from.permission(address, nowMs) === undefined) return this.#drop("noPermission");
    if (data.length > DATAGRAM_MAX_BYTES || port === 0) return this.#drop("tooLarge");
    if (!this.#mayPass(from, data.length, nowMs)) return this.#drop("bandwidth");
    const { family } = from.relay;
    const ownAddress = settings.relayAddresses[family];
    if (address === ownAddress) {
      // Both ends are ours: from allocation to allocation, whatever lies between us and our public address.
      const other = ports.at(family, port);
      if (other !== undefined) {
        counters.packetsOut++;
        counters.bytesOut += data.length;
        return this.fromPeer(other.number, ownAddress, from.relay.port, data, nowMs);
      }
      if (!settings.allowPrivatePeers) return this.#drop("forbiddenPeer");
    }
    counters.packetsOut++;
    counters.bytesOut += data.length;
    return [{ do: "relay", relay: from.relay.number, address, port, bytes: data }];
  }

  #toClient(to: Allocation<F>, address: string, port: number, data: Uint8Array, nowMs: number): Action<F>[] {
    const { counters } = this.#world;
    const permission = to.permission(address, nowMs);
    if (permission === undefined) return this.#drop("noPermission");
    if (!this.#mayPass(to, data.length, nowMs)) return this.#drop("bandwidth");
    const channel = permission.channels.get(port);
    const isBound = channel !== undefined && channel.expiresMs > nowMs;
    const { client } = to;
    const bytes = isBound
      ? this.#asChannelData(channel.number, data, client.front.reliable)
      : this.#asIndication(address, port, data);
    if (!client.front.reliable && bytes.length > DATAGRAM_MAX_BYTES) return this.#drop("tooLarge");
    counters.packetsIn++;
    counters.bytesIn += data.length;
    return [{ do: "deliver", to: client, bytes }];
  }

  #asChannelData(number: number, data: Uint8Array, fill: boolean): Uint8Array {
    const scratch = this.#scratch;
    const end = CHANNEL_HEADER_BYTES + data.length;
    writeU16(scratch, 0, number);
    writeU16(scratch, 2, data.length);
    scratch.set(data, CHANNEL_HEADER_BYTES);
    if (!fill || end % 4 === 0) return scratch.subarray(0, end);
    scratch.fill(0, end, end + 3);
    return scratch.subarray(0, (end + 3) & ~3);
  }

  /** RFC 8656 §11.3. */
  #asIndication(address: string, port: number, data: Uint8Array): Uint8Array {
    return this.#writer
      .begin("indication", methods.data, this.#world.random(TRANSACTION_ID_BYTES))
      .xorAddress(attributes.xorPeerAddress, ipOf(address), port)
      .attribute(attributes.data, data)
      .end(false);
  }

  #mayPass({ bucket }: Allocation<F>, bytes: number, nowMs: number): boolean {
    return bucket.take(bytes, nowMs) && this.#total.take(bytes, nowMs);
  }

  #drop(why: DropReason): Action<F>[] {
    this.#world.counters.dropped[why]++;
    return [];
  }
}

const allocated: ReadonlyMap<
  number,
  <F extends Front>(
    world: World<F>,
    allocation: Allocation<F>,
    request: SignedRequest<F>,
    nowMs: number,
  ) => Action<F>[]
> = new Map([
  [methods.refresh, refresh],
  [methods.createPermission, createPermission],
  [methods.channelBind, channelBind],
]);
