/**
 * Salts that were seen, so that a recorded stream opens nothing when it is sent again (and our own answers can't be
 * sent back to us). Exact, bounded, in two generations. Only salts that authenticated come here: strangers can't
 * fill it.
 */
import { toLatin1 } from "../../core/bytes.ts";

/** Of one generation, about 100 bytes each. */
const SALTS_MAX = 100_000;

export interface ReplayOptions {
  /**
   * How long a salt must be remembered, milliseconds; older streams are known by their time (SIP022). 0 where there
   * is no time in the stream (SIP004): then the latest 100,000 to 200,000 are remembered.
   */
  windowMs: number;
  /** Default 100,000. */
  saltsMax?: number;
}

export class ReplayFilter {
  readonly #windowMs: number;
  readonly #saltsMax: number;
  #young = new Set<string>();
  #old = new Set<string>();
  /** When the young generation began. */
  #sinceMs = 0;

  constructor({ windowMs, saltsMax }: ReplayOptions) {
    this.#windowMs = windowMs;
    this.#saltsMax = saltsMax ?? SALTS_MAX;
  }

  /** Salts in memory. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /**
   * Notes a salt. Where salts have a window and it is full, nothing new is let in: better no new session than one twice.
   * @param nowMs monotonic milliseconds
   * @returns false when it was there already
   */
  admit(salt: Uint8Array, nowMs: number): boolean {
    const key = toLatin1(salt);
    this.#turn(nowMs);
    if (this.#young.has(key) || this.#old.has(key)) return false;
    if (this.#young.size >= this.#saltsMax) {
      if (this.#windowMs > 0) return false;
      this.#rotate(nowMs);
    }
    this.#young.add(key);
    return true;
  }

  #turn(nowMs: number): void {
    if (this.#windowMs === 0) return;
    if (this.#young.size + this.#old.size === 0) this.#sinceMs = nowMs;
    const ageMs = nowMs - this.#sinceMs;
    if (ageMs >= 2 * this.#windowMs) this.#young.clear();
    if (ageMs >= this.#windowMs) this.#rotate(nowMs);
  }

  #rotate(nowMs: number): void {
    this.#old = this.#young;
    this.#young = new Set();
    this.#sinceMs = nowMs;
  }
}
