/**
 * How much mail an account may hold, the one rule for all who ask: its own quota, else its domain's, else the default set
 * at run time, else the configured one. In RAM; written through.
 */
import { type Address, type Domain, domainOf } from "../core/address.ts";
import type { AccountRows } from "../db/accounts.ts";
import type { DomainQuotaRows } from "../db/domain-quotas.ts";
import { GLOBAL_QUOTA_USER, UNLIMITED_QUOTA } from "../db/schema.ts";

export interface Quota {
  /** 0 is unlimited. */
  bytes: number;
  /** Whose word it is; `none`: nobody limits it. */
  source: "user" | "domain" | "default" | "none";
}

export class QuotaBook {
  readonly #domainRows: DomainQuotaRows;
  readonly #accountRows: AccountRows;
  readonly #configuredBytes: () => number;
  /** 0 is unlimited. */
  readonly #domains = new Map<Domain, number>();
  /** As `quotas.max_storage`. */
  #serverBytes = 0;

  /** @param configuredBytes asked each time because a reload may change it; 0 is unlimited */
  constructor(domainRows: DomainQuotaRows, accountRows: AccountRows, configuredBytes: () => number) {
    this.#domainRows = domainRows;
    this.#accountRows = accountRows;
    this.#configuredBytes = configuredBytes;
  }

  hydrate(): void {
    this.#domains.clear();
    this.#domainRows.forEach((domain, bytes) => this.#domains.set(domain, bytes));
    this.#serverBytes = this.#accountRows.globalQuotaBytes();
  }

  /** @param own the account's row: 0 says nothing, -1 is unlimited */
  of(user: Address, own: number): Quota {
    if (own !== 0) return { bytes: Math.max(0, own), source: "user" };
    const ofDomain = this.#domains.size === 0 ? undefined : this.#domains.get(domainOf(user));
    if (ofDomain !== undefined) return { bytes: ofDomain, source: "domain" };
    const bytes = this.defaultBytes;
    return { bytes, source: bytes === 0 ? "none" : "default" };
  }

  /** For accounts without a quota of their own or of their domain; 0 is unlimited. */
  get defaultBytes(): number {
    return this.#serverBytes === 0 ? this.#configuredBytes() : Math.max(0, this.#serverBytes);
  }

  /** @param bytes 0 is unlimited; undefined takes the configured default */
  setDefault(bytes: number | undefined): void {
    const stored = storedQuota(bytes);
    this.#accountRows.setQuota(GLOBAL_QUOTA_USER, stored);
    this.#serverBytes = stored;
  }

  /** What each account of the domain may hold; 0 is unlimited. @returns undefined where the domain has no word in it */
  ofDomain(domain: Domain): number | undefined {
    return this.#domains.get(domain);
  }

  domains(): IterableIterator<[Domain, number]> {
    return this.#domains.entries();
  }

  /** @param bytes 0 is unlimited; undefined takes the default */
  setDomain(domain: Domain, bytes: number | undefined): void {
    if (bytes === undefined) {
      this.#domainRows.remove(domain);
      this.#domains.delete(domain);
    } else {
      this.#domainRows.put(domain, bytes);
      this.#domains.set(domain, bytes);
    }
  }
}

/** The form of `quotas.max_storage`, in which madmail's databases have 0 for no quota of its own. */
export function storedQuota(bytes: number | undefined): number {
  if (bytes === undefined) return 0;
  return bytes === 0 ? UNLIMITED_QUOTA : bytes;
}
