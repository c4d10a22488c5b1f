/**
 * Short addresses that lead to an invitation. Not in RAM: they are looked up when a visitor opens one, by primary key.
 */
import type { Clock } from "../core/clock.ts";
import { isReservedSlug, RESERVED_URL } from "../core/contact.ts";
import type { ContactRow, ContactRows } from "../db/contacts.ts";

/** Strangers add to it: about 40 MB at the most. */
const CONTACTS_MAX = 100_000;
const DAY_S = 86_400;

export interface Contact {
  slug: string;
  /** `openpgp4fpr:…` */
  url: string;
  name: string;
}

export class ContactBook {
  readonly #rows: ContactRows;
  readonly #clock: Clock;

  constructor(rows: ContactRows, clock: Clock) {
    this.#rows = rows;
    this.#clock = clock;
  }

  get size(): number {
    return this.#rows.count();
  }

  /** @returns undefined for a slug that is free or reserved */
  find(slug: string): Contact | undefined {
    const row = this.#rows.find(slug);
    return row === undefined || row.url === RESERVED_URL ? undefined : row;
  }

  list(limit: number, offset: number): ContactRow[] {
    return this.#rows.list(limit, offset);
  }

  /** @returns why not; undefined when it was added */
  add({ slug, url, name }: Contact): "reserved" | "taken" | "full" | undefined {
    if (isReservedSlug(slug)) return "reserved";
    if (this.#rows.count() >= CONTACTS_MAX) return "full";
    const createdAtSec = Math.floor(this.#clock.nowMs() / 1000 / DAY_S) * DAY_S;
    return this.#rows.insert({ slug, url, name, createdAtSec }) ? undefined : "taken";
  }

  /** @returns whether there was one to change */
  change({ slug, url, name }: Contact): boolean {
    return this.#rows.update(slug, { url, name });
  }

  /** @returns whether there was one */
  remove(slug: string): boolean {
    return this.#rows.remove(slug);
  }
}
