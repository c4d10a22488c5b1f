/**
 * Pull federation: asks exchangers for mail that they hold for us, `GET <url>/me/full`, and brings each message through
 * the same door as mail over HTTP: rules, origin, gate, quota.
 *
 * Invariants
 * - Without an enabled exchanger there is no timer.
 * - One poll at a time for each exchanger; answers, and what is made of them, are bounded.
 */
import { z } from "zod";
import { parseAddress } from "../core/address.ts";
import type { CancelTimer, Clock } from "../core/clock.ts";
import { parseJson } from "../core/json.ts";
import { MIB } from "../core/limits.ts";
import type { Service } from "../core/service.ts";
import { refusals } from "../core/verdict.ts";
import type { Log } from "../log/events.ts";
import type { MailDoor } from "./intake.ts";

const START_DELAY_MS = 10_000;
const TIMEOUT_MS = 60_000;
/** With all messages in base64. */
const ANSWER_MAX_BYTES = 64 * MIB;
const MESSAGES_MAX = 1000;
/** Messages remembered as dealt with, so that an exchanger which does not forget them delivers them once. */
const SEEN_MAX = 4096;
/** Bytes decoded at once. A multiple of four characters of base64. */
const CHUNK_CHARS = 128 * 1024;

const pulled = z.object({
  id: z.union([z.string().max(300), z.number()]),
  from: z.string().max(300),
  to: z.array(z.string().max(300)).min(1).max(1000),
  body: z.string(),
});
const answer = z.object({ messages: z.array(z.unknown()).max(MESSAGES_MAX).nullish() });

/** An exchanger as the operator set it up. */
export interface ExchangerFacts {
  readonly url: string;
  readonly enabled: boolean;
  readonly pollIntervalSec: number;
  readonly lastPollAtSec: number;
}

export interface ExchangerParts {
  exchangers: {
    entries(): Iterable<[name: string, ExchangerFacts]>;
    notePoll(name: string): void;
  };
  door: MailDoor;
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  clock: Clock;
  log: Log;
}

export class ExchangerPoller implements Service {
  readonly name = "exchangers";
  readonly #parts: ExchangerParts;
  readonly #stop = new AbortController();
  readonly #polling = new Map<string, Promise<void>>();
  readonly #seen = new Map<string, Set<string>>();
  #cancel: CancelTimer | undefined;
  #notBeforeMs = Infinity;

  constructor(parts: ExchangerParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    this.#notBeforeMs = this.#parts.clock.nowMs() + START_DELAY_MS;
    this.look();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#cancel?.();
    await Promise.all(this.#polling.values());
  }

  /** Polls what is due and sets the timer; to be called after a change of the exchangers. */
  look(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#stop.signal.aborted || this.#notBeforeMs === Infinity) return;
    const { exchangers, clock } = this.#parts;
    const nowMs = clock.nowMs();
    let nextMs = Infinity;
    for (const [name, facts] of [...exchangers.entries()]) {
      if (!facts.enabled || this.#polling.has(name)) continue;
      const dueMs = Math.max(this.#notBeforeMs, (facts.lastPollAtSec + facts.pollIntervalSec) * 1000);
      if (dueMs <= nowMs) this.#begin(name, facts.url);
      else nextMs = Math.min(nextMs, dueMs);
    }
    if (nextMs !== Infinity) this.#cancel = clock.after(nextMs - nowMs, () => this.look());
  }

  #begin(name: string, url: string): void {
    this.#parts.exchangers.notePoll(name);
    const poll = this.#poll(name, url)
      .catch((error: unknown) => this.#fault(error))
      .finally(() => {
        this.#polling.delete(name);
        this.look();
      });
    this.#polling.set(name, poll);
  }

  async #poll(name: string, url: string): Promise<void> {
    const timeout = new AbortController();
    const cancel = this.#parts.clock.after(TIMEOUT_MS, () => timeout.abort());
    try {
      const signal = AbortSignal.any([timeout.signal, this.#stop.signal]);
      const text = await this.#get(`${url.replace(/\/+$/, "")}/me/full`, signal);
      if (text === undefined) return;
      const parsed = answer.safeParse(parseJson(text));
      if (!parsed.success) return this.#trouble("answered something else than a list of messages");
      for (const message of parsed.data.messages ?? []) {
        if (this.#stop.signal.aborted) return;
        await this.#take(name, message);
      }
    } finally {
      cancel();
    }
  }

  /** @returns undefined when there is nothing, or trouble that was told */
  async #get(url: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      const response = await this.#parts.fetch(url, {
        signal,
        redirect: "manual",
        headers: { accept: "application/json" },
      });
      if (response.status === 200) return await boundedText(response);
      await response.body?.cancel();
      if (response.status !== 404) this.#trouble(`answered with status ${response.status}`);
    } catch (error) {
      if (!this.#stop.signal.aborted)
        this.#trouble(error instanceof TooMuch ? "sent too much" : "did not answer");
    }
    return undefined;
  }

  async #take(name: string, raw: unknown): Promise<void> {
    const parsed = pulled.safeParse(raw);
    if (!parsed.success) return this.#trouble("sent a message without sender, recipients or body");
    const { id, from, to, body } = parsed.data;
    const seen = this.#seen.get(name) ?? new Set();
    this.#seen.set(name, seen);
    if (seen.has(String(id)) || !(await this.#deliver(from, to, body))) return;
    seen.add(String(id));
    const [oldest] = seen;
    if (seen.size > SEEN_MAX && oldest !== undefined) seen.delete(oldest);
  }

  /** @returns whether it is dealt with: taken, or refused for good */
  async #deliver(from: string, to: readonly string[], body: string): Promise<boolean> {
    const { door } = this.#parts;
    const who = { via: "http", login: null } as const;
    const sender = from.trim() === "" || from.trim() === "<>" ? null : parseAddress(bare(from));
    if (sender === undefined || door.judgeSender(who, sender).do !== "accept") return true;
    const recipients = to
      .flatMap((text) => parseAddress(bare(text)) ?? [])
      .filter((recipient) => door.judgeRecipient(who, sender, recipient).do === "accept");
    if (recipients.length === 0 || recipients.length > door.recipientsMax) return true;
    const intake = door.open({ ...who, sender, recipients });
    for (let at = 0; at < body.length; at += CHUNK_CHARS) {
      intake.write(Buffer.from(body.slice(at, at + CHUNK_CHARS), "base64"));
    }
    const verdict = await intake.finish();
    return verdict.do !== "refuse" || refusals[verdict.why][0] >= 500;
  }

  #trouble(what: string): void {
    this.#parts.log.emit({ kind: "notice", text: `an exchanger ${what}` });
  }

  #fault(error: unknown): void {
    this.#parts.log.emit({ kind: "internalFault", where: "exchanger", error });
  }
}

class TooMuch extends Error {}

/** @throws {TooMuch} and whatever the connection throws */
async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > ANSWER_MAX_BYTES) throw new TooMuch();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes).toString("utf8");
}

function bare(text: string): string {
  return text.trim().replace(/^<(.*)>$/, "$1");
}
