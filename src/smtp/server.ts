/**
 * SMTP on a connection: joins the engine (engine/engine.ts) with the mail door and the authenticator.
 * Replies leave in one write per turn. The peer is paused while too much of its input waits or it does not read.
 * Nothing here rejects or throws for a peer's fault; a fault of ours ends this connection only.
 */
import type { Authenticator, LoginResult } from "../auth/authenticator.ts";
import type { Address } from "../core/address.ts";
import { EMPTY, fromLatin1 } from "../core/bytes.ts";
import type { CancelTimer, Clock } from "../core/clock.ts";
import type { Refusal, Verdict } from "../core/verdict.ts";
import type { Intake, MailDoor, SubmitterFacts } from "../delivery/intake.ts";
import type { Log } from "../log/events.ts";
import type { Accept, Connection, ConnectionHandler } from "../net/connection.ts";
import type { CloseReason, Effect, SmtpMode } from "./engine/effects.ts";
import { SmtpEngine } from "./engine/engine.ts";
import {
  BODY_IDLE_MAX_MS,
  BODY_TOTAL_MAX_MS,
  COMMAND_IDLE_MAX_MS,
  HELD_INPUT_PAUSE_BYTES,
  LOGIN_DELAY_MAX_MS,
  LOGIN_DELAY_STEP_MS,
  PRELUDE_MAX_MS,
  UNREAD_REPLIES_PAUSE_BYTES,
  VERDICT_MAX_MS,
} from "./engine/limits.ts";

/** When the time to log in is over while a question is open, look again after this. */
const PRELUDE_RETRY_MS = 10_000;

export interface SmtpHostOptions {
  readonly mode: SmtpMode;
  /** Name in the greeting: `relay.example` or `[1.2.3.4]`. */
  readonly hostname: string;
  readonly door: MailDoor;
  /** Not asked on port 25. */
  readonly auth: Authenticator;
  readonly log: Log;
  readonly clock: Clock;
  /** True when STARTTLS can be offered on a connection in clear. */
  readonly tlsAvailable: boolean;
  /** Whether mail in clear is refused; asked for each connection. Submission wants TLS for its login anyway. */
  readonly tlsRequired?: () => boolean;
}

/** Makes SMTP hosts for a listener. */
export function smtpAccept(options: SmtpHostOptions): Accept {
  return (connection) => new SmtpHost(connection, options);
}

class SmtpHost implements ConnectionHandler {
  readonly #connection: Connection;
  readonly #options: SmtpHostOptions;
  readonly #engine: SmtpEngine;
  #login: Address | null = null;
  #loginFailures = 0;
  #intake: Intake | undefined;
  /** Replies of this turn. */
  #replies = "";
  #isPaused = false;
  #isInMessage = false;
  #isClosed = false;
  #hasInputEnded = false;
  #cancelPrelude: CancelTimer | undefined;
  #cancelMessageTimer: CancelTimer | undefined;
  #cancelLoginDelay: CancelTimer | undefined;
  #cancelUnreadTimer: CancelTimer | undefined;

  constructor(connection: Connection, options: SmtpHostOptions) {
    this.#connection = connection;
    this.#options = options;
    const { mode, hostname, tlsAvailable, door } = options;
    const { secure } = connection;
    const tlsRequired = options.tlsRequired?.() ?? false;
    this.#engine = new SmtpEngine({ mode, hostname, tlsAvailable, tlsRequired, secure, limits: door });
    connection.setIdleTimeoutMs(COMMAND_IDLE_MAX_MS);
    this.#limitPrelude(PRELUDE_MAX_MS);
    this.#run(this.#engine.greet());
  }

  data(bytes: Uint8Array): void {
    this.#run(this.#engine.feed(bytes));
  }

  drained(): void {
    this.#balance();
  }

  secured(): void {
    this.#engine.secured();
  }

  idle(): void {
    this.#run(this.#engine.timeout());
  }

