/**
 * The resolver of this relay: asks the configured servers, remembers answers as long as they say.
 *
 * Invariants
 * - Never rejects. "No such name", "no such record" and "nobody knows now" stay apart: mail bounces for the first two
 *   and waits for the third.
 * - One question under way is asked once, however many wait for it.
 * - Sockets and memory are bounded.
 */
import { randomInt } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import type { Exchange } from "./exchange.ts";
import { normaliseName, type Question, type Reading, type RecordType, type RecordTypes } from "./message.ts";
import { readAnswer, writeQuestion } from "./message.ts";
import type { DnsResult, DnsTrouble, MxRecord, Resolver } from "./resolver.ts";
import type { DnsServer } from "./servers.ts";

/** First try of a server; the second waits twice as long. */
const TIMEOUT_MS = 2000;
/** Rounds over all servers. */
const ROUNDS = 2;
/** Answers that only continue an alias, asked one after the other. */
const ALIAS_QUESTIONS_MAX = 4;
const TTL_MIN_S = 5;
const TTL_MAX_S = 24 * 3600;
/** RFC 2308 §5 allows hours; somebody who repairs a zone should not wait that long. */
const NEGATIVE_TTL_MAX_S = 300;
/** Where no SOA says. */
const NEGATIVE_TTL_S = 60;
/** RFC 2308 §7.1 allows five minutes. Just enough that a queue of mail to a dead zone asks once. */
const TROUBLE_TTL_S = 5;
/** Answers remembered, a few hundred bytes each. */
const CACHE_MAX = 10_000;
/** Questions under way, each with a socket. */
const UNDER_WAY_MAX = 200;

export interface StubParts {
  servers: () => readonly DnsServer[];
  exchange: Exchange;
  clock: Clock;
}

interface Remembered {
  result: DnsResult<unknown>;
  untilMs: number;
}

type Timed<T> = { result: DnsResult<T>; ttlS: number };

export class StubResolver implements Resolver {
  readonly #parts: StubParts;
  readonly #cache = new Map<string, Remembered>();
  readonly #asking = new Map<string, Promise<DnsResult<unknown>>>();
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;
  /** Counts questions, so that servers take turns after one failed. */
  #first = 0;

  constructor(parts: StubParts) {
    this.#parts = parts;
  }

  mx(domain: string): Promise<DnsResult<MxRecord>> {
    return this.#lookup(domain, "MX");
  }

  a(host: string): Promise<DnsResult<string>> {
    return this.#lookup(host, "A");
  }

  aaaa(host: string): Promise<DnsResult<string>> {
    return this.#lookup(host, "AAAA");
  }

  txt(name: string): Promise<DnsResult<string>> {
    return this.#lookup(name, "TXT");
  }

  /** Host names of a zone's name servers; `noData` for a name inside a zone. */
  ns(zone: string): Promise<DnsResult<string>> {
    return this.#lookup(zone, "NS");
  }

