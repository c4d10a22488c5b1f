/**
 * Everything the relay measures about itself, in one place: read when somebody asks, so that it costs nothing until
 * then. Numbers only; connections are visited, their addresses counted and forgotten at once.
 */
import type { Clock } from "../core/clock.ts";
import type { TrafficBook, TrafficKind } from "../net/traffic.ts";
import type { Census } from "../storage/expiry.ts";
import { Histogram } from "./histogram.ts";
import { LoopLag } from "./loop-lag.ts";
import { diskFigures, processFigures } from "./process.ts";
import type { Tally } from "./tally.ts";

export interface ConnectionFigures {
  /** Open now. */
  connections: number;
  /** Different addresses among them (of IPv6: /64 networks). */
  addresses: number;
}

export interface TurnTotals {
  allocations: number;
  /** Relayed, both ways. */
  bytes: number;
}

export interface FiguresParts {
  stateDir: string;
  startedAtMs: number;
  tally: Tally;
  traffic: TrafficBook;
  /** Kept across restarts. */
  totals: () => Readonly<Record<"sent" | "received" | "outbound", number>>;
  accounts: () => number;
  queue: () => { messages: number; bytes: number; running: number };
  connections: () => Record<string, ConnectionFigures>;
  turn: () => TurnTotals | undefined;
  /** What the last walk over all mail counted. */
  census: () => { counted: Census; atMs: number } | undefined;
  /** Accounts that logged in within so many days. */
  activeAccounts: (days: number) => number;
  clock: Clock;
}

export class Figures {
  readonly parts: FiguresParts;
  /** From the last byte of a message to its being durable. */
  readonly latency = new Histogram();
  readonly lag: LoopLag;
  /** Messages begun and given up by the peer, by the way they came. */
  readonly #started = new Map<string, number>();
  readonly #aborted = new Map<string, number>();

  constructor(parts: FiguresParts) {
    this.parts = parts;
    this.lag = new LoopLag(parts.clock);
  }

  /** For the door. */
  readonly observer = {
    opened: (via: string) => void this.#started.set(via, (this.#started.get(via) ?? 0) + 1),
    accepted: (ms: number) => this.latency.note(ms),
    aborted: (via: string) => void this.#aborted.set(via, (this.#aborted.get(via) ?? 0) + 1),
  };

  get started(): ReadonlyMap<string, number> {
    return this.#started;
  }

  get aborted(): ReadonlyMap<string, number> {
    return this.#aborted;
  }

  get uptimeMs(): number {
    return this.parts.clock.nowMs() - this.parts.startedAtMs;
  }

  /** Bytes since the start, by what they were for. */
  traffic(): Record<TrafficKind, { inBytes: number; outBytes: number }> {
    const { traffic, turn } = this.parts;
    const { smtp, imap, http, federation, iroh, shadowsocks, push } = traffic;
    const relayed = turn()?.bytes ?? 0;
    const both = ({ inBytes, outBytes }: { inBytes: number; outBytes: number }) => ({ inBytes, outBytes });
    return {
      smtp: both(smtp),
      imap: both(imap),
      http: both(http),
      federation: both(federation),
      // Each datagram comes in and goes out; its counters are the TURN engine's own.
      turn: { inBytes: relayed + traffic.turn.inBytes, outBytes: relayed + traffic.turn.outBytes },
      iroh: both(iroh),
      shadowsocks: both(shadowsocks),
      push: both(push),
    };
  }

  /** Connections that are open now, by service. */
  connections(): Record<string, ConnectionFigures> {
    return this.parts.connections();
  }

  process() {
    return processFigures();
  }

  disk() {
    return diskFigures(this.parts.stateDir);
  }
}
