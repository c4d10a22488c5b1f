/** The prefetched header lines of recent messages: bounded by bytes for the whole process, oldest use goes first. */

/** What an entry costs beside its bytes: typed array, map slot (estimate). */
const ENTRY_OVERHEAD_BYTES = 160;
/** Keys are `mailbox serial × 2³² + uid`, exact below 2⁵³. */
const SERIAL_MAX = 2 ** 21 - 1;
const UID_SPACE = 2 ** 32;

export class HeaderCache {
  readonly #maxBytes: number;
  readonly #entries = new Map<number, Uint8Array>();
  #bytes = 0;
  #serial = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A number for a mailbox just loaded; distinguishes it from every other whose lines may still be here. */
  nextSerial(): number {
    if (this.#serial === SERIAL_MAX) {
      // Two million loads later the numbers begin again: forget rather than mix up.
      this.#entries.clear();
      this.#bytes = 0;
      this.#serial = 0;
    }
    return ++this.#serial;
  }

  get(serial: number, uid: number): Uint8Array | undefined {
    const key = serial * UID_SPACE + uid;
    const lines = this.#entries.get(key);
    if (lines === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, lines);
    return lines;
  }

  has(serial: number, uid: number): boolean {
    return this.#entries.has(serial * UID_SPACE + uid);
  }

  /** @param lines kept as given: pass bytes of their own, not a view on a larger buffer */
  set(serial: number, uid: number, lines: Uint8Array): void {
    this.delete(serial, uid);
    this.#entries.set(serial * UID_SPACE + uid, lines);
    this.#bytes += lines.length + ENTRY_OVERHEAD_BYTES;
    for (const [key, old] of this.#entries) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#entries.delete(key);
      this.#bytes -= old.length + ENTRY_OVERHEAD_BYTES;
    }
  }

  delete(serial: number, uid: number): void {
    const key = serial * UID_SPACE + uid;
    const lines = this.#entries.get(key);
    if (lines === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= lines.length + ENTRY_OVERHEAD_BYTES;
  }

  get bytes(): number {
    return this.#bytes;
  }
}
