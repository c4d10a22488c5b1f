/** What IMAP sessions are given: the same for all of them (`ImapServices`), and one each (`Transport`). */
import type { Authenticator } from "../../auth/authenticator.ts";
import type { Address } from "../../core/address.ts";
import type { ChangeHub } from "../../core/changes.ts";
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../log/events.ts";
import type { MailStore } from "../../storage/store.ts";
import type { AppendIntake } from "../append.ts";

/** Settings that a reload may change; read once per connection. */
export interface ImapSettings {
  /** Before login: all that a chatmail relay shows, or what any server shows. */
  readonly capabilities: "full" | "generic";
  readonly compress: boolean;
  /** Device tokens are taken: XDELTAPUSH is announced. */
  readonly push: boolean;
  /** Between `* OK Still here` lines in IDLE, ms. */
  readonly idleKeepaliveMs: number;
  /** Silence after which a logged-in peer is dismissed; RFC 9051 §5.4 wants 30 minutes at least. */
  readonly idleTimeoutMs: number;
  readonly loginTimeoutMs: number;
  /** Largest APPEND, bytes. */
  readonly messageMaxBytes: number;
  /** How long the answer to a failed login waits. */
  readonly failedLoginDelayMs: number;
}

/** RFC 5464 annotations. Names are lower case; `mailbox` is "" for the server. Values are UTF-8 text. */
export interface MetadataSource {
  /** All entries there may be, with a value or not: what DEPTH looks through. */
  entries(mailbox: string): readonly string[];
  get(user: Address, mailbox: string, entry: string): string | undefined | Promise<string | undefined>;
  /** @param value undefined removes the entry. @returns false when the entry can't be set */
  set(user: Address, mailbox: string, entry: string, value: string | undefined): boolean | Promise<boolean>;
}

/** Both directions of RFC 4978 on one connection. */
export interface DeflateCodec {
  /** A self-contained, flushed piece of the outgoing stream. */
  deflate(bytes: Uint8Array): Uint8Array;
  /** What the chunk completes, the caller's to keep; may be nothing yet. @throws {Error} on garbage, or output over its cap */
  inflate(chunk: Uint8Array): readonly Uint8Array[];
}

export interface ImapServices {
  readonly store: Omit<MailStore, "outbox" | "keeper">;
  readonly auth: Authenticator;
  readonly hub: ChangeHub;
  readonly clock: Clock;
  readonly log: Log;
  readonly metadata: MetadataSource;
  /** Largest use of an account, bytes; 0 is unlimited. From RAM. */
  quotaBytes(user: Address): number;
  judgeAppend(user: Address): AppendIntake;
  newDeflate(): DeflateCodec;
  settings(): ImapSettings;
}

/** A session's hold on its connection and on the server around it. */
export interface Transport {
  readonly id: number;
  readonly secure: boolean;
  readonly peerAddress: string;
  readonly queuedBytes: number;
  write(bytes: Uint8Array): void;
  /** Stops and resumes the client's input. */
  pause(): void;
  resume(): void;
  /** Sends `reply`, then TLS follows. */
  startTls(reply: Uint8Array): void;
  /** Sends what is queued, then hangs up. */
  end(): void;
  /** The session now belongs to `user`. */
  loggedIn(user: Address): void;
  /** IDLE began or ended: keepalives are wanted, or no more. */
  idling(on: boolean): void;
}
