/**
 * The IMAP engine: bytes of one client in, responses out through its transport (RFC 9051, RFC 3501).
 * It does no I/O of its own. What it can't know it asks the storage and auth seams; meanwhile it is parked,
 * and pipelined commands wait in the receiver, bounded.
 *
 * Invariants
 * - One command at a time, answered in order. A client's fault is a response, never an exception.
 * - Nothing is begun while the client does not read what was said (`OUTPUT_HIGH_BYTES`).
 * - A fault of ours ends this session only.
 */
import { StorageError, type StorageFault } from "../../storage/store.ts";
import { Args } from "./args.ts";
import type { News } from "./command.ts";
import { type Append, beginAppend, finishAppend } from "./commands/append.ts";
import { commands } from "./commands/table.ts";
import {
  BAD_COMMANDS_BEFORE_LOGIN_MAX,
  BAD_COMMANDS_MAX,
  FAILED_LOGINS_MAX,
  OUTPUT_HIGH_BYTES,
  PIPELINE_MAX_BYTES,
} from "./limits.ts";
import { type CommandParts, type Received, Receiver } from "./receiver.ts";
import type { ImapServices, Transport } from "./services.ts";
import { type Outcome, Session } from "./session.ts";

/** A tag and a command's name; `UID` has its second word. */
const COMMAND = /^([^\u0000-\u0020\u007f(){%*"\\+]{1,128}) +((?:UID +)?[A-Za-z]+)(?= |$)/i;
const TAG = /^[^\u0000-\u0020\u007f(){%*"\\+]{1,128}/;

/** RFC 5530 codes. No text may hold the word that clients take for a wrong password. */
const STORAGE_ANSWERS: Readonly<Record<StorageFault, string>> = {
  full: "NO [UNAVAILABLE] No room on the server now",
  failed: "NO [UNAVAILABLE] Storage trouble, try again later",
  tooBig: "NO [TOOBIG] Too large",
  nonexistent: "NO [NONEXISTENT] No such mailbox",
  exists: "NO [ALREADYEXISTS] There is such a mailbox already",
  badName: "NO [CANNOT] No mailbox can have that name",
};

export class Engine {
  readonly session: Session;
  readonly #receiver = new Receiver();
  #busy = false;
  #pumping = false;
  #paused = false;
  #dirty = false;
  #inputEnded = false;
  #badCommands = 0;
  #append: Append | undefined;
  /** Of the command whose lines are awaited. */
  #waitingTag = "";

  constructor(services: ImapServices, transport: Transport) {
    this.session = new Session(services, transport);
  }

  /** True while a command runs. */
  get busy(): boolean {
    return this.#busy;
  }

  greet(): void {
    this.session.send(`* OK [CAPABILITY ${this.session.capabilities}] IMAP4rev1 ready`);
    this.session.flush();
  }

  /** Takes any slice of the stream. `bytes` is borrowed. */
  feed(bytes: Uint8Array): void {
    if (this.session.closed) return;
    const { codec } = this.session;
    try {
      if (codec === undefined) this.#receiver.push(bytes);
      else for (const piece of codec.inflate(bytes)) this.#receiver.push(piece);
    } catch {
      this.session.bye("Broken compressed stream");
      return;
    }
    this.#pump();
    if (codec === undefined) this.#receiver.keep();
  }

  /** The client says nothing more but still reads: what it asked is answered, then the connection ends. */
  inputEnded(): void {
    this.#inputEnded = true;
    this.#pump();
  }

  /** The client has read all that was said. */
  drained(): void {
    this.session.drained();
    if (this.#dirty) this.look();
    this.#pump();
  }

  /** Something changed in the account. Told at once in IDLE, otherwise with the next command's answer. */
  look(): void {
    const { session } = this;
    this.#dirty = session.idling && session.transport.queuedBytes > 0;
    if (!session.idling || this.#dirty || session.closed) return;
    session.news(true);
    session.flush();
  }

  /** Keeps NAT paths open; only when nothing else is under way. */
  keepalive(): void {
    const { session } = this;
    if (!session.idling || session.closed || session.transport.queuedBytes > 0) return;
    session.send("* OK Still here");
    session.flush();
  }

  /** The connection is over, whatever ended it. */
  dispose(): void {
    this.#append?.intake.abort();
    this.#append = undefined;
    this.#receiver.clear();
    this.session.dispose();
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    const { session } = this;
    while (!this.#busy && !session.closed && session.transport.queuedBytes <= OUTPUT_HIGH_BYTES) {
      this.#receiver.raw = session.lineHandler !== undefined;
      this.#receiver.trusted = session.user !== undefined;
      const item = this.#receiver.next();
      if (item === undefined) break;
      this.#take(item);
    }
    this.#pumping = false;
    session.flush();
    this.#throttle();
    if (this.#inputEnded && !this.#busy && session.transport.queuedBytes <= OUTPUT_HIGH_BYTES)
      session.hangUp();
  }

  /** A client far ahead of its answers is not read. */
  #throttle(): void {
    const ahead = this.#receiver.pendingBytes > PIPELINE_MAX_BYTES;
    if (ahead === this.#paused || this.session.closed) return;
    this.#paused = ahead;
    if (ahead) this.session.transport.pause();
    else this.session.transport.resume();
  }

  #take(item: Received): void {
    switch (item.kind) {
      case "command":
        return this.#append === undefined ? this.#dispatch(item.parts) : this.#endAppend(item.parts);
      case "line":
        return this.#takeLine(item.text);
      case "continue":
        return this.session.send("+ OK");
      case "streamBegins":
        return this.#beginAppend(item);
      case "streamBytes":
        return this.#append?.intake.write(item.bytes);
      case "literalRefused":
        return this.#finish(tagOf(item.parts), "BAD [TOOBIG] Literal too large", "none");
      case "fatal":
        this.#protocolError(item.text);
        return this.session.bye(item.text);
      case "streamEnds":
      case "skipped":
    }
  }

  #dispatch(parts: CommandParts): void {
    const head = String(parts[0]);
    const match = COMMAND.exec(head);
    if (match === null) return this.#finish(tagOf(parts), "BAD Expected a tag and a command", "none");
    const [whole, tag = "*", word = ""] = match;
    const command = commands.get(word.toUpperCase().replace(/ +/, " "));
    if (command === undefined) return this.#finish(tag, "BAD Unknown command", "none");
    const { session } = this;
    const { codec } = session;
    if (command.allowed === "beforeLogin" && session.user !== undefined) {
      return this.#finish(tag, "BAD Already logged in", "all");
    }
    if (
      (command.allowed === "authenticated" || command.allowed === "selected") &&
      session.user === undefined
    ) {
      return this.#finish(tag, "BAD Log in first", "none");
    }
    if (command.allowed === "selected" && session.selected === undefined) {
      return this.#finish(tag, "BAD Select a mailbox first", "none");
    }
    this.#run(tag, command.news, () => command.start(session, new Args(parts, whole.length), tag));
    // What was pipelined behind a change of the stream's coding is not what it seems (RFC 9051 §11.1, RFC 4978 §3).
    if (session.tlsBegun || session.codec !== codec) this.#receiver.clear();
    session.tlsBegun = false;
  }

  #takeLine(line: string): void {
    const { session } = this;
    const handler = session.lineHandler;
    session.lineHandler = undefined;
    if (handler === undefined) return;
    this.#run(this.#waitingTag, "all", () => handler(session, line));
  }

  #run(tag: string, news: News, work: () => Outcome | Promise<Outcome>): void {
    let outcome: Outcome | Promise<Outcome>;
    try {
      outcome = work();
    } catch (error) {
      outcome = this.#answerFault(error);
    }
    if (!(outcome instanceof Promise)) return this.#finish(tag, outcome, news);
    void this.#park(tag, news, outcome);
  }

  /** Waits for a command's end. Never rejects: this is the one guard of all asynchronous work. */
  async #park(tag: string, news: News, running: Promise<Outcome>): Promise<void> {
    this.#busy = true;
    this.session.flush();
    let outcome: Outcome;
    try {
      outcome = await running;
    } catch (error) {
      outcome = this.#answerFault(error);
    }
    this.#busy = false;
    try {
      this.#finish(tag, outcome, news);
      this.#pump();
    } catch (error) {
      this.#answerFault(error);
    }
  }

  #finish(tag: string, outcome: Outcome, news: News): void {
    const { session } = this;
    this.#waitingTag = tag;
    if (outcome === undefined || session.closed) return;
    if (news !== "none") session.news(news === "all");
    session.send(`${tag} ${outcome}`);
    if (session.failedLogins >= FAILED_LOGINS_MAX) return session.hangUp();
    if (!outcome.startsWith("BAD")) {
      if (session.user !== undefined) this.#badCommands = 0;
      return;
    }
    this.#protocolError("bad command");
    const max = session.user === undefined ? BAD_COMMANDS_BEFORE_LOGIN_MAX : BAD_COMMANDS_MAX;
    if (++this.#badCommands >= max) session.bye("Too many bad commands");
  }

  #beginAppend({ parts, size, sync }: Received & { kind: "streamBegins" }): void {
    const tag = tagOf(parts);
    this.#run(tag, "none", async () => {
      const begun = await beginAppend(this.session, tag, parts, size);
      if (this.session.closed) {
        if (typeof begun !== "string") begun.intake.abort();
        return undefined;
      }
      if (typeof begun === "string") {
        this.#receiver.skipStream(!sync);
        return begun;
      }
      this.#append = begun;
      this.#receiver.acceptStream();
      if (sync) this.session.send("+ OK");
      return undefined;
    });
  }

  #endAppend(parts: CommandParts): void {
    const append = this.#append;
    this.#append = undefined;
    if (append === undefined) return;
    // More literals would be further messages: MULTIAPPEND (RFC 3502) is not announced, and fails as a bad end.
    const tail = String(parts.at(append.partCount));
    this.#run(append.tag, "all", () => finishAppend(this.session, append, tail));
  }

  /** The answer to a fault of ours. Storage trouble is told and the session goes on; anything else ends it. */
  #answerFault(error: unknown): Outcome {
    const { log } = this.session.services;
    if (error instanceof StorageError) {
      if (error.fault === "failed" || error.fault === "full")
        log.emit({ kind: "storageTrouble", what: error.fault });
      return STORAGE_ANSWERS[error.fault];
    }
    log.emit({ kind: "internalFault", where: "imap", error });
    this.session.bye("Internal error");
    return undefined;
  }

  #protocolError(what: string): void {
    const { services, transport } = this.session;
    services.log.emit({ kind: "protocolError", proto: "imap", connection: transport.id, what });
  }
}

/** The tag of a command that could not be read any further; `*` without one. */
function tagOf(parts: CommandParts): string {
  return TAG.exec(String(parts[0]))?.[0] ?? "*";
}
