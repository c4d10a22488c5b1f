/**
 * The iroh relay's host: joins sessions to connections that come through the front door, and bounds how many there
 * are. All protocol lives in engine/.
 */
import { EMPTY, fromUtf8 } from "../core/bytes.ts";
import type { CancelTimer, Clock } from "../core/clock.ts";
import { commit, version } from "../core/version.ts";
import type { Log } from "../log/events.ts";
import type { ConnectionHandler } from "../net/connection.ts";
import { ConnectionLimits } from "../net/connection-limits.ts";
import type { RawRoute } from "../net/front-door.ts";
import { fieldOf, type RequestHead } from "../net/request-head.ts";
import type { AcceptedConnection } from "../net/socket-connection.ts";
import { type Wheel, type WheelEntry, wheelOf } from "../net/wheel.ts";
import { relayCrypto } from "./crypto.ts";
import { Bucket } from "./engine/bucket.ts";
import { type Counters, newCounters } from "./engine/counters.ts";
import { dialects } from "./engine/dialect.ts";
import { RawFraming } from "./engine/raw-framing.ts";
import { Room } from "./engine/room.ts";
import { Session, type Wire } from "./engine/session.ts";
import { lastResponse, readUpgrade, type Upgrade } from "./engine/upgrade.ts";
import { WebSocketFraming } from "./engine/websocket.ts";

/** Both name the relay protocol; the second is what old clients ask for. */
const RELAY_PATHS: ReadonlySet<string> = new Set(["/relay", "/derp"]);
/** Clients check that the answer to this comes from the relay they asked, not from a captive portal. */
const challenges = [
  ["x-iroh-challenge", "X-Iroh-Response"],
  ["x-tailscale-challenge", "X-Tailscale-Response"],
] as const;
const CHALLENGE = /^[A-Za-z0-9._-]{1,63}$/;
const RETRY_AFTER_SECONDS = 30;

export interface IrohSettings {
  readonly enabled: boolean;
  /** Clients at once, and of one IPv4 address or IPv6 /64. */
  readonly clients: number;
  readonly clientsPerAddress: number;
  /** What is read of one client, and of all together; 0 is unlimited. */
  readonly bytesPerSecond: number;
  readonly totalBytesPerSecond: number;
}

export interface IrohStatus {
  /** Connections that are open, handshakes included. */
  readonly connections: number;
  /** Endpoints that can be reached now. */
  readonly legacyEndpoints: number;
  readonly currentEndpoints: number;
  readonly counters: Readonly<Counters>;
}

export class IrohHost {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #counters = newCounters();
  readonly #legacy = new Room("close", this.#counters);
  readonly #current = new Room("keep", this.#counters);
  readonly #allBandwidth: Bucket;
  readonly #clients = new Set<Client>();
  #limits: ConnectionLimits;
  #settings: IrohSettings;

  constructor(settings: IrohSettings, clock: Clock, log: Log) {
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
    this.#legacy.beside(this.#current);
    this.#current.beside(this.#legacy);
    this.#limits = limitsOf(settings);
    this.#allBandwidth = new Bucket(settings.totalBytesPerSecond, clock.monotonicMs());
  }

  /** For the front door: the relay itself and what clients ask around it. Nothing matches while it is off. */
  readonly routes: readonly RawRoute[] = [
    {
      kind: "iroh",
      matches: (head) => this.#settings.enabled && RELAY_PATHS.has(head.path),
      accept: (connection, head, rest) => this.#upgrade(connection, head, rest),
    },
    {
      matches: (head) => this.#settings.enabled && isProbe(head),
      accept: (connection, head) => lastWord(connection, answerProbe(head)),
    },
  ];

  /** Takes new settings: limits count for clients that come, bandwidth and `enabled` for all. */
  reconfigure(settings: IrohSettings): void {
    const { clients, clientsPerAddress } = this.#settings;
    this.#settings = settings;
    this.#allBandwidth.setRate(settings.totalBytesPerSecond);
    for (const client of this.#clients) client.setRate(settings.bytesPerSecond);
    if (clients !== settings.clients || clientsPerAddress !== settings.clientsPerAddress) this.#recount();
    if (!settings.enabled) for (const client of this.#clients) client.shutdown();
  }

  status(): IrohStatus {
    return {
      connections: this.#clients.size,
      legacyEndpoints: this.#legacy.size,
      currentEndpoints: this.#current.size,
      counters: { ...this.#counters },
    };
  }

  #recount(): void {
    this.#limits = limitsOf(this.#settings);
    // Those who are here stay, and count as far as the new limits go.
    for (const client of this.#clients) client.counted = this.#limits.take(client.address) === "ok";
  }

  #upgrade(connection: AcceptedConnection, head: RequestHead, rest: Uint8Array): ConnectionHandler {
    const upgrade = readUpgrade(head, relayCrypto);
    const busy = upgrade.do === "accept" && this.#limits.take(connection.peer.address) !== "ok";
    if (upgrade.do === "refuse" || busy) {
      this.#counters.upgradesRefused++;
      return lastWord(connection, busy ? BUSY : upgrade.answer);
    }
    connection.write(upgrade.answer);
    const client = new Client(connection, this.#clock, this.#log, {
      open: (wire) => this.#openSession(wire, upgrade),
      bytesPerSecond: this.#settings.bytesPerSecond,
      forget: (left) => this.#forget(left),
    });
    this.#clients.add(client);
    client.begin(rest);
    return client;
  }

  #openSession(wire: Client, upgrade: Extract<Upgrade, { do: "accept" }>): Session {
    const parts = {
      wire,
      dialect: dialects[upgrade.dialect],
      framing: upgrade.transport === "raw" ? new RawFraming() : new WebSocketFraming(),
      room: upgrade.dialect === "legacy" ? this.#legacy : this.#current,
      crypto: relayCrypto,
      counters: this.#counters,
      bandwidth: wire.bandwidth,
      allBandwidth: this.#allBandwidth,
    };
    return new Session(parts, this.#clock.monotonicMs());
  }

  #forget(client: Client): void {
    this.#clients.delete(client);
    if (client.counted) this.#limits.release(client.address);
  }
}

