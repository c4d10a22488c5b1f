/**
 * `POST /mxdeliv`: mail from other relays over HTTP, through the same door as port 25.
 *
 * Invariants
 * - One answer holds for all recipients: a request of which one recipient is refused is refused whole, before its body,
 *   and the sender's next way (SMTP) tells them apart.
 * - The body streams into the intake; no more of it is read than a message may have.
 * - Never rejects; an intake that was opened is finished or aborted.
 */
import type { Address } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { type Refusal, refuse, type Verdict } from "../core/verdict.ts";
import type { Intake, MailDoor, SubmitterFacts } from "../delivery/intake.ts";
import type { Log } from "../log/events.ts";
import { LineEnds } from "../mime/line-ends.ts";
import { networkOf } from "../net/connection-limits.ts";
import { RateLimiter } from "../policy/rate.ts";
import { answerVerdict, readEnvelope, requestFaults, type WireAnswer } from "./wire.ts";

/** A whole message, however slowly it drips. */
const BODY_TOTAL_MAX_MS = 10 * 60_000;

export interface InboundSettings {
  /** Messages per minute from one IP address (of IPv6: one /64) in the long run; 0 is unlimited. */
  readonly perMinute: number;
  /** Messages at once before that rate counts. */
  readonly burst: number;
  /** Largest message, as far as the door allows. */
  readonly messageMaxBytes: number;
}

export interface InboundParts {
  settings: InboundSettings;
  door: MailDoor;
  /** Socket address of the peer. */
  peerAddress(request: Request): string;
  log: Log;
  clock: Clock;
}

export class Inbound {
  readonly #parts: InboundParts;
  readonly #rate: RateLimiter;
  #messageMaxBytes: number;

  constructor(parts: InboundParts) {
    this.#parts = parts;
    this.#messageMaxBytes = parts.settings.messageMaxBytes;
    this.#rate = new RateLimiter(parts.settings, parts.clock);
  }

  reconfigure(settings: InboundSettings): void {
    this.#rate.change(settings);
    this.#messageMaxBytes = settings.messageMaxBytes;
  }

  get #bytesMax(): number {
    return Math.min(this.#messageMaxBytes, this.#parts.door.messageMaxBytes);
  }

  /** Answers a request to `/mxdeliv`. Never rejects. */
  async answer(request: Request): Promise<Response> {
    if (request.method !== "POST") return respond(requestFaults.methodNotAllowed, { Allow: "POST" });
    const peer = networkOf(this.#parts.peerAddress(request));
    if (!this.#rate.take(peer)) {
      const waitS = Math.max(1, Math.ceil(this.#rate.waitMs(peer) / 1000));
      return respond(requestFaults.tooOften, { "Retry-After": String(waitS) });
    }
    const envelope = readEnvelope(request.headers);
    if (!envelope.ok) return respond(requestFaults[envelope.why]);
    const judged = this.#judge(envelope.sender, envelope.recipients, request);
    if ("do" in judged) return respond(this.#count(judged));
    return respond(await this.#take(request, envelope.sender, judged.recipients));
  }

  /** What can be said before the body. `recipients` are those to deliver to, without the dropped ones. */
  #judge(
    sender: Address | null,
    recipients: readonly Address[],
    request: Request,
  ): Verdict | { recipients: Address[] } {
    const { door } = this.#parts;
    const who: SubmitterFacts = { via: "http", login: null };
    if (Number(request.headers.get("content-length") ?? 0) > this.#bytesMax) return refuse("messageTooBig");
    if (recipients.length > door.recipientsMax) return refuse("tooManyRecipients");
    const verdict = door.judgeSender(who, sender);
    if (verdict.do !== "accept") return verdict;
    const kept: Address[] = [];
    let dropped: Verdict | undefined;
    for (const recipient of recipients) {
      const judged = door.judgeRecipient(who, sender, recipient);
      if (judged.do === "refuse") return judged;
      if (judged.do === "accept") kept.push(recipient);
      else dropped = this.#said(judged);
    }
    return kept.length === 0 && dropped !== undefined ? dropped : { recipients: kept };
  }

  async #take(request: Request, sender: Address | null, recipients: readonly Address[]): Promise<WireAnswer> {
    const intake = this.#parts.door.open({ via: "http", login: null, sender, recipients });
    let isDone = false;
    try {
      const trouble = await this.#read(request, intake);
      if (trouble === undefined) {
        isDone = true;
        // The door has counted its verdict.
        return answerVerdict(await intake.finish());
      }
      return trouble === "tooBig" ? this.#count(refuse("messageTooBig")) : requestFaults[trouble];
    } catch (error) {
      // The peer went away in the middle; nobody reads the answer.
      if (!isDone) return answerVerdict(refuse("storageFailed"));
      this.#parts.log.emit({ kind: "internalFault", where: "mxdeliv", error });
      return answerVerdict(refuse("storageFailed"));
    } finally {
      if (!isDone) intake.abort();
    }
  }

  /** @throws when the peer breaks off */
  async #read(request: Request, intake: Intake): Promise<"tooBig" | "tooSlow" | "cut" | undefined> {
    const { clock } = this.#parts;
    if (request.body === null) return undefined;
    const reader = request.body.getReader();
    const lines = new LineEnds((bytes) => intake.write(bytes));
    let isLate = false;
    const cancelTimer = clock.after(BODY_TOTAL_MAX_MS, () => {
      isLate = true;
      reader.cancel().catch(() => {});
    });
    const bytesMax = this.#bytesMax;
    let bytes = 0;
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (isLate) return "tooSlow";
        if (done) break;
        bytes += value.length;
        if (bytes > bytesMax) {
          await reader.cancel();
          return "tooBig";
        }
        lines.write(value);
      }
      const announced = request.headers.get("content-length");
      if (announced !== null && Number(announced) !== bytes) return "cut";
      lines.end();
      return undefined;
    } finally {
      cancelTimer();
    }
  }

  /** For verdicts that no intake counted. */
  #count(verdict: Verdict): WireAnswer {
    if (verdict.do !== "accept") this.#said(verdict);
    return answerVerdict(verdict);
  }

  #said<V extends { do: "refuse" | "drop"; why: Refusal }>(verdict: V): V {
    const { log } = this.#parts;
    if (verdict.do === "refuse") log.emit({ kind: "messageRefused", via: "http", why: verdict.why });
    else log.emit({ kind: "messageDropped", via: "http", why: verdict.why });
    return verdict;
  }
}

function respond({ status, body }: WireAnswer, headers: Record<string, string> = {}): Response {
  return new Response(body, {
    status,
    headers: { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", ...headers },
  });
}
