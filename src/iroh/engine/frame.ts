/**
 * One frame in memory of our own: its body behind room for the header of any transport, so that a packet is copied
 * once on its way through the relay.
 */

/** Enough for a WebSocket header (10) with the type behind it, and for the legacy header (5). */
export const HEADROOM_BYTES = 16;
/** A body of which less has come grows by doubling: announcing much costs a peer more than it costs us. */
const GROW_FROM_BYTES = 2048;

export class Frame {
  type: number;
  space: Uint8Array;
  /** Where the body begins in `space`; what lies before is free. */
  bodyAt: number;

  constructor(type: number, space: Uint8Array, bodyAt = HEADROOM_BYTES) {
    this.type = type;
    this.space = space;
    this.bodyAt = bodyAt;
  }

  get bodyBytes(): number {
    return this.space.length - this.bodyAt;
  }

  get body(): Uint8Array {
    return this.space.subarray(this.bodyAt);
  }
}

/** A frame to be sent. */
export function makeFrame(type: number, ...parts: readonly Uint8Array[]): Frame {
  const space = new Uint8Array(parts.reduce((sum, part) => sum + part.length, HEADROOM_BYTES));
  let at = HEADROOM_BYTES;
  for (const part of parts) {
    space.set(part, at);
    at += part.length;
  }
  return new Frame(type, space);
}

/** Gathers borrowed slices into one owned block that begins behind free room. */
export class Gathering {
  readonly #from: number;
  #space: Uint8Array = new Uint8Array(0);
  #end = 0;
  #wantedEnd = 0;

  /** @param from where the first byte goes; what lies before stays free */
  constructor(from: number) {
    this.#from = from;
    this.#end = from;
    this.#wantedEnd = from;
  }

  /** Bytes gathered since the last `take`. */
  get length(): number {
    return this.#end - this.#from;
  }

  /** Bytes that are wanted and have not come. */
  get missing(): number {
    return this.#wantedEnd - this.#end;
  }

  /** Wants `bytes` more. */
  want(bytes: number): void {
    this.#wantedEnd += bytes;
  }

  /** Copies from `bytes[at…]` what is wanted and there. @returns how many bytes that was */
  add(bytes: Uint8Array, at: number): number {
    const count = Math.min(this.missing, bytes.length - at);
    const from = this.#end;
    this.#end += count;
    if (this.#end > this.#space.length) this.#grow();
    const all = at === 0 && count === bytes.length;
    this.#space.set(all ? bytes : bytes.subarray(at, at + count), from);
    return count;
  }

  /** Where the next byte goes in `space`. */
  get end(): number {
    return this.#end;
  }

  /** The block as it stands, to look at or change in place. */
  get space(): Uint8Array {
    return this.#space;
  }

  /** Gives the block away, cut to what was gathered, and starts anew. */
  take(): Uint8Array {
    let taken = this.#space;
    if (taken.length !== this.#end) {
      taken = new Uint8Array(this.#end);
      taken.set(this.#space.subarray(0, this.#end));
    }
    this.#space = new Uint8Array(0);
    this.#end = this.#from;
    this.#wantedEnd = this.#from;
    return taken;
  }

  #grow(): void {
    const atOnce = Math.max(2 * this.#end, GROW_FROM_BYTES);
    // All here already: the exact size, without a second copy.
    const size = this.#end === this.#wantedEnd ? this.#end : Math.min(this.#wantedEnd, atOnce);
    const grown = new Uint8Array(size);
    if (this.#space.length > 0) grown.set(this.#space);
    this.#space = grown;
  }
}
