/**
 * SMTP to other servers: joins the client engine (client-engine/engine.ts) with sockets. Sessions are kept for a while
 * and used again.
 *
 * Invariants
 * - Never rejects: each recipient gets an outcome, or the caller learns that there was no session.
 * - Idle sessions are bounded in number and time; a kept session that died costs nothing but another connection.
 */
import type { Address } from "../core/address.ts";
import { fromUtf8 } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import type { Outcome, PeerReply } from "../delivery/courier.ts";
import type { Transfer, SmtpPeer, SmtpResult, SmtpTransport } from "../delivery/transport.ts";
import { IdlePool } from "../net/idle-pool.ts";
import { dial, type OutgoingSocket } from "../net/outgoing.ts";
import type { Traffic } from "../net/traffic.ts";
import { DotStuffer } from "./client-engine/dot-stuffer.ts";
import { type ClientEffect, SmtpClientEngine, type TransactionReport } from "./client-engine/engine.ts";
import { BODY_STALL_MAX_MS } from "./client-engine/limits.ts";

const CONNECT_MAX_MS = 15_000;
const HANDSHAKE_MAX_MS = 15_000;
/** Sessions kept for one server and in all. */
const IDLE_PER_PEER_MAX = 4;
const IDLE_MAX = 256;
const IDLE_MAX_MS = 60_000;
/** RFC 5321 §4.5.3.1.10: the rest goes in another transaction, as long as each takes some. */
const TRANSACTIONS_MAX = 20;

export interface SmtpClientParts {
  /** What EHLO says; live. */
  helloName: () => string;
  clock: Clock;
  /** Where bytes are counted. */
  traffic?: Traffic;
  /** Certificates to trust beside the usual ones; PEM. */
  ca?: string | undefined;
}

export class SmtpClient implements SmtpTransport {
  readonly #parts: SmtpClientParts;
  readonly #idle: IdlePool<Session>;

  constructor(parts: SmtpClientParts) {
    this.#parts = parts;
    this.#idle = new IdlePool({
      clock: parts.clock,
      idleMaxMs: IDLE_MAX_MS,
      perKeyMax: IDLE_PER_PEER_MAX,
      max: IDLE_MAX,
      isUsable: (session) => session.isIdle,
      close: (session) => session.quit(),
    });
  }

  /** Sessions that wait for another message. */
  get idleSessions(): number {
    return this.#idle.size;
  }

  async deliver(
    peer: SmtpPeer,
    transfer: Transfer,
    recipients: readonly Address[],
    stop: AbortSignal,
  ): Promise<SmtpResult> {
    const key = keyOf(peer);
    for (let kept = this.#idle.take(key); kept !== undefined; kept = this.#idle.take(key)) {
      const result = await this.#use(peer, kept, transfer, recipients, stop);
      // It was over before it got anything of the message: what it said last was about its idleness.
      const isStale = !kept.isIdle && !kept.hasSentBody && !stop.aborted;
      if (result !== undefined && !isStale) return result;
    }
    const opened = await this.#open(peer, stop);
    if (!(opened instanceof Session)) return opened;
    const result = await this.#use(peer, opened, transfer, recipients, stop);
    return result ?? { kind: "unusable", why: opened.closeReason };
  }

  /** Ends the idle sessions, and keeps none from now on. */
  stop(): void {
    this.#idle.stop();
  }

  async #open(peer: SmtpPeer, stop: AbortSignal): Promise<Session | SmtpResult> {
    const { clock, helloName, ca, traffic } = this.#parts;
    const { addresses, port } = peer;
    const dialled = await dial({ addresses, port, timeoutMs: CONNECT_MAX_MS, stop, clock, traffic });
    if (!dialled.ok) return { kind: "unreachable", why: dialled.why };
    const session = new Session(dialled.socket, peer, helloName(), ca);
    const letGo = dialled.socket.obey(stop);
    await session.open();
    letGo();
    if (session.isIdle) return session;
    const { closeReason: why, closeReply: reply } = session;
    return { kind: "unusable", why, ...(reply === undefined ? {} : { reply }) };
  }

  /** @returns undefined when the session was over before the server said anything about this message */
  async #use(
    peer: SmtpPeer,
    session: Session,
    transfer: Transfer,
    recipients: readonly Address[],
    stop: AbortSignal,
  ): Promise<SmtpResult | undefined> {
    const letGo = session.socket.obey(stop);
    const outcomes = new Map<Address, Outcome>();
    let left = recipients;
    for (let i = 0; i < TRANSACTIONS_MAX && left.length > 0 && session.isIdle; i++) {
      const report = await session.transact(transfer, left);
      if (report === undefined && i === 0) {
        letGo();
        return undefined;
      }
      for (const [recipient, outcome] of report?.outcomes ?? []) outcomes.set(recipient, outcome);
      left = report?.again ?? [];
    }
    letGo();
    if (session.isIdle) this.#idle.keep(keyOf(peer), session);
    return { kind: "answered", outcomes };
  }
}

