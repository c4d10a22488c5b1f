/**
 * Port 443, and 80 without TLS: one door for everything. ALPN (RFC 7301) leads mail clients to IMAP or submission;
 * everyone else speaks HTTP. The first request head is read raw, so that routes which no HTTP server can serve
 * (Delta Chat's `Upgrade: iroh derp http` comes without `Connection`) get the bare connection; the rest is spliced
 * to the HTTP server with the head put back.
 */
import { concat, fromLatin1 } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import type { Log, Proto } from "../log/events.ts";
import type { Accept, ConnectionHandler } from "./connection.ts";
import { type ParsedHead, type RequestHead, headEnd, parseHead } from "./request-head.ts";
import type { AcceptedConnection } from "./socket-connection.ts";
import { Splice, type SpliceTarget } from "./splice.ts";
import type { Traffic, TrafficBook } from "./traffic.ts";
import { type Wheel, type WheelEntry, wheelOf } from "./wheel.ts";

const HEAD_MAX_BYTES = 16 * 1024;
const HEAD_TIMEOUT_MS = 20_000;

/** A request that is served on the bare connection. */
export interface RawRoute {
  /** What its bytes count as; `http` where it does not say. */
  readonly kind?: "iroh";
  matches(head: RequestHead): boolean;
  /**
   * Takes the connection over.
   * @param rest what the client sent behind the head; borrowed
   */
  accept(connection: AcceptedConnection, head: RequestHead, rest: Uint8Array): ConnectionHandler;
}

export interface FrontDoorOptions {
  /** For clients that chose `imap` by ALPN. */
  readonly imap?: Accept;
  /** For clients that chose `smtp`: submission. */
  readonly submission?: Accept;
  /** For clients that chose `stun.turn` (RFC 7443). */
  readonly turn?: Accept;
  readonly http: SpliceTarget;
  /** Asked in this order for the first request of a connection. */
  readonly rawRoutes?: readonly RawRoute[];
  /** Where bytes are counted. */
  readonly traffic?: TrafficBook | undefined;
  /** Paths that other servers use, and no one else. */
  readonly serverPaths?: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  /** Default 16 KiB. */
  readonly headMaxBytes?: number;
  /** Time for the whole first head, however it trickles in; default 20 s. */
  readonly headTimeoutMs?: number;
}

/** What `listen` needs of a front door; spread it into its options. */
export interface FrontDoor {
  readonly accept: (connection: AcceptedConnection) => ConnectionHandler;
  readonly alpn: readonly string[];
  readonly proto: (alpn: string | undefined) => Proto;
  readonly traffic?: (alpn: string | undefined) => Traffic;
}

export function frontDoor(options: FrontDoorOptions): FrontDoor {
  const byAlpn = new Map<string | undefined, readonly [Accept, Proto]>();
  if (options.imap !== undefined) byAlpn.set("imap", [options.imap, "imap"]);
  if (options.submission !== undefined) byAlpn.set("smtp", [options.submission, "smtp"]);
  if (options.turn !== undefined) byAlpn.set("stun.turn", [options.turn, "turn"]);
  const wheel = wheelOf(options.clock);
  return {
    alpn: ["http/1.1", "http/1.0", ...[...byAlpn.keys()].flatMap((name) => name ?? [])],
    proto: (alpn) => byAlpn.get(alpn)?.[1] ?? "http",
    ...(options.traffic === undefined ? {} : { traffic: trafficByAlpn(options.traffic, byAlpn) }),
    accept: (connection) => {
      const [accept] = byAlpn.get(connection.alpn) ?? [];
      return accept === undefined ? new HttpGuest(connection, options, wheel) : accept(connection);
    },
  };
}

function trafficByAlpn(
  book: TrafficBook,
  byAlpn: ReadonlyMap<string | undefined, readonly [Accept, Proto]>,
): (alpn: string | undefined) => Traffic {
  return (alpn) => book[byAlpn.get(alpn)?.[1] ?? "http"];
}

