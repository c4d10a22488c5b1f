/**
 * What became of mail to and from each server: counts by way and direction, time taken, the last trouble. For the
 * operator; no decision hangs on it. Written behind.
 *
 * Invariants
 * - Servers, never people: a domain, the hour, and words of a fault without addresses.
 * - At most PEERS_MAX servers; the one longest without a sign makes room, here and in the database.
 */
import type { Domain } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { type PeerKey, peerKey } from "../core/peer-key.ts";
import type { PeerStatRow, PeerStatRows } from "../db/peer-stats.ts";
import { redact } from "../log/redact.ts";

const PEERS_MAX = 5000;
const ERROR_MAX_CHARS = 120;
const HOUR_SEC = 3600;

type Way = "https" | "http" | "smtp";

/** One round of attempts for one message. */
export interface OutboundRound {
  /** What carried it; undefined when nothing did. */
  readonly route: Way | undefined;
  /** Ways that failed before. */
  readonly attempts: readonly { readonly route: Way; readonly why: string }[];
  readonly latencyMs: number;
}

const failures = { https: "failedHttps", http: "failedHttp", smtp: "failedSmtp" } as const;
const successes = { https: "successHttps", http: "successHttp", smtp: "successSmtp" } as const;

export class PeerTracker {
  readonly #rows: PeerStatRows;
  readonly #clock: Clock;
  /** Longest without a sign first. */
  readonly #peers = new Map<PeerKey, PeerStatRow>();
  readonly #unsaved = new Set<PeerKey>();
  readonly #evicted = new Set<PeerKey>();

  constructor(rows: PeerStatRows, clock: Clock) {
    this.#rows = rows;
    this.#clock = clock;
  }

  hydrate(): void {
    const found: [PeerKey, PeerStatRow][] = [];
    this.#rows.forEach((peer, row) => {
      if (found.length < PEERS_MAX) found.push([peer, row]);
      else this.#evicted.add(peer);
    });
    this.#peers.clear();
    for (const [peer, row] of found.toReversed()) this.#peers.set(peer, row);
  }

  noteOutbound(domain: Domain, { route, attempts, latencyMs }: OutboundRound): void {
    const row = this.#touch(domain);
    if (row === undefined) return;
    for (const attempt of attempts) row[failures[attempt.route]]++;
    const trouble = attempts.at(-1)?.why;
    if (trouble !== undefined) row.lastError = redact(trouble, ERROR_MAX_CHARS);
    if (route === undefined) return;
    row[successes[route]]++;
    row.successfulDeliveries++;
    row.totalLatencyMs += Math.max(0, Math.round(latencyMs));
  }

  /** A message came from there and was accepted. */
  noteInbound(domain: Domain): void {
    const row = this.#touch(domain);
    if (row !== undefined) row.inboundDeliveries++;
  }

  /** Longest without a sign first. */
  entries(): IterableIterator<[PeerKey, Readonly<PeerStatRow>]> {
    return this.#peers.entries();
  }

  get(peer: PeerKey): Readonly<PeerStatRow> | undefined {
    return this.#peers.get(peer);
  }

  get hasUnsaved(): boolean {
    return this.#unsaved.size + this.#evicted.size > 0;
  }

  /** Run it in a transaction, then call `saved`. */
  writeUnsaved(): void {
    for (const peer of this.#evicted) this.#rows.remove(peer);
    for (const peer of this.#unsaved) {
      const row = this.#peers.get(peer);
      if (row !== undefined) this.#rows.put(peer, row);
    }
  }

  saved(): void {
    this.#unsaved.clear();
    this.#evicted.clear();
  }

  /** The row, most recent from now on. */
  #touch(domain: Domain): PeerStatRow | undefined {
    const peer = peerKey(domain);
    if (peer === undefined) return undefined;
    const row = this.#peers.get(peer) ?? emptyRow();
    this.#peers.delete(peer);
    this.#peers.set(peer, row);
    this.#unsaved.add(peer);
    this.#evicted.delete(peer);
    const [oldest] = this.#peers.keys();
    if (this.#peers.size > PEERS_MAX && oldest !== undefined) {
      this.#peers.delete(oldest);
      this.#unsaved.delete(oldest);
      this.#evicted.add(oldest);
    }
    row.lastActive = Math.floor(this.#clock.nowMs() / 1000 / HOUR_SEC) * HOUR_SEC;
    return row;
  }
}

function emptyRow(): PeerStatRow {
  return {
    failedHttp: 0,
    failedHttps: 0,
    failedSmtp: 0,
    successHttp: 0,
    successHttps: 0,
    successSmtp: 0,
    inboundDeliveries: 0,
    successfulDeliveries: 0,
    totalLatencyMs: 0,
    lastError: "",
    lastActive: 0,
  };
}
