/**
 * Connections that this relay opens to other servers: reached at one of several addresses, plain or TLS, read by
 * asking and written with a wait for room, every wait with its time limit.
 *
 * Invariants
 * - No wait outlives the connection, and none rejects: what goes wrong is a text for the operator.
 * - What a peer may send ahead is bounded; a socket is closed exactly once.
 * - A connection that is given up while it is being made is gone at once: the kernel would try for two more minutes, and
 *   a thousand dead servers would fill the table of open files.
 */
import type { PeerCertificate as NodeCertificate } from "node:tls";
import { connect as connectTcp } from "node:net";
import type { Clock } from "../core/clock.ts";
import { OutputQueue, type OutputOwner } from "./output.ts";
import type { Traffic } from "./traffic.ts";

/** Input that nobody asked for yet; above it the socket is paused. */
const UNREAD_PAUSE_BYTES = 64 * 1024;
/** Output above which producers should wait for room. */
const OUTPUT_ROOM_BYTES = 256 * 1024;
/** Producers that don't wait are a bug of ours. */
const OUTPUT_MAX_BYTES = 8 * 1024 * 1024;
/** RFC 8305 §5: the next address is tried beside the first after this. */
const NEXT_ADDRESS_AFTER_MS = 250;
/** Time for the peer to close after us. */
const LINGER_MS = 5000;
/** A number: Bun ignores the names that Node takes. */
const TLS_1_2 = 0x0303;

/** What the peer must prove. */
export interface TlsDemand {
  /** Name in SNI and, when verifying, in the certificate; "" sends none (IP addresses must not be sent). */
  readonly serverName: string;
  /** Whether the certificate must be valid for that name. Otherwise any will do. */
  readonly verify: boolean;
  /** Certificates to trust beside the usual ones; PEM. */
  readonly ca?: string;
}

export interface DialOptions {
  /** IPv4 and IPv6, best first; raced. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly timeoutMs: number;
  readonly stop: AbortSignal;
  readonly clock: Clock;
  /** Where bytes are counted. */
  readonly traffic?: Traffic | undefined;
}

export type Dialled = { ok: true; socket: OutgoingSocket } | { ok: false; why: string };

/** What a peer showed. */
export interface PeerCertificate {
  readonly names: readonly string[];
  readonly issuer: string;
  /** As the certificate has it. */
  readonly notAfter: string;
}

/** `end`: the peer sent all it will. */
export type Incoming =
  | { kind: "data"; bytes: Uint8Array }
  | { kind: "end" }
  | { kind: "failed"; why: string };

type ClientSocket = Bun.Socket<OutgoingSocket>;

/** Connects to the first address that answers. */
export async function dial(options: DialOptions): Promise<Dialled> {
  const { addresses, timeoutMs, stop, clock } = options;
  const { promise, resolve } = Promise.withResolvers<Dialled>();
  let isSettled = false;
  let lastWhy = "no address";
  let pending = 0;
  let next = 0;
  let cancelNext = (): void => {};
  const others = new AbortController();
  const settle = (result: Dialled) => {
    if (isSettled && result.ok) result.socket.destroy();
    isSettled = true;
    resolve(result);
    others.abort();
  };
  const tryNext = () => {
    cancelNext();
    const address = addresses[next++];
    if (isSettled) return;
    if (address === undefined) {
      if (pending === 0) settle({ ok: false, why: lastWhy });
      return;
    }
    pending++;
    cancelNext = clock.after(NEXT_ADDRESS_AFTER_MS, tryNext);
    OutgoingSocket.connect(address, options, others.signal).then(
      (socket) => settle({ ok: true, socket }),
      (error: unknown) => {
        pending--;
        lastWhy = connectTrouble(error);
        tryNext();
      },
    );
  };
  const cancelTimeout = clock.after(timeoutMs, () => settle({ ok: false, why: "connect timed out" }));
  const onStop = () => settle({ ok: false, why: "stopped" });
  stop.addEventListener("abort", onStop);
  if (stop.aborted) onStop();
  tryNext();
  try {
    return await promise;
  } finally {
    cancelNext();
    cancelTimeout();
    stop.removeEventListener("abort", onStop);
  }
}

export class OutgoingSocket implements OutputOwner {
  readonly address: string;
  readonly port: number;
  readonly #clock: Clock;
  readonly #traffic: Traffic | undefined;
  readonly #wakers = new Set<() => void>();
  #socket: ClientSocket | undefined;
  #output: OutputQueue | undefined;
  #chunks: Uint8Array[] = [];
  #unreadBytes = 0;
  #isPaused = false;
  #layer: "plain" | "tls" = "plain";
  #verify = false;
  #handshake: { ok: boolean; error: string } | undefined;
  #hasEnded = false;
  #failure: string | undefined;

  private constructor(address: string, { port, clock, traffic }: DialOptions) {
    this.#traffic = traffic;
    this.address = address;
    this.port = port;
    this.#clock = clock;
  }

