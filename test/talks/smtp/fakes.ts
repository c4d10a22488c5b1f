/** A mail door, a login desk and a connection that tests hold in their hands. Rules go by the names they are given. */
import type { Authenticator, LoginAttempt, LoginResult } from "../../../src/auth/authenticator.ts";
import { type Address, domainOf, localpartOf, parseAddress } from "../../../src/core/address.ts";
import { concat, EMPTY, toLatin1 } from "../../../src/core/bytes.ts";
import type { CancelTimer, Clock } from "../../../src/core/clock.ts";
import { accept, type Refusal, refusals, refuse, type Verdict } from "../../../src/core/verdict.ts";
import type { Envelope, Intake, MailDoor, SubmitterFacts } from "../../../src/delivery/intake.ts";
import type { Event, Log } from "../../../src/log/events.ts";
import type { Accept, Connection, ConnectionHandler } from "../../../src/net/connection.ts";

const LOCAL_DOMAIN = "relay.test";

/** One message that came through the door. */
export interface TakenMessage {
  envelope: Envelope;
  text: string;
}

/**
 * A local part that is the name of a refusal (in lower case) is refused with it, as sender and as recipient;
 * `ghost` is dropped. A message with `Subject: <refusal>` gets that verdict, `Subject: silentlyDismissed` is dropped.
 */
export class FakeDoor implements MailDoor {
  messageMaxBytes = 2000;
  recipientsMax = 5;
  readonly taken: TakenMessage[] = [];
  /** Messages that were begun and given up. */
  abortedCount = 0;
  /** While set, verdicts wait for `release`; those whose delivery has not begun can be given up. */
  #held: "free" | "beforeDelivery" | "delivering" = "free";
  #waiting: (() => void)[] = [];

  judgeSender(who: SubmitterFacts, sender: Address | null): Verdict {
    if (who.via === "submission" && sender !== who.login) return refuse("senderNotYours");
    return sender === null ? accept : byName(localpartOf(sender));
  }

  judgeRecipient(who: SubmitterFacts, _sender: Address | null, recipient: Address): Verdict {
    if (domainOf(recipient) !== LOCAL_DOMAIN) {
      return refuse(who.via === "submission" ? "federationOff" : "relayDenied");
    }
    return byName(localpartOf(recipient));
  }

