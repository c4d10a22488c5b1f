/** Token buckets, in bytes: how much may pass, per second and at once. */

export class ByteBucket {
  #bytesPerSecond: number;
  #left: number;
  #atMs: number;

  /** @param bytesPerSecond 0 is unlimited; one second's worth may pass at once */
  constructor(bytesPerSecond: number, nowMs: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#left = bytesPerSecond;
    this.#atMs = nowMs;
  }

  /** A new limit; what was used stays used. */
  configure(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
    this.#left = Math.min(this.#left, bytesPerSecond);
  }

  take(bytes: number, nowMs: number): boolean {
    if (this.#bytesPerSecond === 0) return true;
    const refill = ((nowMs - this.#atMs) * this.#bytesPerSecond) / 1000;
    this.#left = Math.min(this.#bytesPerSecond, this.#left + refill);
    this.#atMs = nowMs;
    if (this.#left < bytes) return false;
    this.#left -= bytes;
    return true;
  }
}

/** Slots of the table; sources share one only by chance, and nobody can choose whose. */
const SLOTS = 16_384;
/** A client needs about 100 bytes beyond its requests to begin. Many may stand behind one address. */
const EXCESS_BURST_BYTES = 16_384;
const EXCESS_BYTES_PER_SECOND = 1024;

/**
 * Bytes by which answers may outgrow requests before a client has proved its address, per source network. With forged
 * sources a relay is then no amplifier: a victim gets 1 kB/s more than was sent for it. The table never grows.
 */
export class AnswerAllowance {
  readonly #usedBytes = new Float64Array(SLOTS);
  readonly #atMs = new Float64Array(SLOTS);
  readonly #seed: number;

  /** @param seed 32 random bits */
  constructor(seed: number) {
    this.#seed = seed | 1;
  }

  /** @param source what counts as one sender @param bytes by how much the answer is longer than the request */
  take(source: string, bytes: number, nowMs: number): boolean {
    if (bytes <= 0) return true;
    const slot = this.#slotOf(source);
    const passed = Math.max(0, nowMs - (this.#atMs[slot] ?? 0));
    const used = Math.max(0, (this.#usedBytes[slot] ?? 0) - (passed * EXCESS_BYTES_PER_SECOND) / 1000);
    const fits = used + bytes <= EXCESS_BURST_BYTES;
    this.#usedBytes[slot] = fits ? used + bytes : used;
    this.#atMs[slot] = nowMs;
    return fits;
  }

  #slotOf(source: string): number {
    let hash = this.#seed;
    for (let i = 0; i < source.length; i++) hash = Math.imul(hash ^ source.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), this.#seed);
    return (hash ^ (hash >>> 13)) & (SLOTS - 1);
  }
}
