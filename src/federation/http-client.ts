/**
 * One HTTP request to a chosen address, with SNI, Host and certificate check of the name. No redirect is followed, no
 * proxy asked. Connections are kept for a short while.
 *
 * Invariants
 * - Never rejects; every step has its time limit.
 * - Of an answer no more is held than the caller allows.
 */
import { concat, EMPTY } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import { IdlePool } from "../net/idle-pool.ts";
import { dial, type OutgoingSocket, type TlsDemand } from "../net/outgoing.ts";
import type { Traffic } from "../net/traffic.ts";
import { type HttpResponse, parseResponse } from "./response.ts";

const CONNECT_MAX_MS = 10_000;
const HANDSHAKE_MAX_MS = 10_000;
/** A peer that takes nothing of the body for so long hangs. */
const BODY_STALL_MAX_MS = 30_000;
/** Between the end of the body and the answer: the peer checks and stores. */
const ANSWER_MAX_MS = 60_000;
/** Servers commonly close after 60 to 75 s; a request must not meet that. */
const IDLE_MAX_MS = 30_000;
/** A new TLS connection costs both sides as much as several messages. */
const IDLE_MAX = 256;
const IDLE_PER_PEER_MAX = 4;

export interface HttpTarget {
  readonly addresses: readonly string[];
  readonly port: number;
  /** undefined: plain HTTP. */
  readonly tls: TlsDemand | undefined;
}

export interface HttpRequest {
  readonly head: Uint8Array;
  /** undefined: no body. @throws when it can't be read */
  readonly body?: AsyncIterable<Uint8Array>;
  readonly answerMaxBytes: number;
}

export type HttpResult = { ok: true; response: HttpResponse } | { ok: false; why: string };

export class HttpClient {
  readonly #clock: Clock;
  readonly #traffic: Traffic | undefined;
  readonly #idle: IdlePool<OutgoingSocket>;

  /** @param traffic where bytes are counted */
  constructor(clock: Clock, traffic?: Traffic) {
    this.#clock = clock;
    this.#traffic = traffic;
    this.#idle = new IdlePool({
      clock,
      idleMaxMs: IDLE_MAX_MS,
      perKeyMax: IDLE_PER_PEER_MAX,
      max: IDLE_MAX,
      isUsable: (socket) => socket.isOpen && !socket.hasUnread,
      close: (socket) => socket.destroy(),
    });
  }

  async request(target: HttpTarget, request: HttpRequest, stop: AbortSignal): Promise<HttpResult> {
    const opened = await this.#connect(target, stop);
    if (typeof opened === "string") return { ok: false, why: opened };
    const letGo = opened.obey(stop);
    try {
      const result = await this.#talk(opened, request);
      if (result.ok && result.response.isReusable) this.#idle.keep(keyOf(target), opened);
      else opened.destroy();
      return result;
    } catch {
      opened.destroy();
      return { ok: false, why: "the message can't be read" };
    } finally {
      letGo();
    }
  }

  /** Closes idle connections, and keeps none from now on. */
  stop(): void {
    this.#idle.stop();
  }

  /** @returns the connection, or why there is none */
  async #connect(target: HttpTarget, stop: AbortSignal): Promise<OutgoingSocket | string> {
    const kept = this.#idle.take(keyOf(target));
    if (kept !== undefined) return kept;
    const { addresses, port, tls } = target;
    const dialled = await dial({
      addresses,
      port,
      timeoutMs: CONNECT_MAX_MS,
      stop,
      clock: this.#clock,
      traffic: this.#traffic,
    });
    if (!dialled.ok) return dialled.why;
    const { socket } = dialled;
    if (tls === undefined) return socket;
    const letGo = socket.obey(stop);
    const why = await socket.secure(tls, HANDSHAKE_MAX_MS);
    letGo();
    return why ?? socket;
  }

  /** @throws when the body can't be read */
  async #talk(socket: OutgoingSocket, request: HttpRequest): Promise<HttpResult> {
    let isWhole = true;
    // Written with the first slice, in one turn: one packet, and one reading over there.
    let head: Uint8Array = request.head;
    for await (const slice of request.body ?? []) {
      // An answer before the end of the body is a refusal: the rest need not be sent.
      isWhole = !socket.hasUnread && socket.isOpen;
      if (!isWhole) break;
      if (head.length > 0) socket.write(head);
      head = EMPTY;
      socket.write(slice);
      if (socket.hasRoom) continue;
      const why = await socket.room(BODY_STALL_MAX_MS);
      if (why !== undefined && !socket.hasUnread) return { ok: false, why };
    }
    if (head.length > 0 && isWhole) socket.write(head);
    if (!socket.hasUnread) await socket.room(BODY_STALL_MAX_MS, 0);
    const result = await this.#readAnswer(socket, request.answerMaxBytes);
    return result.ok && !isWhole ? { ok: true, response: { ...result.response, isReusable: false } } : result;
  }

  async #readAnswer(socket: OutgoingSocket, maxBytes: number): Promise<HttpResult> {
    const deadlineMs = this.#clock.monotonicMs() + ANSWER_MAX_MS;
    let bytes: Uint8Array = new Uint8Array(0);
    for (;;) {
      const leftMs = deadlineMs - this.#clock.monotonicMs();
      const incoming = await socket.read(Math.max(1, leftMs));
      if (incoming.kind === "data") {
        bytes = bytes.length === 0 ? incoming.bytes : concat([bytes, incoming.bytes]);
      }
      // TLS peers close in more than one way: what counts is whether the answer is whole.
      const parsed = parseResponse(bytes, incoming.kind !== "data");
      if (parsed.kind === "whole") return { ok: true, response: parsed.response };
      if (incoming.kind === "failed") return { ok: false, why: incoming.why };
      if (incoming.kind === "end" && bytes.length === 0) return { ok: false, why: "connection closed" };
      if (parsed.kind === "garbage") return { ok: false, why: "the answer is no HTTP" };
      if (bytes.length > maxBytes) return { ok: false, why: "the answer is too long" };
    }
  }
}

/** Connections are the same only where the same was proven. */
function keyOf({ addresses, port, tls }: HttpTarget): string {
  return [tls?.serverName, tls?.verify, port, ...addresses].join("|");
}