  shutdown(): void {
    this.#run(this.#engine.shutdown());
  }

  /** `printf … | nc` sends all and closes its side: it gets its answers, then the connection ends. */
  inputEnded(): void {
    this.#hasInputEnded = true;
    this.#endWhenAnswered();
  }

  closed(): void {
    this.#isClosed = true;
    this.#cancelPrelude?.();
    this.#cancelMessageTimer?.();
    this.#cancelLoginDelay?.();
    this.#cancelUnreadTimer?.();
    this.#abortIntake();
  }

  /** Does what the engine wants, and what follows from its answers, until it waits. */
  #run(effects: readonly Effect[]): void {
    let batch = effects;
    while (batch.length > 0) {
      let more: readonly Effect[] = [];
      // A question is the last of its batch.
      for (const effect of batch) more = this.#do(effect);
      batch = more;
    }
    this.#flush();
    this.#balance();
    this.#endWhenAnswered();
  }

  /** Nothing more can come: the connection ends once no question is open. */
  #endWhenAnswered(): void {
    if (this.#hasInputEnded && !this.#isClosed && !this.#engine.isWaiting) this.#connection.end();
  }

  #do(effect: Effect): readonly Effect[] {
    const { door } = this.#options;
    switch (effect.do) {
      case "send":
        this.#replies += effect.text;
        break;
      case "askSender":
        if (this.#options.mode === "smtp") this.#cancelPrelude?.();
        return this.#answer(effect.id, "MAIL", door.judgeSender(this.#who(), effect.sender));
      case "askRecipient":
        return this.#answer(
          effect.id,
          "RCPT",
          door.judgeRecipient(this.#who(), effect.sender, effect.recipient),
        );
      case "askLogin":
        this.#askLogin(effect.id, effect.username, effect.password);
        break;
      case "openBody":
        this.#intake = door.open({ ...this.#who(), sender: effect.sender, recipients: effect.recipients });
        break;
      case "body":
        this.#intake?.write(effect.bytes);
        break;
      case "endBody":
        this.#finish(effect.id);
        break;
      case "abortBody":
        this.#abortIntake();
        break;
      case "count":
        this.#count(effect.as, effect.why);
        break;
      case "startTls":
        this.#flush();
        this.#connection.startTls(fromLatin1(effect.reply));
        break;
      case "close":
        this.#close(effect.why);
        break;
    }
    return [];
  }

  #who(): SubmitterFacts {
    return { via: this.#options.mode === "smtp" ? "smtp" : "submission", login: this.#login };
  }

  #count(as: "refused" | "dropped", why: Refusal): void {
    const { via } = this.#who();
    if (as === "refused") this.#options.log.emit({ kind: "messageRefused", via, why });
    else this.#options.log.emit({ kind: "messageDropped", via, why });
  }

  #askLogin(id: number, username: string, password: string): void {
    const attempt = { username, password, peerAddress: this.#connection.peer.address };
    this.#await("smtp login", this.#options.auth.login(attempt), (result) => this.#tellLogin(id, result));
  }

  /** Success at once; a wrong password after a delay that grows, which costs nobody else anything. */
  #tellLogin(id: number, result: LoginResult): void {
    const { log, clock } = this.#options;
    if (result.ok) {
      log.emit({ kind: "loginSucceeded", proto: "smtp" });
      this.#login = result.user;
      this.#cancelPrelude?.();
      return this.#resume(this.#engine.answerLogin(id, result));
    }
    log.emit({ kind: "loginFailed", proto: "smtp", why: result.why });
    this.#loginFailures++;
    const delayMs = Math.min(this.#loginFailures * LOGIN_DELAY_STEP_MS, LOGIN_DELAY_MAX_MS);
    this.#cancelLoginDelay = clock.after(delayMs, () => this.#resume(this.#engine.answerLogin(id, result)));
  }

  #answer(id: number, command: "MAIL" | "RCPT", verdict: Verdict) {
    const { log, mode } = this.#options;
    if (verdict.do === "refuse") log.emit({ kind: "commandRefused", mode, command, why: verdict.why });
    return this.#engine.answer(id, verdict);
  }

  #finish(id: number): void {
    const intake = this.#intake;
    this.#intake = undefined;
    if (intake === undefined) throw new Error("a message ends that was not opened");
    const cancel = this.#options.clock.after(VERDICT_MAX_MS, () => intake.abort());
    this.#await("smtp message", intake.finish().finally(cancel), (verdict) =>
      this.#resume(this.#engine.answer(id, verdict)),
    );
  }

  /** The one way from a promise back: too late is ignored, a fault ends the connection. */
  #await<T>(where: string, work: Promise<T>, use: (value: T) => void): void {
    work
      .then((value) => {
        if (!this.#isClosed) use(value);
      })
      .catch((error: unknown) => {
        this.#options.log.emit({ kind: "internalFault", where, error });
        this.#connection.destroy();
      });
  }

  /** Goes on after an answer; the peer's silence counts from now, since until now it waited for us. */
  #resume(effects: readonly Effect[]): void {
    this.#connection.setIdleTimeoutMs(COMMAND_IDLE_MAX_MS);
    this.#run(effects);
  }

  #close(why: CloseReason): void {
    if (why !== "quit" && why !== "shutdown") {
      this.#options.log.emit({
        kind: "protocolError",
        proto: "smtp",
        connection: this.#connection.id,
        what: why,
      });
    }
    this.#cancelPrelude?.();
    this.#flush();
    this.#connection.end();
  }

  #flush(): void {
    const bytes = this.#replies === "" ? EMPTY : fromLatin1(this.#replies);
    this.#replies = "";
    if (bytes.length > 0) this.#connection.write(bytes);
  }

  /** Fits pause and time limits to where the engine stands. */
  #balance(): void {
    if (this.#isClosed) return;
    if (this.#engine.inMessage !== this.#isInMessage) this.#limitMessage(this.#engine.inMessage);
    const isUnread = this.#connection.queuedBytes > UNREAD_REPLIES_PAUSE_BYTES;
    this.#limitUnread(isUnread);
    const tooMuch = isUnread || this.#engine.heldBytes > HELD_INPUT_PAUSE_BYTES;
    if (tooMuch === this.#isPaused) return;
    this.#isPaused = tooMuch;
    if (tooMuch) this.#connection.pause();
    else this.#connection.resume();
  }

  /** While a peer is paused its silence is not measured; one that never reads would stay for ever. */
  #limitUnread(isUnread: boolean): void {
    if (isUnread === (this.#cancelUnreadTimer !== undefined)) return;
    this.#cancelUnreadTimer?.();
    this.#cancelUnreadTimer = isUnread
      ? this.#options.clock.after(COMMAND_IDLE_MAX_MS, () => this.#connection.destroy())
      : undefined;
  }

  #limitMessage(isInMessage: boolean): void {
    this.#isInMessage = isInMessage;
    this.#cancelMessageTimer?.();
    this.#cancelMessageTimer = undefined;
    this.#connection.setIdleTimeoutMs(isInMessage ? BODY_IDLE_MAX_MS : COMMAND_IDLE_MAX_MS);
    if (isInMessage) {
      this.#cancelMessageTimer = this.#options.clock.after(BODY_TOTAL_MAX_MS, () => this.idle());
    }
  }

  /** Slow-loris: dripping bytes restarts the idle time, but not this. */
  #limitPrelude(delayMs: number): void {
    this.#cancelPrelude = this.#options.clock.after(delayMs, () => {
      this.idle();
      this.#limitPrelude(PRELUDE_RETRY_MS);
    });
  }

  #abortIntake(): void {
    this.#intake?.abort();
    this.#intake = undefined;
  }
}
