/**
 * One client's session: its state (RFC 9051 §3), what it enabled, and its output. Output of a turn is gathered and
 * leaves in one piece; with COMPRESS it is deflated in that piece.
 * Kept small: thousands of these sit in IDLE.
 */
import type { Address } from "../../core/address.ts";
import { fromLatin1 } from "../../core/bytes.ts";
import type { MailAccount } from "../../storage/store.ts";
import { capabilities } from "./capabilities.ts";
import { OUTPUT_HIGH_BYTES } from "./limits.ts";
import { encodeMailboxName } from "./mailbox-name.ts";
import type { Selected } from "./selected.ts";
import type { DeflateCodec, ImapServices, ImapSettings, Transport } from "./services.ts";
import { formatAstring, isAscii, quote } from "./text.ts";

/** Gathered output above this leaves before the turn ends. */
const TEXT_HIGH_BYTES = 64 * 1024;

/** A tagged response without its tag: `OK Done`. undefined: it comes later, by a line handler. */
export type Outcome = string | undefined;
/** Takes the next line of the client whatever it says: a SASL answer, DONE. */
export type LineHandler = (session: Session, line: string) => Outcome | Promise<Outcome>;

export class Session {
  readonly services: ImapServices;
  readonly settings: ImapSettings;
  readonly transport: Transport;
  user: Address | undefined;
  selected: Selected | undefined;
  /** STARTTLS was accepted just now: what is left of the plain stream counts no more. */
  tlsBegun = false;
  lineHandler: LineHandler | undefined;
  codec: DeflateCodec | undefined;
  condstore = false;
  qresync = false;
  utf8 = false;
  idling = false;
  /** Nothing more is said or heard. */
  closed = false;
  failedLogins = 0;
  #text = "";
  #drainWaiter: (() => void) | undefined;

  constructor(services: ImapServices, transport: Transport) {
    this.services = services;
    this.settings = services.settings();
    this.transport = transport;
  }

  /** Queues one response line; CRLF is added. @param line a unit per byte */
  send(line: string): void {
    this.sendText(`${line}\r\n`);
  }

  /** Queues text that has its line ends. */
  sendText(text: string): void {
    this.#text += text;
    if (this.#text.length > TEXT_HIGH_BYTES) this.flush();
  }

  /** Sends bytes behind all that is queued; leave them alone after. */
  sendBytes(bytes: Uint8Array): void {
    this.flush();
    if (!this.closed) this.transport.write(this.codec === undefined ? bytes : this.codec.deflate(bytes));
  }

  flush(): void {
    const text = this.#text;
    if (text === "") return;
    this.#text = "";
    if (this.closed) return;
    const bytes = fromLatin1(text);
    this.transport.write(this.codec === undefined ? bytes : this.codec.deflate(bytes));
  }

  /**
   * Resolves at once when the peer keeps up, else when it has read all; when the connection closes in any case.
   * @param highBytes what may wait for the peer all the same
   */
  async roomToWrite(highBytes = OUTPUT_HIGH_BYTES): Promise<void> {
    this.flush();
    if (this.closed || this.transport.queuedBytes <= highBytes) return;
    await new Promise<void>((resolve) => {
      this.#drainWaiter = resolve;
    });
  }

  /** The peer has read all, or is gone. */
  drained(): void {
    const waiter = this.#drainWaiter;
    this.#drainWaiter = undefined;
    waiter?.();
  }

  get capabilities(): string {
    return capabilities({
      secure: this.transport.secure,
      loggedIn: this.user !== undefined,
      shown: this.settings.capabilities,
      push: this.settings.push,
      compress: this.settings.compress && this.codec === undefined,
      messageMaxBytes: this.settings.messageMaxBytes,
    });
  }

  /** The account of this session. Ask anew in each command: the store may have put it out of memory. */
  account(): Promise<MailAccount> {
    if (this.user === undefined) throw new Error("no account before login");
    return this.services.store.account(this.user);
  }

  /** The selected mailbox. @throws {Error} in another state: the dispatcher lets no such command through */
  get mailbox(): Selected {
    if (this.selected === undefined) throw new Error("no mailbox is selected");
    return this.selected;
  }

  /** Leaves the selected state, without expunging. */
  unselect(): void {
    this.selected?.mailbox.release();
    this.selected = undefined;
  }

  /** Queues what changed in the selected mailbox. */
  news(expunges: boolean): void {
    const { selected, qresync, condstore } = this;
    if (selected !== undefined) this.sendText(selected.news({ expunges, qresync, condstore }));
  }

  /** A mailbox name as it stands in responses. */
  nameOut(name: string): string {
    const wire = encodeMailboxName(name, this.utf8);
    // RFC 6855 §3: UTF-8 stands in quoted strings then.
    return this.utf8 && !isAscii(wire) ? quote(wire) : formatAstring(wire);
  }

  /** Says BYE and hangs up. */
  bye(text: string): void {
    if (this.closed) return;
    this.send(`* BYE ${text}`);
    this.hangUp();
  }

  hangUp(): void {
    this.flush();
    if (this.closed) return;
    this.closed = true;
    this.transport.end();
  }

  /** Frees what the session holds; the connection is over. */
  dispose(): void {
    this.closed = true;
    this.#text = "";
    this.lineHandler = undefined;
    this.codec = undefined;
    if (this.idling) this.transport.idling(false);
    this.idling = false;
    this.unselect();
    this.drained();
  }
}
