/**
 * One client connection of a line protocol, as tests and the load generator speak it: plain or TLS, STARTTLS,
 * raw DEFLATE, lines and counted bytes. Reads wait for data, never for time; a read that gets nothing fails
 * with what was expected and what stood in the buffer.
 */
import { constants, createInflateRaw, deflateRawSync, type InflateRaw } from "node:zlib";
import type { Socket } from "bun";

const READ_TIMEOUT_MS = 30_000;
const LINE_MAX_BYTES = 64 * 1024 * 1024;
/** First size of the receive buffer: thousands of idle links must stay cheap. */
const BUFFER_START_BYTES = 512;

export interface LinkOptions {
  host?: string;
  port: number;
  /** TLS from the first byte. */
  tls?: boolean;
  alpn?: string;
  /** SNI; none by default, as with an address literal. */
  serverName?: string;
  readTimeoutMs?: number;
}

interface Waiter {
  /** Bytes wanted, or 0 for a line. */
  count: number;
  /** They only have to be there: nothing is taken. */
  peek: boolean;
  resolve: (bytes: Buffer) => void;
  reject: (error: Error) => void;
  timer: ReturnType<typeof setTimeout>;
}

export class Link {
  /** Bytes received so far, after decompression. */
  received = 0;
  alpn: string | undefined;
  readonly closed: Promise<void>;
  readonly #settleClosed: () => void;
  readonly #readTimeoutMs: number;
  #socket: Socket | undefined;
  #buffer: Buffer = Buffer.allocUnsafe(BUFFER_START_BYTES);
  #start = 0;
  #end = 0;
  #waiter: Waiter | undefined;
  #queue: Buffer[] = [];
  #ended: Error | undefined;
  #upgraded = false;
  #inflate: InflateRaw | undefined;

  private constructor(readTimeoutMs: number) {
    this.#readTimeoutMs = readTimeoutMs;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#settleClosed = resolve;
  }

