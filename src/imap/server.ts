/**
 * The IMAP host: joins engines to connections, and knows who is logged in. All protocol lives in engine/.
 */
import type { Address } from "../core/address.ts";
import type { CancelTimer } from "../core/clock.ts";
import type { Accept, Connection, ConnectionHandler } from "../net/connection.ts";
import { Engine } from "./engine/engine.ts";
import type { ImapServices, Transport } from "./engine/services.ts";
import { KeepaliveWheel } from "./keepalive.ts";

/** Before login, silence ends a connection after `loginTimeoutMs`, and dripping bytes after this many times that. */
const LOGIN_DEADLINE_FACTOR = 3;

export class ImapHost {
  readonly #services: ImapServices;
  readonly #wheel: KeepaliveWheel;
  /** Who is logged in where. Entries go with their last connection. */
  readonly #byUser = new Map<Address, Set<Peer>>();

  constructor(services: ImapServices) {
    this.#services = services;
    this.#wheel = new KeepaliveWheel(services.clock, services.settings().idleKeepaliveMs);
  }

  /** For listeners: greets and serves one connection. */
  readonly accept: Accept = (connection) => new Peer(this.#services, this.#wheel, this, connection);

  /** Ends all sessions of a user: blocked, removed, password changed. @param reason what BYE says */
  disconnect(user: Address, reason: string): void {
    for (const peer of this.#byUser.get(user) ?? []) peer.dismiss(reason);
  }

  /** How many connections each user has; live. */
  get sessions(): ReadonlyMap<Address, ReadonlySet<unknown>> {
    return this.#byUser;
  }

  enter(user: Address, peer: Peer): void {
    const peers = this.#byUser.get(user) ?? new Set();
    this.#byUser.set(user, peers.add(peer));
  }

  leave(user: Address, peer: Peer): void {
    const peers = this.#byUser.get(user);
    peers?.delete(peer);
    if (peers?.size === 0) this.#byUser.delete(user);
  }
}

/** One connection. */
class Peer implements ConnectionHandler, Transport {
  readonly #services: ImapServices;
  readonly #wheel: KeepaliveWheel;
  readonly #host: ImapHost;
  readonly #connection: Connection;
  readonly #engine: Engine;
  #user: Address | undefined;
  #unsubscribe: (() => void) | undefined;
  #cancelDeadline: CancelTimer | undefined;
  #closed = false;

  constructor(services: ImapServices, wheel: KeepaliveWheel, host: ImapHost, connection: Connection) {
    this.#services = services;
    this.#wheel = wheel;
    this.#host = host;
    this.#connection = connection;
    this.#engine = new Engine(services, this);
    const { loginTimeoutMs } = this.#engine.session.settings;
    connection.setIdleTimeoutMs(loginTimeoutMs);
    this.#cancelDeadline = services.clock.after(loginTimeoutMs * LOGIN_DEADLINE_FACTOR, () => this.idle());
    this.#engine.greet();
  }

  // The connection's events.

  data(bytes: Uint8Array): void {
    this.#engine.feed(bytes);
  }

  drained(): void {
    this.#engine.drained();
  }

  inputEnded(): void {
    this.#engine.inputEnded();
  }

  secured(): void {
    // RFC 9051 §6.2.1: no greeting again; the client asks for capabilities or logs in.
  }

  idle(): void {
    this.dismiss("Idle for too long");
  }

  shutdown(): void {
    this.dismiss("Server is shutting down");
  }

  closed(): void {
    this.#closed = true;
    this.#cancelDeadline?.();
    this.#unsubscribe?.();
    if (this.#user !== undefined) this.#host.leave(this.#user, this);
    this.#engine.dispose();
  }

  dismiss(reason: string): void {
    this.#engine.session.bye(reason);
  }

  keepalive(): void {
    this.#engine.keepalive();
  }

  // The session's transport.

  get id(): number {
    return this.#connection.id;
  }

  get secure(): boolean {
    return this.#connection.secure;
  }

  get peerAddress(): string {
    return this.#connection.peer.address;
  }

  get queuedBytes(): number {
    return this.#connection.queuedBytes;
  }

  write(bytes: Uint8Array): void {
    this.#connection.write(bytes);
  }

  startTls(reply: Uint8Array): void {
    this.#connection.startTls(reply);
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  end(): void {
    this.#connection.end();
  }

  loggedIn(user: Address): void {
    this.#user = user;
    this.#cancelDeadline?.();
    this.#cancelDeadline = undefined;
    this.#connection.setIdleTimeoutMs(this.#engine.session.settings.idleTimeoutMs);
    this.#host.enter(user, this);
    // Before the first look at any mailbox, so that no change falls between.
    this.#unsubscribe = this.#services.hub.subscribe(user, () => this.#engine.look());
  }

  /**
   * Delta Chat takes our keepalives for life and stays silent in IDLE for days: a limit on silence would only make it
   * reconnect. A peer that is gone is found by TCP, which must get the keepalives acknowledged.
   */
  idling(on: boolean): void {
    if (on) this.#wheel.add(this);
    else this.#wheel.remove(this);
    if (this.#closed) return;
    this.#connection.setIdleTimeoutMs(on ? 0 : this.#engine.session.settings.idleTimeoutMs);
  }
}
