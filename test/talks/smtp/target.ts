/**
 * What SMTP talks are played against: the SMTP host with fakes around it.
 *
 *     @ mode smtp|submission|submissions     `smtp` unless said
 *     @ user alice@relay.test secret         someone who can log in
 *     @ require-tls                          no mail in clear
 *     @ no-tls                               STARTTLS cannot be offered
 *     @ limit messageMaxBytes|recipientsMax N
 *
 * In mid-talk:
 *
 *     @ taken N                              so many messages came through the door
 *     @ envelope "from" to to                of the last of them; "" is the null sender
 *     @ body "text"                          of the last of them; escapes as in C|
 *     @ aborted N                            so many messages were begun and given up
 *     @ counted label N                      so often this event was logged
 *     @ hold / @ release                     verdicts wait, their mail being delivered / are given
 *     @ hold before-delivery                 they wait for something else, and can be given up
 *     @ shutdown                             the server stops
 *     @ gone                                 the peer goes away
 */
import { expect } from "bun:test";
import { toLatin1 } from "../../../src/core/bytes.ts";
import { ManualClock } from "../../../src/core/clock.ts";
import type { SmtpMode } from "../../../src/smtp/engine/effects.ts";
import { smtpAccept } from "../../../src/smtp/server.ts";
import type { TalkTarget } from "../play.ts";
import { type Directive, type Talk, unescapeBytes } from "../talk.ts";
import { FakeAuthenticator, FakeConnection, FakeDoor, FakeLog } from "./fakes.ts";

const PORTS: Readonly<Record<SmtpMode, number>> = { smtp: 25, submission: 587, submissions: 465 };

export class SmtpTalkTarget implements TalkTarget {
  readonly door = new FakeDoor();
  readonly log = new FakeLog();
  readonly connection: FakeConnection;
  readonly #auth = new FakeAuthenticator();
  readonly #clock = new ManualClock();
  #mode: SmtpMode = "smtp";
  #tlsAvailable = true;
  #tlsRequired = false;

  constructor(setup: readonly Directive[]) {
    for (const directive of setup) this.#setUp(directive);
    this.connection = new FakeConnection(this.#clock, this.#mode === "submissions", PORTS[this.#mode]);
    this.connection.accept(
      smtpAccept({
        mode: this.#mode,
        hostname: "relay.test",
        door: this.door,
        auth: this.#auth,
        log: this.log,
        clock: this.#clock,
        tlsAvailable: this.#tlsAvailable,
        tlsRequired: () => this.#tlsRequired,
      }),
    );
  }

  get closed(): boolean {
    return this.connection.isClosed;
  }

  send(bytes: Uint8Array): void {
    this.connection.receive(bytes);
  }

  output(): Uint8Array {
    return this.connection.output();
  }

  advance(ms: number): void {
    this.#clock.advance(ms);
  }

  secure(): void {
    this.connection.handshake();
  }

  event({ name, args }: Directive): void {
    const [first = "", ...rest] = args;
    const last = this.door.taken.at(-1);
    switch (name) {
      case "taken":
        return expect(this.door.taken.length).toBe(Number(first));
      case "envelope":
        expect<string>(last?.envelope.sender ?? "").toBe(first);
        return expect<readonly string[] | undefined>(last?.envelope.recipients).toEqual(rest);
      case "body":
        return expect(last?.text).toBe(toLatin1(unescapeBytes(first)));
      case "aborted":
        return expect(this.door.abortedCount).toBe(Number(first));
      case "counted":
        return expect(this.log.counts().get(first) ?? 0).toBe(Number(rest[0]));
      case "hold":
        return this.door.hold(first === "before-delivery" ? "beforeDelivery" : "delivering");
      case "release":
        return this.door.release();
      case "shutdown":
        return this.connection.stop();
      case "gone":
        return this.connection.destroy();
      default:
        throw new Error(`no such event: ${name}`);
    }
  }

  /** Fakes answer in microtasks: a handful of turns and nothing more can follow. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 8; turn++) await Promise.resolve();
  }

  dispose(): void {
    this.connection.destroy();
  }

  #setUp({ name, args: [first = "", second = ""] }: Directive): void {
    if (name === "mode") this.#mode = first as SmtpMode;
    else if (name === "user") this.#auth.add(first, second);
    else if (name === "no-tls") this.#tlsAvailable = false;
    else if (name === "require-tls") this.#tlsRequired = true;
    else if (name === "limit" && first === "messageMaxBytes") this.door.messageMaxBytes = Number(second);
    else if (name === "limit" && first === "recipientsMax") this.door.recipientsMax = Number(second);
    else throw new Error(`no such directive: ${name} ${first}`);
  }
}

export function openSmtpTarget(talk: Talk): SmtpTalkTarget {
  return new SmtpTalkTarget(talk.setup);
}
