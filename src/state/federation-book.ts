/** With which servers this relay exchanges mail, in RAM; written through. Names are peer keys: see core/peer-key.ts. */
import type { Config } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { type PeerKey, peerKey } from "../core/peer-key.ts";
import type { PeerListRows } from "../db/peer-lists.ts";
import { type Settings, settingKeys } from "./settings.ts";

export type FederationPolicy = "ACCEPT" | "REJECT";

export interface FederationBookParts {
  rules: PeerListRows;
  dismissed: PeerListRows;
  settings: Settings;
  config: () => Config;
  clock: Clock;
}

export class FederationBook {
  /** Exceptions from the policy. */
  readonly rules: PeerList;
  /** Servers to which mail is accepted and thrown away. */
  readonly dismissed: PeerList;
  readonly #settings: Settings;
  readonly #config: () => Config;

  constructor({ rules, dismissed, settings, config, clock }: FederationBookParts) {
    this.rules = new PeerList(rules, clock);
    this.dismissed = new PeerList(dismissed, clock);
    this.#settings = settings;
    this.#config = config;
  }

  hydrate(): void {
    this.rules.hydrate();
    this.dismissed.hydrate();
  }

  get enabled(): boolean {
    return this.#settings.flag(settingKeys.federationEnabled) ?? this.#config().federation.enabled;
  }

  setEnabled(enabled: boolean): void {
    this.#settings.setFlag(settingKeys.federationEnabled, enabled);
  }

  get policy(): FederationPolicy {
    const set = this.#settings.get(settingKeys.federationPolicy)?.trim().toUpperCase();
    return set === "ACCEPT" || set === "REJECT" ? set : this.#config().federation.policy;
  }

  setPolicy(policy: FederationPolicy): void {
    this.#settings.set(settingKeys.federationPolicy, policy);
  }

  hasRule(peer: PeerKey): boolean {
    return this.rules.has(peer);
  }

  isDismissed(peer: PeerKey): boolean {
    return this.dismissed.has(peer);
  }
}

export class PeerList {
  readonly #rows: PeerListRows;
  readonly #clock: Clock;
  readonly #peers = new Map<PeerKey, number>();

  constructor(rows: PeerListRows, clock: Clock) {
    this.#rows = rows;
    this.#clock = clock;
  }

  hydrate(): void {
    this.#peers.clear();
    this.#rows.forEach((peer, createdAtSec) => {
      // What other programs wrote may have brackets or capitals.
      const key = peerKey(peer);
      if (key !== undefined) this.#peers.set(key, createdAtSec);
    });
  }

  get size(): number {
    return this.#peers.size;
  }

  has(peer: PeerKey): boolean {
    return this.#peers.has(peer);
  }

  /** Servers and when they were put here, seconds. */
  entries(): IterableIterator<[PeerKey, number]> {
    return this.#peers.entries();
  }

  /** Harmless when it is there already. @throws {RangeError} when `text` is no domain and no IP address */
  add(text: string): PeerKey {
    const peer = requireKey(text);
    if (this.#peers.has(peer)) return peer;
    const createdAtSec = Math.floor(this.#clock.nowMs() / 1000);
    this.#rows.put(peer, createdAtSec);
    this.#peers.set(peer, createdAtSec);
    return peer;
  }

  /** @returns whether it was there @throws {RangeError} when `text` is no domain and no IP address */
  remove(text: string): boolean {
    const peer = requireKey(text);
    for (const spelling of [peer, `[${peer}]` as PeerKey]) this.#rows.remove(spelling);
    return this.#peers.delete(peer);
  }
}

/** @throws {RangeError} with a text for the operator */
function requireKey(text: string): PeerKey {
  const key = peerKey(text);
  if (key === undefined) throw new RangeError(`expected a domain name or an IP address, found ${text}`);
  return key;
}