  async #lookup<T extends RecordType>(text: string, type: T): Promise<DnsResult<RecordTypes[T]>> {
    const name = normaliseName(text);
    // What can't be a name does not exist.
    if (name === undefined) return { kind: "noName" };
    const key = `${type} ${name}`;
    const known = this.#cache.get(key);
    if (known !== undefined && known.untilMs > this.#parts.clock.monotonicMs()) {
      // Entries under this key were stored by this method with this type.
      return known.result as DnsResult<RecordTypes[T]>;
    }
    const asking = this.#asking.get(key);
    if (asking !== undefined) return asking as Promise<DnsResult<RecordTypes[T]>>;
    const answer = this.#ask(name, type).then(({ result, ttlS }) => {
      this.#remember(key, result, ttlS);
      return result;
    });
    this.#asking.set(key, answer);
    try {
      return await answer;
    } finally {
      this.#asking.delete(key);
    }
  }

  #remember(key: string, result: DnsResult<unknown>, ttlS: number): void {
    this.#cache.delete(key);
    const [oldest] = this.#cache.keys();
    if (this.#cache.size >= CACHE_MAX && oldest !== undefined) this.#cache.delete(oldest);
    this.#cache.set(key, { result, untilMs: this.#parts.clock.monotonicMs() + ttlS * 1000 });
  }

  async #ask<T extends RecordType>(name: string, type: T): Promise<Timed<RecordTypes[T]>> {
    await this.#enter();
    try {
      return await this.#follow(name, type);
    } finally {
      this.#underWay--;
      this.#waiting.shift()?.();
    }
  }

  async #enter(): Promise<void> {
    while (this.#underWay >= UNDER_WAY_MAX) await new Promise<void>((go) => this.#waiting.push(go));
    this.#underWay++;
  }

  async #follow<T extends RecordType>(name: string, type: T): Promise<Timed<RecordTypes[T]>> {
    let target = name;
    let aliasTtlS = TTL_MAX_S;
    for (let asked = 0; asked < ALIAS_QUESTIONS_MAX; asked++) {
      const reading = await this.#askServers(target, type);
      switch (reading.kind) {
        case "alias":
          target = reading.target;
          aliasTtlS = Math.min(aliasTtlS, reading.ttlS);
          break;
        case "records": {
          const ttlS = Math.max(TTL_MIN_S, Math.min(reading.ttlS, aliasTtlS, TTL_MAX_S));
          return { result: { kind: "found", records: reading.records }, ttlS };
        }
        case "noData":
        case "noName": {
          const ttlS = Math.min(reading.ttlS ?? NEGATIVE_TTL_S, NEGATIVE_TTL_MAX_S);
          return { result: { kind: reading.kind }, ttlS: Math.max(TTL_MIN_S, ttlS) };
        }
        case "trouble":
          return { result: reading, ttlS: TROUBLE_TTL_S };
      }
    }
    return { result: { kind: "trouble", why: "malformed" }, ttlS: TROUBLE_TTL_S };
  }

  /** Asks each server, twice at most, until one knows. */
  async #askServers<T extends RecordType>(name: string, type: T): Promise<Settled<RecordTypes[T]>> {
    const servers = this.#parts.servers();
    const first = this.#first;
    let why: DnsTrouble = "unreachable";
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < servers.length; i++) {
        const server = servers[(first + i) % servers.length];
        if (server === undefined) continue;
        const reading = await this.#askServer(server, name, type, TIMEOUT_MS << round);
        if (reading.kind !== "trouble") return reading;
        why = reading.why;
        // Others first with the next one, unless somebody moved on already.
        if (this.#first === (first + i) % servers.length) this.#first = (this.#first + 1) % servers.length;
      }
      // Everybody answered, and nobody knows: asking again at once changes nothing.
      if (why !== "timeout" && why !== "unreachable") break;
    }
    return { kind: "trouble", why };
  }

  async #askServer<T extends RecordType>(
    server: DnsServer,
    name: string,
    type: T,
    timeoutMs: number,
  ): Promise<Settled<RecordTypes[T]>> {
    let tcp = false;
    let withExtensions = true;
    for (let tries = 0; tries < 3; tries++) {
      const question = { id: randomInt(65_536), name, type };
      const reading = await this.#exchange(server, question, { tcp, withExtensions, timeoutMs });
      if (reading.kind === "truncated" && !tcp) tcp = true;
      else if (reading.kind === "noExtensions" && withExtensions) withExtensions = false;
      else if (reading.kind === "truncated" || reading.kind === "notOurs") break;
      else if (reading.kind === "noExtensions") return { kind: "trouble", why: "serverFailure" };
      else return reading;
    }
    return { kind: "trouble", why: "malformed" };
  }

  async #exchange<T extends RecordType>(
    server: DnsServer,
    question: Question & { type: T },
    how: { tcp: boolean; withExtensions: boolean; timeoutMs: number },
  ): Promise<Reading<RecordTypes[T]>> {
    const { tcp, withExtensions, timeoutMs } = how;
    const exchanged = await this.#parts.exchange(server, writeQuestion(question, withExtensions), {
      tcp,
      timeoutMs,
      accepts: (bytes) => readAnswer(bytes, question).kind !== "notOurs",
    });
    return exchanged.kind === "answer"
      ? readAnswer(exchanged.bytes, question)
      : { kind: "trouble", why: exchanged.kind };
  }
}

type Settled<T> = Exclude<Reading<T>, { kind: "truncated" | "noExtensions" | "notOurs" }>;
