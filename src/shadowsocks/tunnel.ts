/**
 * One Shadowsocks connection: opened bytes go to a listener of this relay, what it answers goes back sealed.
 *
 * Invariants
 * - Nothing but the relay's own listed ports is ever dialled, whatever host the client names.
 * - Whoever can't open a stream sees the same, whatever is sent: no byte, and the end after a random time that was
 *   drawn before the first byte came. An early end, or a reset, would tell a prober what this port is.
 * - The listener behind sees the client's address, not ours.
 */
import type { Clock } from "../core/clock.ts";
import { concat } from "../core/bytes.ts";
import type { Log, TunnelRefusal } from "../log/events.ts";
import type { Connection, ConnectionHandler } from "../net/connection.ts";
import type { Introductions } from "../net/introductions.ts";
import type { AcceptedConnection } from "../net/socket-connection.ts";
import { Splice } from "../net/splice.ts";
import { type Wheel, type WheelEntry, wheelOf } from "../net/wheel.ts";
import { RequestReader, type RequestEffect, type SessionParts, type Times } from "./engine/request.ts";
import { ResponseWriter } from "./engine/response.ts";

/** A stream that leads nowhere ends this long after it began, drawn anew for each. */
const SILENCE_MIN_MS = 30_000;
const SILENCE_SPREAD_MS = 30_000;
/** Longer than IMAP lets a client be silent: the services behind end their sessions themselves. */
const TUNNEL_IDLE_MS = 35 * 60_000;

export interface TunnelParts {
  session: SessionParts;
  introductions: Introductions;
  /** Where an allowed port listens. @returns undefined for every other port */
  hostOf: (port: number) => string | undefined;
  /** Whether this client may open one more tunnel now. */
  mayOpen: (address: string) => boolean;
  log: Log;
  clock: Clock;
}

export class Tunnel implements ConnectionHandler, WheelEntry {
  wheelSlot = 0;
  readonly #parts: TunnelParts;
  readonly #connection: Connection;
  readonly #reader: RequestReader;
  readonly #wheel: Wheel;
  #deadlineMs: number;
  #splice: Splice | undefined;
  #silent = false;

  constructor(connection: Connection, parts: TunnelParts) {
    this.#parts = parts;
    this.#connection = connection;
    this.#reader = new RequestReader(parts.session);
    this.#wheel = wheelOf(parts.clock);
    this.#deadlineMs = this.#silenceEndMs();
    this.#wheel.add(this, this.#deadlineMs);
  }

  data(bytes: Uint8Array): void {
    if (this.#silent) return;
    const effects = this.#reader.feed(bytes, timesOf(this.#parts.clock));
    const fault = effects.find((effect) => effect.do === "drain");
    if (this.#splice !== undefined) {
      for (const effect of effects) if (effect.do === "payload") this.#splice.data(effect.bytes);
    } else if (fault === undefined) {
      const [first, ...rest] = effects;
      if (first?.do === "connect") this.#open(first.port, concat(rest.flatMap(payloadOf)));
    }
    if (fault !== undefined) this.#refuse(fault.why);
  }

  /** @param first what came with the address: until it is connected, a splice takes no more */
  #open(port: number, first: Uint8Array): void {
    const { introductions, hostOf, mayOpen, log, session, clock } = this.#parts;
    const { peer } = this.#connection;
    const host = hostOf(port);
    if (host === undefined) return this.#refuse("portNotAllowed");
    if (!mayOpen(peer.address)) return this.#refuse("tooFast");
    this.#wheel.remove(this);
    this.#connection.setIdleTimeoutMs(TUNNEL_IDLE_MS);
    const dial = introductions.dial(host, peer);
    const target = {
      host,
      port,
      halfClose: true,
      announce: (sourcePort: number) => dial.announce(sourcePort),
      retract: () => dial.retract(),
    };
    const writer = new ResponseWriter(session, this.#reader.salt);
    this.#splice = new Splice(sealed(this.#connection, writer, clock), target, log, first);
    log.emit({ kind: "tunnelOpened" });
  }

  /** From here on nothing that comes matters, and nothing is said. A tunnel that was open closes behind. */
  #refuse(why: TunnelRefusal): void {
    this.#silent = true;
    this.#parts.log.emit({ kind: "tunnelRefused", why });
    if (this.#splice === undefined) return;
    this.#splice.closed();
    this.#splice = undefined;
    this.#connection.resume();
    this.#deadlineMs = this.#silenceEndMs();
    this.#wheel.add(this, this.#deadlineMs);
  }

  #silenceEndMs(): number {
    return this.#wheel.nowMs() + SILENCE_MIN_MS + Math.random() * SILENCE_SPREAD_MS;
  }

  deadlineReached(nowMs: number): number {
    if (nowMs < this.#deadlineMs) return this.#deadlineMs;
    if (!this.#silent) this.#parts.log.emit({ kind: "tunnelRefused", why: "incomplete" });
    this.#connection.end();
    return 0;
  }

  drained(): void {
    this.#splice?.drained();
  }

  secured(): void {}

  idle(): void {
    this.#connection.end();
  }

  inputEnded(): void {
    if (this.#splice === undefined) this.#connection.end();
    else this.#splice.inputEnded();
  }

  /** The services behind say goodbye through the tunnel. */
  shutdown(): void {
    if (this.#splice === undefined) this.#connection.end();
  }

  closed(): void {
    this.#wheel.remove(this);
    this.#splice?.closed();
    this.#splice = undefined;
  }
}

/** The client as a splice sees it: what is written to it goes out sealed. */
function sealed(connection: Connection, writer: ResponseWriter, clock: Clock): AcceptedConnection {
  return {
    id: connection.id,
    peer: connection.peer,
    localPort: connection.localPort,
    secure: false,
    alpn: undefined,
    get queuedBytes() {
      return connection.queuedBytes;
    },
    write(bytes) {
      for (const slice of writer.seal(bytes, timesOf(clock))) connection.write(slice);
    },
    startTls() {
      throw new Error("a tunnel has no TLS of its own");
    },
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    end: () => connection.end(),
    destroy: () => connection.destroy(),
    setIdleTimeoutMs: (ms) => connection.setIdleTimeoutMs(ms),
  };
}

function payloadOf(effect: RequestEffect): Uint8Array[] {
  return effect.do === "payload" ? [effect.bytes] : [];
}

function timesOf(clock: Clock): Times {
  return { nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
}