/** Reads one head, then passes everything on to whom it is for. */
class HttpGuest implements ConnectionHandler, WheelEntry {
  wheelSlot = 0;
  readonly #connection: AcceptedConnection;
  readonly #options: FrontDoorOptions;
  readonly #wheel: Wheel;
  readonly #deadlineMs: number;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #inner: ConnectionHandler | undefined;

  constructor(connection: AcceptedConnection, options: FrontDoorOptions, wheel: Wheel) {
    this.#connection = connection;
    this.#options = options;
    this.#wheel = wheel;
    this.#deadlineMs = wheel.nowMs() + (options.headTimeoutMs ?? HEAD_TIMEOUT_MS);
    wheel.add(this, this.#deadlineMs);
  }

  deadlineReached(nowMs: number): number {
    if (nowMs < this.#deadlineMs) return this.#deadlineMs;
    // RFC 9110 §15.5.9; one that sent nothing is a spare connection of a browser and just closed.
    if (this.#bytes > 0) this.#answer("408 Request Timeout");
    else this.#connection.end();
    return 0;
  }

  data(bytes: Uint8Array): void {
    if (this.#inner !== undefined) {
      this.#inner.data(bytes);
      return;
    }
    const joined = this.#chunks.length === 0 ? bytes : concat([...this.#chunks, bytes]);
    // The end may straddle chunks: start three bytes before the news.
    const end = headEnd(joined, Math.max(0, this.#bytes - 3));
    const maxBytes = this.#options.headMaxBytes ?? HEAD_MAX_BYTES;
    this.#bytes += bytes.length;
    if (end > maxBytes || (end < 0 && this.#bytes > maxBytes)) {
      this.#answer("431 Request Header Fields Too Large");
    } else if (end >= 0) {
      this.#route(parseHead(joined.subarray(0, end)), joined.subarray(end), bytes.length);
    } else {
      // One block, grown by hand: a head is at most 16 kB, however small its pieces.
      this.#chunks = [Uint8Array.from(joined)];
    }
  }

  #route(parsed: ParsedHead | undefined, rest: Uint8Array, lastBytes: number): void {
    this.#chunks = [];
    if (parsed === undefined) {
      this.#answer("400 Bad Request");
      return;
    }
    this.#wheel.remove(this);
    const raw = this.#options.rawRoutes?.find((route) => route.matches(parsed.head));
    this.#countAs(raw?.kind, parsed.head.path, lastBytes);
    if (raw !== undefined) {
      this.#inner = raw.accept(this.#connection, parsed.head, rest);
      return;
    }
    const first = rest.length === 0 ? parsed.bytes : concat([parsed.bytes, rest]);
    this.#inner = new Splice(this.#connection, this.#options.http, this.#options.log, first);
  }

  /** @param lastBytes counted in this turn, before anybody knew what they were for; what came earlier stays there */
  #countAs(kind: "iroh" | undefined, path: string, lastBytes: number): void {
    const { traffic, serverPaths } = this.#options;
    if (traffic === undefined) return;
    const known = kind ?? (serverPaths?.includes(path) === true ? "federation" : undefined);
    if (known === undefined) return;
    const { traffic: before } = this.#connection;
    if (before !== undefined) before.inBytes -= lastBytes;
    traffic[known].inBytes += lastBytes;
    this.#connection.traffic = traffic[known];
  }

  #answer(status: string): void {
    this.#wheel.remove(this);
    this.#connection.write(
      fromLatin1(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`),
    );
    this.#connection.end();
  }

  drained(): void {
    this.#inner?.drained();
  }

  secured(): void {
    this.#inner?.secured();
  }

  idle(): void {
    this.#inner?.idle();
  }

  inputEnded(): void {
    if (this.#inner?.inputEnded === undefined) this.#connection.end();
    else this.#inner.inputEnded();
  }

  shutdown(): void {
    if (this.#inner === undefined) this.#connection.end();
    else this.#inner.shutdown();
  }

  closed(): void {
    this.#wheel.remove(this);
    this.#inner?.closed();
  }
}
