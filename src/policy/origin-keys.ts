/**
 * Public keys of other domains, remembered for a while: the DNS has its own cache, this one spares parsing keys and
 * answers without a wait.
 *
 * Invariants
 * - Only keys are remembered, never their absence: a domain that has just published its key is heard at once.
 * - As many names as CACHE_MAX_NAMES, the one not used for longest leaves first; lookups under way are shared.
 */
import type { Clock } from "../core/clock.ts";
import type { DkimCrypto } from "../dkim/crypto.ts";
import { type KeyFlaw, type KeyRecord, parseKeyRecord } from "../dkim/key-record.ts";
import type { DnsResult, Resolver } from "../dns/resolver.ts";

const CACHE_MAX_NAMES = 1000;
const CACHE_TTL_MS = 10 * 60_000;
/** Answers that take longer are no answers; the sender comes again. */
const LOOKUP_MAX_MS = 20_000;
/** RFC 6376 §3.6.2.2 leaves open what several records mean: each is tried. */
const RECORDS_MAX = 4;

export type KeyLookup =
  | { kind: "keys"; records: readonly KeyRecord[]; cached: boolean }
  | { kind: "none"; why: KeyFlaw }
  /** Nobody knows now. */
  | { kind: "trouble" };

interface Remembered {
  records: readonly KeyRecord[];
  untilMs: number;
}

export interface KeyCacheParts {
  resolver: Pick<Resolver, "txt">;
  clock: Clock;
  crypto: DkimCrypto;
}

export class KeyCache {
  readonly #parts: KeyCacheParts;
  readonly #remembered = new Map<string, Remembered>();
  readonly #pending = new Map<string, Promise<KeyLookup>>();

  constructor(parts: KeyCacheParts) {
    this.#parts = parts;
  }

  /** Keys at `selector._domainkey.domain`. Never rejects. */
  lookup(name: string): Promise<KeyLookup> {
    const found = this.#remembered.get(name);
    if (found !== undefined) {
      this.#remembered.delete(name);
      if (found.untilMs > this.#parts.clock.monotonicMs()) {
        // Put back at the end: what is used stays.
        this.#remembered.set(name, found);
        return Promise.resolve({ kind: "keys", records: found.records, cached: true });
      }
    }
    let pending = this.#pending.get(name);
    if (pending === undefined) {
      pending = this.#ask(name).finally(() => this.#pending.delete(name));
      this.#pending.set(name, pending);
    }
    return pending;
  }

  /** Looks up again what the cache was wrong about, perhaps. */
  refresh(name: string): Promise<KeyLookup> {
    this.#remembered.delete(name);
    return this.lookup(name);
  }

  async #ask(name: string): Promise<KeyLookup> {
    const { clock, crypto } = this.#parts;
    const answer = await this.#answer(name);
    if (answer.kind === "trouble") return { kind: "trouble" };
    if (answer.kind !== "found") return { kind: "none", why: "noRecord" };
    const results = answer.records.slice(0, RECORDS_MAX).map((text) => parseKeyRecord(text, crypto));
    const records = results.flatMap((result) => (result.ok ? [result.record] : []));
    if (records.length === 0) {
      const flaws = results.flatMap((result) => (result.ok ? [] : [result.why]));
      return { kind: "none", why: flaws.find((why) => why !== "noRecord") ?? "noRecord" };
    }
    this.#remember(name, { records, untilMs: clock.monotonicMs() + CACHE_TTL_MS });
    return { kind: "keys", records, cached: false };
  }

  #answer(name: string): Promise<DnsResult<string>> {
    const { clock, resolver } = this.#parts;
    const { promise, resolve } = Promise.withResolvers<DnsResult<string>>();
    const cancel = clock.after(LOOKUP_MAX_MS, () => resolve({ kind: "trouble", why: "timeout" }));
    resolver
      .txt(name)
      .then(resolve, () => resolve({ kind: "trouble", why: "serverFailure" }))
      .finally(cancel);
    return promise;
  }

  #remember(name: string, entry: Remembered): void {
    this.#remembered.set(name, entry);
    if (this.#remembered.size <= CACHE_MAX_NAMES) return;
    const [oldest] = this.#remembered.keys();
    if (oldest !== undefined) this.#remembered.delete(oldest);
  }
}
