/** An IMAP host with fakes all around it and a client that is a pair of strings: no sockets, no real time. */
import { type Address, parseAddress } from "../core/address.ts";
import { LocalChangeHub } from "../core/changes.ts";
import { ManualClock } from "../core/clock.ts";
import { refuse } from "../core/verdict.ts";
import type { Event, Log } from "../log/events.ts";
import type { Connection, ConnectionHandler } from "../net/connection.ts";
import type { AppendIntake } from "./append.ts";
import type { DeflateCodec, ImapServices, ImapSettings } from "./engine/services.ts";
import { FakeSealed, FakeStore } from "./fake-store.test-help.ts";
import { ImapHost } from "./server.ts";

export const MANY: Address = address("many@relay.example");

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`no address: ${text}`);
  return parsed;
}

const SETTINGS: ImapSettings = {
  capabilities: "full",
  compress: true,
  push: true,
  idleKeepaliveMs: 115_000,
  idleTimeoutMs: 1_800_000,
  loginTimeoutMs: 60_000,
  messageMaxBytes: 100_000,
  failedLoginDelayMs: 1000,
};

/** Password "secret" for everybody; "later" can't be decided. */
export class FakeWorld {
  readonly clock = new ManualClock();
  readonly hub = new LocalChangeHub();
  readonly store = new FakeStore(this.hub);
  readonly events: Event[] = [];
  readonly values = new Map<string, string>();
  readonly settings: ImapSettings;
  readonly host: ImapHost;
  readonly appends: FakeIntake[] = [];
  quotaBytes = 1024 * 1024;

  constructor(settings: Partial<ImapSettings> = {}) {
    this.settings = { ...SETTINGS, ...settings };
    this.host = new ImapHost(this.services());
  }

  services(): ImapServices {
    const log: Log = { emit: (event) => void this.events.push(event), counts: () => new Map() };
    return {
      store: this.store,
      hub: this.hub,
      clock: this.clock,
      log,
      auth: {
        login: async ({ username, password }) => {
          await Promise.resolve();
          if (password === "later") return { ok: false, why: "unavailable" };
          const user = parseAddress(username);
          if (password !== "secret" || user === undefined) return { ok: false, why: "badCredentials" };
          return { ok: true, user };
        },
      },
      metadata: {
        entries: (mailbox) => [
          ...new Set(
            [...this.values.keys()].flatMap((key) => {
              const [owner = "", of = "", entry = owner] = key.split(" ");
              return of === mailbox || (mailbox === "" && entry === owner) ? [entry] : [];
            }),
          ),
        ],
        get: (user, mailbox, entry) =>
          this.values.get(`${user} ${mailbox} ${entry}`) ?? this.values.get(entry),
        set: (user, mailbox, entry, value) => {
          if (entry.startsWith("/shared/")) return false;
          const key = `${user} ${mailbox} ${entry}`;
          const before = this.values.get(key);
          if (value === undefined) this.values.delete(key);
          else this.values.set(key, before === undefined ? value : `${before} ${value}`);
          return true;
        },
      },
      quotaBytes: () => this.quotaBytes,
      judgeAppend: () => {
        const intake = new FakeIntake();
        this.appends.push(intake);
        return intake;
      },
      newDeflate: () => new FakeCodec(),
      settings: () => this.settings,
    };
  }
}

/** Takes what has "PGP" in it, drops what has "drop". */
export class FakeIntake implements AppendIntake {
  readonly chunks: Uint8Array[] = [];
  aborted = false;

  write(chunk: Uint8Array): void {
    this.chunks.push(new Uint8Array(chunk));
  }

  async finish(): ReturnType<AppendIntake["finish"]> {
    await Promise.resolve();
    const body = Buffer.concat(this.chunks);
    if (body.includes("drop")) return { verdict: { do: "drop", why: "silentlyDismissed" } };
    if (!body.includes("PGP")) return { verdict: refuse("encryptionNeeded") };
    return { verdict: { do: "accept" }, message: new FakeSealed(body) };
  }

  abort(): void {
    this.aborted = true;
  }
}

/** "Compression" that shifts every byte by one; byte 0 is garbage. */
class FakeCodec implements DeflateCodec {
  deflate(bytes: Uint8Array): Uint8Array {
    return Uint8Array.from(bytes, (byte) => byte + 1);
  }

  inflate(chunk: Uint8Array): readonly Uint8Array[] {
    if (chunk.includes(0)) throw new Error("garbage");
    return [Uint8Array.from(chunk, (byte) => byte - 1)];
  }
}

let connections = 0;

/** One client and its connection. */
export class FakePeer implements Connection {
  readonly id = ++connections;
  readonly peer = { address: "192.0.2.7", port: 40_000 };
  readonly localPort = 993;
  secure: boolean;
  queuedBytes = 0;
  paused = false;
  closed = false;
  idleTimeoutMs = 0;
  wantsTls = false;
  /** When set, the client reads nothing: output counts as queued until `read`. */
  slow = false;
  writes = 0;
  readonly handler: ConnectionHandler;
  #output: Uint8Array[] = [];
  #taken = 0;

  constructor(world: { readonly host: ImapHost }, options: { secure?: boolean } = {}) {
    this.secure = options.secure ?? true;
    this.handler = world.host.accept(this);
  }

  write(bytes: Uint8Array): void {
    if (this.closed) return;
    this.#output.push(bytes);
    this.writes++;
    if (this.slow) this.queuedBytes += bytes.length;
  }

  startTls(reply: Uint8Array): void {
    this.write(reply);
    this.wantsTls = true;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  end(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.closed) return;
    this.closed = true;
    this.handler.closed();
  }

  setIdleTimeoutMs(ms: number): void {
    this.idleTimeoutMs = ms;
  }

  /** All output since the start. */
  output(): Uint8Array {
    if (this.#output.length > 1) this.#output = [Buffer.concat(this.#output)];
    return this.#output[0] ?? new Uint8Array(0);
  }

  /** The client sends bytes, lent only for the call. */
  send(bytes: Uint8Array): void {
    // After the answer to STARTTLS only a handshake is heard.
    if (this.closed || this.wantsTls) return;
    const lent = Buffer.from(bytes);
    this.handler.data(lent);
    lent.fill(63);
  }

  /** The handshake is done. */
  secureNow(): void {
    if (!this.wantsTls) throw new Error("no handshake is awaited");
    this.wantsTls = false;
    this.secure = true;
    this.handler.secured();
  }

  /** The client reads all that is queued. */
  read(): void {
    this.queuedBytes = 0;
    this.handler.drained();
  }

  /** Sends lines (CRLF is added), waits, and gives what came back. */
  async say(...lines: string[]): Promise<string> {
    this.send(Buffer.from(lines.map((line) => `${line}\r\n`).join(""), "latin1"));
    await settle();
    return this.heard();
  }

  /** What came since the last look. */
  heard(): string {
    const text = Buffer.from(this.output().subarray(this.#taken)).toString("latin1");
    this.#taken = this.output().length;
    return text;
  }
}

/** Lets all promises that are on their way finish. */
export async function settle(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });
}

/** A client that is logged in as MANY, INBOX selected if wanted. */
export async function loggedIn(world: { readonly host: ImapHost }, selected = false): Promise<FakePeer> {
  const peer = new FakePeer(world);
  await peer.say(`l LOGIN ${MANY} secret`);
  if (selected) await peer.say("s SELECT INBOX");
  peer.heard();
  return peer;
}