/** Sessions are the same only where the same was proven. */
function keyOf({ name, port, tls, verify, addresses }: SmtpPeer): string {
  return [name, port, tls, verify, ...addresses].join("|");
}

/** One connection with its engine. */
class Session {
  readonly socket: OutgoingSocket;
  closeReason = "";
  closeReply: PeerReply | undefined;
  readonly #peer: SmtpPeer;
  readonly #ca: string | undefined;
  readonly #engine: SmtpClientEngine;
  /** The body of the last transaction was begun. */
  hasSentBody = false;
  #report: TransactionReport | undefined;
  #transfer: Transfer | undefined;
  /** The server said something since `transact`. */
  #hasAnswered = false;

  constructor(socket: OutgoingSocket, peer: SmtpPeer, helloName: string, ca: string | undefined) {
    this.socket = socket;
    this.#peer = peer;
    this.#ca = ca;
    this.#engine = new SmtpClientEngine({ tls: peer.tls, helloName });
  }

  get isIdle(): boolean {
    return this.#engine.isIdle && this.socket.isOpen && !this.socket.hasUnread;
  }

  open(): Promise<void> {
    return this.#run([]);
  }

  /** @returns undefined when the connection ended before any answer */
  async transact(transfer: Transfer, recipients: readonly Address[]): Promise<TransactionReport | undefined> {
    this.#report = undefined;
    this.#hasAnswered = false;
    this.hasSentBody = false;
    this.#transfer = transfer;
    await this.#run(this.#engine.begin({ sender: transfer.sender, recipients, bytes: transfer.bytes }));
    this.#transfer = undefined;
    return this.#hasAnswered || this.#engine.isIdle ? this.#report : undefined;
  }

  /** Says goodbye and hangs up, without waiting. */
  quit(): void {
    for (const effect of this.#engine.quit()) {
      if (effect.do === "send") this.socket.write(fromUtf8(effect.text));
    }
    this.socket.end();
  }

  /** Does what the engine wants until it is ready for a transaction, or the session is over. */
  async #run(first: readonly ClientEffect[]): Promise<void> {
    let effects = first;
    for (;;) {
      const isSettled = await this.#do(effects);
      if (isSettled) return;
      const incoming = await this.socket.read(this.#engine.waitMs);
      if (incoming.kind === "data") this.#hasAnswered = true;
      effects =
        incoming.kind === "data"
          ? this.#engine.feed(incoming.bytes)
          : this.#engine.interrupted(incoming.kind === "end" ? "connection closed" : incoming.why);
    }
  }

  /** @returns whether there is nothing to wait for */
  async #do(effects: readonly ClientEffect[]): Promise<boolean> {
    const queue = [...effects];
    let isSettled = false;
    for (let effect = queue.shift(); effect !== undefined; effect = queue.shift()) {
      switch (effect.do) {
        case "send":
          this.socket.write(fromUtf8(effect.text));
          break;
        case "startTls":
          queue.push(...(await this.#startTls()));
          break;
        case "sendBody":
          queue.push(...(await this.#sendBody()));
          break;
        case "report":
          this.#report = effect.report;
          break;
        case "ready":
          isSettled = true;
          break;
        case "close":
          this.closeReason = effect.why;
          this.closeReply = effect.reply;
          this.socket.destroy();
          return true;
      }
    }
    return isSettled;
  }

  async #startTls(): Promise<ClientEffect[]> {
    const { serverName, verify } = this.#peer;
    const ca = this.#ca === undefined ? {} : { ca: this.#ca };
    const why = await this.socket.secure({ serverName, verify, ...ca }, HANDSHAKE_MAX_MS);
    return why === undefined ? this.#engine.secured() : this.#engine.interrupted(why);
  }

  /** A message that can't be read to its end must not be ended: the connection is broken off instead. */
  async #sendBody(): Promise<ClientEffect[]> {
    const stuffer = new DotStuffer();
    this.hasSentBody = true;
    try {
      for await (const slice of this.#transfer?.slices() ?? []) {
        for (const piece of stuffer.write(slice)) this.socket.write(piece);
        if (this.socket.hasRoom) continue;
        // The server may have answered and hung up in the middle: then its answer says why.
        if ((await this.socket.room(BODY_STALL_MAX_MS)) !== undefined) return this.#engine.bodySent();
      }
    } catch {
      return this.#engine.interrupted("the message can't be read");
    }
    this.socket.write(stuffer.end());
    await this.socket.room(BODY_STALL_MAX_MS, 0);
    return this.#engine.bodySent();
  }
}