  /** Connects; with `tls` it resolves after the handshake. Certificates are not checked (self-signed relay). */
  static async connect(options: LinkOptions): Promise<Link> {
    const link = new Link(options.readTimeoutMs ?? READ_TIMEOUT_MS);
    const opened = Promise.withResolvers<void>();
    const fail = (error: Error) => {
      opened.reject(error);
      link.#close(error);
    };
    const socket = await Bun.connect({
      hostname: options.host ?? "127.0.0.1",
      port: options.port,
      ...(options.tls === true ? { tls: tlsOptions(options) } : {}),
      socket: {
        open(s) {
          s.setNoDelay(true);
          link.#socket = s;
          if (options.tls !== true) opened.resolve();
        },
        handshake(s, ok, error) {
          if (s.alpnProtocol !== null && s.alpnProtocol !== false) link.alpn = s.alpnProtocol;
          if (ok || s.authorized || isOnlyDistrust(error)) opened.resolve();
          else fail(error ?? new Error("TLS handshake failed"));
        },
        data(_, bytes) {
          if (!link.#upgraded) link.#take(bytes);
        },
        drain() {
          if (!link.#upgraded) link.#flush();
        },
        end() {
          if (!link.#upgraded) link.#close(new Error("the server ended the connection"));
        },
        close() {
          fail(new Error("the server closed the connection"));
        },
        error(_, error) {
          fail(error);
        },
        connectError(_, error) {
          fail(error);
        },
      },
    });
    link.#socket = socket;
    await opened.promise;
    return link;
  }

  /** The STARTTLS step: call it right after the server's go-ahead line was read. */
  async upgrade(options: { serverName?: string } = {}): Promise<void> {
    const plain = this.#socket;
    if (plain === undefined) throw new Error("not connected");
    const done = Promise.withResolvers<void>();
    this.#upgraded = true;
    const fail = (error: Error) => {
      done.reject(error);
      this.#close(error);
    };
    const [, secure] = plain.upgradeTLS({
      data: undefined,
      tls: tlsOptions(options),
      socket: {
        handshake: (_, ok, error) => {
          if (ok || isOnlyDistrust(error)) done.resolve();
          else fail(error ?? new Error("TLS handshake failed"));
        },
        data: (_, bytes) => this.#take(bytes),
        drain: () => this.#flush(),
        end: () => this.#close(new Error("the server ended the connection")),
        close: () => fail(new Error("the server closed the connection")),
        error: (_, error) => fail(error),
      },
    });
    this.#socket = secure;
    await done.promise;
  }

  /** RFC 4978: from here on both directions are raw DEFLATE. What is written goes out sync-flushed. */
  startCompression(): void {
    const inflate = createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH });
    inflate.on("data", (bytes: Buffer) => this.#store(bytes));
    inflate.on("error", (error: Error) => this.#close(error));
    this.#inflate = inflate;
    const early = this.#buffer.subarray(this.#start, this.#end);
    if (early.length > 0) inflate.write(Buffer.from(early));
    this.#start = this.#end;
  }

  /** Queues bytes for sending; never blocks. */
  write(data: string | Uint8Array): void {
    if (this.#ended !== undefined) throw this.#ended;
    let bytes =
      typeof data === "string"
        ? Buffer.from(data, "utf8")
        : Buffer.from(data.buffer, data.byteOffset, data.length);
    if (this.#inflate !== undefined) {
      bytes = deflateRawSync(bytes, { level: 1, finishFlush: constants.Z_SYNC_FLUSH });
    }
    this.#queue.push(bytes);
    if (this.#queue.length === 1) this.#flush();
  }

  /** The next line without its line end, as Latin-1 text. */
  async line(timeoutMs = this.#readTimeoutMs): Promise<string> {
    return (await this.#read(0, timeoutMs)).toString("latin1");
  }

  /** Exactly `count` bytes, copied. */
  bytes(count: number, timeoutMs = this.#readTimeoutMs): Promise<Buffer> {
    if (count === 0) return Promise.resolve(Buffer.alloc(0));
    return this.#read(count, timeoutMs);
  }

  /** Throws bytes away up to and with `marker`, without making text of them. @returns how many */
  async skipPast(marker: Uint8Array, timeoutMs = this.#readTimeoutMs): Promise<number> {
    const from = this.received - (this.#end - this.#start);
    for (;;) {
      const held = this.#buffer.subarray(this.#start, this.#end);
      const at = held.indexOf(marker);
      if (at >= 0) {
        this.#start += at + marker.length;
        return this.received - (this.#end - this.#start) - from;
      }
      // The marker may stand across two chunks: its head stays.
      const keep = Math.min(held.length, marker.length - 1);
      this.#start = this.#end - keep;
      await this.#more(keep, timeoutMs);
    }
  }

  /** Closes at once; pending reads fail. */
  close(): void {
    this.#socket?.end();
    this.#close(new Error("closed by the test"));
  }

  /** Resets the connection without a TLS goodbye, as a dying phone does. */
  abort(): void {
    this.#socket?.terminate();
    this.#close(new Error("aborted by the test"));
  }

  #flush(): void {
    const socket = this.#socket;
    if (socket === undefined || this.#ended !== undefined) return;
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const written = Math.max(0, socket.write(first));
      if (written < first.length) {
        this.#queue[0] = first.subarray(written);
        return;
      }
      this.#queue.shift();
    }
  }

  #take(bytes: Uint8Array): void {
    if (this.#inflate === undefined) this.#store(bytes);
    else this.#inflate.write(Buffer.from(bytes));
  }

  #store(bytes: Uint8Array): void {
    this.received += bytes.length;
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
    }
    if (this.#end + bytes.length > this.#buffer.length) this.#grow(bytes.length);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
    this.#serve();
  }

  #grow(extra: number): void {
    const held = this.#end - this.#start;
    if (held + extra > LINE_MAX_BYTES)
      return this.#close(new Error("more unread bytes than a test may hold"));
    const next = Buffer.allocUnsafe(Math.max(this.#buffer.length, 2 ** Math.ceil(Math.log2(held + extra))));
    this.#buffer.copy(next, 0, this.#start, this.#end);
    this.#buffer = next;
    this.#start = 0;
    this.#end = held;
  }

  /** Resolves when more than `held` unread bytes are there; they stay unread. */
  async #more(held: number, timeoutMs: number): Promise<void> {
    await this.#read(held + 1, timeoutMs, true);
  }

  #read(count: number, timeoutMs: number, peek = false): Promise<Buffer> {
    if (this.#waiter !== undefined) throw new Error("two reads at once on one link");
    const ready = this.#cut(count, peek);
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#ended !== undefined) return Promise.reject(new Error(`read failed: ${this.#ended.message}`));
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const timer = setTimeout(() => {
      this.#waiter = undefined;
      const held = this.#buffer.subarray(this.#start, this.#end).toString("latin1").slice(0, 200);
      const wanted = count === 0 ? "a line" : `${count} bytes`;
      reject(new Error(`${timeoutMs} ms without ${wanted}; unread: ${JSON.stringify(held)}`));
    }, timeoutMs);
    this.#waiter = { count, peek, resolve, reject, timer };
    return promise;
  }

  #serve(): void {
    const waiter = this.#waiter;
    if (waiter === undefined) return;
    const ready = this.#cut(waiter.count, waiter.peek);
    if (ready === undefined) return;
    this.#waiter = undefined;
    clearTimeout(waiter.timer);
    waiter.resolve(ready);
  }

  #cut(count: number, peek: boolean): Buffer | undefined {
    const held = this.#buffer.subarray(this.#start, this.#end);
    if (count > 0) {
      if (held.length < count) return undefined;
      if (peek) return held;
      this.#start += count;
      return Buffer.from(held.subarray(0, count));
    }
    const lf = held.indexOf(10);
    if (lf < 0) return undefined;
    this.#start += lf + 1;
    return Buffer.from(held.subarray(0, lf > 0 && held[lf - 1] === 13 ? lf - 1 : lf));
  }

  #close(error: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#queue = [];
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter !== undefined) {
      clearTimeout(waiter.timer);
      waiter.reject(error);
    }
    this.#inflate?.close();
    this.#settleClosed();
  }
}

function tlsOptions(options: { alpn?: string; serverName?: string }): Bun.TLSOptions {
  return {
    rejectUnauthorized: false,
    ...(options.alpn === undefined ? {} : { ALPNProtocols: wireAlpn(options.alpn) }),
    ...(options.serverName === undefined ? {} : { serverName: options.serverName }),
  };
}

/** RFC 7301 §3.1: length-prefixed names. */
function wireAlpn(name: string): Buffer {
  return Buffer.concat([Buffer.from([name.length]), Buffer.from(name, "latin1")]);
}

/** The relay's certificate is self-signed: the handshake worked, only trust is missing. */
function isOnlyDistrust(error: Error | null): boolean {
  const code = (error as { code?: string } | null)?.code ?? "";
  return /SELF_SIGNED|UNABLE_TO|ERR_TLS_CERT_ALTNAME_INVALID/.test(code);
}