  /**
   * @param giveUp ends the try
   * @throws what the system said about the connection
   */
  static async connect(address: string, options: DialOptions, giveUp: AbortSignal): Promise<OutgoingSocket> {
    const outgoing = new OutgoingSocket(address, options);
    const socket = await connectNative(outgoing, giveUp);
    outgoing.#socket = socket;
    outgoing.#output = new OutputQueue(socket, outgoing, OUTPUT_MAX_BYTES);
    return outgoing;
  }

  get isSecure(): boolean {
    return this.#layer === "tls" && this.#handshake?.ok === true;
  }

  /** False once the peer closed its side or anything failed: not for another use. */
  get isOpen(): boolean {
    return this.#failure === undefined && !this.#hasEnded;
  }

  /** Bytes came that nobody asked for. */
  get hasUnread(): boolean {
    return this.#unreadBytes > 0;
  }

  /** What comes next, as one piece. */
  async read(timeoutMs: number): Promise<Incoming> {
    const incoming = await this.#until(() => this.#take(), timeoutMs);
    return incoming ?? { kind: "failed", why: "timed out" };
  }

  /** Queues output; bytes are not copied. */
  write(bytes: Uint8Array): void {
    if (this.#traffic !== undefined) this.#traffic.outBytes += bytes.length;
    this.#output?.write(bytes);
  }

  /** Whether producers need not wait for `room`. */
  get hasRoom(): boolean {
    return this.#failure === undefined && (this.#output?.queuedBytes ?? 0) <= OUTPUT_ROOM_BYTES;
  }

  /** Waits until output is low. @returns undefined, or what went wrong; a peer that takes nothing for `stallMs` too */
  async room(stallMs: number, belowBytes = OUTPUT_ROOM_BYTES): Promise<string | undefined> {
    for (;;) {
      const before = this.#output?.queuedBytes ?? 0;
      if (this.#failure !== undefined) return this.#failure;
      if (before <= belowBytes) return undefined;
      const done = await this.#until(
        () => this.#failure !== undefined || (this.#output?.queuedBytes ?? 0) <= belowBytes || undefined,
        stallMs,
      );
      if (done === undefined && (this.#output?.queuedBytes ?? 0) >= before) return "peer takes no more";
    }
  }

  /** TLS from here on. What the peer sent ahead in clear is dropped. @returns undefined, or what went wrong */
  async secure(demand: TlsDemand, timeoutMs: number): Promise<string | undefined> {
    if (this.#socket === undefined || this.#failure !== undefined) return this.#failure ?? "not connected";
    if (this.#unreadBytes > 0) return "input before TLS";
    this.#layer = "tls";
    const { serverName, verify, ca } = demand;
    this.#verify = verify;
    try {
      const [, secured] = this.#socket.upgradeTLS<OutgoingSocket>({
        data: this,
        // The types know neither of the two: `minVersion` as a number and `checkServerIdentity`.
        tls: {
          serverName,
          rejectUnauthorized: verify,
          minVersion: TLS_1_2,
          ...(ca === undefined ? {} : { ca }),
        } as Bun.TLSOptions,
        socket: tlsHandlers,
      });
      this.#socket = secured;
      this.#output?.switchSink(secured);
    } catch (error) {
      this.fail(messageOf(error));
    }
    await this.#until(() => this.#handshake ?? this.#failure, timeoutMs);
    const shaken = this.#handshake;
    if (shaken?.ok === true) return undefined;
    const why = shaken?.error ?? this.#failure ?? "TLS handshake timed out";
    this.destroy();
    return `TLS: ${why}`;
  }

  /** What the peer showed in the handshake. */
  certificate(): PeerCertificate | undefined {
    if (!this.isSecure || this.#socket === undefined) return undefined;
    // The types promise more than a peer without a certificate has.
    const shown: Partial<NodeCertificate> | undefined = this.#socket.getPeerCertificate();
    if (shown?.valid_to === undefined) return undefined;
    const named = (shown.subjectaltname ?? "").split(", ").filter((name) => name !== "");
    const names = named.map((name) => name.replace(/^(DNS|IP Address):/, ""));
    const issuer = [shown.issuer?.O, shown.issuer?.CN].flat().filter((part) => part !== undefined);
    return {
      names: names.length > 0 ? names : [shown.subject?.CN].flat().filter((name) => name !== undefined),
      issuer: issuer.join(", "),
      notAfter: shown.valid_to,
    };
  }

  /** Ends the connection when `stop` aborts. @returns lets go of the signal */
  obey(stop: AbortSignal): () => void {
    const onAbort = () => this.fail("stopped");
    stop.addEventListener("abort", onAbort);
    if (stop.aborted) onAbort();
    return () => stop.removeEventListener("abort", onAbort);
  }

  /** Sends what is queued, then hangs up. */
  end(): void {
    if (this.#failure !== undefined) return;
    this.#output?.end();
  }

  destroy(): void {
    this.fail("closed");
  }

  /** @param why the first one counts */
  fail(why: string): void {
    if (this.#failure !== undefined) return;
    this.#failure = why;
    this.#output?.close();
    this.#socket?.terminate();
    this.#wake();
  }

  /** A socket event counts only for the layer that is on top: the plain one still sees TLS's ciphertext. */
  speaksFor(layer: "plain" | "tls"): boolean {
    return this.#layer === layer && this.#failure === undefined;
  }

  onData(bytes: Uint8Array): void {
    if (this.#traffic !== undefined) this.#traffic.inBytes += bytes.length;
    this.#chunks.push(bytes);
    this.#unreadBytes += bytes.length;
    if (this.#unreadBytes > UNREAD_PAUSE_BYTES && !this.#isPaused) {
      this.#isPaused = true;
      this.#socket?.pause();
    }
    this.#wake();
  }

  /** Bun says not ok for a certificate that was not to be verified, too; then only a broken handshake counts. */
  onHandshake(ok: boolean, error: (Error & { code?: string }) | null): void {
    const isGood = this.#verify ? ok && this.#socket?.authorized === true : ok || error?.code !== "EPROTO";
    this.#handshake ??= { ok: isGood, error: error?.code ?? error?.message ?? "handshake failed" };
    this.#wake();
  }

  onDrain(): void {
    this.#output?.drain();
    this.#wake();
  }

  onEnd(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  outputDrained(): void {
    this.#wake();
  }

  outputEnded(): void {
    this.#failure = "closed";
    this.#socket?.end();
    this.#clock.after(LINGER_MS, () => this.#socket?.terminate());
    this.#wake();
  }

  outputOverflowed(): void {
    this.fail("output over the cap");
  }

  #take(): Incoming | undefined {
    const [first] = this.#chunks;
    if (first !== undefined) {
      const bytes = this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
      this.#chunks = [];
      this.#unreadBytes = 0;
      if (this.#isPaused) {
        this.#isPaused = false;
        this.#socket?.resume();
      }
      return { kind: "data", bytes };
    }
    if (this.#failure !== undefined) return { kind: "failed", why: this.#failure };
    return this.#hasEnded ? { kind: "end" } : undefined;
  }

  /** Asks again after each event. @returns undefined when time is over */
  async #until<T>(ask: () => T | undefined, timeoutMs: number): Promise<T | undefined> {
    let isOver = false;
    const { promise, resolve } = Promise.withResolvers<T | undefined>();
    const look = () => {
      const answer = ask();
      if (answer !== undefined || isOver) resolve(answer);
    };
    const cancel = this.#clock.after(timeoutMs, () => {
      isOver = true;
      look();
    });
    this.#wakers.add(look);
    look();
    try {
      return await promise;
    } finally {
      cancel();
      this.#wakers.delete(look);
    }
  }

  #wake(): void {
    for (const waker of [...this.#wakers]) waker();
  }
}

/**
 * `Bun.connect` can't be called off; `node:net` can, and what it connects is a Bun socket inside, which is taken over
 * here before anything was read. @throws what the system said, or that it was given up
 */
async function connectNative(outgoing: OutgoingSocket, giveUp: AbortSignal): Promise<ClientSocket> {
  const { address: host, port } = outgoing;
  const tried = connectTcp({ host, port, allowHalfOpen: true, noDelay: true });
  const { promise, resolve, reject } = Promise.withResolvers<ClientSocket>();
  const onAbort = () => {
    tried.destroy();
    reject(new Error("given up"));
  };
  tried.on("error", reject);
  tried.once("connect", () => {
    const { _handle: socket } = tried as unknown as { _handle?: ClientSocket | null };
    if (socket == null) {
      reject(new Error("connection closed"));
      return;
    }
    // At once: what comes from now on is ours.
    socket.data = outgoing;
    socket.reload({ socket: plainHandlers });
    resolve(socket);
  });
  giveUp.addEventListener("abort", onAbort);
  if (giveUp.aborted) onAbort();
  try {
    return await promise;
  } finally {
    giveUp.removeEventListener("abort", onAbort);
  }
}

function handlersOf(layer: "plain" | "tls"): Bun.SocketHandler<OutgoingSocket> {
  const when = (socket: ClientSocket, work: (outgoing: OutgoingSocket) => void) => {
    if (socket.data.speaksFor(layer)) work(socket.data);
  };
  return {
    data: (socket, bytes) => when(socket, (outgoing) => outgoing.onData(bytes)),
    drain: (socket) => when(socket, (outgoing) => outgoing.onDrain()),
    end: (socket) => when(socket, (outgoing) => outgoing.onEnd()),
    // Whichever layer goes first, the connection is gone.
    close: (socket) => socket.data.fail("connection closed"),
    error: (socket, error) => socket.data.fail(messageOf(error)),
    handshake: (socket, ok, error) => when(socket, (outgoing) => outgoing.onHandshake(ok, error)),
  };
}

const plainHandlers = handlersOf("plain");
const tlsHandlers = handlersOf("tls");

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error as NodeJS.ErrnoException).code ?? error.message;
}

function connectTrouble(error: unknown): string {
  return `connect: ${messageOf(error)}`;
}