interface ClientParts {
  open(wire: Client): Session;
  bytesPerSecond: number;
  forget(client: Client): void;
}

/** One connection. */
class Client implements ConnectionHandler, Wire, WheelEntry {
  wheelSlot = 0;
  /** Whether the limits know of it. */
  counted = true;
  readonly bandwidth: Bucket;
  readonly #connection: AcceptedConnection;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #wheel: Wheel;
  readonly #session: Session;
  readonly #parts: ClientParts;
  #cancelPause: CancelTimer | undefined;

  constructor(connection: AcceptedConnection, clock: Clock, log: Log, parts: ClientParts) {
    this.#connection = connection;
    this.#clock = clock;
    this.#log = log;
    this.#wheel = wheelOf(clock);
    this.#parts = parts;
    this.bandwidth = new Bucket(parts.bytesPerSecond, clock.monotonicMs());
    this.#session = parts.open(this);
  }

  get address(): string {
    return this.#connection.peer.address;
  }

  /** @param rest what came behind the request */
  begin(rest: Uint8Array): void {
    this.#session.begin();
    if (rest.length > 0) this.data(rest);
  }

  setRate(bytesPerSecond: number): void {
    this.bandwidth.setRate(bytesPerSecond);
  }

  // The connection's events.

  data(bytes: Uint8Array): void {
    this.#session.feed(bytes, this.#clock.monotonicMs());
  }

  drained(): void {
    this.#session.drained();
  }

  secured(): void {
    // Where there is TLS, it is up before the request.
  }

  idle(): void {
    // No idle time is set: the session asks silent clients itself.
  }

  shutdown(): void {
    if (!this.#session.isOver) this.#session.shutdown();
  }

  closed(): void {
    this.#wheel.remove(this);
    this.#cancelPause?.();
    this.#session.closed();
    this.#parts.forget(this);
  }

  deadlineReached(nowMs: number): number {
    return this.#session.tick(nowMs);
  }

  // The session's wire.

  get queuedBytes(): number {
    return this.#connection.queuedBytes;
  }

  write(bytes: Uint8Array): void {
    this.#connection.write(bytes);
  }

  end(): void {
    this.#connection.end();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  pauseFor(ms: number): void {
    this.#connection.pause();
    this.#cancelPause?.();
    this.#cancelPause = this.#clock.after(ms, () => this.#connection.resume());
  }

  lookAt(ms: number): void {
    this.#wheel.add(this, ms);
  }

  fault(what: string): void {
    this.#log.emit({
      kind: "protocolError",
      proto: "http",
      connection: this.#connection.id,
      what: `iroh: ${what}`,
    });
  }
}

const BUSY = lastResponse("503 Service Unavailable", [`Retry-After: ${RETRY_AFTER_SECONDS}`], EMPTY);

function limitsOf(settings: IrohSettings): ConnectionLimits {
  return new ConnectionLimits({ total: settings.clients, perAddress: settings.clientsPerAddress });
}

function isProbe({ method, path }: RequestHead): boolean {
  if (method !== "GET" && method !== "HEAD") return false;
  return path === "/ping" || path === "/generate_204" || path === "/healthz";
}

function answerProbe(head: RequestHead): Uint8Array {
  if (head.path === "/ping") return lastResponse("200 OK", ["Access-Control-Allow-Origin: *"], EMPTY);
  if (head.path === "/generate_204") return lastResponse("204 No Content", challengeAnswers(head), EMPTY);
  const health = fromUtf8(JSON.stringify({ status: "ok", version, git_hash: commit }));
  const answer = lastResponse("200 OK", ["Content-Type: application/json"], health);
  // RFC 9110 §9.3.2: the head alone, with the length that a GET would see.
  return head.method === "HEAD" ? answer.subarray(0, answer.length - health.length) : answer;
}

function challengeAnswers(head: RequestHead): string[] {
  return challenges.flatMap(([asked, answered]) => {
    const challenge = fieldOf(head, asked);
    return challenge !== undefined && CHALLENGE.test(challenge) ? [`${answered}: response ${challenge}`] : [];
  });
}

/** Answers and hangs up; whatever else comes is not read. */
export function lastWord(connection: AcceptedConnection, answer: Uint8Array): ConnectionHandler {
  connection.write(answer);
  connection.end();
  return deaf;
}

const deaf: ConnectionHandler = {
  data() {},
  drained() {},
  secured() {},
  idle() {},
  shutdown() {},
  closed() {},
};
