/**
 * Remembers which password each account last proved, so that a reconnecting client costs no slow hash.
 * Kept is a digest under a key that lives and dies with the process. The stored hash goes into it too: after a change
 * of password the old entry matches nothing, and nobody has to remember to throw it away.
 */
import { timingSafeEqual } from "node:crypto";
import type { Address } from "../core/address.ts";
import type { RandomBytes } from "./names.ts";

/** About 10 MB when full; the account that logged in longest ago leaves first. */
const ENTRIES_MAX = 65_536;

export class VerifiedCache {
  readonly #key: Uint8Array;
  readonly #entriesMax: number;
  readonly #digests = new Map<Address, Buffer>();

  constructor(random: RandomBytes, entriesMax = ENTRIES_MAX) {
    this.#key = random(32);
    this.#entriesMax = entriesMax;
  }

  get size(): number {
    return this.#digests.size;
  }

  /** HMAC-SHA256; about a microsecond. */
  digest(user: Address, storedHash: string, password: string): Buffer {
    // No part but the last can hold a NUL, so different parts never make the same text.
    return new Bun.CryptoHasher("sha256", this.#key).update(`${user}\0${storedHash}\0${password}`).digest();
  }

  has(user: Address, storedHash: string, password: string): boolean {
    const known = this.#digests.get(user);
    if (known === undefined || !timingSafeEqual(known, this.digest(user, storedHash, password))) return false;
    this.#digests.delete(user);
    this.#digests.set(user, known);
    return true;
  }

  add(user: Address, storedHash: string, password: string): void {
    this.#digests.delete(user);
    if (this.#digests.size >= this.#entriesMax) {
      for (const oldest of this.#digests.keys()) {
        this.#digests.delete(oldest);
        break;
      }
    }
    this.#digests.set(user, this.digest(user, storedHash, password));
  }

  forget(user: Address): void {
    this.#digests.delete(user);
  }
}
