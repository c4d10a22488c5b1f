/**
 * Who is here, and the way from one to the other. One room per family: endpoints of different families cannot
 * understand each other above the relay.
 * Invariants: an endpoint has exactly one active connection; only a connection that proved the key enters under it.
 */
import type { Counters } from "./counters.ts";
import type { Frame } from "./frame.ts";
import { INACTIVE_MAX, SENT_TO_MAX } from "./limits.ts";

/** A connection that proved its key. */
export interface Member {
  /** The public key, one string unit per byte. */
  readonly id: string;
  /** Hands a packet to the client, or drops it. */
  deliver(frame: Frame, nowMs: number): void;
  /** Tells that the endpoint with this key left. */
  peerGone(id: string): void;
  /** A newer connection has the same key; this one is kept but gets no packets. */
  displaced(): void;
  /** That one ended: packets come here again. */
  restored(): void;
  /** Hangs up: replaced by a newer connection. */
  replaced(): void;
}

interface Endpoint {
  active: Member;
  /** Older connections with the same key, the latest last. */
  inactive: Member[];
  /** Whom this endpoint wrote to while they were here; made when first needed. */
  sentTo: Set<string> | undefined;
}

export class Room {
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #older: "close" | "keep";
  readonly #counters: Counters;
  #other: Room | undefined;

  /** @param older what becomes of a connection whose key comes again on a newer one */
  constructor(older: "close" | "keep", counters: Counters) {
    this.#older = older;
    this.#counters = counters;
  }

  /** Names the other family's room, to tell a wrong family from an absent peer. */
  beside(other: Room): void {
    this.#other = other;
  }

  /** Endpoints that are here. */
  get size(): number {
    return this.#endpoints.size;
  }

  has(id: string): boolean {
    return this.#endpoints.has(id);
  }

  enter(member: Member): void {
    const endpoint = this.#endpoints.get(member.id);
    if (endpoint === undefined) {
      this.#endpoints.set(member.id, { active: member, inactive: [], sentTo: undefined });
      return;
    }
    this.#counters.displaced++;
    const older = endpoint.active;
    endpoint.active = member;
    if (this.#older === "close") {
      older.replaced();
      return;
    }
    endpoint.inactive.push(older);
    const surplus = endpoint.inactive.length > INACTIVE_MAX ? endpoint.inactive.shift() : undefined;
    surplus?.replaced();
    older.displaced();
  }

  /** Call it once for each that entered; harmless for one that was replaced. */
  leave(member: Member): void {
    const endpoint = this.#endpoints.get(member.id);
    if (endpoint === undefined) return;
    if (endpoint.active !== member) {
      endpoint.inactive = endpoint.inactive.filter((other) => other !== member);
      return;
    }
    const next = endpoint.inactive.pop();
    if (next !== undefined) {
      endpoint.active = next;
      next.restored();
      return;
    }
    this.#endpoints.delete(member.id);
    for (const id of endpoint.sentTo ?? []) this.#endpoints.get(id)?.active.peerGone(member.id);
  }

  /** Hands a packet on. An absent receiver is no error: no frame says so, and peers come and go. */
  forward(from: Member, to: string, frame: Frame, nowMs: number): void {
    const receiver = this.#endpoints.get(to);
    if (receiver === undefined) {
      this.#counters.droppedAbsent++;
      if (this.#other?.has(to) === true) this.#counters.droppedOtherFamily++;
      return;
    }
    // The receiver's own string: one made for each packet would be kept.
    this.#remember(from.id, receiver.active.id);
    receiver.active.deliver(frame, nowMs);
  }

  #remember(from: string, to: string): void {
    const sender = this.#endpoints.get(from);
    if (sender === undefined || sender.sentTo?.has(to) === true) return;
    sender.sentTo ??= new Set();
    sender.sentTo.add(to);
    if (sender.sentTo.size <= SENT_TO_MAX) return;
    const [oldest] = sender.sentTo;
    if (oldest !== undefined) sender.sentTo.delete(oldest);
  }
}