  open(envelope: Envelope): Intake {
    const chunks: Uint8Array[] = [];
    let giveUp = (): void => {};
    return {
      // The chunk is borrowed.
      write: (chunk) => void chunks.push(new Uint8Array(chunk)),
      finish: () => {
        const message = { envelope, text: toLatin1(concat(chunks)) };
        return new Promise((resolve) => {
          const judge = (): void => resolve(this.#judge(message));
          if (this.#held === "free") judge();
          else this.#waiting.push(judge);
          if (this.#held !== "beforeDelivery") return;
          giveUp = () => {
            this.#waiting = this.#waiting.filter((waiting) => waiting !== judge);
            resolve(refuse("storageFailed"));
          };
        });
      },
      abort: () => {
        this.abortedCount++;
        giveUp();
      },
    };
  }

  hold(where: "beforeDelivery" | "delivering"): void {
    this.#held = where;
  }

  release(): void {
    this.#held = "free";
    for (const judge of this.#waiting.splice(0)) judge();
  }

  #judge(message: TakenMessage): Verdict {
    const subject = /^Subject: (\S+)/.exec(message.text)?.[1] ?? "";
    const verdict = byName(subject.toLowerCase());
    if (verdict.do === "accept") this.taken.push(message);
    return verdict;
  }
}

function byName(name: string): Verdict {
  if (name === "ghost" || name === "silentlydismissed") return { do: "drop", why: "silentlyDismissed" };
  const why = Object.keys(refusals).find((key) => key.toLowerCase() === name);
  return why === undefined ? accept : refuse(why as Refusal);
}

/** Knows the users it was told of. The name `down` cannot be checked. */
export class FakeAuthenticator implements Authenticator {
  readonly #passwords = new Map<string, string>();
  readonly attempts: LoginAttempt[] = [];

  add(username: string, password: string): void {
    this.#passwords.set(username, password);
  }

  login(attempt: LoginAttempt): Promise<LoginResult> {
    this.attempts.push(attempt);
    if (attempt.username === "down") return Promise.resolve({ ok: false, why: "unavailable" });
    const user = parseAddress(attempt.username);
    const isRight = user !== undefined && this.#passwords.get(user) === attempt.password;
    return Promise.resolve(isRight ? { ok: true, user } : { ok: false, why: "badCredentials" });
  }
}

export class FakeLog implements Log {
  readonly events: Event[] = [];
  emit(event: Event): void {
    this.events.push(event);
  }
  counts(): ReadonlyMap<string, number> {
    return new Map(
      Map.groupBy(this.events, labelOf)
        .entries()
        .map(([label, events]) => [label, events.length]),
    );
  }
}

function labelOf(event: Event): string {
  return "why" in event ? `${event.kind}.${event.why}` : event.kind;
}

/** Both ends of a connection: the host writes, the test feeds. Input in the pause waits. */
export class FakeConnection implements Connection {
  readonly id = 1;
  readonly peer = { address: "192.0.2.1", port: 4000 };
  readonly localPort: number;
  readonly #clock: Clock;
  #handler: ConnectionHandler | undefined;
  #written: Uint8Array[] = [];
  #waiting: Uint8Array[] = [];
  #idleTimeoutMs = 0;
  #cancelIdle: CancelTimer | undefined;
  secure: boolean;
  queuedBytes = 0;
  writeCount = 0;
  isPaused = false;
  isHandshaking = false;
  isClosed = false;

  constructor(clock: Clock, secure: boolean, localPort: number) {
    this.#clock = clock;
    this.secure = secure;
    this.localPort = localPort;
  }

  accept(accept: Accept): void {
    this.#handler = accept(this);
  }

  /** All that the host wrote. */
  output(): Uint8Array {
    const all = this.#written.length === 0 ? EMPTY : concat(this.#written);
    this.#written = [all];
    return all;
  }

  /** The peer sends. The host gets a Buffer, as from a socket, which is spoilt after the call. */
  receive(bytes: Uint8Array): void {
    if (this.isClosed || this.isHandshaking) return;
    if (this.isPaused) return void this.#waiting.push(new Uint8Array(bytes));
    this.#armIdle();
    const loan = Buffer.from(bytes);
    this.#handler?.data(loan);
    loan.fill(0xaa);
  }

  /** The handshake is done. @throws {Error} when none is due. */
  handshake(): void {
    if (!this.isHandshaking) throw new Error("no STARTTLS is under way");
    this.isHandshaking = false;
    this.secure = true;
    this.#handler?.secured();
  }

  /** The server stops. */
  stop(): void {
    this.#handler?.shutdown();
  }

  /** The peer read all that waited. */
  drain(): void {
    this.queuedBytes = 0;
    this.#handler?.drained();
  }

  write(bytes: Uint8Array): void {
    this.writeCount++;
    if (!this.isClosed) this.#written.push(bytes);
  }

  startTls(reply: Uint8Array): void {
    this.write(reply);
    this.isHandshaking = true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    while (!this.isPaused && this.#waiting.length > 0) this.receive(this.#waiting.shift() ?? EMPTY);
  }

  end(): void {
    this.destroy();
  }

  /** The peer closes its side and still reads. */
  endInput(): void {
    this.#handler?.inputEnded?.();
  }

  /** `closed` comes in a later turn, as from a socket. */
  destroy(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#cancelIdle?.();
    queueMicrotask(() => this.#handler?.closed());
  }

  setIdleTimeoutMs(ms: number): void {
    this.#idleTimeoutMs = ms;
    this.#armIdle();
  }

  #armIdle(): void {
    this.#cancelIdle?.();
    if (this.#idleTimeoutMs === 0) return;
    this.#cancelIdle = this.#clock.after(this.#idleTimeoutMs, () => this.#handler?.idle());
  }
}
